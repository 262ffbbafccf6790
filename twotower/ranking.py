"""Who is nearest: taste by the towers, the very same rare artists, and nobody near to everyone."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from twotower.catalogue import Catalogue
from twotower.index import top_k

RERANKED = 200  # candidates whose similarity is computed
TASTE = 0.45  # share of taste in the similarity; the rest is the very same artists
NEAREST = 10  # others by whom it is told how near a listener is to people at all
HUB_SHARE = 0.5  # of that nearness, of both, that is taken from a similarity for the order
MEAN_WEIGHT, LEAST_WEIGHT = 5.0, 0.3  # of the artists of one listener
HASHED = 1 << 20  # columns for artists outside the catalogue


@dataclass(frozen=True)
class RareArtists:
    """What a listener plays as a unit row of log plays x idf, artists unknown to the model too."""

    catalogue: Catalogue
    listeners: float  # on whom the catalogue's df was counted

    def rows(self, people: Sequence[Iterable[tuple[str, float]]]) -> sp.csr_matrix:
        """(artist key, plays) of each listener -> (n, columns) float32, of length one or zero.

        Log plays are moved to the same mean for everyone, so that a year and a decade of listening
        weigh the same.
        """
        columns: list[int] = []
        values: list[np.ndarray] = []
        ends = [0]
        for artists in people:
            pairs = list(artists)
            logs = np.log1p(np.array([plays for _, plays in pairs], np.float64))
            if len(pairs):
                logs = np.maximum(logs - logs.mean() + MEAN_WEIGHT, LEAST_WEIGHT)
            own = [self._column(key) for key, _ in pairs]
            row = logs * self._idf(own)
            values.append(row / max(float(np.linalg.norm(row)), 1e-12))
            columns.extend(own)
            ends.append(len(columns))
        data = np.concatenate(values) if values else np.zeros(0)
        shape = (len(ends) - 1, len(self.catalogue) + HASHED)
        return sp.csr_matrix((data.astype(np.float32), columns, ends), shape=shape)

    def _column(self, key: str) -> int:
        row = self.catalogue.row(key)
        if row is not None:
            return row
        return len(self.catalogue) + zlib.crc32(key.encode()) % HASHED

    def _idf(self, columns: Sequence[int]) -> np.ndarray:
        known = len(self.catalogue)
        df = np.array([self.catalogue.df[c] if c < known else 0.0 for c in columns], np.float64)
        return np.asarray(np.log((1 + self.listeners) / (1 + df)))


@dataclass(frozen=True, eq=False)
class People:
    """Listeners as the ranking reads them; row i of all three is one."""

    user: np.ndarray  # (N, D) unit
    candidate: np.ndarray  # (N, D) unit
    artists: sp.csr_matrix  # (N, columns) of `RareArtists`

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Sequence[int] | np.ndarray) -> "People":
        return People(self.user[rows], self.candidate[rows], self.artists[rows])


def similarity(ones: People, others: People) -> np.ndarray:
    """(Q, N) -0.45..1, the same from either side.

    A share of taste, the mean of both ways' cosines, and one of the very same artists: the root of
    the cosine of their rows, for the first few in common say most.
    """
    taste = (ones.user @ others.candidate.T + ones.candidate @ others.user.T) / 2
    return _blended(taste, (ones.artists @ others.artists.T).toarray())


def similarity_of_pairs(ones: People, others: People) -> np.ndarray:
    """(N,) `similarity` of row i to row i."""
    forth = np.einsum("ij,ij->i", ones.user, others.candidate)
    back = np.einsum("ij,ij->i", others.user, ones.candidate)
    same = ones.artists.multiply(others.artists).sum(axis=1)
    return _blended((forth + back) / 2, np.asarray(same).ravel())


def _blended(taste: np.ndarray, same: np.ndarray) -> np.ndarray:
    return np.asarray(TASTE * taste + (1 - TASTE) * np.sqrt(np.clip(same, 0.0, 1.0)))


def nearness(scores: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
    """(n,) mean of each row's NEAREST largest scores among those that count; 0 without any."""
    kept = scores if counted is None else np.where(counted, scores, -np.inf)
    count = min(NEAREST, scores.shape[1])
    if not count:
        return np.zeros(len(scores))
    best = np.partition(kept, scores.shape[1] - count, axis=1)[:, -count:]
    there = np.isfinite(best)
    return np.asarray(np.where(there, best, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1))


def nearest(
    one: People,
    users: np.ndarray,
    candidates: np.ndarray,
    artists_of: Callable[[np.ndarray], sp.csr_matrix],
    nearness_of: Callable[[np.ndarray, People], np.ndarray],
    count: int,
    *,
    own: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, similarities) of the nearest, nearest first; equal ones by row; `own` is left out.

    one                one listener
    users, candidates  (N, D) everyone's unit vectors
    artists_of         rows -> their `RareArtists`
    nearness_of        rows and who they are -> (n,) how near each is to its nearest

    Found by cos(user, candidate of theirs); the best 200 of these, or `count` where that is more,
    are ordered by similarity less a share of their nearness: local scaling (CSLS, Conneau and
    others, 2018), of which the listener's own part is the same for all and left out.
    """
    if not len(candidates):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    rows, _ = top_k(candidates, one.user[0], max(count + 1, RERANKED))
    if own is not None:
        rows = rows[rows != own]
    found = People(users[rows], candidates[rows], artists_of(rows))
    similar = similarity(one, found)[0]
    scaled = similar - HUB_SHARE * nearness_of(rows, found)
    order = np.lexsort((rows, -scaled))[: max(count, 0)]
    return rows[order], similar[order]
