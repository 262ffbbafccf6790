"""Apple Music's files, from the copy of one's data that privacy.apple.com gives.

Several of them describe the same plays: Play Activity knows most (times and durations), then
Play History Daily Tracks (days), then Track Play History (the last play of a track), then Library
Tracks (a number of plays).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from twotower.core.domain import Play
from twotower.sources.files.file_format import Fields, FileFormat
from twotower.sources.files.headers import plain_header
from twotower.sources.files.row_readers import PlayOrReason, json_reader, split_artist
from twotower.sources.files.tables import Row, table_reader
from twotower.sources.values import (
    artist_name,
    duration_ms,
    iso_time,
    play_count,
    song_title,
    unix_ms,
)

_ACTIVITY = (frozenset({"eventtype", "playdurationmilliseconds", "mediatype"}),)
_DAILY = (frozenset({"trackdescription", "dateplayed", "playcount"}),)
_LAST_PLAYS = (frozenset({"trackname", "lastplayeddate", "isuserinitiated"}),)
_LIBRARY = (frozenset({"title", "artist", "trackplaycount"}),)
_TOP_CONTENT = (frozenset({"contentname", "playduration", "artist"}),)


def _activity(row: Row) -> PlayOrReason:
    """Read an event of the player; the end of a play is the only one that is a play."""
    if row["eventtype"].upper() != "PLAY_END":
        return "events that are no plays"
    if row["mediatype"].upper() not in ("AUDIO", ""):
        return "videos"
    if "artistname" not in row:
        return "plays without artists, which Play History Daily Tracks has"
    artist = artist_name(row["artistname"])
    if not artist:
        return "no artist"
    length = duration_ms(row["mediadurationinmilliseconds"])
    return Play(
        artist,
        song_title(row["songname"] or row["contentname"]) or None,
        at=iso_time(row["eventendtimestamp"]) or iso_time(row["eventstarttimestamp"]),
        ms_played=duration_ms(row["playdurationmilliseconds"]),
        duration_s=length / 1000 if length else None,
    )


def _daily(row: Row) -> PlayOrReason:
    """Read the plays of a track on a day; the duration is that of all its plays."""
    if row["mediatype"].upper() not in ("AUDIO", ""):
        return "videos"
    artist, title = split_artist(row["trackdescription"])
    count = play_count(row["playcount"])
    if not artist:
        return "no artist"
    if not count:
        return "skipped"
    ms_played = duration_ms(row["playdurationmilliseconds"])
    return Play(
        artist,
        title or None,
        at=_day(row["dateplayed"]),
        ms_played=None if ms_played is None else ms_played // count,
        count=count,
    )


def _day(digits: str) -> datetime | None:
    """Return the beginning of a day such as 20260302, in UTC."""
    try:
        day = datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return iso_time(day.isoformat())


def _last_play(row: Row) -> PlayOrReason:
    artist, title = split_artist(row["trackname"])
    if not artist:
        return "no artist"
    return Play(artist, title or None, at=unix_ms(row["lastplayeddate"]))


def _library_row(row: Mapping[str, object]) -> PlayOrReason:
    """Read a track of the library: its plays, or a saved track if it was never played."""
    if str(row.get("contenttype") or "song").casefold() != "song":
        return "no songs"
    artist = artist_name(row.get("artist")) or artist_name(row.get("albumartist"))
    if not artist:
        return "no artist"
    title = song_title(row.get("title")) or None
    length = duration_ms(row.get("trackduration"))
    duration_s = length / 1000 if length else None
    genre = song_title(row.get("genre")).casefold()
    genres = (genre,) if genre else ()
    if count := play_count(row.get("trackplaycount")):
        return Play(artist, title, count=count, duration_s=duration_s, genres=genres)
    saved_at = iso_time(row.get("dateaddedtolibrary"))
    return Play(artist, title, "saved", saved_at, duration_s=duration_s, genres=genres)


def _library_object(row: Fields) -> Iterator[PlayOrReason]:
    yield _library_row({plain_header(key): value for key, value in row.items()})


FORMATS = (
    FileFormat(
        "apple-activity",
        "Apple Music: Play Activity",
        table_reader(_ACTIVITY, _activity),
        columns=_ACTIVITY,
        member=re.compile(r"apple music play activity\.csv$"),
    ),
    FileFormat(
        "apple-daily",
        "Apple Music: Play History Daily Tracks",
        table_reader(_DAILY, _daily),
        columns=_DAILY,
        member=re.compile(r"play history daily tracks\.csv$"),
    ),
    FileFormat(
        "apple-last-plays",
        "Apple Music: Track Play History",
        table_reader(_LAST_PLAYS, _last_play),
        columns=_LAST_PLAYS,
        member=re.compile(r"track play history\.csv$"),
    ),
    FileFormat(
        "apple-library",
        "Apple Music: Library Tracks (JSON)",
        json_reader("", _library_object),
        json_row=lambda key, row: key == "" and "Title" in row and "Track Play Count" in row,
        member=re.compile(r"apple music library tracks\.json$"),
        is_timed=False,
    ),
    FileFormat(
        "apple-library-table",
        "Apple Music: Library Tracks (CSV)",
        table_reader(_LIBRARY, _library_row),
        columns=_LIBRARY,
        member=re.compile(r"apple music library tracks\.csv$"),
        is_timed=False,
    ),
    FileFormat(
        "apple-top-content",
        "Apple Music: Top Content",
        table_reader(_TOP_CONTENT, lambda _: "in a summary of other files"),
        columns=_TOP_CONTENT,
        is_timed=False,
    ),
)
