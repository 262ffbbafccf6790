"""Deezer's copy of one's data: a workbook, of which the sheet of the listening history is read."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.dates import parse_time
from twotower.sources.files.file_format import FileFormat
from twotower.sources.files.headers import plain_header
from twotower.sources.files.row_readers import PlayOrReason, end_of_play, plays_of_rows
from twotower.sources.files.tables import Row, named_row
from twotower.sources.files.workbook import sheet_rows
from twotower.sources.values import EARLIEST, LATEST, artist_name, duration_ms, song_title

_SHEET = "listeningHistory"  # after a number: "10_listeningHistory"
_DAY_0 = datetime(1899, 12, 30, tzinfo=UTC)  # from which workbooks count days


def _read(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    rows = sheet_rows(file, name, _SHEET)
    headers = [plain_header(cell) for cell in next(rows, [])]
    if "artist" not in headers:
        raise UnreadableExport("the sheet has no column Artist: download it again", where=name)
    yield from plays_of_rows((_play(named_row(headers, cells)) for cells in rows), left_out)


def _play(row: Row) -> PlayOrReason:
    """Read a play with its start and its listening time in seconds."""
    artist = artist_name(row["artist"])
    if not artist:
        return "no artist"
    ms_played = duration_ms(row["listeningtime"] or None, unit_ms=1000)
    title = song_title(row["songtitle"]) or None
    return Play(artist, title, at=end_of_play(_time(row["date"]), ms_played), ms_played=ms_played)


def _time(text: str) -> datetime | None:
    """Read a date as text, or as a number of days."""
    try:
        at = _DAY_0 + timedelta(days=float(text))
    except (ValueError, OverflowError):
        return parse_time(text)
    return at if EARLIEST <= at < LATEST else None


FORMATS = (
    FileFormat(
        "deezer",
        "Deezer: listening history (XLSX)",
        _read,
        is_workbook=True,
        member=re.compile(r"deezer[^/]*\.xlsx$"),
    ),
)
