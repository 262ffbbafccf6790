"""Spotify playlists with Filipino music, 2020."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Profile
from twotower.sources.datasets.lists import song_listeners
from twotower.sources.datasets.tables import csv_columns

FILE = "playlist_tracks.csv"
COLUMNS = ("playlist_id", "track_id", "artist_name")


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per list; plays are songs, and each artist of a song has it."""
    rows = csv_columns("philippines", folder, FILE, COLUMNS)
    return song_listeners(
        ((playlist, track, name) for playlist, track, name in rows), "philippines"
    )
