"""Who is held out, and which part of a history a check shows; drawn by hash, so always the same."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twotower.core.domain import Profile
from twotower.core.names import artist_key

TEST, VALIDATION = 378, 303  # listeners held out of each split
LEAST_ARTISTS = 4  # of a listener that can be split in two


@dataclass(frozen=True)
class Split:
    """Three disjoint groups of listeners, in hash order."""

    number: int
    test: tuple[Profile, ...]
    validation: tuple[Profile, ...]
    training: tuple[Profile, ...]


def split_listeners(
    profiles: Iterable[Profile], number: int, *, test: int = TEST, validation: int = VALIDATION
) -> Split:
    """Listeners with at least 4 artists, ordered by sha256("number:id"), cut into three."""
    able = [profile for profile in profiles if len(profile.artists) >= LEAST_ARTISTS]
    able.sort(key=lambda p: hashlib.sha256(f"{number}:{p.id}".encode()).hexdigest())
    held = test + validation
    return Split(number, tuple(able[:test]), tuple(able[test:held]), tuple(able[held:]))


def restrict(profile: Profile, keys: Collection[str], *, id: str | None = None) -> Profile:
    """The part of a profile that its given artists say, under another id if one is given.

    What sums up the whole profile (its genres, audio, playlists, name, dates) is left out: it would
    tell of the artists that are hidden.
    """
    kept = set(keys)
    return Profile(
        id=profile.id if id is None else id,
        artists={key: artist for key, artist in profile.artists.items() if key in kept},
        tracks=tuple(t for t in profile.tracks if artist_key(t.artist) in kept),
        origin=profile.origin,
    )


def shuffled_artists(profile: Profile, seed: int, purpose: str) -> list[str]:
    """A listener's artist keys in an order that depends on source, id, seed and purpose alone."""
    text = f"{purpose}:{seed}:{profile.origin}:{profile.id}"
    drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    keys = sorted(profile.artists)
    return [keys[i] for i in np.random.default_rng(drawn).permutation(len(keys))]


def halves(profiles: Sequence[Profile], seed: int) -> tuple[list[Profile], list[Profile]]:
    """(queries, candidates): each listener's artists in two disjoint random halves, plays kept.

    Row i of both is the same listener, under different ids. The query has n // 2 artists.
    """
    queries, candidates = [], []
    for profile in profiles:
        keys = shuffled_artists(profile, seed, "halves")
        middle = len(keys) // 2
        queries.append(restrict(profile, keys[:middle], id=f"{profile.id}/query"))
        candidates.append(restrict(profile, keys[middle:], id=f"{profile.id}/candidate"))
    return queries, candidates


def cut_random(profiles: Sequence[Profile], artists: int, seed: int) -> list[Profile]:
    """Each profile with at most so many random artists; a smaller cut is part of a larger one."""
    return [restrict(p, shuffled_artists(p, seed, "cut")[:artists]) for p in profiles]


def without_plays(profiles: Sequence[Profile]) -> list[Profile]:
    """Each profile with its artists alone, as if each had been played once."""
    return [
        replace(p, artists={k: replace(a, plays=1.0) for k, a in p.artists.items()}, tracks=())
        for p in profiles
    ]


def cut_to_most_played(profiles: Sequence[Profile], artists: int) -> list[Profile]:
    """Each profile with at most so many artists, the most played; ties by key."""
    cut = []
    for profile in profiles:
        keys = sorted(profile.artists, key=lambda key: (-profile.artists[key].plays, key))
        cut.append(restrict(profile, keys[:artists]))
    return cut


def keep_artists(
    profiles: Sequence[Profile], keys: Collection[str], *, at_least: int
) -> list[Profile]:
    """Profiles with only these artists left, of those listeners who have at least so many."""
    kept = set(keys)
    return [
        restrict(profile, kept)
        for profile in profiles
        if sum(key in kept for key in profile.artists) >= at_least
    ]


def most_common_artists(profiles: Iterable[Profile], count: int) -> tuple[str, ...]:
    """The artist keys that most of the listeners have, most first, ties by key."""
    listeners = Counter(key for profile in profiles for key in profile.artists)
    return tuple(sorted(listeners, key=lambda key: (-listeners[key], key))[:count])
