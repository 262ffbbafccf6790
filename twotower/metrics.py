"""Figures from ranks and lists: how well a method finds, and how sure the difference is."""

from dataclasses import dataclass

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
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(listeners, np.full(listeners, 1 / listeners), size=resamples)
    with np.errstate(invalid="ignore"):
        means = np.nanmean((drawn @ known) / (drawn @ present), axis=1)
    edge = (1 - level) / 2
    low, high = np.quantile(means[~np.isnan(means)], [edge, 1 - edge])
    mean = (known.sum(axis=0) / present.sum(axis=0)).mean()
    return Interval(float(mean), float(low), float(high))
