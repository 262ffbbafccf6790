"""Spotify's own data export, one JSON file at a time, in each of the forms it has had."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.files.json_stream import json_rows
from twotower.sources.files.text import clean, spotify_id

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # an earlier time is a clock that was not set
_MEMBER = re.compile(r"(streaming_?history.*|(endsong|yourlibrary|playlist)[\d _()-]*)\.json$")
_LEFT_OUT_OF_LIBRARY = {
    "albums": "saved albums",
    "artists": "followed artists",
    "shows": "podcasts",
    "episodes": "podcasts",
    "audiobooks": "audiobooks",
    "bannedTracks": "hidden tracks",
    "bannedArtists": "hidden artists",
}


def is_export_name(name: str) -> bool:
    """Whether a file of the export tells of listening; no other one is ever opened."""
    return _MEMBER.match(_base(name)) is not None


def read_export(
    file: IO[bytes], name: str, *, left_out: Counter[str] | None = None
) -> Iterator[Play]:
    """Yield the plays, saved tracks and playlist tracks in one JSON file of a Spotify data export.

    Extended and account streaming history (played), YourLibrary (saved), Playlist1 (listed): told
    by their keys. Plays come with `ms_played`, short ones too. What is no music is counted by kind
    in `left_out`. UnreadableExport where the JSON is damaged, or holds nothing of an export.
    """
    left_out = Counter() if left_out is None else left_out
    before = left_out.total()
    found, strange = False, 0
    video = "video" in _base(name)
    for key, row in json_rows(file, name):
        if not isinstance(row, dict):
            strange += key != "other"
            continue
        if key == "playlists" and "items" in row:
            found = True
            yield from _playlist(row, left_out)
            continue
        play = _row(key, row, video=video)
        if isinstance(play, Play):
            found = True
            yield play
        elif play:
            left_out[play] += 1
        else:
            strange += 1
    if strange and not found and left_out.total() == before:
        raise UnreadableExport(
            "this is no listening history that we know: choose the whole ZIP, or its files "
            "StreamingHistory, Streaming_History_Audio, YourLibrary or Playlist",
            where=name,
        )
    left_out.update({"other rows": strange} if strange else {})


def _row(key: str, row: Mapping[str, Any], *, video: bool) -> Play | str:
    """A play, or why there is none; "" for a row of no known kind."""
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
    """A row of endsong_N.json or Streaming_History_Audio_*.json; `ts` is the end of the play."""
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
    """A row of StreamingHistory_music_N.json, or of the older StreamingHistoryN.json."""
    if "podcastName" in row or "episodeName" in row:
        return "podcasts"
    if any(key.startswith("audiobook") for key in row):
        return "audiobooks"
    artist, track = clean(row.get("artistName")), clean(row.get("trackName"))
    if artist == "Unknown Artist":
        return "no artist"
    return _played(artist, track, row.get("msPlayed"), row.get("endTime"))


def _played(artist: str, track: str, ms: object, at: object, uri: object = None) -> Play | str:
    if not artist:
        return "no artist"
    if isinstance(ms, bool) or not isinstance(ms, (int, float)) or not 0 <= ms < 1e10:
        return "no duration"
    return Play(artist, track or None, at=moment(at), ms_played=int(ms), spotify=spotify_id(uri))


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
                at=moment(item.get("addedDate")),
                playlist=title,
                spotify=spotify_id(track.get("trackUri")),
            )
        else:
            left_out[_why_not_listed(item)] += 1


def _why_not_listed(item: object) -> str:
    if not isinstance(item, dict):
        return "other rows"
    for key, why in (
        ("episode", "podcasts"),
        ("audiobook", "audiobooks"),
        ("localTrack", "local files"),
    ):
        if item.get(key):
            return why
    return "no artist"


def moment(text: object) -> datetime | None:
    """An ISO date or time as UTC; None where it isn't one, or lies before EARLIEST."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at >= EARLIEST else None


def _base(name: str) -> str:
    return re.split(r"[/\\]", name)[-1].casefold()
