"""Spotify playlists with Filipino music, 2020."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Profile
from twotower.sources.datasets.lists import song_listeners
from twotower.sources.datasets.tables import csv_columns, python_strings

FILE = "playlist_tracks.csv"
COLUMNS = ("playlist_id", "track_id", "artist_name", "num_artists")


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per list; plays are songs, and each artist of a song has it."""
    return song_listeners(_songs(folder), "philippines")


def _songs(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (list id, song, artist); several artists of a song are written as a Python list."""
    for playlist, track, names, artists in csv_columns("philippines", folder, FILE, COLUMNS):
        for artist in [names] if artists == "1" else python_strings(names):
            yield playlist, track, artist
