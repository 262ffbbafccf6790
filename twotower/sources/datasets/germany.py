"""Last.fm Germany: 1,257 listeners, and which of 285 artists they play."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Profile
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.listener import ArtistPlays
from twotower.sources.datasets.tables import csv_rows


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield the listeners who play at least one artist; each artist has one play."""
    rows = csv_rows("germany", folder, "lastfm-matrix-germany.csv")
    names = next(rows)[1:]
    for listener, *cells in rows:
        artists = ArtistPlays()
        for name, cell in zip(names, cells, strict=False):
            if cell == "1" and is_artist_name(name):
                artists.add(artist_key(name), name, 1.0)
        if artists:
            yield artists.profile(listener, "germany")
