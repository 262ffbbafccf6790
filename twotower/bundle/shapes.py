"""Shapes of real and of synthetic listeners, side by side, for the model card."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from twotower.bundle.shipped import pair_similarity
from twotower.bundle.synthetic import Generated
from twotower.core.domain import Profile
from twotower.model.embedder import Embedder
from twotower.retrieval.similarity import ListenerBatch
from twotower.sources.datasets.source_weight import Kind, kind_of

PERCENTILES = (5, 25, 50, 75, 95)
GROUPS: Mapping[Kind, str] = MappingProxyType(
    {
        "listener": "listeners of 2005 to 2011",
        "playlist": "playlists of 2010 to 2017",
        "list": "lists of 2018 to 2026",
        "chart": "listeners drawn from charts",
    }
)


@dataclass(frozen=True)
class Shape:
    """Percentiles that describe a set of listeners."""

    artists: tuple[float, ...]  # artists in a profile
    popularity: tuple[float, ...]  # popularity ranks of the artists
    similarity: tuple[float, ...]  # of random pairs


def compare_shapes(
    real: Sequence[Profile],
    weights: np.ndarray,
    generated: Generated,
    embedder: Embedder,
    *,
    seed: int,
) -> dict[str, Any]:
    """Return the shapes of "real" and "invented" listeners, and both for each of "groups".

    weights  (real,) how often each real listener was drawn

    In all, the real ones are a sample drawn in the same mixture. A synthetic listener belongs to
    the group of its main taste.
    """
    rng = np.random.default_rng([seed, 6])
    sample = np.unique(rng.choice(len(real), len(generated.profiles), p=weights))
    real_kinds = np.array([kind_of(p.origin) for p in real])
    made_kinds = real_kinds[generated.main]
    groups = {
        label: _beside(
            [real[row] for row in np.flatnonzero(real_kinds == kind).tolist()],
            [generated.profiles[row] for row in np.flatnonzero(made_kinds == kind).tolist()],
            embedder,
            seed,
        )
        for kind, label in GROUPS.items()
        if kind in made_kinds
    }
    mixed = _beside([real[row] for row in sample.tolist()], generated.profiles, embedder, seed)
    return {**mixed, "groups": groups}


def _beside(
    real: Sequence[Profile], made: Sequence[Profile], embedder: Embedder, seed: int
) -> dict[str, Any]:
    return {
        "real": asdict(_shape(real, embedder, seed)),
        "invented": asdict(_shape(made, embedder, seed)),
    }


def _shape(profiles: Sequence[Profile], embedder: Embedder, seed: int) -> Shape:
    """Return percentiles of profile sizes, popularity ranks and pair similarity."""
    rows = [
        row
        for profile in profiles
        for key in profile.artists
        if (row := embedder.catalogue.row(key)) is not None
    ]

    def percentiles(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
        return tuple(round(float(v), 3) for v in np.percentile(values, PERCENTILES))

    return Shape(
        percentiles([len(p.artists) for p in profiles]),
        percentiles(rows),
        percentiles(pair_similarity(ListenerBatch.of(embedder, profiles), seed=seed)),
    )
