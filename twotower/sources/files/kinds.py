"""Kinds of music files, recognised by their content."""

from typing import IO

from twotower.core.errors import NotListening, UnreadableExport
from twotower.sources.files.formats import PROFILES, TABLE, find_format
from twotower.sources.files.spotify_export import HISTORY_FORMATS, LIBRARY_FORMATS
from twotower.sources.files.text import first_text
from twotower.sources.files.unpacking import HEAD_BYTES, check_archive

_PACKED = (b"\x1f\x8b", b"PK\x03\x04")  # gzip, ZIP
_JSON_NAMES = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
_LINES_NAMES = (".jsonl", ".jsonl.gz", ".ndjson")
_SPOTIFY = (*HISTORY_FORMATS, *LIBRARY_FORMATS)  # never written as lines of JSON


def kind_of(stream: IO[bytes], name: str) -> str:
    """Return the kind of an unpacked file from its beginning, that of one of FORMATS.

    Raises UnreadableExport.
    """
    known = find_format(stream, name)
    is_lines = name.casefold().endswith(_LINES_NAMES)
    if known is not None:
        return PROFILES.kind if is_lines and known in _SPOTIFY else known.kind
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    if head.startswith(_PACKED):
        raise UnreadableExport(
            "is packed twice: unpack it once and choose the files inside", where=name
        )
    check_archive(head, name)
    stream.seek(0)
    text = first_text(stream)
    if not text:
        raise NotListening("the file is empty: download it again", where=name)
    if not text.startswith(("[", "{")):
        if name.casefold().endswith(_JSON_NAMES):
            raise UnreadableExport(
                "isn't JSON, although its name says so: download it again", where=name
            )
        return TABLE.kind
    if is_lines:
        raise NotListening("these lines of JSON are neither listens nor profiles", where=name)
    return "account"  # its reader says what is damaged or unknown
