"""Baselines that go from artist to artist: ItemKNN and EASE, which also suggest artists.

A listener becomes what they play and what goes with it; two are near where that is alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Profile
from twotower.evaluation.methods.base import Method, weighted_plays
from twotower.model.ease import REGULARIZATION, ease
from twotower.model.play_matrix import log_play_matrix, unit_rows
from twotower.sources.datasets.public import Training

EASE_LISTENERS = 3  # who play an artist that takes part; a matrix of all would not fit
KNN_NEIGHBOURS, KNN_SHRINKAGE, KNN_OWN = 500, 2.0, 0.2


@dataclass(frozen=True)
class ArtistToArtist:
    """Listeners by rows of log plays, before and after a matrix from artists to artists."""

    name: str
    columns: Mapping[str, int]
    weights: np.ndarray | sp.csr_matrix  # (artists, artists), zero from an artist to itself
    scale: np.ndarray  # (artists,) of a play
    own: float | None  # share of what they play beside what goes with it; None: see scores

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N) cosines of what each plays with its own share and what goes with it.

        Without an own share: what goes with what one plays, and what the other plays, and the
        mean of both ways.
        """
        one, other = self._rows(queries), self._rows(candidates)
        told, heard = self._carried(one), self._carried(other)
        if self.own is None:
            ways = (
                unit_rows(told) @ unit_rows(other.toarray()).T,
                unit_rows(one.toarray()) @ unit_rows(heard).T,
            )
            return np.asarray((ways[0] + ways[1]) / 2)
        whole = (told + self.own * one.toarray(), heard + self.own * other.toarray())
        return np.asarray(unit_rows(whole[0]) @ unit_rows(whole[1]).T)

    def recommend(self, profiles: Sequence[Profile], keys: Sequence[str]) -> np.ndarray:
        """(profiles, keys); an artist that takes no part fits nobody."""
        places = np.array([self.columns.get(key, -1) for key in keys], np.int64)
        fits = self._carried(self._rows(profiles))[:, places]
        return np.asarray(np.where(places >= 0, fits, -np.inf))

    def _rows(self, profiles: Sequence[Profile]) -> sp.csr_matrix:
        return log_play_matrix(profiles, self.columns) @ sp.diags(self.scale)

    def _carried(self, rows: sp.csr_matrix) -> np.ndarray:
        carried = rows @ self.weights
        return np.asarray(carried.toarray() if sp.issparse(carried) else carried)


def fit_ease(
    training: Training,
    *,
    regularization: float = REGULARIZATION,
    listeners: int = EASE_LISTENERS,
    own: float | None = None,
    playlists: float = 0.0,
) -> Method:
    """Steck (2019), "Embarrassingly shallow autoencoders for sparse data", in closed form.

    Of the artists that so many play; `playlists` scales a playlist's row, 0 leaves them out.
    """
    columns, matrix = _of_many(*weighted_plays(training, playlists), listeners)
    weights = ease(matrix, regularization)
    name = "EASE + playlists" if playlists else "EASE"
    return ArtistToArtist(name, columns, weights, np.ones(len(columns), np.float32), own)


def fit_item_knn(
    training: Training,
    *,
    neighbours: int = KNN_NEIGHBOURS,
    shrinkage: float = KNN_SHRINKAGE,
    own: float | None = KNN_OWN,
    playlists: float = 0.0,
) -> Method:
    """Each artist's nearest by cosine of who plays them, shrunk where few play both.

    Sarwar and others (2001), "Item-based collaborative filtering recommendation algorithms"; plays
    are weighted by idf.
    """
    columns, matrix = _of_many(*weighted_plays(training, playlists), 2)
    having = np.asarray((matrix > 0).sum(axis=0)).ravel()
    idf = np.log((1 + matrix.shape[0]) / (1 + having)).astype(np.float32)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    unit = matrix @ sp.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32))
    together = (matrix > 0).astype(np.float32)
    cosines, both = (unit.T @ unit).tocsr(), (together.T @ together).tocsr()
    cosines.sort_indices()
    both.sort_indices()  # the same places: all weights are above zero
    cosines.data *= both.data / (both.data + shrinkage)
    cosines.setdiag(0)
    weights = _largest(cosines, neighbours)
    name = "ItemKNN + playlists" if playlists else "ItemKNN"
    return ArtistToArtist(name, columns, weights, idf, own)


def _of_many(
    columns: Mapping[str, int], matrix: sp.csr_matrix, listeners: int
) -> tuple[dict[str, int], sp.csr_matrix]:
    """The columns and artists that at least so many rows have."""
    kept = np.flatnonzero(np.asarray((matrix > 0).sum(axis=0)).ravel() >= listeners)
    keys = sorted(columns, key=columns.__getitem__)
    return {keys[old]: new for new, old in enumerate(kept.tolist())}, matrix[:, kept]


def _largest(matrix: sp.csr_matrix, count: int) -> sp.csr_matrix:
    """Each row's largest values, so many, transposed: the columns are the artists they go to."""
    rows, columns, values = [], [], []
    for row in range(matrix.shape[0]):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        data = matrix.data[span]
        best = np.argsort(-data, kind="stable")[:count]
        rows.append(np.full(len(best), row))
        columns.append(matrix.indices[span][best])
        values.append(data[best])
    places = (np.concatenate(columns), np.concatenate(rows))
    return sp.csr_matrix((np.concatenate(values), places), shape=matrix.shape)
