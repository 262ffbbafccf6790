"""The public listens dump of ListenBrainz as listeners with plays by artist.

A dump has one listen (one play) per line, by month and not by listener, so plays are summed up
while it is read. A full dump has more pairs of listener and artist than fit in memory: sums that
don't fit are written to a temporary folder, partitioned by listener, and summed up at the end.
"""

import gzip
import json
import lzma
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

import pyarrow

from twotower.core.domain import Artist, Profile
from twotower.core.errors import MissingData, UnreadableExport
from twotower.core.jobs import Progress, silent
from twotower.core.names import artist_key
from twotower.sources.datasets.tables import FOLDERS
from twotower.sources.files.listenbrainz_export import credited_artists
from twotower.sources.values import EARLIEST, LATEST, clean

ORIGIN = "listenbrainz"
MOST_PAIRS = 500_000  # of listener and artist in memory, about 200 MB
PARTITIONS = 256  # temporary files; one at a time is summed up in memory
LONGEST_LINE = 1 << 24  # bytes
_FIRST_S, _LAST_S = EARLIEST.timestamp(), LATEST.timestamp()
_EPOCH = date(1970, 1, 1).toordinal()
_LINES_PER_REPORT = 20_000
_PLAIN = (".listens", ".listens.gz", ".listens.zst")
_ARCHIVES = (".tar", ".tar.zst", ".tar.xz", ".tar.gz", ".tar.bz2")
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, pyarrow.ArrowException)


def read_listeners(
    folder: Path, *, progress: Progress | None = None, left_out: Counter[str] | None = None
) -> Iterator[Profile]:
    """Yield the listeners of all dumps in `folder`, full and incremental ones together.

    Reads monthly `.listens` files anywhere in it (plain, .gz or .zst) and archives of them (.tar,
    .tar.zst, .tar.xz, .tar.gz), except archives that are unpacked beside themselves. Ids are the
    dump's numbers, or user names if it has no numbers. If a listen is mapped to MusicBrainz, each
    artist of the credit gets the play. Lines that are no listen are counted in `left_out`.

    Raises MissingData if there is no dump, UnreadableExport if a file is damaged or has no listens.
    """
    left_out = Counter() if left_out is None else left_out
    progress = progress or silent
    paths = _dump_files(folder)
    total_bytes = sum(path.stat().st_size for path in paths) or 1
    bytes_before = 0
    with ExitStack() as stack:
        sums = _PlaySums(stack)
        for path in paths:

            def report(bytes_read: int, message: str, before: int = bytes_before) -> None:
                progress(min(1.0, (before + bytes_read) / total_bytes), message)

            _read_file(path, sums, left_out, report)
            bytes_before += path.stat().st_size
        yield from sums.profiles()


def _dump_files(folder: Path) -> list[Path]:
    """Return the files to read, or `folder` itself if it is a file."""
    paths = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    files = [path for path in paths if path.is_file()]
    plain = [path for path in files if path.name.endswith(_PLAIN)]
    archives = [path for path in files if path.name.endswith(_ARCHIVES) and not _is_unpacked(path)]
    if not plain and not archives:
        hint = "; Spark dumps (.parquet) are another kind" * any(
            path.suffix == ".parquet" for path in files
        )
        raise MissingData(
            f"no .listens file and no .tar.zst of the data set {FOLDERS[ORIGIN]} is in "
            f"{folder}{hint}; docs/data.md says where to get it"
        )
    return plain + archives


def _is_unpacked(archive: Path) -> bool:
    return archive.with_name(archive.name.split(".tar")[0]).is_dir()


def _read_file(
    path: Path, sums: "_PlaySums", left_out: Counter[str], report: Callable[[int, str], None]
) -> None:
    """Add the listens of one file, or of the `.listens` files in one archive."""
    listens, number, name = 0, 0, path.name
    try:
        with path.open("rb") as file:
            for name, number, line in _lines(path, _uncompressed(path, file)):
                if number % _LINES_PER_REPORT == 1:
                    report(file.tell(), f"Reading {name}")
                if reason := sums.add(line):
                    left_out[reason] += 1
                else:
                    listens += 1
    except _DAMAGED as problem:
        raise UnreadableExport(
            f"the file is damaged or incomplete ({problem}): download it again "
            "(docs/data.md says where)",
            where=f"{path.name}, after line {number:,} of {name}",
        ) from problem
    if not listens:
        raise UnreadableExport(
            "no listens in it: take the listens dump, not the one of tables or for Spark; "
            "docs/data.md says which",
            where=path.name,
        )


def _uncompressed(path: Path, file: IO[bytes]) -> IO[bytes]:
    stream: Any = file
    if path.name.endswith(".zst"):
        stream = pyarrow.CompressedInputStream(file, "zstd")
    elif path.name.endswith(".listens.gz"):
        stream = gzip.GzipFile(fileobj=file)
    return cast(IO[bytes], stream)


