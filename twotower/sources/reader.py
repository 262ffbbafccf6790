"""A person's music files of any kind, told apart by what is in them, read together.

Nothing is ever written to disk, and of an archive only the files that tell of listening are opened.
"""

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import IO, Literal, cast

from twotower.core.domain import SPOTIFY_WEB_API, Play, Profile
from twotower.core.errors import NoMusic, TooLarge, UnreadableExport
from twotower.sources.files.csv import csv_origin, read_csv
from twotower.sources.files.json_stream import json_rows
from twotower.sources.files.spotify_export import is_export_name, read_export
from twotower.sources.files.text import clean, text_chunks
from twotower.sources.profile_jsonl import read_profiles
from twotower.sources.reading import Count, FileReport, Gathered, Reading
from twotower.sources.services.listenbrainz import is_listens_name, read_listens

MEGABYTE = 1 << 20
LARGEST_UPLOAD = 400 * MEGABYTE  # all files of one reading, as they come
LARGEST_UNPACKED = 1024 * MEGABYTE  # all that is read of them
LARGEST_RATIO = 200  # unpacked to packed, asked once a file unpacks to more than SMALL
SMALL = 8 * MEGABYTE
MOST_MEMBERS = 2_000  # files in one ZIP; an export has a few hundred at most
MOST_PROFILES = 10_000
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, struct.error, ValueError)
WHAT_TO_CHOOSE = (
    "choose the ZIP of your Spotify data, its StreamingHistory files, the ZIP of ListenBrainz, "
    "or a CSV"
)

NamedFile = tuple[str, IO[bytes]]  # the name shown to the person; an open, seekable binary file
Progress = Callable[[float, str], None]  # share read so far, 0..1; what is being read
_Kind = Literal["extended", "account", "listens", "library", "playlists", "table", "profiles"]
_ORDER: Sequence[_Kind] = (
    *("extended", "account", "listens", "library", "playlists", "table", "profiles"),
)
_TIMED = ("extended", "account", "listens", "table")  # may tell a play that another file tells


@dataclass(frozen=True, slots=True)
class _Part:
    """One file to read: given as it is, or a member of an archive."""

    name: str  # for the person
    open: Callable[[], IO[bytes]]
    packed: int  # bytes as given, which is its share of the work
    position: Callable[[int], float]  # bytes read -> share of the part, 0..1
    mark: tuple[int, int]  # checksum and length: the same twice is one file


def read_files(files: Sequence[NamedFile], progress: Progress | None = None) -> Reading:
    """Read all of the files as one person's music.

    ZIP, gzip, JSON of a Spotify data export, listens of ListenBrainz, CSV and profile JSON Lines,
    in any mixture. A file given twice counts once, and so does a play that two files tell; account
    history from days that the extended history has too is left out. UnreadableExport, BadProfile,
    TooLarge and NoMusic name the file and what to do; then nothing of any file is used. ValueError
    where there is no file.
    """
    if not files:
        raise ValueError("0 files to read")
    size = sum(_size(file) for _, file in files)
    if size > LARGEST_UPLOAD:
        raise TooLarge(
            f"{size // MEGABYTE:,} MB in all, and the limit is {LARGEST_UPLOAD // MEGABYTE} MB: "
            "choose fewer files at a time"
        )
    parts = [part for name, file in files for part in _parts(clean(name) or "file", file)]
    watch = _Watch(sum(part.packed for part in parts), progress)
    kinds = [_kind(part) for part in parts]
    gathered = Gathered(several=sum(kind in _TIMED for kind in kinds) > 1)
    reports: dict[int, FileReport] = {}
    profiles: list[Profile] = []
    marks: set[tuple[int, int]] = set()
    for at in sorted(range(len(parts)), key=lambda at: _ORDER.index(kinds[at])):
        part, left_out = parts[at], Counter[str]()
        count = Count()
        if part.mark in marks:
            left_out["the same as another file"] = 1
        elif kinds[at] == "profiles":
            with _open(part, watch) as stream:
                found = read_profiles(stream, where=part.name, ignored=left_out)
                here = list(islice(found, MOST_PROFILES + 1 - len(profiles)))
            profiles.extend(here)
            if len(profiles) > MOST_PROFILES:
                raise TooLarge(f"more than {MOST_PROFILES:,} listeners", where=part.name)
            for profile in here:
                count.profile(profile)
        else:
            with _open(part, watch) as stream:
                for play in _plays(stream, part.name, kinds[at], left_out, gathered):
                    gathered.add(play, part.name, kinds[at], count, left_out)
            gathered.next_file(kinds[at])
        marks.add(part.mark)
        watch.done(part)
        reports[at] = FileReport(
            part.name,
            count.plays,
            len(count.artists),
            *count.days(),
            MappingProxyType(dict(left_out)),
            kept=count.kept,
        )
    if not gathered.plays and not profiles:
        raise _no_music(files, reports.values())
    since, until = gathered.days()
    return Reading(
        gathered.result(),
        gathered.origin,
        tuple(reports[at] for at in range(len(parts))),
        tuple(profiles),
        since,
        until,
        gathered.clock(),
    )


