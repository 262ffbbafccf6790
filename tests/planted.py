"""Public data in small, made up: groups of listeners, each with artists of its own."""

from datetime import date

import numpy as np

from twotower.checks import Sources
from twotower.domain import Artist, Profile

GROUPS = 20
ARTISTS = 30  # of a group


def make_profile(id: str, artists: dict[str, float], origin: str = "hetrec") -> Profile:
    return Profile(id, {key: Artist(key, plays) for key, plays in artists.items()}, origin=origin)


def group_of(profile: Profile) -> int:
    """The group that most of a profile's artists are of."""
    groups = [int(key.split()[0][1:]) for key in profile.artists]
    return max(set(groups), key=groups.count)


def people(
    count: int, artists: int, *, origin: str = "hetrec", scale: float = 100.0, seed: int = 0
) -> tuple[Profile, ...]:
    """Listeners with ids "0", "1", ..., in turn of each group, with so many of its artists."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        drawn = rng.choice(ARTISTS, artists, replace=False)
        plays = np.ceil(rng.exponential(scale, artists))
        keys = [f"g{number % GROUPS} a{artist}" for artist in drawn]
        made.append(make_profile(str(number), dict(zip(keys, plays.tolist(), strict=True)), origin))
    return tuple(made)


def make_sources() -> Sources:
    """800 listeners, each with a tag given, 300 playlists and 60 listeners of another source."""
    listeners = people(800, 12)
    tags = tuple(
        (p.id, next(iter(p.artists)), f"tag of {p.id}", date(2010, 1, 1)) for p in listeners
    )
    return Sources(
        listeners,
        tags,
        people(300, 10, origin="mpd", scale=2.0, seed=1)
        + people(300, 10, origin="mpd-withheld", scale=2.0, seed=2)[:20],
        {"germany": people(60, 12, origin="germany", seed=3)},
        hashes={"made.dat": "0" * 64},
    )
