"""Tables of media servers: Jellyfin's Playback Reporting, and Tautulli for Plex."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import IO

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.dates import parse_time
from twotower.sources.files.file_format import FileFormat
from twotower.sources.files.row_readers import SEPARATOR, PlayOrReason, end_of_play, plays_of_rows
from twotower.sources.files.tables import Row, RowReader, table_rows
from twotower.sources.values import artist_name, duration_ms, play_count, song_title

_TAUTULLI = (frozenset({"grandparenttitle", "title"}),)
_JELLYFIN = (frozenset({"itemtype", "itemname", "datecreated"}),)
# A backup of Playback Reporting has these columns and no header (ExportRawData in
# github.com/jellyfin/jellyfin-plugin-playbackreporting, Data/ActivityRepository.cs).
_BACKUP_HEADER = (
    "DateCreated\tUserId\tItemId\tItemType\tItemName\tPlaybackMethod\tClientName\tDeviceName"
    "\tPlayDuration\n"
)
_BACKUP_LINE = re.compile(
    r"\d{4}-\d\d-\d\d[ T][^\t\n]{1,40}(\t[^\t\n]*){2}\t[A-Z]\w+(\t[^\t\n]*){5}\r?\n"
)


def _read_tautulli(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    plays = _of_one_listener(table_rows(file, name, _TAUTULLI, left_out), _tautulli, name)
    yield from plays_of_rows(plays, left_out)


def _read_jellyfin(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    plays = _of_one_listener(table_rows(file, name, _JELLYFIN, left_out), _jellyfin, name)
    yield from plays_of_rows(plays, left_out)


def _read_backup(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    rows = table_rows(file, name, _JELLYFIN, left_out, header_line=_BACKUP_HEADER)
    yield from plays_of_rows(_of_one_listener(rows, _jellyfin, name), left_out)


def _of_one_listener(rows: Iterator[Row], read_row: RowReader, name: str) -> Iterator[PlayOrReason]:
    """Yield what the rows say. Raises UnreadableExport if several users have plays."""
    first = ""
    for row in rows:
        play = read_row(row)
        user = row["userid"] or row["user"] or row["friendlyname"]
        if isinstance(play, Play) and user:
            first = first or user
            if user != first:
                raise UnreadableExport(
                    "has plays of several people: export those of one user", where=name
                )
        yield play


def _tautulli(row: Row) -> PlayOrReason:
    """Read a play of the history, or a track of a library with its number of plays."""
    if (row["mediatype"] or row["type"] or "track").casefold() != "track":
        return "videos"
    artist = artist_name(row["originaltitle"]) or artist_name(row["grandparenttitle"])
    if not artist:
        return "no artist"
    title = song_title(row["title"]) or None
    if "viewcount" in row:
        count = play_count(row["viewcount"])
        return Play(artist, title, count=count) if count else Play(artist, title, "saved")
    at = parse_time(row["stopped"]) or parse_time(row["started"]) or parse_time(row["date"])
    seconds = row["playduration"] or row["duration"]
    return Play(artist, title, at=at, ms_played=duration_ms(seconds, unit_ms=1000))


def _jellyfin(row: Row) -> PlayOrReason:
    """Read a play with its start and its duration in seconds."""
    if row["itemtype"].casefold() != "audio":
        return "videos"
    artist, title = _artist_and_title(song_title(row["itemname"]))
    if artist in ("", "Not Known"):
        return "no artist"
    ms_played = duration_ms(row["playduration"], unit_ms=1000)
    at = end_of_play(parse_time(row["datecreated"]), ms_played)
    return Play(artist, title or None, at=at, ms_played=ms_played)


def _artist_and_title(name: str) -> tuple[str, str]:
    """Read "Artist - Title (Album)", as the plugin writes; without an album "Title - Artist"."""
    without_album = _without_last_brackets(name)
    if without_album != name:
        artist, _, title = without_album.partition(SEPARATOR)
        return (artist, title) if title else ("", artist)
    title, _, artist = name.rpartition(SEPARATOR)
    return artist.strip(), title.strip()


def _without_last_brackets(text: str) -> str:
    """Cut " (...)" off the end, which may have brackets in it; else return the text."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        depth += (text[at] == ")") - (text[at] == "(")
        if depth <= 0:
            return text[:at].rstrip() if depth == 0 and text[at] == "(" else text
    return text


FORMATS = (
    FileFormat("tautulli", "Plex: Tautulli's history", _read_tautulli, columns=_TAUTULLI),
    FileFormat("jellyfin", "Jellyfin: Playback Reporting", _read_jellyfin, columns=_JELLYFIN),
    FileFormat(
        "jellyfin-backup",
        "Jellyfin: backup of Playback Reporting",
        _read_backup,
        start=lambda text: _BACKUP_LINE.match(text) is not None,
    ),
)
