"""Audioscrobbler 2005, a sample of 50 listeners with plays."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Profile
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.listener import ArtistPlays
from twotower.sources.datasets.tables import delimited_rows


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield the listeners; misspelled artists are corrected by the set's own table."""
    alias = dict(
        delimited_rows("audioscrobbler", folder, "artist_alias_small.txt", 2, header=False)
    )
    names = {
        artist: name.strip()
        for artist, name in delimited_rows(
            "audioscrobbler", folder, "artist_data_small.txt", 2, header=False, skip_short=True
        )
    }
    listeners: dict[str, ArtistPlays] = {}
    plays_file = "user_artist_data_small.txt"
    for listener, artist, plays in delimited_rows(
        "audioscrobbler", folder, plays_file, 3, header=False, last_is_number=True
    ):
        name = names.get(alias.get(artist, artist)) or names.get(artist, "")
        if is_artist_name(name):
            artists = listeners.setdefault(listener, ArtistPlays())
            artists.add(artist_key(name), name, float(plays))
    for listener, artists in listeners.items():
        yield artists.profile(listener, "audioscrobbler")
