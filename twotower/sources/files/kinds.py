"""Kinds of music files, recognised by their content."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import IO, Literal, get_args

from twotower.core.errors import NotListening, UnreadableExport
from twotower.sources.files.formats import FORMATS, find_format
from twotower.sources.files.json_stream import json_rows
from twotower.sources.files.text import first_text
from twotower.sources.files.unpacking import HEAD_BYTES, check_archive

# In the order in which the files of one reading are read: of the same play in two files, the first
# is counted, so the kinds that know most come first.
FileKind = Literal[
    "extended",  # Spotify: streaming history since the start of the account
    "account",  # Spotify: streaming history of the last year
    "listens",  # ListenBrainz
    "library",  # Spotify: saved tracks
    "playlists",  # Spotify
    "table",  # CSV
    "profiles",  # our profile JSON Lines
]
# The formats of the registry come before the tables of unknown origin and the profiles.
KINDS: tuple[str, ...] = (
    *get_args(FileKind)[:-2],
    *(each.kind for each in FORMATS),
    *get_args(FileKind)[-2:],
)
TIMED_KINDS: tuple[str, ...] = (  # have play times
    *("extended", "account", "listens", "table"),
    *(each.kind for each in FORMATS if each.is_timed),
)

_PACKED = (b"\x1f\x8b", b"PK\x03\x04")  # gzip, ZIP
_JSON_NAMES = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
_LINES_NAMES = (".jsonl", ".jsonl.gz", ".ndjson")
_ROWS_TO_LOOK_AT = 1000


def kind_of(stream: IO[bytes], name: str) -> str:
    """Return the kind of an unpacked file from its beginning: a FileKind, or that of a format.

    Raises UnreadableExport.
    """
    known = find_format(stream, name)
    if known is not None:
        return known.kind
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
        return "table"
    stream.seek(0)
    kind = _json_kind(stream, name)
    if kind == "listens" or not name.casefold().endswith(_LINES_NAMES):
        return kind or "account"
    if kind is None:
        raise NotListening("these lines of JSON are neither listens nor profiles", where=name)
    return "profiles"


def _json_kind(stream: IO[bytes], name: str) -> FileKind | None:
    """Return the kind of a JSON file from its first distinctive keys, None if it has none."""
    for key, value in islice(_undamaged_rows(stream, name), _ROWS_TO_LOOK_AT):
        fields: Mapping[str, object] = value if isinstance(value, dict) else {}
        kind = _kind_of_array_row(fields) if key == "" else _kind_of_object_key(key, fields)
        if kind is not None:
            return kind
    return None


def _kind_of_array_row(fields: Mapping[str, object]) -> FileKind | None:
    if "track_metadata" in fields:
        return "listens"
    if "ms_played" in fields or "master_metadata_track_name" in fields:
        return "extended"
    return "account" if fields else None


def _kind_of_object_key(key: str, fields: Mapping[str, object]) -> FileKind | None:
    if key == "track_metadata":
        return "listens"
    if key in ("v", "id", "origin", "from", "to", "genres", "audio"):
        return "profiles"
    if key == "playlists":
        return "profiles" if "tracks" in fields else "playlists"
    if key == "tracks":
        return "profiles" if "name" in fields else "library"
    if key == "artists":
        return "library" if "uri" in fields else "profiles"
    if key in ("albums", "shows", "episodes", "bannedTracks", "bannedArtists"):
        return "library"
    return None


def _undamaged_rows(stream: IO[bytes], name: str) -> Iterator[tuple[str, object]]:
    """Yield the rows up to the first damage; the file's reader will report it."""
    try:
        yield from json_rows(stream, name)
    except UnreadableExport:
        return
