"""Portrait of a listener: the profile with everything that the model computes from it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from twotower.core.domain import AUDIO, Artist, Coverage, Profile, Spread
from twotower.core.errors import EmptyProfile
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder

GENRES_SHOWN = 14


@dataclass(frozen=True, eq=False)
class Portrait:
    """A profile, its two vectors, and a summary of its artists, genres and audio."""

    profile: Profile
    user_vector: np.ndarray  # (D,) unit
    candidate_vector: np.ndarray  # (D,) unit
    effective_dimensions: float  # of the D dimensions, the number that the profile determines
    coverage: Coverage  # how much of the listening the model knows
    artists: tuple[Artist, ...]  # most played first
    genres: tuple[tuple[str, float], ...]  # (genre, share of the listening), largest first
    audio: Mapping[str, Spread]
    audio_is_estimate: bool  # computed from the artists, not from the listener's own tracks
    seconds: float  # taken by both embeddings


def portrait(embedder: Embedder, profile: Profile) -> Portrait:
    """Embed the profile and summarise it.

    Raises EmptyProfile if the model knows nothing in it.
    """
    if not embedder.knows(profile):
        raise EmptyProfile(_too_little(profile))
    began = time.perf_counter()
    user = embedder.embed([profile], "user")[0]
    candidate = embedder.embed([profile], "candidate")[0]
    dimensions = float(embedder.effective_dimensions([profile])[0])
    seconds = time.perf_counter() - began
    return Portrait(
        profile=profile,
        user_vector=user,
        candidate_vector=candidate,
        effective_dimensions=dimensions,
        coverage=embedder.coverage(profile),
        artists=tuple(
            sorted(profile.artists.values(), key=lambda artist: (-artist.plays, artist.name))
        ),
        genres=genre_shares(profile, embedder.catalogue),
        audio=profile.audio or estimated_audio(profile, embedder.catalogue),
        audio_is_estimate=not profile.audio,
        seconds=seconds,
    )


def genre_shares(profile: Profile, catalogue: Catalogue) -> tuple[tuple[str, float], ...]:
    """Return the 14 strongest genres and their shares of the listening, largest first.

    The profile's own genres count if it has any. Else those of its artists count, or the
    catalogue's estimate for artists without genres. An artist's plays are shared equally among
    its genres.
    """
    weights: dict[str, float] = dict(profile.genres)
    if not weights:
        for key, artist in profile.artists.items():
            words = artist.genres or catalogue.genres_of(key)
            for word in words:
                weights[word] = weights.get(word, 0.0) + artist.plays / len(words)
    total = sum(weights.values())
    ordered = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return tuple((word, weight / total) for word, weight in ordered[:GENRES_SHOWN])


def estimated_audio(profile: Profile, catalogue: Catalogue) -> Mapping[str, Spread]:
    """Return mean and spread of the catalogue's audio estimates over the artists, by plays.

    Empty if the catalogue has no estimate for any of the artists.
    """
    estimates = [(artist.plays, catalogue.audio_of(key)) for key, artist in profile.artists.items()]
    estimates = [(plays, audio) for plays, audio in estimates if audio]
    if not estimates:
        return {}
    plays = np.array([each for each, _ in estimates])
    values = np.array([[audio[name] for name in AUDIO] for _, audio in estimates])
    mean, std = weighted_spread(values, plays)
    return {name: Spread(float(m), float(s)) for name, m, s in zip(AUDIO, mean, std, strict=True)}


def weighted_spread(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted mean and standard deviation, each (m,), of values (n, m), weights (n,)."""
    share = (weights / weights.sum())[:, None]
    mean = (values * share).sum(0)
    return mean, np.sqrt((np.square(values - mean) * share).sum(0))


def _too_little(profile: Profile) -> str:
    count = len(profile.artists)
    what = f"the model knows none of the {count} artists" if count else "the profile has no artist"
    return (
        f"{what}, and no genre, audio attribute or playlist title that it could use. Add three "
        "well-known artists, or a file with genres"
    )
