"""Shared by the readers of playlists and radio shows: each list becomes one listener."""

from collections.abc import Iterable, Iterator

from twotower.core.domain import Profile
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.listener import ArtistPlays

MIN_ARTISTS = 4  # a shorter list says too little about a taste

# Keys of names that stand for no artist. "V.A." has the key "v a"; "VA" may be an artist.
PLACEHOLDERS = frozenset(
    {
        "various artists",
        "various artist",
        "various",
        "varios artistas",
        "nhieu nghe si",
        "v a",
        "unknown artist",
        "unknown",
        "anonymous",
        "traditional",
        "群星",
        "华语群星",
        "欧美群星",
        "佚名",
        "未知",
        "未知艺人",
        "オムニバス",
    }
)


def is_real_artist(name: str) -> bool:
    """Return True for a name that isn't blank and no placeholder such as "Various Artists"."""
    return is_artist_name(name) and artist_key(name) not in PLACEHOLDERS


def list_profile(id: str, origin: str, credits: Iterable[tuple[str, float]]) -> Profile | None:
    """Return a list as a listener, or None if it has fewer than `MIN_ARTISTS` artists.

    credits  (artist name, songs); the songs of an artist are added up and count as plays
    """
    artists = ArtistPlays()
    for name, songs in credits:
        if is_real_artist(name):
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
