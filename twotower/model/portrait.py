"""Portrait of a listener: the profile with everything that the model computes from it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from twotower.core.domain import AUDIO, Artist, Coverage, Profile, Spread
from twotower.core.errors import EmptyProfile
from twotower.core.genres import is_genre, only_genres
from twotower.model.catalogue import Catalogue
from twotower.model.confidence import Confidence
from twotower.model.embedder import Embedder

GENRES_SHOWN = 14
MIN_AUDIO_SHARE = 0.35  # of the plays by artists with an estimate, to say how the music sounds


@dataclass(frozen=True, eq=False)
class Portrait:
    """A profile, its two vectors, and a summary of its artists, genres and audio."""

    profile: Profile
    user_vector: np.ndarray  # (D,) unit
    candidate_vector: np.ndarray  # (D,) unit
    effective_dimensions: float  # of the D dimensions, the number that the profile determines
    coverage: Coverage  # how much of the listening the model knows
    confidence: Confidence  # how surely it knows the listener's taste
    artists: tuple[Artist, ...]  # most played first
    genres: tuple[tuple[str, float], ...]  # (genre, share of what is known), largest first
    audio: Mapping[str, Spread]  # empty if too little is known of the artists
    audio_is_estimate: bool  # computed from the artists, not from the listener's own tracks
    genres_from: float  # share of the plays whose artists have known genres, 0..1
    audio_from: float  # share of the plays whose artists have estimated audio, 0..1
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
    genres, genres_from = genre_shares(profile, embedder.catalogue)
    coverage = embedder.coverage(profile)
    estimate, audio_from = estimated_audio(profile, embedder.catalogue)
    return Portrait(
        profile=profile,
        user_vector=user,
        candidate_vector=candidate,
        effective_dimensions=dimensions,
        coverage=coverage,
        confidence=embedder.curve.confidence(coverage, dimensions),
        artists=tuple(
            sorted(profile.artists.values(), key=lambda artist: (-artist.plays, artist.name))
        ),
        genres=genres,
        audio=profile.audio or estimate,
        audio_is_estimate=not profile.audio,
        genres_from=genres_from,
        audio_from=1.0 if profile.audio else audio_from,
        seconds=seconds,
    )


def genre_shares(
    profile: Profile, catalogue: Catalogue
) -> tuple[tuple[tuple[str, float], ...], float]:
    """Return the 14 strongest genres with their shares, and the share of the plays they rest on.

    The profile's own genres count if it has any. Else an artist's plays are shared equally among
    the genres that the profile names for it, or those of the catalogue; estimated ones count less.
    """
    weights = {word: weight for word, weight in profile.genres.items() if is_genre(word)}
    described = 1.0
    if not weights:
        played = 0.0
        for key, artist in profile.artists.items():
            of_artist = _own_weights(artist) or catalogue.genre_weights_of(key)
            played += artist.plays if of_artist else 0.0
            for word, weight in of_artist.items():
                weights[word] = weights.get(word, 0.0) + artist.plays * weight
        described = _share_of_plays(played, profile)
    total = sum(weights.values())
    ordered = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return tuple((word, weight / total) for word, weight in ordered[:GENRES_SHOWN]), described


def _own_weights(artist: Artist) -> Mapping[str, float]:
    """Return the genres that the profile itself names for the artist, with weights of sum 1."""
    words = only_genres(artist.genres)
    return {word: 1 / len(words) for word in words}


def estimated_audio(profile: Profile, catalogue: Catalogue) -> tuple[Mapping[str, Spread], float]:
    """Return mean and spread of the estimated audio of the artists, and the share of plays known.

    Artists count by their plays. There is no estimate if the share is below MIN_AUDIO_SHARE.
    """
    estimates = [(artist.plays, catalogue.audio_of(key)) for key, artist in profile.artists.items()]
    estimates = [(plays, audio) for plays, audio in estimates if audio]
    plays = np.array([each for each, _ in estimates])
    described = _share_of_plays(float(plays.sum()), profile)
    if not estimates or described < MIN_AUDIO_SHARE:
        return {}, described
    values = np.array([[audio[name] for name in AUDIO] for _, audio in estimates])
    mean, std = weighted_spread(values, plays)
    pairs = zip(AUDIO, mean, std, strict=True)
    return {name: Spread(float(m), float(s)) for name, m, s in pairs}, described


def _share_of_plays(plays: float, profile: Profile) -> float:
    total = sum(artist.plays for artist in profile.artists.values())
    return plays / total if total else 0.0


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
