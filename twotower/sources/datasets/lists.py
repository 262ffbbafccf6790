"""Shared by the readers of playlists and radio shows: each list becomes one listener."""

from collections.abc import Iterable, Iterator

from twotower.core.domain import Profile
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.listener import ArtistPlays

MIN_ARTISTS = 4  # a shorter list says too little about a taste


def list_profile(id: str, origin: str, credits: Iterable[tuple[str, float]]) -> Profile | None:
    """Return a list as a listener, or None if it has fewer than `MIN_ARTISTS` artists.

    credits  (artist name, songs); the songs of an artist are added up and count as plays
    """
    artists = ArtistPlays()
    for name, songs in credits:
        if is_artist_name(name):
            artists.add(artist_key(name), name.strip(), songs)
    return artists.profile(id, origin) if len(artists) >= MIN_ARTISTS else None


def song_listeners(rows: Iterable[tuple[str, str, str]], origin: str) -> Iterator[Profile]:
    """Yield one listener per list of (list id, song, artist) rows; plays are songs.

    A song with several artists has a row for each; a row that is repeated counts once.
    """
    lists: dict[str, dict[tuple[str, str], float]] = {}
    for list_id, song, artist in rows:
        lists.setdefault(list_id, {})[song, artist] = 1.0
    counts = (
        (list_id, artist, songs)
        for list_id, credits in lists.items()
        for (_, artist), songs in credits.items()
    )
    yield from count_listeners(counts, origin)


def count_listeners(rows: Iterable[tuple[str, str, float]], origin: str) -> Iterator[Profile]:
    """Yield one listener per list of (list id, artist, number of songs) rows; plays are songs."""
    lists: dict[str, list[tuple[str, float]]] = {}
    for list_id, artist, songs in rows:
        lists.setdefault(list_id, []).append((artist, songs))
    for list_id, credits in lists.items():
        if profile := list_profile(list_id, origin, credits):
            yield profile
