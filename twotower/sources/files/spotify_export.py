"""Spotify's own data export: JSON files of streaming history, library and playlists."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO, Any

from twotower.core.domain import Play
from twotower.core.errors import NotListening
from twotower.sources.files.file_format import Fields, FileFormat
from twotower.sources.files.json_stream import json_rows
from twotower.sources.values import clean, iso_time, spotify_id

_HISTORY_FILE = re.compile(
    r"(streaming_?history.*|(endsong|yourlibrary|playlist)[\d _()-]*)\.json$"
)
_LEFT_OUT_OF_LIBRARY = {
    "albums": "saved albums",
    "artists": "followed artists",
    "shows": "podcasts",
    "episodes": "podcasts",
    "audiobooks": "audiobooks",
    "bannedTracks": "hidden tracks",
    "bannedArtists": "hidden artists",
}


def is_history_file(name: str) -> bool:
    """Return True for files of an export that have music in them; others are never opened."""
    return _HISTORY_FILE.match(_base_name(name)) is not None


def read_spotify_export(
    file: IO[bytes], name: str, left_out: Counter[str] | None = None
) -> Iterator[Play]:
    """Yield the plays, saved tracks and playlist tracks in one JSON file of a Spotify data export.

    The keys of the rows decide what they are: extended or account streaming history (played),
    YourLibrary (saved), Playlist1 (listed). Plays have `ms_played`, short ones too. Rows that
    aren't music, and plays of private sessions, are counted by kind in `left_out`. Raises
    UnreadableExport if the JSON is damaged, NotListening if it is no part of an export.
    """
    left_out = Counter() if left_out is None else left_out
    left_out_before = left_out.total()
    has_music, unknown_rows = False, 0
    video = "video" in _base_name(name)
    for key, row in json_rows(file, name):
        if not isinstance(row, dict):
            unknown_rows += key != "other"
            continue
        if key == "playlists" and "items" in row:
            has_music = True
            yield from _playlist(row, left_out)
            continue
        play = _row(key, row, video=video)
        if isinstance(play, Play):
            has_music = True
            yield play
        elif play:
            left_out[play] += 1
        else:
            unknown_rows += 1
    if unknown_rows and not has_music and left_out.total() == left_out_before:
        raise NotListening(
            "this isn't a listening history that we know: choose the whole ZIP, or its files "
            "StreamingHistory, Streaming_History_Audio, YourLibrary or Playlist",
            where=name,
        )
    left_out.update({"other rows": unknown_rows} if unknown_rows else {})


def _row(key: str, row: Mapping[str, Any], *, video: bool) -> Play | str:
    """Return a play, or the reason why there is none; "" for a row of unknown kind."""
    if key == "tracks" and ("track" in row or "artist" in row):
        artist, track = clean(row.get("artist")), clean(row.get("track"))
        if not artist:
            return "no artist"
        return Play(artist, track or None, kind="saved", spotify=spotify_id(row.get("uri")))
    if key:
        return _LEFT_OUT_OF_LIBRARY.get(key, "")
    if "ms_played" in row or "master_metadata_track_name" in row:
        return "videos" if video else _extended(row)
    if "msPlayed" in row or "endTime" in row:
        return "videos" if video else _account(row)
    return ""


def _extended(row: Mapping[str, Any]) -> Play | str:
    """Read a row of endsong_N.json or Streaming_History_Audio_*.json; `ts` is the end."""
    if row.get("incognito_mode") is True:
        return "in private sessions"
    track = clean(row.get("master_metadata_track_name"))
    artist = clean(row.get("master_metadata_album_artist_name"))
    if not track and not artist:
        if row.get("audiobook_title") or row.get("audiobook_uri"):
            return "audiobooks"
        if (
            row.get("episode_name")
            or row.get("episode_show_name")
            or row.get("spotify_episode_uri")
        ):
            return "podcasts"
        return "no artist"
    return _played(artist, track, row.get("ms_played"), row.get("ts"), row.get("spotify_track_uri"))


def _account(row: Mapping[str, Any]) -> Play | str:
    """Read a row of StreamingHistory_music_N.json, or of the older StreamingHistoryN.json."""
    if "podcastName" in row or "episodeName" in row:
        return "podcasts"
    if any(key.startswith("audiobook") for key in row):
        return "audiobooks"
    artist, track = clean(row.get("artistName")), clean(row.get("trackName"))
    return _played(artist, track, row.get("msPlayed"), row.get("endTime"))


def _played(artist: str, track: str, ms: object, at: object, uri: object = None) -> Play | str:
    if not artist:
        return "no artist"
    if isinstance(ms, bool) or not isinstance(ms, (int, float)) or not 0 <= ms < 1e10:
        return "no duration"
    return Play(artist, track or None, at=iso_time(at), ms_played=int(ms), spotify=spotify_id(uri))


def _playlist(playlist: Mapping[str, Any], left_out: Counter[str]) -> Iterator[Play]:
    title = clean(playlist.get("name"))
    items = playlist["items"]
    for item in items if isinstance(items, list) else ():
        track = item.get("track") if isinstance(item, dict) else None
        if isinstance(track, dict) and (artist := clean(track.get("artistName"))):
            yield Play(
                artist,
                clean(track.get("trackName")) or None,
                kind="listed",
                at=iso_time(item.get("addedDate")),
                playlist=title,
                spotify=spotify_id(track.get("trackUri")),
            )
        else:
            left_out[_kind_of_item(item)] += 1


def _kind_of_item(item: object) -> str:
    """Say why an item of a playlist isn't music."""
    if not isinstance(item, dict):
        return "other rows"
    for key, kind in (
        ("episode", "podcasts"),
        ("audiobook", "audiobooks"),
        ("localTrack", "local files"),
    ):
        if item.get(key):
            return kind
    return "no artist"


def _base_name(name: str) -> str:
    return re.split(r"[/\\]", name)[-1].casefold()


def _is_extended(key: str, row: Fields) -> bool:
    return key == "" and ("ms_played" in row or "master_metadata_track_name" in row)


def _is_account(key: str, row: Fields) -> bool:
    return key == "" and ("msPlayed" in row or "endTime" in row)


def _is_library(key: str, row: Fields) -> bool:
    if key == "tracks":
        return "name" not in row  # as tracks of our profiles have it
    if key == "artists":
        return "uri" in row
    return key in ("albums", "shows", "episodes", "bannedTracks", "bannedArtists")


HISTORY_FORMATS = (
    FileFormat(
        "extended",
        "Spotify: extended streaming history",
        read_spotify_export,
        json_row=_is_extended,
    ),
    FileFormat(
        "account",
        "Spotify: streaming history of the account data",
        read_spotify_export,
        json_row=_is_account,
    ),
)
LIBRARY_FORMATS = (
    FileFormat(
        "library",
        "Spotify: library",
        read_spotify_export,
        json_row=_is_library,
        is_timed=False,
    ),
    FileFormat(
        "playlists",
        "Spotify: playlists",
        read_spotify_export,
        json_row=lambda key, row: key == "playlists" and "tracks" not in row,
        is_timed=False,
    ),
)