def _plays(
    stream: IO[bytes], name: str, kind: _Kind, left_out: Counter[str], gathered: Gathered
) -> Iterator[Play]:
    if kind == "listens":
        return read_listens(stream, name, left_out=left_out)
    if kind != "table":
        return read_export(stream, name, left_out=left_out)
    if csv_origin(stream) == SPOTIFY_WEB_API:
        gathered.origin = SPOTIFY_WEB_API
    return read_csv(stream, name, left_out=left_out)


class _Watch:
    """Tells how far the reading is, and stops it where it unpacks to too much."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = max(1, total)
        self._progress = progress
        self._before = 0  # packed bytes of the parts that are done
        self._told = -1.0
        self.unpacked = 0

    def read(self, part: _Part, read: int, here: int) -> None:
        """Another `read` bytes of `part` are here, `here` so far."""
        self.unpacked += read
        if self.unpacked > LARGEST_UNPACKED:
            raise TooLarge(
                f"unpacks to more than {LARGEST_UNPACKED // MEGABYTE:,} MB: choose fewer files",
                where=part.name,
            )
        if here > SMALL and here > LARGEST_RATIO * part.packed:
            raise TooLarge(
                f"unpacks to more than {LARGEST_RATIO} times its size, as no listening history "
                "does: download it again",
                where=part.name,
            )
        self._tell(self._before + part.packed * min(1.0, part.position(here)), part.name)

    def done(self, part: _Part) -> None:
        self._before += part.packed
        self._tell(self._before, part.name)

    def _tell(self, packed: float, name: str) -> None:
        share = min(1.0, packed / self._total)
        if self._progress is not None and (share >= self._told + 0.01 or share == 1 > self._told):
            self._told = share
            self._progress(share, f"Reading {name}")


class _Stream(io.RawIOBase):
    """A part's unpacked bytes; damage to its packing is UnreadableExport."""

    def __init__(self, part: _Part, watch: _Watch) -> None:
        self._part = part
        self._watch = watch
        self._here = 0
        self._file = self._opened()

    def _opened(self) -> IO[bytes]:
        try:
            return self._part.open()
        except (*DAMAGED, RuntimeError, NotImplementedError) as fault:
            raise self._damaged(fault) from fault

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            piece = self._file.read(-1 if size is None else size)
        except DAMAGED as fault:
            raise self._damaged(fault) from fault
        self._here += len(piece)
        self._watch.read(self._part, len(piece), self._here)
        return piece

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if (offset, whence) != (0, 0):
            raise io.UnsupportedOperation("only back to the start")
        self._watch.unpacked -= self._here
        self._here = 0
        self._file = self._opened()
        return 0

    def tell(self) -> int:
        return self._here

    def _damaged(self, fault: BaseException) -> UnreadableExport:
        return UnreadableExport(
            f"the file is damaged or only half of it is here ({fault}): download it again",
            where=self._part.name,
        )


def _open(part: _Part, watch: _Watch) -> IO[bytes]:
    return cast(IO[bytes], _Stream(part, watch))


def _size(file: IO[bytes]) -> int:
    return file.seek(0, io.SEEK_END)


def _parts(name: str, file: IO[bytes]) -> Iterator[_Part]:
    size = _size(file)
    file.seek(0)
    head = file.read(4)
    if not head:
        raise UnreadableExport("the file is empty: download it again", where=name)
    if head.startswith(b"PK"):
        yield from _members(name, file, size)
    elif head.startswith(b"\x1f\x8b"):
        file.seek(max(0, size - 8))
        mark = struct.unpack("<II", file.read(8).rjust(8, b"\0"))

        def unpacked() -> IO[bytes]:
            file.seek(0)
            return cast(IO[bytes], gzip.GzipFile(fileobj=file))

        yield _Part(name, unpacked, size, lambda _: file.tell() / size, mark)
    else:
        if name.casefold().endswith((".zip", ".gz")):
            raise UnreadableExport(
                "this is no ZIP or gzip file, whatever its name says: download it again", where=name
            )

        def plain() -> IO[bytes]:
            file.seek(0)
            return file

        yield _Part(name, plain, size, lambda here: here / size, (_checksum(file), size))


