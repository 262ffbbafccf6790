"""Evaluation tasks. Each returns one value per listener and metric."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Artist, Profile
from twotower.evaluation.methods.base import HasVectors, Recommends, Scorer
from twotower.evaluation.metrics import (
    aucs,
    cubed_z_scores,
    equal_weights,
    k_occurrences,
    mutual_shares,
    ndcgs_at,
    overlaps,
    ranks_of_positives,
    top_columns,
    uniformity,
)
from twotower.evaluation.specs import TaskSpec
from twotower.model.play_matrix import log_play_matrix

LIST_LENGTH = 10  # of the lists that are compared
NEIGHBOURS = 25  # that vote for artists to discover
BATCH = 256  # listeners for whom all artists are ranked at once


@dataclass(frozen=True)
class Retrieval:
    """Rank the candidates for each query; row i of the candidates belongs to query i.

    Candidates beyond the last query are a pool that no query belongs to.
    """

    spec: TaskSpec
    ids: tuple[str, ...]  # of the listeners
    queries: Sequence[Profile]
    candidates: Sequence[Profile]
    source_of: tuple[str, ...] = ()  # (Q,) of the queries; if given, each counts the same

    def measure(self, method: Scorer) -> dict[str, np.ndarray]:
        """Return metric -> (Q,) one value per query, whose mean is the metric.

        With `source_of` that is the mean of the sources' means: values have their source's weight.
        """
        scores = _scores(method, self.queries, self.candidates)
        ranks = ranks_of_positives(scores, np.arange(len(self.queries)))
        weights = equal_weights(self.source_of) if self.source_of else np.ones(len(ranks))
        return {
            "MRR": weights / ranks,
            "recall@1": weights * (ranks <= 1),
            "recall@10": weights * (ranks <= 10),
        }


@dataclass(frozen=True)
class Stability:
    """Compare the list of neighbours of a whole profile with that of the same profile, cut."""

    spec: TaskSpec
    ids: tuple[str, ...]
    cut: Sequence[Profile]
    whole: Sequence[Profile]  # row i is the same listener as row i of `cut`; all are the pool

    def measure(self, method: Scorer) -> dict[str, np.ndarray]:
        """Return the shares (n,) of the list that stay."""
        lists = []
        for queries in (self.cut, self.whole):
            scores = np.array(_scores(method, queries, self.whole), dtype=float)
            np.fill_diagonal(scores, -np.inf)
            lists.append(top_columns(scores, min(LIST_LENGTH, len(self.whole) - 1)))
        return {f"overlap@{LIST_LENGTH}": overlaps(*lists)}


@dataclass(frozen=True)
class Friends:
    """Rank declared friends among all listeners, by the symmetric score that the app shows."""

    spec: TaskSpec
    ids: tuple[str, ...]  # of the queries
    rows: np.ndarray  # (ids,) rows of the queries in the pool
    pool: Sequence[Profile]
    friends: np.ndarray  # (pool, pool) bool, symmetric

    def measure(self, method: Scorer) -> dict[str, np.ndarray]:
        """Return AUC against all who are no friends, and Hit and MRR of the nearest friend."""
        scores = symmetric_scores(method, self.pool)[self.rows]
        friends = self.friends[self.rows]
        nearest = np.where(friends, scores, -np.inf).argmax(axis=1)
        ranks = ranks_of_positives(scores, nearest)
        return {
            f"Hit@{LIST_LENGTH}": (ranks <= LIST_LENGTH).astype(float),
            "AUC": aucs(scores, friends),
            "MRR": 1.0 / ranks,
        }


@dataclass(frozen=True)
class Geometry:
    """Measure hubs: listeners on very many lists of neighbours, and listeners on none."""

    spec: TaskSpec
    ids: tuple[str, ...]
    pool: Sequence[Profile]
    halves: tuple[Sequence[Profile], Sequence[Profile]]  # of listeners no method was fitted on

    def measure(self, method: Scorer) -> dict[str, np.ndarray]:
        """Return metric -> (pool,) values whose mean is the metric.

        Skew and uniformity describe the whole pool. Alignment (mean squared distance of two halves
        of a listener) and uniformity are those of Wang and Isola (2020), for methods with vectors.
        """
        length = min(LIST_LENGTH, len(self.pool) - 1)
        lists = top_columns(symmetric_scores(method, self.pool), length)
        counts = k_occurrences(lists)
        values = {
            f"skew of N_{LIST_LENGTH}": cubed_z_scores(counts),
            "never listed": (counts == 0).astype(float),
            f"most listed / {LIST_LENGTH}": np.full(len(counts), counts.max() / LIST_LENGTH),
            f"mutual share of top {LIST_LENGTH}": mutual_shares(lists),
        }
        if isinstance(method, HasVectors):
            vectors = method.vectors(self.pool, asking=False)
            values["uniformity"] = np.full(len(counts), uniformity(vectors))
            if self.halves[0]:
                one = method.vectors(self.halves[0], asking=True)
                other = method.vectors(self.halves[1], asking=False)
                values["alignment"] = np.full(len(counts), np.square(one - other).sum(1).mean())
        return values


@dataclass(frozen=True)
class Discovery:
    """Rank artists for a listener, to find those that were taken out of the profile."""

    spec: TaskSpec
    ids: tuple[str, ...]
    known: Sequence[Profile]  # profiles without the hidden artists; also the neighbours
    hidden: Sequence[frozenset[str]]  # artist keys taken out, at least one each

    def measure(self, method: Scorer) -> dict[str, np.ndarray]:
        """Return NDCG and recall (n,) of the hidden artists among the first ten.

        A method that recommends artists ranks them by itself. For any other, the nearest listeners
        vote for what they play, and a vote counts more if the artist's own vector is near.
        """
        keys = sorted({key for profile in self.known for key in profile.artists})
        own = log_play_matrix(self.known, {key: column for column, key in enumerate(keys)})
        is_hit = []
        for start, scores in self._artist_scores(method, keys, own):
            rows = slice(start, start + BATCH)
            scores[own[rows].nonzero()] = -np.inf  # what the listener has is no discovery
            for columns, hidden in zip(
                top_columns(scores, LIST_LENGTH), self.hidden[rows], strict=True
            ):
                is_hit.append([keys[column] in hidden for column in columns])
        hits, sought = np.array(is_hit), np.array([len(hidden) for hidden in self.hidden])
        return {
            f"NDCG@{LIST_LENGTH}": ndcgs_at(hits, sought, LIST_LENGTH),
            f"recall@{LIST_LENGTH}": hits.sum(axis=1) / sought,
        }

    def _artist_scores(
        self, method: Scorer, keys: Sequence[str], own: sp.csr_matrix
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, scores (batch, artists)) for a batch of listeners at a time."""
        starts = range(0, len(self.known), BATCH)
        if isinstance(method, Recommends):
            for start in starts:
                batch = self.known[start : start + BATCH]
                yield start, np.array(method.recommend(batch, keys), float)
            return
        votes, vectors = self._votes(method), self._vectors(method, keys)
        for start in starts:
            rows = slice(start, start + BATCH)
            scores = np.asarray((votes[rows] @ own).toarray(), float)
            if vectors is not None:
                listeners, artists = vectors
                scores *= np.exp(listeners[rows] @ artists.T)
            yield start, scores

    def _votes(self, method: Scorer) -> sp.csr_matrix:
        """Return weights (N, N) of the nearest neighbours.

        The first has weight 1, the others e^-1 for each standard deviation of scores behind it.
        """
        scores = symmetric_scores(method, self.known)
        lists = top_columns(scores, min(NEIGHBOURS, len(self.known) - 1))
        best = np.take_along_axis(scores, lists, axis=1)
        weights = np.exp((best - best[:, :1]) / max(scores[np.isfinite(scores)].std(), 1e-9))
        rows = np.repeat(np.arange(len(lists)), lists.shape[1])
        shape = (len(lists), len(lists))
        return sp.csr_matrix((weights.ravel(), (rows, lists.ravel())), shape=shape)

    def _vectors(self, method: Scorer, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
        """Return vectors of the listeners, and of profiles with one artist only, one per key."""
        base = getattr(method, "method", method)  # under a hub correction
        if not isinstance(base, HasVectors):
            return None
        singles = [Profile(key, {key: Artist(key, 1.0)}) for key in keys]
        return base.vectors(self.known, asking=True), base.vectors(singles, asking=False)


class Task(Protocol):
    """Something to measure of a method."""

    @property
    def spec(self) -> TaskSpec: ...

    @property
    def ids(self) -> tuple[str, ...]: ...

    def measure(self, method: Scorer) -> dict[str, np.ndarray]:
        """Return metric -> (ids,) values."""
        ...


def symmetric_scores(method: Scorer, pool: Sequence[Profile]) -> np.ndarray:
    """Return (N, N) mean scores of both directions, as the app ranks; self is minus infinity."""
    one_way = np.asarray(_scores(method, pool, pool), float)
    scores = np.asarray((one_way + one_way.T) / 2)
    np.fill_diagonal(scores, -np.inf)
    return scores


def _scores(
    method: Scorer, queries: Sequence[Profile], candidates: Sequence[Profile]
) -> np.ndarray:
    scores = np.asarray(method.scores(queries, candidates))
    if scores.shape != (len(queries), len(candidates)):
        raise ValueError(
            f"{method.name}: scores of shape {scores.shape} for {len(queries)} queries "
            f"and {len(candidates)} candidates"
        )
    return scores
