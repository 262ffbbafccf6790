"""Spotify editorial playlists: 100 lists of Spotify's editors, June 2023."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Profile
from twotower.sources.datasets.lists import song_listeners
from twotower.sources.datasets.tables import parquet_rows

FILE = "tracks.parquet"
COLUMNS = ("playlist_id", "track_id", "artist_name")


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per list; plays are songs."""
    songs = (
        (row["playlist_id"], row["track_id"], row["artist_name"] or "")
        for row in parquet_rows("editorial", folder, FILE, COLUMNS)
    )
    return song_listeners(songs, "editorial")
