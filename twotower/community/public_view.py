"""The part of a profile that other people may see."""

from collections.abc import Iterable

import numpy as np

from twotower.core.domain import Profile
from twotower.model.catalogue import Catalogue

LISTED_ARTISTS = 100  # most artists shown of one listener
LISTED_GENRES = 5


def listed_artists(profile: Profile) -> tuple[tuple[str, float], ...]:
    """Return (name, plays) of the artists that others see, most played first."""
    return most_played((artist.name, artist.plays) for artist in profile.artists.values())


def most_played(artists: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Return the (name, plays) that others see of these, most played first."""
    return tuple(sorted(artists, key=lambda artist: (-artist[1], artist[0]))[:LISTED_ARTISTS])


def genre_weights(profile: Profile, catalogue: Catalogue) -> dict[str, float]:
    """Return genre -> weight over the profile's artists, by the catalogue's genres.

    An artist's log plays are shared equally among its genres; estimated ones count less.
    """
    weights: dict[str, float] = {}
    for key, artist in profile.artists.items():
        log_plays = float(np.log1p(artist.plays))
        for word, weight in catalogue.genre_weights_of(key).items():
            weights[word] = weights.get(word, 0.0) + weight * log_plays
    return weights


def top_genres(weights: dict[str, float]) -> tuple[str, ...]:
    """Return the genres that others see, heaviest first."""
    ordered = sorted(weights, key=lambda word: (-weights[word], word))
    return tuple(ordered[:LISTED_GENRES])
