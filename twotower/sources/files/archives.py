"""Files that a person chooses, unpacked in memory: ZIP members, gzip files and plain files.

Nothing is written to disk. Of a ZIP only the files with listening in them are opened.
"""

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, cast

from twotower.core.errors import NoMusic, TooLarge, UnreadableExport
from twotower.core.jobs import Progress, silent
from twotower.sources.files.formats import is_member
from twotower.sources.files.listenbrainz_export import is_listens_file
from twotower.sources.files.spotify_export import is_history_file
from twotower.sources.files.workbook import is_workbook
from twotower.sources.values import clean

MEGABYTE = 1 << 20
LARGEST_UNPACKED = 1024 * MEGABYTE  # all files of one reading
LARGEST_RATIO = 200  # unpacked to packed size, for files that unpack to more than SMALL
SMALL = 8 * MEGABYTE
MOST_MEMBERS = 2_000  # files in one ZIP; an export has a few hundred at most
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, struct.error, ValueError)
WHAT_TO_CHOOSE = (
    "choose the ZIP that your music service sent you, the files in it, or a table with a column "
    "of artists"
)
_UNPACK = "unpack it and choose the files inside"
_TOO_DENSE = (
    f"unpacks to more than {LARGEST_RATIO} times its size; a listening history never does: "
    "download it again"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One file to read: chosen by the person, or a member of a ZIP."""

    name: str  # for the person
    unpack: Callable[[], IO[bytes]]  # opens the unpacked bytes from the start
    packed_bytes: int  # its share of the work
    share_read: Callable[[int], float]  # unpacked bytes read -> share of the part, 0..1
    fingerprint: tuple[int, int]  # checksum and length; equal for the same file


class ReadingMeter:
    """Reports the progress of a reading, and stops it if it unpacks to too much."""

    def __init__(self, packed_bytes: int, progress: Progress = silent) -> None:
        self._total = max(1, packed_bytes)
        self._progress = progress
        self._finished_bytes = 0  # packed, of the parts that are finished
        self._reported = -1.0
        self._unpacked_bytes = 0

    def add(self, part: Part, more: int, so_far: int) -> None:
        """Count `more` unpacked bytes of a part, `so_far` in all. Raises TooLarge."""
        self._unpacked_bytes += more
        if self._unpacked_bytes > LARGEST_UNPACKED:
            raise TooLarge(
                f"unpacks to more than {LARGEST_UNPACKED // MEGABYTE:,} MB: choose fewer files",
                where=part.name,
            )
        if so_far > SMALL and so_far > LARGEST_RATIO * part.packed_bytes:
            raise TooLarge(_TOO_DENSE, where=part.name)
        share = min(1.0, part.share_read(so_far))
        self._report(self._finished_bytes + part.packed_bytes * share, part.name)

    def rewind(self, unpacked_bytes: int) -> None:
        """Take back bytes that will be read again."""
        self._unpacked_bytes -= unpacked_bytes

    def finish(self, part: Part) -> None:
        self._finished_bytes += part.packed_bytes
        self._report(self._finished_bytes, part.name)

    def _report(self, packed_bytes: float, name: str) -> None:
        share = min(1.0, packed_bytes / self._total)
        if share >= self._reported + 0.01 or share == 1 > self._reported:
            self._reported = share
            self._progress(share, f"Reading {name}")


def open_part(part: Part, meter: ReadingMeter | None = None) -> IO[bytes]:
    """Open the unpacked bytes of a part. Damage raises UnreadableExport, here and while reading."""
    return cast(IO[bytes], _PartStream(part, meter or ReadingMeter(part.packed_bytes)))


class _PartStream(io.RawIOBase):
    """Unpacked bytes that can be read on, and rewound to the start."""

    def __init__(self, part: Part, meter: ReadingMeter) -> None:
        self._part = part
        self._meter = meter
        self._position = 0
        self._file = self._unpack()

    def _unpack(self) -> IO[bytes]:
        try:
            return self._part.unpack()
        except (*DAMAGED, RuntimeError, NotImplementedError) as fault:
            raise self._damaged(fault) from fault

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            piece = self._file.read(-1 if size is None else size)
        except DAMAGED as fault:
            raise self._damaged(fault) from fault
        self._position += len(piece)
        self._meter.add(self._part, len(piece), self._position)
        return piece

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if (offset, whence) != (0, 0):
            raise io.UnsupportedOperation("only back to the start")
        self._meter.rewind(self._position)
        self._position = 0
        self._file = self._unpack()
        return 0

    def tell(self) -> int:
        return self._position

    def _damaged(self, fault: BaseException) -> UnreadableExport:
        return UnreadableExport(
            f"the file is damaged or incomplete ({fault}): download it again",
            where=self._part.name,
        )


def size_of(file: IO[bytes]) -> int:
    """Return the size of an open file in bytes, and leave its position at the end."""
    return file.seek(0, io.SEEK_END)


def list_parts(name: str, file: IO[bytes]) -> Iterator[Part]:
    """Yield the file itself, unpacked if it is gzipped, or the members of a ZIP that have music.

    Raises UnreadableExport, TooLarge or NoMusic.
    """
    size = size_of(file)
    file.seek(0)
    head = file.read(64)
    if not head:
        raise UnreadableExport("the file is empty: download it again", where=name)
    if is_workbook(head):
        yield _plain_part(name, file, size)
    elif head.startswith(b"PK"):
        yield from _zip_members(name, file, size)
    elif head.startswith(b"\x1f\x8b"):
        yield _gzip_part(name, file, size)
    elif name.casefold().endswith((".zip", ".gz")):
        raise UnreadableExport(
            "this isn't a ZIP or gzip file, although its name says so: download it again",
            where=name,
        )
    else:
        yield _plain_part(name, file, size)


def _gzip_part(name: str, file: IO[bytes], size: int) -> Part:
    file.seek(max(0, size - 8))
    checksum, length = struct.unpack("<II", file.read(8).rjust(8, b"\0"))

    def unpack() -> IO[bytes]:
        file.seek(0)
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))

    return Part(name, unpack, size, lambda _: file.tell() / size, (checksum, length))


def _plain_part(name: str, file: IO[bytes], size: int) -> Part:
    def rewind() -> IO[bytes]:
        file.seek(0)
        return file

    return Part(name, rewind, size, lambda read: read / size, (_checksum(file), size))


def _checksum(file: IO[bytes]) -> int:
    file.seek(0)
    checksum = 0
    while piece := file.read(MEGABYTE):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _zip_members(name: str, file: IO[bytes], size: int) -> Iterator[Part]:
    """Yield the members of a known export, or else the CSV files of the ZIP."""
    archive = _open_zip(name, file, size)
    members = [
        member
        for member in archive.infolist()
        if member.filename and not member.is_dir() and "__MACOSX/" not in member.filename
    ]
    music = [
        member
        for member in members
        if is_history_file(member.filename)
        or is_listens_file(member.filename)
        or is_member(member.filename)
    ]
    music = music or [member for member in members if member.filename.casefold().endswith(".csv")]
    if not music:
        raise NoMusic(f"no music in it: {WHAT_TO_CHOOSE}", where=name)
    for member in music:
        path = re.split(r"[/\\]", member.filename)
        short = clean("/".join(path[-2:]) if is_listens_file(member.filename) else path[-1])
        yield _member_part(archive, member, f"{name}/{short}")


def _open_zip(name: str, file: IO[bytes], size: int) -> zipfile.ZipFile:
    """Open a ZIP after checks of its size, its number of members and their paths."""
    if _directory_bytes(file, size) > MOST_MEMBERS * 512:
        raise TooLarge(f"more than {MOST_MEMBERS:,} files in it: {_UNPACK}", where=name)
    try:
        archive = zipfile.ZipFile(file)
    except (*DAMAGED, NotImplementedError) as fault:
        raise UnreadableExport(
            "the ZIP is damaged or incomplete: download it again", where=name
        ) from fault
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise TooLarge(
            f"{len(members):,} files in it, and the limit is {MOST_MEMBERS:,}: {_UNPACK}",
            where=name,
        )
    for member in members:
        if _leaves_folder(member.orig_filename):
            raise UnreadableExport(
                f"has a file named {clean(member.orig_filename)[:60]!r}, which points outside "
                "the ZIP; a music export never does: download it again from the service",
                where=name,
            )
    return archive


def _member_part(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Part:
    if member.flag_bits & 1:
        raise UnreadableExport(f"is locked with a password: {_UNPACK}", where=name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableExport(f"is packed in an unusual way: {_UNPACK}", where=name)
    if member.file_size > SMALL and member.file_size > LARGEST_RATIO * member.compress_size:
        raise TooLarge(_TOO_DENSE, where=name)
    return Part(
        name,
        lambda: archive.open(member),
        max(1, member.compress_size),
        lambda read: read / max(1, member.file_size),
        (member.CRC, member.file_size),
    )


def _directory_bytes(file: IO[bytes], size: int) -> int:
    """Return the size of a ZIP's list of members, from its last record, without reading the list.

    A list made to be huge would otherwise fill the memory.
    """
    tail_at = max(0, size - (1 << 16) - 128)
    file.seek(tail_at)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        return 0
    (directory,) = struct.unpack_from("<I", tail, end + 12)
    zip64 = tail.rfind(b"PK\x06\x06", 0, end)
    if zip64 >= 0 and end >= zip64 + 48:
        directory = max(directory, *struct.unpack_from("<Q", tail, zip64 + 40))
    return min(int(directory), size)


def _leaves_folder(name: str) -> bool:
    path = name.replace("\\", "/")
    return (
        path.startswith("/") or re.match("[A-Za-z]:", path) is not None or ".." in path.split("/")
    )
