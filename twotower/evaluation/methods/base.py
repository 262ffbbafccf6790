"""What a method is: fitted on a `Training`, it says how near people are.

The towers and every baseline are such, and some of them can do more (`Recommends`, `HasVectors`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Profile
from twotower.model.play_matrix import log_play_matrix
from twotower.sources.datasets.public import Training

SCALED = " + LS"  # ends the name of a method after local scaling


class Method(Protocol):
    """Something fitted that says how near people are."""

    @property
    def name(self) -> str: ...

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N), larger is nearer."""
        ...


@runtime_checkable
class Recommends(Protocol):
    """A method that fits artists to people by itself, without neighbours."""

    def recommend(self, profiles: Sequence[Profile], keys: Sequence[str]) -> np.ndarray:
        """(profiles, keys), larger fits better; what a profile has already is not left out."""
        ...


@runtime_checkable
class HasVectors(Protocol):
    """A method whose scores are cosines of vectors."""

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """(n, k) unit vectors of people who ask, or of people who are found."""
        ...


Fit = Callable[[Training], Method]
_Kind = TypeVar("_Kind", bound=Method)


def remembered(fit: Callable[[Training], _Kind]) -> Callable[[Training], _Kind]:
    """The same fit, kept until another training comes: what is built on it costs nothing more."""
    last: list[tuple[Training, _Kind]] = []

    def fitted(training: Training) -> _Kind:
        if not last or last[0][0] is not training:
            last[:] = [(training, fit(training))]
        return last[0][1]

    return fitted


@dataclass(frozen=True)
class Summed:
    """Two methods as one: the scores of the first, and a share of the second's."""

    first: Method
    second: Method
    share: float
    name: str

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        first = np.asarray(self.first.scores(queries, candidates))
        return first + self.share * np.asarray(self.second.scores(queries, candidates))


def summed(first: Fit, second: Fit, share: float, name: str) -> Fit:
    """Both fits as one; `share` of the second's scores is added."""

    def fitted(training: Training) -> Method:
        return Summed(first(training), second(training), share, name)

    return fitted


def columns_of(profiles: Sequence[Profile]) -> dict[str, int]:
    """A column for each artist that someone has, in the order of their keys."""
    keys = sorted({key for profile in profiles for key in profile.artists})
    return {key: column for column, key in enumerate(keys)}


def weighted_plays(training: Training, playlists: float) -> tuple[dict[str, int], sp.csr_matrix]:
    """Return columns and play weights: of listeners, then of playlists times `playlists`."""
    added = training.playlists if playlists else ()
    columns = columns_of([*training.listeners, *added])
    both = [
        log_play_matrix(training.listeners, columns),
        log_play_matrix(added, columns) * playlists,
    ]
    return columns, sp.vstack(both, format="csr", dtype=np.float32)
