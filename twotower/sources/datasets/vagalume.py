"""Vagalume: playlists of Brazilian people, 2021, one listener per person."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Profile
from twotower.sources.datasets.lists import count_listeners
from twotower.sources.datasets.tables import csv_columns

FILE = "playlist_artists.csv"
COLUMNS = ("owner", "artist", "tracks")


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per owner, with the songs of all their lists; plays are songs."""
    rows = csv_columns("vagalume", folder, FILE, COLUMNS, last_is_number=True)
    return count_listeners(((owner, name, float(songs)) for owner, name, songs in rows), "vagalume")