def _lines(path: Path, file: IO[bytes]) -> Iterator[tuple[str, int, bytes]]:
    """Yield (file within the dump, line number, line) of a monthly file or an archive."""
    if not path.name.endswith(_ARCHIVES):
        for number, line in enumerate(_split_lines(file), 1):
            yield path.name, number, line
        return
    with tarfile.open(fileobj=file, mode="r|" if path.suffix == ".zst" else "r|*") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.endswith(".listens") else None
            if stream is not None:
                name = "/".join(member.name.split("/")[-2:])
                for number, line in enumerate(_split_lines(stream), 1):
                    yield name, number, line


def _split_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream that can't seek."""
    rest = b""
    while piece := file.read(1 << 20):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > LONGEST_LINE:
            raise OSError(f"a line has more than {LONGEST_LINE:,} bytes")
    if rest:
        yield rest


class _PlaySums:
    """Plays of each listener and artist with the first and last day, for dumps of any size."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._folder: Path | None = None  # created when memory gets too small
        # (listener, artist key) -> [name, plays, first day, last day]; days as ordinals, 0 unknown
        self._in_memory: dict[tuple[str, str], list[Any]] = {}

    def add(self, line: bytes) -> str:
        """Add one line of a dump. Returns the reason if it is left out, else ""."""
        if not line.strip():
            return "empty lines"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return "broken lines"
        metadata = row.get("track_metadata") if isinstance(row, dict) else None
        if not isinstance(metadata, dict):
            return "other lines"
        listener = clean(row.get("user_id")) or clean(row.get("user_name"))
        artists = _artists(metadata)
        if not listener or not artists:
            return "no artist" if listener else "no listener"
        day = _day(row.get("listened_at", row.get("timestamp")))
        for key, name in artists.items():
            self._add_plays(listener, key, name, 1, day, day)
        if len(self._in_memory) > MOST_PAIRS:
            self._write_out()
        return ""

    def _add_plays(
        self, listener: str, key: str, name: str, plays: int, first: int, last: int
    ) -> None:
        known = self._in_memory.get((listener, key))
        if known is None:
            self._in_memory[listener, key] = [name, plays, first, last]
        else:
            known[1] += plays
            known[2] = min(known[2] or first, first or known[2])
            known[3] = max(known[3], last)

    def _write_out(self) -> None:
        """Move the sums in memory to the temporary files."""
        if self._folder is None:
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        lines: list[list[str]] = [[] for _ in range(PARTITIONS)]
        for (listener, key), sums in self._in_memory.items():
            lines[zlib.crc32(listener.encode()) % PARTITIONS].append(
                json.dumps([listener, key, *sums], separators=(",", ":")) + "\n"
            )
        self._in_memory = {}
        for number, partition in enumerate(lines):
            with (self._folder / str(number)).open("a", encoding="ascii") as file:
                file.writelines(partition)

    def profiles(self) -> Iterator[Profile]:
        """Yield a profile for each listener."""
        if self._folder is None:
            yield from self._profiles_in_memory()
            return
        self._write_out()
        for number in range(PARTITIONS):
            with (self._folder / str(number)).open(encoding="ascii") as file:
                for line in file:
                    self._add_plays(*json.loads(line))
            yield from self._profiles_in_memory()
            self._in_memory = {}

    def _profiles_in_memory(self) -> Iterator[Profile]:
        listeners: dict[str, dict[str, list[Any]]] = {}
        for (listener, key), sums in self._in_memory.items():
            listeners.setdefault(listener, {})[key] = sums
        for listener, artists in listeners.items():
            by_plays = sorted(artists.items(), key=lambda item: -item[1][1])
            first_days = [first for _, _, first, _ in artists.values() if first]
            last_days = [last for _, _, _, last in artists.values() if last]
            yield Profile(
                listener,
                MappingProxyType(
                    {key: Artist(name, float(plays)) for key, (name, plays, *_) in by_plays}
                ),
                origin=ORIGIN,
                since=date.fromordinal(min(first_days)) if first_days else None,
                until=date.fromordinal(max(last_days)) if last_days else None,
            )


def _artists(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return artist key -> name."""
    mapping = metadata.get("mbid_mapping")
    credits = mapping.get("artists") if isinstance(mapping, dict) else None
    names = credited_artists(credits, metadata.get("artist_name"))
    return {artist_key(name): name for name in names}


def _day(seconds: object) -> int:
    """Return the day of a time in seconds since 1970 as its ordinal, or 0 if it is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return 0
    return _EPOCH + int(seconds) // 86_400 if _FIRST_S <= seconds < _LAST_S else 0
