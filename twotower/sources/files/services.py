"""Tables that music services and radio stations give: Tidal, Shazam, SoundCloud, Spinitron, ..."""

import re
from urllib.parse import unquote, urlsplit

from twotower.core.domain import Play
from twotower.sources.dates import parse_time
from twotower.sources.files.file_format import FileFormat
from twotower.sources.files.row_readers import PlayOrReason, split_artist
from twotower.sources.files.tables import Row, table_reader
from twotower.sources.values import artist_name, duration_ms, play_count, song_title

_TIDAL = (frozenset({"artistname", "tracktitle", "entrydate"}),)
_SHAZAM = (frozenset({"tagtime", "title", "artist"}),)
_SOUNDCLOUD_PLAYS = (frozenset({"playtime", "tracktitle", "trackurl"}),)
_SOUNDCLOUD_LIKES = (frozenset({"createdat", "tracktitle", "trackurl"}),)
_SPINITRON = (frozenset({"datetime", "artist", "song", "release"}),)
_GOOGLE_PLAY = (frozenset({"title", "artist", "durationms", "playcount", "removed"}),)
_NO_NAME = re.compile(r"user-?\d+")  # the address of a SoundCloud account that chose no name


def _tidal(row: Row) -> PlayOrReason:
    artist = artist_name(row["artistname"])
    if not artist:
        return "no artist"
    return Play(
        artist,
        song_title(row["tracktitle"]) or None,
        at=parse_time(row["entrydate"]),
        ms_played=duration_ms(row["streamdurationms"]),
    )


def _shazam(row: Row) -> PlayOrReason:
    """Read a song that Shazam recognised: one that the listener looked for, not a play."""
    artist = artist_name(row["artist"])
    if not artist:
        return "no artist"
    return Play(artist, song_title(row["title"]) or None, "saved", parse_time(row["tagtime"]))


def _soundcloud(row: Row, kind: str) -> PlayOrReason:
    """Read the artist from the title, "Artist - Title"; else it is the uploader in the address."""
    artist, title = split_artist(row["tracktitle"])
    if not artist:
        uploader = unquote(_path(row["trackurl"]).split("/")[0])
        artist = "" if _NO_NAME.fullmatch(uploader) else artist_name(re.sub("[-_]+", " ", uploader))
    if not artist:
        return "no artist"
    if kind == "saved":
        return Play(artist, title or None, "saved", parse_time(row["createdat"]))
    return Play(artist, title or None, at=parse_time(row["playtime"]))


def _path(address: str) -> str:
    """Return the path of a web address without its first slash; "" if it is none."""
    try:
        return urlsplit(address).path.strip("/")
    except ValueError:
        return ""


def _spinitron(row: Row) -> PlayOrReason:
    """Read a song that a DJ played; an American table, so the month comes first."""
    artist = artist_name(row["artist"])
    if not artist:
        return "no artist"
    return Play(
        artist, song_title(row["song"]) or None, at=parse_time(row["datetime"], day_first=False)
    )


def _google_play(row: Row) -> PlayOrReason:
    """Read the one song of a file; its texts have HTML entities."""
    artist = artist_name(row["artist"])
    if not artist:
        return "no artist"
    if row["removed"].casefold() in ("yes", "true"):
        return "removed songs"
    title = song_title(row["title"]) or None
    length = duration_ms(row["durationms"])
    duration_s = length / 1000 if length else None
    if "playlistindex" in row:
        return Play(artist, title, "listed", duration_s=duration_s)
    if count := play_count(row["playcount"]):
        return Play(artist, title, count=count, duration_s=duration_s)
    return Play(artist, title, "saved", duration_s=duration_s)


FORMATS = (
    FileFormat("tidal", "Tidal: streaming.csv", table_reader(_TIDAL, _tidal), columns=_TIDAL),
    FileFormat("spinitron", "Spinitron", table_reader(_SPINITRON, _spinitron), columns=_SPINITRON),
    FileFormat(
        "soundcloud",
        "SoundCloud: play history",
        table_reader(_SOUNDCLOUD_PLAYS, lambda row: _soundcloud(row, "played")),
        columns=_SOUNDCLOUD_PLAYS,
    ),
    FileFormat(
        "soundcloud-likes",
        "SoundCloud: likes",
        table_reader(_SOUNDCLOUD_LIKES, lambda row: _soundcloud(row, "saved")),
        columns=_SOUNDCLOUD_LIKES,
        is_timed=False,
    ),
    FileFormat(
        "shazam",
        "Shazam",
        table_reader(_SHAZAM, _shazam),
        columns=_SHAZAM,
        is_timed=False,
    ),
    FileFormat(
        "google-play",
        "Google Play Music",
        table_reader(_GOOGLE_PLAY, _google_play),
        columns=_GOOGLE_PLAY,
        is_timed=False,
    ),
)
