"""Which artists go with which: each artist's strongest companions, from who plays what.

Sixty-four numbers tell a listener's taste, and not which of two alike artists it is made of; this
does, and for two listeners without an artist in common too.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

REGULARIZATION = 3000.0
LISTENERS = 3  # who play an artist that takes part
MOST = 8000  # artists that take part, the most played: an inverse of all would not fit
EACH = 20  # companions kept of an artist


def ease(plays: sp.csr_matrix, regularization: float = REGULARIZATION) -> np.ndarray:
    """(artists, artists) float32 of rows (listeners, artists); zero from an artist to itself.

    Steck (2019), "Embarrassingly shallow autoencoders for sparse data", in closed form: row a
    tells how much having a says that one has each other artist.
    """
    gram = np.asarray((plays.T @ plays).toarray(), np.float64)
    gram[np.diag_indices_from(gram)] += regularization
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Companions:
    """A few companions of each artist that enough listeners play; rows are a catalogue's."""

    size: int  # of the catalogue
    artists: np.ndarray  # (K,) int32 rows, ascending
    others: np.ndarray  # (K, EACH) uint16 places in `artists`
    weights: np.ndarray  # (K, EACH) float16, zero where there are fewer

    @classmethod
    def none(cls, size: int) -> "Companions":
        """Of a catalogue of which nothing is known."""
        return cls(
            size,
            np.zeros(0, np.int32),
            np.zeros((0, EACH), np.uint16),
            np.zeros((0, EACH), np.float16),
        )

    @classmethod
    def fit(cls, plays: sp.csr_matrix, *, listeners: int = LISTENERS) -> "Companions":
        """From weighted plays (listeners, artists), in the order of the catalogue."""
        having = np.asarray((plays > 0).sum(axis=0)).ravel()
        kept = np.flatnonzero(having >= listeners)
        if len(kept) > MOST:
            kept = np.sort(kept[np.argsort(-having[kept], kind="stable")[:MOST]])
        if len(kept) < 2:
            return cls.none(plays.shape[1])
        weights = np.maximum(ease(plays[:, kept].tocsr()), 0)
        count = min(EACH, len(kept) - 1)
        others = np.zeros((len(kept), EACH), np.uint16)
        best = np.zeros((len(kept), EACH), np.float16)
        others[:, :count] = np.argpartition(-weights, count - 1, axis=1)[:, :count]
        best[:, :count] = np.take_along_axis(weights, others[:, :count].astype(np.int64), axis=1)
        return cls(plays.shape[1], kept.astype(np.int32), others, best)

    def of_rows(self, rows: np.ndarray) -> "Companions":
        """Those of a catalogue that has these rows of this one, ascending, and no others."""
        place = np.full(self.size, -1, np.int64)
        place[rows] = np.arange(len(rows))
        kept = place[self.artists] >= 0
        among = np.cumsum(kept) - 1  # where one that stays is among those that stay
        others = self.others[kept].astype(np.int64)
        stays = kept[others]
        return Companions(
            len(rows),
            place[self.artists[kept]].astype(np.int32),
            np.where(stays, among[others], 0).astype(np.uint16),
            np.where(stays, self.weights[kept], 0).astype(np.float16),
        )

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """(catalogue, catalogue) float32: row a holds the weights of a's companions."""
        rows = np.repeat(self.artists, EACH)
        columns = self.artists[self.others.ravel().astype(np.int64)] if len(rows) else rows
        values = self.weights.ravel().astype(np.float32)
        matrix = sp.csr_matrix((values, (rows, columns)), shape=(self.size, self.size))
        matrix.eliminate_zeros()
        return matrix

    @cached_property
    def backward(self) -> sp.csr_matrix:
        """`matrix` turned: row b holds the weights of those whose companion b is."""
        return self.matrix.T.tocsr()
