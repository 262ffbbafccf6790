"""All formats, in one table that decides which reader takes a file."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import IO

from twotower.core.errors import UnreadableExport
from twotower.sources.files import (
    apple,
    deezer,
    itunes,
    lastfm,
    listenbrainz_export,
    playlists,
    scrobblers,
    servers,
    services,
    spotify_export,
    youtube,
)
from twotower.sources.files.csv import read_csv
from twotower.sources.files.file_format import Fields, FileFormat
from twotower.sources.files.json_stream import json_rows
from twotower.sources.files.table_layout import MOST_LINES_BEFORE_HEADER
from twotower.sources.files.tables import find_header
from twotower.sources.files.text import first_text
from twotower.sources.files.workbook import is_workbook

_PROFILE_KEYS = ("v", "id", "origin", "from", "to", "genres", "audio")
_ROWS_TO_LOOK_AT = 1000


def _is_profile(key: str, row: Fields) -> bool:
    if key == "artists":
        return "uri" not in row  # as artists of Spotify's library have it
    has_our_rows = (key == "playlists" and "tracks" in row) or (key == "tracks" and "name" in row)
    return key in _PROFILE_KEYS or has_our_rows


TABLE = FileFormat("table", "CSV", read_csv)  # any table that is of no other format
PROFILES = FileFormat("profiles", "Profile JSON Lines", None, json_row=_is_profile, is_timed=False)
# Of the same play in two files, the first format's is counted, so those that know most come first.
FORMATS: tuple[FileFormat, ...] = (
    *spotify_export.HISTORY_FORMATS,
    *listenbrainz_export.FORMATS,
    *apple.FORMATS,
    *deezer.FORMATS,
    *scrobblers.FORMATS,
    *lastfm.FORMATS,
    *services.FORMATS,
    *servers.FORMATS,
    *youtube.FORMATS,
    *itunes.FORMATS,
    *playlists.FORMATS,
    *spotify_export.LIBRARY_FORMATS,
    TABLE,
    PROFILES,
)
BY_KIND: Mapping[str, FileFormat] = {each.kind: each for each in FORMATS}


def find_format(stream: IO[bytes], name: str) -> FileFormat | None:
    """Return the format of an unpacked file from its beginning, None if it is of no known one."""
    head = stream.read(64)
    stream.seek(0)
    if is_workbook(head):
        return next(each for each in FORMATS if each.is_workbook)
    text = first_text(stream)
    stream.seek(0)
    if text.startswith(("[", "{")):
        return _of_json(stream, name)
    for each in FORMATS:
        if each.start is not None and each.start(text):
            return each
    lines = text.splitlines()[:MOST_LINES_BEFORE_HEADER]
    return next(
        (each for each in FORMATS if each.columns and find_header(lines, each.columns)), None
    )


def is_member(path: str) -> bool:
    """Return True for a file in a ZIP that is of a known format by its path."""
    path = path.replace("\\", "/").casefold()
    return any(each.member is not None and each.member.search(path) for each in FORMATS)


def _of_json(stream: IO[bytes], name: str) -> FileFormat | None:
    for key, value in islice(_undamaged_rows(stream, name), _ROWS_TO_LOOK_AT):
        row = value if isinstance(value, dict) else {}
        for each in FORMATS:
            if each.json_row is not None and each.json_row(key, row):
                return each
    return None


def _undamaged_rows(stream: IO[bytes], name: str) -> Iterator[tuple[str, object]]:
    """Yield the rows up to the first damage; the file's reader will report it."""
    try:
        yield from json_rows(stream, name)
    except UnreadableExport:
        return
