"""Ranking metrics, hub metrics, and bootstrap intervals, as functions of arrays."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata


def ranks_of_positives(scores: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Return the rank (Q,) of each row's positive, 1 is best; a tie counts against it.

    scores     (Q, N); NaN counts as the lowest score, so a positive with NaN is ranked last
    positives  (Q,) columns
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    positive = np.take_along_axis(known, positives[:, None], axis=1)
    return np.asarray((known >= positive).sum(axis=1))


def expected_reciprocal_ranks(
    scores: np.ndarray, positives: np.ndarray, group_of: np.ndarray, pool: int
) -> np.ndarray:
    """Return the reciprocal rank (Q,) of each row's positive, expected in a random pool.

    The pool holds the positive and equally many others of each group, `pool` in all. So figures of
    data sets of different size can be compared. The number ahead of the positive is Poisson with
    the mean m that follows from the shares of each group; the mean of 1 / (1 + number) is then
    (1 - exp(-m)) / m.

    scores     (Q, N)
    positives  (Q,) columns
    group_of   (N,) group of each column, 0, 1, ...
    """
    own = np.take_along_axis(scores, positives[:, None], axis=1)
    ahead = scores >= own  # a tie counts against the positive
    ahead[np.arange(len(scores)), positives] = False
    groups = np.unique(group_of)
    mean = np.zeros(len(scores))
    for group in groups:
        columns = group_of == group
        others = columns.sum() - (group_of[positives] == group)
        mean += ahead[:, columns].sum(axis=1) / np.maximum(others, 1)
    mean = np.maximum(mean * (pool - 1) / len(groups), 1e-12)
    return np.asarray(-np.expm1(-mean) / mean)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation of two arrays (n,); 0 if one of them is constant."""
    first, second = (rankdata(each) - (len(each) + 1) / 2 for each in (one, other))
    spread = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / spread) if spread else 0.0


def top_columns(scores: np.ndarray, k: int) -> np.ndarray:
    """Return (Q, k) columns of the highest scores (Q, N), best first, ties by column."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the share (Q,), 0..1, of each row of `first` (Q, k) that is in `second` (Q, k).

    No row may hold a column twice.
    """
    shared = (first[:, :, None] == second[:, None, :]).any(axis=2)
    return np.asarray(shared.mean(axis=1))


def aucs(scores: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Return the AUC (Q,) of each row: the share of (positive, other) pairs in the right order.

    scores     (Q, N); minus infinity takes the column out of all pairs; a tie is half right
    positives  (Q, N) bool; each row needs a positive and another column
    """
    out = np.empty(len(scores))
    for row, (values, is_positive) in enumerate(zip(scores, positives, strict=True)):
        others = np.sort(values[~is_positive & (values > -np.inf)])
        sought = values[is_positive]
        below = np.searchsorted(others, sought, "left")
        out[row] = (below + np.searchsorted(others, sought, "right")).mean() / 2 / len(others)
    return out


def ndcgs_at(relevant: np.ndarray, sought: np.ndarray, k: int) -> np.ndarray:
    """Return NDCG@k (Q,), 0..1, with a gain of one: Järvelin and Kekäläinen (2002).

    relevant  (Q, n) bool by rank
    sought    (Q,) number of relevant items
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(sought, k)]
    first = relevant[:, :k]
    return np.asarray(first @ discounts[: first.shape[1]] / best)


def k_occurrences(lists: np.ndarray) -> np.ndarray:
    """Return N_k (N,): the number of lists (N, k) that each column below N is in."""
    return np.bincount(lists.ravel(), minlength=len(lists))


def mutual_shares(lists: np.ndarray) -> np.ndarray:
    """Return (N,) the share of mutual entries in each list (N, k): row i is on their lists, too."""
    return np.asarray((lists[lists] == np.arange(len(lists))[:, None, None]).any(2).mean(1))


def cubed_z_scores(values: np.ndarray) -> np.ndarray:
    """Return (n,) cubes of the z-scores, whose mean is the skewness; zeros if all are equal."""
    spread = values.std()
    return np.asarray(((values - values.mean()) / spread) ** 3 if spread else np.zeros(len(values)))


def uniformity(vectors: np.ndarray, t: float = 2.0) -> float:
    """Return log mean exp(-t distance^2) over pairs of unit vectors (n, k); 0 or less.

    Wang and Isola (2020), "Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere".
    """
    squared = np.maximum(0.0, 2 - 2 * vectors @ vectors.T)
    return float(np.log(np.exp(-t * squared[np.triu_indices(len(vectors), 1)]).mean()))


def equal_weights(groups: Sequence[str]) -> np.ndarray:
    """Return weights (n,) with the mean 1, by which each group counts the same in a mean.

    groups  (n,) name of each value's group
    """
    counts = Counter(groups)
    return np.array([len(groups) / len(counts) / counts[group] for group in groups])
