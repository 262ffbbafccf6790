"""What a method is asked: each task has its listeners, and gives a value a listener and metric."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Artist, Profile
from twotower.evaluation.methods.base import HasVectors, Method, Recommends
from twotower.evaluation.metrics import (
    aucs,
    listed_by,
    mutual,
    ndcgs_at,
    overlaps,
    ranks_of_positives,
    standard_cubes,
    top_columns,
    uniformity,
)
from twotower.model.play_matrix import log_play_matrix

LISTED = 10  # length of the lists that are compared
NEIGHBOURS = 25  # whose artists are suggested
BATCH = 256  # listeners for whom all artists are ranked at once


@dataclass(frozen=True)
class Retrieval:
    """Row i of the queries should find row i of the candidates; the rest of these are pool."""

    check: str
    ids: tuple[str, ...]  # of the listeners asked about
    queries: Sequence[Profile]
    candidates: Sequence[Profile]

    def measure(self, method: Method) -> dict[str, np.ndarray]:
        """metric -> (Q,) a value a listener."""
        scores = _scores(method, self.queries, self.candidates)
        ranks = ranks_of_positives(scores, np.arange(len(self.queries)))
        return {
            "MRR": 1.0 / ranks,
            "recall@1": (ranks <= 1).astype(float),
            "recall@10": (ranks <= 10).astype(float),
        }


@dataclass(frozen=True)
class Stability:
    """How much of the list of a whole profile is on the list of the same profile, cut."""

    check: str
    ids: tuple[str, ...]
    cut: Sequence[Profile]
    whole: Sequence[Profile]  # row i whole is row i cut, and all are the pool

    def measure(self, method: Method) -> dict[str, np.ndarray]:
        lists = []
        for queries in (self.cut, self.whole):
            scores = np.array(_scores(method, queries, self.whole), dtype=float)
            np.fill_diagonal(scores, -np.inf)
            lists.append(top_columns(scores, min(LISTED, len(self.whole) - 1)))
        return {f"overlap@{LISTED}": overlaps(*lists)}


@dataclass(frozen=True)
class Friends:
    """Declared friends should be nearer than others, in the ranking that a person is shown."""

    check: str
    ids: tuple[str, ...]  # of the listeners asked about
    asked: np.ndarray  # (ids,) their rows in the pool
    pool: Sequence[Profile]
    friends: np.ndarray  # (pool, pool) bool, symmetric

    def measure(self, method: Method) -> dict[str, np.ndarray]:
        """AUC against all who are no friends; rank of the nearest friend among all others."""
        scores = symmetric_scores(method, self.pool)[self.asked]
        friends = self.friends[self.asked]
        nearest = np.where(friends, scores, -np.inf).argmax(axis=1)
        ranks = ranks_of_positives(scores, nearest)
        return {
            f"Hit@{LISTED}": (ranks <= LISTED).astype(float),
            "AUC": aucs(scores, friends),
            "MRR": 1.0 / ranks,
        }


@dataclass(frozen=True)
class Geometry:
    """Whether everyone is found by someone, and nobody by all."""

    check: str
    ids: tuple[str, ...]
    pool: Sequence[Profile]
    halves: tuple[Sequence[Profile], Sequence[Profile]]  # of listeners no method was fitted on

    def measure(self, method: Method) -> dict[str, np.ndarray]:
        """Each figure is the mean of its values; skew and uniformity are of the whole pool.

        Alignment (mean squared distance of two halves of a listener) and uniformity (of those who
        are found) are those of Wang and Isola (2020), where a method has vectors.
        """
        lists = top_columns(symmetric_scores(method, self.pool), min(LISTED, len(self.pool) - 1))
        found = listed_by(lists)
        figures = {
            f"skew of N_{LISTED}": standard_cubes(found),
            "never listed": (found == 0).astype(float),
            f"most listed / {LISTED}": np.full(len(found), found.max() / LISTED),
            f"mutual share of top {LISTED}": mutual(lists),
        }
        if isinstance(method, HasVectors):
            vectors = method.vectors(self.pool, asking=False)
            figures["uniformity"] = np.full(len(found), uniformity(vectors))
            if self.halves[0]:
                one = method.vectors(self.halves[0], asking=True)
                other = method.vectors(self.halves[1], asking=False)
                figures["alignment"] = np.full(len(found), np.square(one - other).sum(1).mean())
        return figures


@dataclass(frozen=True)
class Discovery:
    """Artists that were taken out of a profile should be among those suggested for the rest."""

    check: str
    ids: tuple[str, ...]
    known: Sequence[Profile]  # all of them, each the rest of a listener; also the neighbours
    hidden: Sequence[frozenset[str]]  # artist keys taken out, at least one each

    def measure(self, method: Method) -> dict[str, np.ndarray]:
        """The nearest vote for what they play; what fits the listener by itself counts for more,
        where a method has vectors to tell that by."""
        keys = sorted({key for profile in self.known for key in profile.artists})
        own = log_play_matrix(self.known, {key: column for column, key in enumerate(keys)})
        votes, singles = self._votes(method), self._singles(method, keys)
        relevant, number = [], np.array([len(hidden) for hidden in self.hidden])
        for at in range(0, len(self.known), BATCH):
            rows = slice(at, at + BATCH)
            if isinstance(method, Recommends):
                fits = np.array(method.recommend(self.known[rows], keys), float)
            else:
                fits = np.asarray((votes[rows] @ own).toarray(), float)
                if singles is not None:
                    fits *= np.exp(singles[0][rows] @ singles[1].T)
            fits[own[rows].nonzero()] = -np.inf
            for list_, hidden in zip(top_columns(fits, LISTED), self.hidden[rows], strict=True):
                relevant.append([keys[column] in hidden for column in list_])
        right = np.array(relevant)
        return {
            f"NDCG@{LISTED}": ndcgs_at(right, number, LISTED),
            f"recall@{LISTED}": right.sum(axis=1) / number,
        }

    def _votes(self, method: Method) -> sp.csr_matrix:
        """(N, N) weights of each one's nearest, e^-1 for each standard deviation of scores behind
        the first; none where they aren't asked."""
        if isinstance(method, Recommends):
            return sp.csr_matrix((len(self.known), len(self.known)))
        scores = symmetric_scores(method, self.known)
        lists = top_columns(scores, min(NEIGHBOURS, len(self.known) - 1))
        best = np.take_along_axis(scores, lists, axis=1)
        weights = np.exp((best - best[:, :1]) / max(scores[np.isfinite(scores)].std(), 1e-9))
        rows = np.repeat(np.arange(len(lists)), lists.shape[1])
        shape = (len(lists), len(lists))
        return sp.csr_matrix((weights.ravel(), (rows, lists.ravel())), shape=shape)

    def _singles(self, method: Method, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
        """Vectors of the listeners, and of listeners who play one artist alone, one a key."""
        within = getattr(method, "method", method)  # of a correction
        if isinstance(method, Recommends) or not isinstance(within, HasVectors):
            return None
        alone = [Profile(key, {key: Artist(key, 1.0)}) for key in keys]
        return within.vectors(self.known, asking=True), within.vectors(alone, asking=False)


Task = Retrieval | Stability | Friends | Geometry | Discovery


def symmetric_scores(method: Method, pool: Sequence[Profile]) -> np.ndarray:
    """(N, N) mean of what each is to the other, as a person is shown; oneself minus infinity."""
    one_way = np.asarray(_scores(method, pool, pool), float)
    scores = np.asarray((one_way + one_way.T) / 2)
    np.fill_diagonal(scores, -np.inf)
    return scores


def _scores(
    method: Method, queries: Sequence[Profile], candidates: Sequence[Profile]
) -> np.ndarray:
    scores = np.asarray(method.scores(queries, candidates))
    if scores.shape != (len(queries), len(candidates)):
        raise ValueError(
            f"{method.name}: scores of shape {scores.shape} for {len(queries)} queries "
            f"and {len(candidates)} candidates"
        )
    return scores
