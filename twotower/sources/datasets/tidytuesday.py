"""TidyTuesday Spotify songs: 471 playlists with audio attributes of their tracks."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twotower.core.domain import AUDIO, AUDIO_RANGE, Playlist, Profile, Spread, Track
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.listener import ArtistPlays
from twotower.sources.datasets.tables import is_within, parquet_rows

_COLUMNS = (
    "track_id",
    "track_name",
    "track_artist",
    "track_popularity",
    "track_album_release_date",
    "playlist_id",
    "playlist_name",
    "duration_ms",
)


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per playlist; each artist has one play per track."""
    playlists: dict[str, list[dict[str, Any]]] = {}
    pairs: set[tuple[str, str]] = set()  # (playlist, track), as tracks are repeated per genre
    for song in read_songs(folder):
        pair = (song["playlist_id"], song["track_id"])
        if pair not in pairs:
            pairs.add(pair)
            playlists.setdefault(song["playlist_id"], []).append(song)
    for playlist_id, songs in playlists.items():
        yield _listener(playlist_id, songs)


def _listener(playlist_id: str, songs: list[dict[str, Any]]) -> Profile:
    artists = ArtistPlays()
    for song in songs:
        artists.add(artist_key(song["track_artist"]), song["track_artist"], 1.0)
    tracks = tuple(map(_track, songs))
    playlist = Playlist(
        songs[0]["playlist_name"] or "", tuple((track.name, track.artist) for track in tracks)
    )
    return artists.profile(
        playlist_id,
        "tidytuesday",
        tracks=tracks,
        playlists=(playlist,),
        audio=MappingProxyType(_spreads(track.audio for track in tracks)),
    )


def _track(song: Mapping[str, Any]) -> Track:
    duration_ms = song["duration_ms"]
    return Track(
        song["track_name"],
        song["track_artist"],
        duration_s=duration_ms / 1000 if duration_ms and duration_ms > 0 else None,
        released=song["track_album_release_date"] or None,
        audio=MappingProxyType(song["audio"]),
    )


def read_songs(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows that name a track and an artist; "audio" has the valid attributes."""
    for row in parquet_rows("tidytuesday", folder, "spotify_songs.parquet", (*_COLUMNS, *AUDIO)):
        if row["track_name"] and is_artist_name(row["track_artist"] or ""):
            yield {**{column: row[column] for column in _COLUMNS}, "audio": valid_audio(row)}


def valid_audio(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the attributes within their ranges; none if the tempo is 0 (not analysed)."""
    audio = {a: float(row[a]) for a in AUDIO if is_within(row.get(a), *AUDIO_RANGE[a])}
    return audio if audio.get("tempo", 1.0) > 0 else {}


def _spreads(tracks: Iterable[Mapping[str, float]]) -> dict[str, Spread]:
    """Return the unweighted spread of each attribute, with exact sums.

    Reports were made with these figures; `domain.spreads` may differ in the last digit.
    """
    values: dict[str, list[float]] = {}
    for audio in tracks:
        for attribute, value in audio.items():
            values.setdefault(attribute, []).append(value)
    spreads = {}
    for attribute, known in values.items():
        mean = math.fsum(known) / len(known)
        variance = math.fsum((value - mean) ** 2 for value in known) / len(known)
        spreads[attribute] = Spread(mean, math.sqrt(variance))
    return spreads