def _checksum(file: IO[bytes]) -> int:
    file.seek(0)
    checksum = 0
    while piece := file.read(MEGABYTE):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _members(name: str, file: IO[bytes], size: int) -> Iterator[_Part]:
    """The members of a ZIP that tell of listening: those of an export, else its CSV files."""
    if _directory_size(file, size) > MOST_MEMBERS * 512:
        raise TooLarge(f"more than {MOST_MEMBERS:,} files in it", where=name)
    try:
        archive = zipfile.ZipFile(file)
    except (*DAMAGED, NotImplementedError) as fault:
        raise UnreadableExport(
            "the ZIP is damaged or only half of it is here: download it again", where=name
        ) from fault
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise TooLarge(
            f"{len(members):,} files in it, and the limit is {MOST_MEMBERS:,}", where=name
        )
    for member in members:
        if _escapes(member.orig_filename):
            raise UnreadableExport(
                f"holds a file named {clean(member.orig_filename)[:60]!r}, which points outside "
                "of it, as no music export does: download it again from where it came",
                where=name,
            )
    files = [one for one in members if not one.is_dir() and "__MACOSX/" not in one.filename]
    music = [one for one in files if is_export_name(one.filename) or is_listens_name(one.filename)]
    music = music or [one for one in files if one.filename.casefold().endswith(".csv")]
    if not music:
        raise NoMusic(f"no music in it: {WHAT_TO_CHOOSE}", where=name)
    for member in music:
        path = re.split(r"[/\\]", member.filename)
        base = clean("/".join(path[-2:]) if is_listens_name(member.filename) else path[-1])
        yield _member(archive, member, f"{name}/{base}")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> _Part:
    if member.flag_bits & 1:
        raise UnreadableExport(
            "is locked with a password: unpack it and choose the files inside", where=name
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableExport(
            "is packed in an unusual way: unpack it and choose the files inside", where=name
        )
    if member.file_size > SMALL and member.file_size > LARGEST_RATIO * member.compress_size:
        raise TooLarge(
            f"unpacks to more than {LARGEST_RATIO} times its size, as no listening history does: "
            "download it again",
            where=name,
        )
    return _Part(
        name,
        lambda: archive.open(member),
        max(1, member.compress_size),
        lambda here: here / max(1, member.file_size),
        (member.CRC, member.file_size),
    )


def _directory_size(file: IO[bytes], size: int) -> int:
    """Bytes of a ZIP's list of members, as its end says, before anything is made of the list."""
    tail_at = max(0, size - (1 << 16) - 128)
    file.seek(tail_at)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        return 0
    (directory,) = struct.unpack_from("<I", tail, end + 12)
    large = tail.rfind(b"PK\x06\x06", 0, end)
    if large >= 0 and end >= large + 48:
        directory = max(directory, *struct.unpack_from("<Q", tail, large + 40))
    return min(int(directory), size)


def _escapes(name: str) -> bool:
    path = name.replace("\\", "/")
    return (
        path.startswith("/") or re.match("[A-Za-z]:", path) is not None or ".." in path.split("/")
    )


def _kind(part: _Part) -> _Kind:
    """What a part is, by how it begins; UnreadableExport for what we can't read."""
    with _open(part, _Watch(part.packed, None)) as stream:
        head = stream.read(4)
        if head.startswith((b"\x1f\x8b", b"PK\x03\x04")):
            raise UnreadableExport(
                "is packed twice: unpack it once and choose what is inside", where=part.name
            )
        stream.seek(0)
        start = next((text.lstrip() for text in text_chunks(stream) if text.strip()), "")
        if not start.startswith(("[", "{")):
            if part.name.casefold().endswith((".json", ".json.gz", ".jsonl", ".jsonl.gz")):
                raise UnreadableExport(
                    "isn't JSON, whatever its name says: download it again", where=part.name
                )
            return "table"
        stream.seek(0)
        kind = _json_kind(stream, part.name)
        if kind != "listens" and part.name.casefold().endswith((".jsonl", ".jsonl.gz", ".ndjson")):
            return "profiles"
        return kind


def _json_kind(stream: IO[bytes], name: str) -> _Kind:
    """The kind of a JSON file by the first keys that tell; its errors are left to its reader."""
    for key, value in islice(_rows_until_damage(stream, name), 1000):
        fields: Mapping[str, object] = value if isinstance(value, dict) else {}
        if key == "":
            if "track_metadata" in fields:
                return "listens"
            if "ms_played" in fields or "master_metadata_track_name" in fields:
                return "extended"
            if fields:
                return "account"
        elif key == "track_metadata":
            return "listens"
        elif key in ("v", "id", "origin", "from", "to", "genres", "audio"):
            return "profiles"
        elif key == "playlists":
            return "profiles" if "tracks" in fields else "playlists"
        elif key == "tracks":
            return "profiles" if "name" in fields else "library"
        elif key == "artists":
            return "library" if "uri" in fields else "profiles"
        elif key in ("albums", "shows", "episodes", "bannedTracks", "bannedArtists"):
            return "library"
    return "account"


def _rows_until_damage(stream: IO[bytes], name: str) -> Iterator[tuple[str, object]]:
    try:
        yield from json_rows(stream, name)
    except UnreadableExport:
        return


def _no_music(files: Sequence[NamedFile], reports: Iterable[FileReport]) -> NoMusic:
    left_out: Counter[str] = Counter()
    for report in reports:
        left_out.update(report.left_out)
    why = ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common())
    where = clean(files[0][0]) if len(files) == 1 else f"{len(files)} files"
    return NoMusic(f"no music in it{f', but {why}' if why else ''}: {WHAT_TO_CHOOSE}", where=where)
