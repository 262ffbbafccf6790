"""Reads a person's music files, in any mixture of formats, as one history."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from twotower.core.domain import SPOTIFY_WEB_API, Profile
from twotower.core.errors import MissingData, NoMusic, NotListening, SourceError, TooLarge
from twotower.core.jobs import Progress, silent
from twotower.sources.collector import FileStats, PlayCollector, Reading
from twotower.sources.files.archives import (
    MEGABYTE,
    Part,
    ReadingMeter,
    open_part,
    size_of,
)
from twotower.sources.files.csv import csv_origin
from twotower.sources.files.formats import BY_KIND
from twotower.sources.files.kinds import kind_of
from twotower.sources.files.unpacking import WHAT_TO_CHOOSE, list_parts
from twotower.sources.profile_jsonl import read_profiles
from twotower.sources.profiles import profile_of
from twotower.sources.values import clean

LARGEST_UPLOAD = 400 * MEGABYTE  # all files of one reading, before unpacking
MOST_PROFILES = 10_000
_ORDER = {kind: at for at, kind in enumerate(BY_KIND)}  # in which the files are read

NamedFile = tuple[str, IO[bytes]]  # name shown to the person; open, seekable binary file


def read_profile(*paths: Path | str, id: str = "me") -> Profile:
    """Read one person's files into one profile, whatever `read_files` can read.

        profile = read_profile("my_spotify_data.zip", "scrobbles.csv")
        profile.artists["low"].plays  # 120.0

    Raises MissingData if a file can't be opened, BadProfile if there are several listeners, and
    otherwise the errors of `read_files`.
    """
    with ExitStack() as stack:
        files = []
        for path in map(Path, paths):
            try:
                files.append((path.name, stack.enter_context(path.open("rb"))))
            except OSError as error:
                raise MissingData(
                    f"can't be opened ({error.strerror}); check the path", where=str(path)
                ) from error
        return profile_of(read_files(files), id=id)


def read_files(files: Sequence[NamedFile], progress: Progress | None = None) -> Reading:
    """Read all files as one person's music.

    Formats: Spotify data export, ListenBrainz export, CSV and profile JSON Lines, plain, gzipped or
    in a ZIP. A file that is given twice counts once, and so does a play found in two files.
    Account history is left out for days that the extended history covers.

    Files without listening, such as the others of an export, are passed over and reported.

    Raises UnreadableExport, BadProfile, TooLarge or NoMusic with the file's name and what to do;
    then nothing of any file is used. Raises ValueError if `files` is empty.
    """
    if not files:
        raise ValueError("0 files to read")
    _check_upload_size(files)
    inputs = [each for name, file in files for each in _inputs_of(clean(name) or "file", file)]
    reading = _FileReading(inputs, progress or silent)
    for each in sorted(inputs, key=lambda each: _ORDER.get(each.kind, -1)):
        reading.read(each)
    stats = [each.stats for each in inputs]
    if reading.collector.is_empty and not reading.profiles:
        raise _no_music(files, inputs)
    return reading.collector.reading([each.report() for each in stats], reading.profiles)


@dataclass(slots=True)
class _Input:
    """One file of a reading, with what is found out about it."""

    stats: FileStats
    part: Part | None = None  # None if it couldn't be opened as music
    kind: str = ""
    problem: SourceError | None = None  # why it is passed over

    def pass_over(self, problem: SourceError) -> None:
        self.problem = problem
        self.stats.passed_over = str(problem).removeprefix(f"{problem.where}: ")


def _inputs_of(name: str, file: IO[bytes]) -> Iterator[_Input]:
    """Yield the file, or the members of a ZIP, with their kinds."""
    try:
        parts = list(list_parts(name, file))
    except (NotListening, NoMusic) as problem:
        foreign = _Input(FileStats(name))
        foreign.pass_over(problem)
        yield foreign
        return
    for part in parts:
        each = _Input(FileStats(part.name), part)
        try:
            with open_part(part) as stream:
                each.kind = kind_of(stream, part.name)
        except NotListening as problem:
            each.pass_over(problem)
        yield each


class _FileReading:
    """The reading of all files of one person, one after another."""

    def __init__(self, inputs: Sequence[_Input], progress: Progress) -> None:
        packed_bytes = sum(each.part.packed_bytes for each in inputs if each.part)
        self._meter = ReadingMeter(packed_bytes, progress)
        timed = sum(each.kind in BY_KIND and BY_KIND[each.kind].is_timed for each in inputs)
        self.collector = PlayCollector(find_duplicates=timed > 1)
        self.profiles: list[Profile] = []
        self._fingerprints: set[tuple[int, int]] = set()

    def read(self, file: _Input) -> None:
        """Read one file, or find that there is no listening in it."""
        part, kind = file.part, file.kind
        if part is None:
            return
        if part.fingerprint in self._fingerprints:
            file.stats.left_out["the same as another file"] = 1
        elif kind == "profiles":
            _read_profiles(part, self._meter, file.stats, self.profiles)
        elif kind:
            try:
                _read_plays(part, kind, self._meter, file.stats, self.collector)
            except NotListening as problem:
                file.pass_over(problem)
        self._fingerprints.add(part.fingerprint)
        self._meter.finish(part)


def _check_upload_size(files: Sequence[NamedFile]) -> None:
    size = sum(size_of(file) for _, file in files)
    if size > LARGEST_UPLOAD:
        raise TooLarge(
            f"{size // MEGABYTE:,} MB in all, and the limit is {LARGEST_UPLOAD // MEGABYTE} MB: "
            "choose fewer files at a time"
        )


def _read_profiles(
    part: Part, meter: ReadingMeter, stats: FileStats, profiles: list[Profile]
) -> None:
    """Append the profiles of one file of profile JSON Lines."""
    with open_part(part, meter) as stream:
        lines = read_profiles(stream, where=part.name, ignored=stats.left_out)
        added = list(islice(lines, MOST_PROFILES + 1 - len(profiles)))
    profiles.extend(added)
    if len(profiles) > MOST_PROFILES:
        raise TooLarge(
            f"more than {MOST_PROFILES:,} listeners: choose a smaller file", where=part.name
        )
    for profile in added:
        stats.add_profile(profile)


def _read_plays(
    part: Part, kind: str, meter: ReadingMeter, stats: FileStats, collector: PlayCollector
) -> None:
    """Add the plays of one file to the collector."""
    read = BY_KIND[kind].read
    if read is None:
        raise ValueError(f"{kind} have no plays")
    with open_part(part, meter) as stream:
        if kind == "table" and csv_origin(stream) == SPOTIFY_WEB_API:
            collector.origin = SPOTIFY_WEB_API
        for play in read(stream, part.name, stats.left_out):
            collector.add(play, kind, stats)
    collector.end_file(kind)


def _no_music(files: Sequence[NamedFile], inputs: Sequence[_Input]) -> SourceError:
    """Return the error of the only file, or one that says what was found in all of them."""
    problems = [each.problem for each in inputs if each.problem]
    if len(inputs) == len(problems) == 1:
        return problems[0]
    left_out: Counter[str] = Counter()
    for each in inputs:
        left_out.update(each.stats.left_out)
    left_out.update({"files of another kind": len(problems)} if problems else {})
    why = ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common())
    where = clean(files[0][0]) if len(files) == 1 else f"{len(files)} files"
    return NoMusic(f"no music in it{f', but {why}' if why else ''}: {WHAT_TO_CHOOSE}", where=where)
