"""KEXP, a radio station in Seattle: shows of 2026, each as a listener."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Profile
from twotower.sources.datasets.lists import count_listeners
from twotower.sources.datasets.tables import csv_columns

FILE = "show_artists.csv"
COLUMNS = ("show", "artist", "tracks")


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per show; plays are songs."""
    rows = csv_columns("kexp", folder, FILE, COLUMNS, last_is_number=True)
    return count_listeners(((show, name, float(songs)) for show, name, songs in rows), "kexp")
