"""The files to read among those a person chose: plain, gzipped, or members of a ZIP.

Of a ZIP only the files with listening in them are opened. ZIPs in it are opened, one level deep.
"""

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from twotower.core.errors import NoMusic, NotListening, TooLarge, UnreadableExport
from twotower.sources.files import archives
from twotower.sources.files.archives import DAMAGED, MEGABYTE, TOO_DENSE, Part, size_of
from twotower.sources.files.formats import is_member
from twotower.sources.files.listenbrainz_export import is_listens_file
from twotower.sources.files.spotify_export import is_history_file
from twotower.sources.files.workbook import is_workbook
from twotower.sources.values import clean

LARGEST_DIRECTORY = 8 * MEGABYTE  # the list of members of a ZIP: some 70,000 files
MOST_ZIPS = 20  # in a ZIP
MOST_IN_MEMORY = 64 * MEGABYTE  # of ZIPs in a ZIP; a larger one is unpacked again for each member
WHAT_TO_CHOOSE = (
    "choose the ZIP that your music service sent you, the files in it, or a table with a column "
    "of artists"
)
_UNPACK = "unpack it and choose the files inside"
_OTHER_ARCHIVES = {  # beginning -> name
    b"Rar!\x1a\x07": "RAR",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument"
_TAR_AT, _TAR = 257, b"ustar"
HEAD_BYTES = 512  # enough to tell a kind of archive


def check_archive(head: bytes, name: str) -> None:
    """Raise NotListening, with what to do, if a file begins as an archive that we don't open."""
    kinds = [kind for start, kind in _OTHER_ARCHIVES.items() if head.startswith(start)]
    if head[_TAR_AT:].startswith(_TAR):
        kinds = ["tar"]
    if kinds:
        raise NotListening(f"this is a {kinds[0]} archive: {_UNPACK}", where=name)
    if head.startswith(_OLD_WORKBOOK) or head[30:].startswith(_OPEN_DOCUMENT):
        raise NotListening("this is a workbook: save its sheet as CSV", where=name)


def list_parts(name: str, file: IO[bytes]) -> Iterator[Part]:
    """Yield the file itself, unpacked if it is gzipped, or the members of a ZIP that have music.

    Raises UnreadableExport, TooLarge or NoMusic.
    """
    size = size_of(file)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if not head:
        raise NotListening("the file is empty: download it again", where=name)
    check_archive(head, name)
    if is_workbook(head[:64]):
        yield _plain_part(name, file, size)
    elif head.startswith(b"PK"):
        yield from _zip_parts(name, _open_zip(name, file, size))
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


def _zip_parts(name: str, archive: zipfile.ZipFile, *, is_inner: bool = False) -> list[Part]:
    """Return the members of a known export, those of ZIPs in the ZIP, or else its CSV files."""
    members = [
        member
        for member in archive.infolist()
        if member.filename and not member.is_dir() and "__MACOSX/" not in member.filename
    ]
    parts = [
        _member_part(archive, member, f"{name}/{_short_name(member.filename)}")
        for member in members
        if _has_music(member.filename)
    ]
    if not is_inner:
        parts += _parts_of_inner_zips(name, archive, members, is_export=bool(parts))
    parts = parts or [
        _member_part(archive, member, f"{name}/{_short_name(member.filename)}")
        for member in members
        if member.filename.casefold().endswith(".csv")
    ]
    if not parts:
        raise NoMusic(f"no music in it: {WHAT_TO_CHOOSE}", where=name)
    return parts


def _has_music(path: str) -> bool:
    return is_history_file(path) or is_listens_file(path) or is_member(path)


def _short_name(path: str) -> str:
    """Return the name of a member for the person: the last part of its path, or what tells more."""
    folders = re.split(r"[/\\]", path)
    shown = 2 if is_listens_file(path) else 1
    return clean("/".join(folders[-shown:]))


def _parts_of_inner_zips(
    name: str, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], *, is_export: bool
) -> list[Part]:
    """Return the music in ZIPs in a ZIP; of a known export only ZIPs that are named as music."""
    zips = [
        member
        for member in members
        if member.filename.casefold().endswith(".zip")
        and (not is_export or _has_music(member.filename[: -len(".zip")]))
    ]
    parts: list[Part] = []
    in_memory = 0
    for member in zips[:MOST_ZIPS]:
        inner = f"{name}/{_short_name(member.filename)}"
        _check_member(member, inner)
        if member.file_size > archives.LARGEST_UNPACKED:
            raise TooLarge(f"is too large in a ZIP: {_UNPACK}", where=inner)
        in_memory += member.file_size
        try:
            file: IO[bytes] = archive.open(member)
            if in_memory <= MOST_IN_MEMORY:
                file = io.BytesIO(file.read())
            parts += _zip_parts(inner, _open_zip(inner, file, member.file_size), is_inner=True)
        except NoMusic:
            continue
        except DAMAGED as fault:
            raise UnreadableExport(
                "the ZIP is damaged or incomplete: download it again", where=inner
            ) from fault
    return parts


def _open_zip(name: str, file: IO[bytes], size: int) -> zipfile.ZipFile:
    """Open a ZIP after checks of its size, its number of members and their paths."""
    if _directory_bytes(file, size) > LARGEST_DIRECTORY:
        raise TooLarge(f"too many files in it: {_UNPACK}", where=name)
    try:
        archive = zipfile.ZipFile(file)
    except (*DAMAGED, NotImplementedError) as fault:
        raise UnreadableExport(
            "the ZIP is damaged or incomplete: download it again", where=name
        ) from fault
    for member in archive.infolist():
        if _leaves_folder(member.orig_filename):
            raise UnreadableExport(
                f"has a file named {clean(member.orig_filename)[:60]!r}, which points outside "
                "the ZIP; a music export never does: download it again from the service",
                where=name,
            )
    return archive


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    """Raise an error for a member that can't be unpacked, or would unpack to far too much."""
    if member.flag_bits & 1:
        raise UnreadableExport(f"is locked with a password: {_UNPACK}", where=name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableExport(f"is packed in an unusual way: {_UNPACK}", where=name)
    dense = member.file_size > archives.LARGEST_RATIO * member.compress_size
    if dense and member.file_size > archives.SMALL:
        raise TooLarge(TOO_DENSE, where=name)


def _member_part(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Part:
    _check_member(member, name)
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
