"""Item-item artist weights (EASE): the 20 artists that each artist predicts best.

The towers' 64 numbers describe taste but don't tell two similar artists apart. These weights do,
and they compare listeners without a common artist, too.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

REGULARIZATION = 3000.0
MIN_LISTENERS = 3  # of an artist that gets weights
MAX_ARTISTS = 8000  # the most played ones: the dense inverse takes memory for all pairs
TOP = 20  # weights stored per artist


def ease(plays: sp.csr_matrix, regularization: float = REGULARIZATION) -> np.ndarray:
    """Return EASE weights, (artists, artists) float32, of play weights (listeners, artists).

    Entry [a, b] says how strongly playing a predicts playing b; the diagonal is zero. Closed form:
    Steck (2019), "Embarrassingly shallow autoencoders for sparse data".
    """
    gram = np.asarray((plays.T @ plays).toarray(), np.float64)
    gram[np.diag_indices_from(gram)] += regularization
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights.astype(np.float32)


@dataclass(frozen=True, eq=False)
class ItemItemWeights:
    """The TOP positive EASE weights of each artist; rows are those of a catalogue."""

    size: int  # of the catalogue
    artists: np.ndarray  # (K,) int32 catalogue rows with weights, ascending
    others: np.ndarray  # (K, TOP) uint16 positions in `artists`
    weights: np.ndarray  # (K, TOP) float16, zero beyond an artist's last weight

    @classmethod
    def empty(cls, size: int) -> "ItemItemWeights":
        """Return weights for a catalogue of `size` artists, none of which predicts another."""
        return cls(
            size,
            np.zeros(0, np.int32),
            np.zeros((0, TOP), np.uint16),
            np.zeros((0, TOP), np.float16),
        )

    @classmethod
    def fit(cls, plays: sp.csr_matrix, *, min_listeners: int = MIN_LISTENERS) -> "ItemItemWeights":
        """Fit on play weights (listeners, catalogue)."""
        listeners = np.asarray((plays > 0).sum(axis=0)).ravel()  # (catalogue,)
        artists = np.flatnonzero(listeners >= min_listeners)
        if len(artists) > MAX_ARTISTS:
            most_played = np.argsort(-listeners[artists], kind="stable")[:MAX_ARTISTS]
            artists = np.sort(artists[most_played])
        if len(artists) < 2:
            return cls.empty(plays.shape[1])
        weights = np.maximum(ease(plays[:, artists].tocsr()), 0)
        count = min(TOP, len(artists) - 1)
        others = np.zeros((len(artists), TOP), np.uint16)
        best = np.zeros((len(artists), TOP), np.float16)
        others[:, :count] = np.argpartition(-weights, count - 1, axis=1)[:, :count]
        best[:, :count] = np.take_along_axis(weights, others[:, :count].astype(np.int64), axis=1)
        return cls(plays.shape[1], artists.astype(np.int32), others, best)

    def select(self, rows: np.ndarray) -> "ItemItemWeights":
        """Return the weights for a smaller catalogue with these rows of this one, ascending."""
        new_row = np.full(self.size, -1, np.int64)
        new_row[rows] = np.arange(len(rows))
        kept = new_row[self.artists] >= 0  # (K,)
        position = np.cumsum(kept) - 1  # (K,) among the kept artists
        others = self.others[kept].astype(np.int64)
        other_kept = kept[others]
        return ItemItemWeights(
            len(rows),
            new_row[self.artists[kept]].astype(np.int32),
            np.where(other_kept, position[others], 0).astype(np.uint16),
            np.where(other_kept, self.weights[kept], 0).astype(np.float16),
        )

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """(catalogue, catalogue) float32: row a holds the weights of the artists a predicts."""
        rows = np.repeat(self.artists, TOP)
        columns = self.artists[self.others.ravel().astype(np.int64)] if len(rows) else rows
        values = self.weights.ravel().astype(np.float32)
        matrix = sp.csr_matrix((values, (rows, columns)), shape=(self.size, self.size))
        matrix.eliminate_zeros()
        return matrix

    @cached_property
    def transposed(self) -> sp.csr_matrix:
        """`matrix` transposed: row b holds the weights of the artists that predict b."""
        return self.matrix.T.tocsr()
