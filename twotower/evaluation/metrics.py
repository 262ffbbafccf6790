"""Figures from ranks and lists: how well a method finds, and how sure the difference is."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


def ranks_of_positives(scores: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """scores (Q, N), positives (Q,) columns -> ranks (Q,), 1 is best; a tie counts against us.

    A score that is not a number counts as the worst: its positive is ranked last.
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    positive = np.take_along_axis(known, positives[:, None], axis=1)
    return np.asarray((known >= positive).sum(axis=1))


def mrr(ranks: np.ndarray) -> float:
    """Mean reciprocal rank, 0..1."""
    return float(np.mean(1.0 / ranks))


def recall_at(ranks: np.ndarray, k: int) -> float:
    """Share of queries whose positive is among the first k, 0..1."""
    return float(np.mean(ranks <= k))


def top_columns(scores: np.ndarray, k: int) -> np.ndarray:
    """scores (Q, N) -> (Q, k) columns of the highest scores, best first, ties by column."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """first, second (Q, k) lists of columns, none twice in a row -> (Q,) shares in both, 0..1."""
    shared = (first[:, :, None] == second[:, None, :]).any(axis=2)
    return np.asarray(shared.mean(axis=1))


def aucs(scores: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """scores (Q, N), positives (Q, N) bool -> (Q,) shares of pairs in the right order, 0..1.

    A pair is one of a row's positives and one of its others; a tie is half right. What scores
    minus infinity is in no pair. Each row needs a positive and another.
    """
    out = np.empty(len(scores))
    for row, (values, right) in enumerate(zip(scores, positives, strict=True)):
        others = np.sort(values[~right & (values > -np.inf)])
        sought = values[right]
        below = np.searchsorted(others, sought, "left")
        out[row] = (below + np.searchsorted(others, sought, "right")).mean() / 2 / len(others)
    return out


def ndcgs_at(relevant: np.ndarray, sought: np.ndarray, k: int) -> np.ndarray:
    """relevant (Q, n) bool by rank, sought (Q,) how many there are -> (Q,) NDCG@k, 0..1.

    Järvelin and Kekäläinen (2002), with a gain of one for each.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(sought, k)]
    first = relevant[:, :k]
    return np.asarray(first @ discounts[: first.shape[1]] / best)


def listed_by(lists: np.ndarray) -> np.ndarray:
    """lists (N, k) of columns below N -> (N,) how many lists each is on, N_k."""
    return np.bincount(lists.ravel(), minlength=len(lists))


def mutual(lists: np.ndarray) -> np.ndarray:
    """lists (N, k) of columns below N -> (N,) shares of each list whose own lists answer."""
    return np.asarray((lists[lists] == np.arange(len(lists))[:, None, None]).any(2).mean(1))


def standard_cubes(values: np.ndarray) -> np.ndarray:
    """(n,) cubes of the standard scores, whose mean is the skewness; zeros where all are alike."""
    spread = values.std()
    return np.asarray(((values - values.mean()) / spread) ** 3 if spread else np.zeros(len(values)))


def uniformity(vectors: np.ndarray, t: float = 2.0) -> float:
    """vectors (n, k) of length one -> log of the mean of exp(-t distance^2) over pairs; 0 or less.

    Wang and Isola (2020), "Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere".
    """
    squared = np.maximum(0.0, 2 - 2 * vectors @ vectors.T)
    return float(np.log(np.exp(-t * squared[np.triu_indices(len(vectors), 1)]).mean()))


@dataclass(frozen=True, slots=True)
class Interval:
    mean: float
    low: float
    high: float


def bootstrap(
    values: np.ndarray, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Mean over splits of each split's mean over listeners, with a percentile interval.

    values (L, S): one listener a row, one split a column, NaN where the listener is not in the
    split. Whole listeners are drawn, so one that is in several splits counts once as evidence.
    Give differences of two methods on the same listeners for a paired interval.
    """
    present = ~np.isnan(values)
    if not present.any(axis=0).all():
        raise ValueError("each split needs at least one listener")
    known = np.where(present, values, 0.0)
    listeners = len(values)
    drawn = _resampled(listeners, resamples, seed)
    with np.errstate(invalid="ignore"):
        means = np.nanmean((drawn @ known) / (drawn @ present), axis=1)
    edge = (1 - level) / 2
    low, high = np.quantile(means[~np.isnan(means)], [edge, 1 - edge])
    mean = (known.sum(axis=0) / present.sum(axis=0)).mean()
    return Interval(float(mean), float(low), float(high))


@lru_cache(maxsize=1)  # one report asks hundreds of times for the same listeners
def _resampled(listeners: int, resamples: int, seed: int) -> np.ndarray:
    """How often each listener is in each resample (resamples, listeners); not to be changed."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(listeners, np.full(listeners, 1 / listeners), size=resamples)
    return drawn.astype(np.float64)
