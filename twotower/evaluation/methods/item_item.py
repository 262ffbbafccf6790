"""Item-item baselines: ItemKNN and EASE, which also recommend artists.

A listener is represented by their artists and the related ones; listeners are compared by cosine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Profile
from twotower.evaluation.methods.base import Scorer, weighted_plays
from twotower.evaluation.specs import MethodSpec
from twotower.model.ease import REGULARIZATION, ease
from twotower.model.play_matrix import log_play_matrix, unit_rows
from twotower.sources.datasets.public import Training

EASE_LISTENERS = 3  # least, of an artist; a matrix of all artists would not fit into memory
EASE_ARTISTS = 8000  # the most listened to: a matrix of 8,000 x 8,000 float64 takes 0.5 GB
KNN_NEIGHBOURS, KNN_SHRINKAGE, KNN_OWN = 500, 2.0, 0.2


@dataclass(frozen=True)
class ItemItemScorer:
    """Listeners as rows of log plays, before and after multiplication with item-item weights."""

    name: str
    columns: Mapping[str, int]
    weights: np.ndarray | sp.csr_matrix  # (artists, artists), zero on the diagonal
    scale: np.ndarray  # (artists,) factor for each artist's plays
    own: float | None  # weight of the listener's own artists; None: see `scores`

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return cosines (Q, N) of both listeners' own and related artists.

        If `own` is None: the mean of two cosines, one listener's related artists with the other's
        own artists, in both directions.
        """
        one, other = self._rows(queries), self._rows(candidates)
        related, other_related = self._related(one), self._related(other)
        if self.own is None:
            directions = (
                unit_rows(related) @ unit_rows(other.toarray()).T,
                unit_rows(one.toarray()) @ unit_rows(other_related).T,
            )
            return np.asarray((directions[0] + directions[1]) / 2)
        both = (related + self.own * one.toarray(), other_related + self.own * other.toarray())
        return np.asarray(unit_rows(both[0]) @ unit_rows(both[1]).T)

    def recommend(self, profiles: Sequence[Profile], keys: Sequence[str]) -> np.ndarray:
        """Return scores (profiles, keys); minus infinity for an artist without a column."""
        columns = np.array([self.columns.get(key, -1) for key in keys], np.int64)
        scores = self._related(self._rows(profiles))[:, columns]
        return np.asarray(np.where(columns >= 0, scores, -np.inf))

    def _rows(self, profiles: Sequence[Profile]) -> sp.csr_matrix:
        return log_play_matrix(profiles, self.columns) @ sp.diags(self.scale)

    def _related(self, rows: sp.csr_matrix) -> np.ndarray:
        related = rows @ self.weights
        return np.asarray(related.toarray() if sp.issparse(related) else related)


def fit_ease(
    training: Training,
    *,
    regularization: float = REGULARIZATION,
    listeners: int = EASE_LISTENERS,
    artists: int = EASE_ARTISTS,
    own: float | None = None,
    playlists: float = 0.0,
) -> Scorer:
    """Fit EASE in closed form: Steck (2019), "Embarrassingly shallow autoencoders for sparse data".

    listeners  least, of an artist that takes part
    artists    most that take part, those of most listeners
    playlists  weight of a playlist's row; 0 leaves playlists out
    """
    columns, matrix = _frequent(*weighted_plays(training, playlists), listeners, artists)
    weights = ease(matrix, regularization)
    name = MethodSpec("EASE", playlists=playlists > 0).label
    return ItemItemScorer(name, columns, weights, np.ones(len(columns), np.float32), own)


def fit_item_knn(
    training: Training,
    *,
    neighbours: int = KNN_NEIGHBOURS,
    shrinkage: float = KNN_SHRINKAGE,
    own: float | None = KNN_OWN,
    playlists: float = 0.0,
) -> Scorer:
    """Fit ItemKNN: the nearest artists by cosine of their listeners, shrunk if few play both.

    Sarwar and others (2001), "Item-based collaborative filtering recommendation algorithms"; plays
    are weighted by idf.
    """
    columns, matrix = _frequent(*weighted_plays(training, playlists), 2)
    df = np.asarray((matrix > 0).sum(axis=0)).ravel()
    idf = np.log((1 + matrix.shape[0]) / (1 + df)).astype(np.float32)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    unit = matrix @ sp.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32))
    plays_it = (matrix > 0).astype(np.float32)
    cosines, both = (unit.T @ unit).tocsr(), (plays_it.T @ plays_it).tocsr()
    cosines.sort_indices()
    both.sort_indices()  # now in the order of `cosines`: all weights are above zero
    cosines.data *= both.data / (both.data + shrinkage)
    cosines.setdiag(0)
    weights = _largest(cosines, neighbours)
    name = MethodSpec("ItemKNN", playlists=playlists > 0).label
    return ItemItemScorer(name, columns, weights, idf, own)


def _frequent(
    columns: Mapping[str, int], matrix: sp.csr_matrix, listeners: int, artists: int | None = None
) -> tuple[dict[str, int], sp.csr_matrix]:
    """Reduce columns and matrix to artists with at least so many listeners.

    If these are more than `artists`, those with most listeners are kept.
    """
    counts = np.asarray((matrix > 0).sum(axis=0)).ravel()  # (columns,)
    most_first = np.argsort(-counts, kind="stable")
    frequent = np.sort(most_first[counts[most_first] >= listeners][:artists])
    keys = sorted(columns, key=columns.__getitem__)
    return {keys[old]: new for new, old in enumerate(frequent.tolist())}, matrix[:, frequent]


def _largest(matrix: sp.csr_matrix, count: int) -> sp.csr_matrix:
    """Keep the `count` largest values of each row, and transpose."""
    rows, columns, values = [], [], []
    for row in range(matrix.shape[0]):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        data = matrix.data[span]
        best = np.argsort(-data, kind="stable")[:count]
        rows.append(np.full(len(best), row))
        columns.append(matrix.indices[span][best])
        values.append(data[best])
    positions = (np.concatenate(columns), np.concatenate(rows))
    return sp.csr_matrix((np.concatenate(values), positions), shape=matrix.shape)
