"""The interface of evaluated methods, and tools that several methods share.

The towers and every baseline are `Scorer`s. Some also recommend artists, or have vectors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Profile
from twotower.model.play_matrix import log_play_matrix
from twotower.sources.datasets.public import Training


class Scorer(Protocol):
    """A fitted method that scores pairs of listeners."""

    @property
    def name(self) -> str: ...

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return scores (Q, N); larger is more similar."""
        ...


@runtime_checkable
class Recommends(Protocol):
    """A method that recommends artists by itself, without neighbours."""

    def recommend(self, profiles: Sequence[Profile], keys: Sequence[str]) -> np.ndarray:
        """Return scores (profiles, keys), for artists in the profile too; larger fits better."""
        ...


@runtime_checkable
class HasVectors(Protocol):
    """A method whose scores are cosines of vectors."""

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """Return unit vectors (n, k), of queries if `asking`, else of candidates."""
        ...


Fit = Callable[[Training], Scorer]
_Scorer = TypeVar("_Scorer", bound=Scorer)


def memoised(fit: Callable[[Training], _Scorer]) -> Callable[[Training], _Scorer]:
    """Memoise `fit` for the most recent training set."""
    last: list[tuple[Training, _Scorer]] = []

    def fitted(training: Training) -> _Scorer:
        if not last or last[0][0] is not training:
            last[:] = [(training, fit(training))]
        return last[0][1]

    return fitted


@dataclass(frozen=True)
class Summed:
    """The weighted sum of two methods' scores."""

    first: Scorer
    second: Scorer
    share: float  # weight of the second; the first has weight 1
    name: str

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return scores (Q, N)."""
        first = np.asarray(self.first.scores(queries, candidates))
        return first + self.share * np.asarray(self.second.scores(queries, candidates))


def summed(first: Fit, second: Fit, share: float, name: str) -> Fit:
    """Return a fit of both methods, whose scores are the first's plus `share` of the second's."""

    def fitted(training: Training) -> Scorer:
        return Summed(first(training), second(training), share, name)

    return fitted


def columns_of(profiles: Sequence[Profile]) -> dict[str, int]:
    """Return artist key -> column for every artist of the profiles, in the order of the keys."""
    keys = sorted({key for profile in profiles for key in profile.artists})
    return {key: column for column, key in enumerate(keys)}


def weighted_plays(training: Training, playlists: float) -> tuple[dict[str, int], sp.csr_matrix]:
    """Return columns and the log-play matrix of all listeners, then of playlists times a weight.

    Playlists are left out if their weight is 0.
    """
    added = training.playlists if playlists else ()
    columns = columns_of([*training.listeners, *added])
    both = [
        log_play_matrix(training.listeners, columns),
        log_play_matrix(added, columns) * playlists,
    ]
    return columns, sp.vstack(both, format="csr", dtype=np.float32)
