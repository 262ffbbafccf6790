"""Who is nearest: taste by the towers, the artists themselves, and nobody near to everyone."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from twotower.model.catalogue import Catalogue
from twotower.model.ease import Companions

RERANKED = 200  # candidates whose similarity is computed
TASTE, SAME, TOGETHER = 0.375, 0.46, 0.165  # shares of the three parts of a similarity
NEAREST = 10  # others by whom it is told how near a listener is to people at all
HUB_SHARE = 0.6  # of that nearness, of both, that is taken from a similarity for the order
MEAN_WEIGHT, LEAST_WEIGHT = 5.0, 0.3  # of the artists of one listener
HASHED = 1 << 20  # columns for artists outside the catalogue
AT_ONCE = 1024  # listeners whose companions are looked at together
TINY = 1e-9  # in place of a length of zero


@dataclass(frozen=True, eq=False)
class Listening:
    """What ranking reads of listeners' artists; row i of all is one."""

    rare: sp.csr_matrix  # (N, columns) unit rows of log plays x idf, unknown artists too
    plays: sp.csr_matrix  # (N, catalogue) unit rows of log plays
    reach: np.ndarray  # (N,) length of what goes with `plays`, zero where nothing does
    companions: Companions

    def __len__(self) -> int:
        return len(self.reach)

    def take(self, rows: Sequence[int] | np.ndarray | slice) -> "Listening":
        return Listening(self.rare[rows], self.plays[rows], self.reach[rows], self.companions)

    def followed_by(self, more: "Listening") -> "Listening":
        return Listening(
            sp.vstack([self.rare, more.rare], format="csr"),
            sp.vstack([self.plays, more.plays], format="csr"),
            np.concatenate([self.reach, more.reach]),
            self.companions,
        )


@dataclass(frozen=True)
class ListeningReader:
    """Reads what listeners play as rows, artists unknown to the model too."""

    catalogue: Catalogue
    listeners: float  # on whom the catalogue's df was counted
    companions: Companions

    def read(self, people: Sequence[Iterable[tuple[str, float]]]) -> Listening:
        """(artist key, plays) of each listener -> rows of length one, or zero without artists.

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
            values.append(logs)
            columns.extend(self._column(key) for key, _ in pairs)
            ends.append(len(columns))
        weights = np.concatenate(values) if values else np.zeros(0)
        known = len(self.catalogue)
        shape = (len(ends) - 1, known + HASHED)
        rare = sp.csr_matrix((weights * self._idf(columns), columns, ends), shape=shape)
        plays = sp.csr_matrix((weights, columns, ends), shape=shape)[:, :known]
        rare, plays = _unit(rare), _unit(plays)
        reach = [_lengths(plays[part] @ self.companions.matrix) for part in _parts(len(ends) - 1)]
        return Listening(rare, plays, np.concatenate(reach).astype(np.float32), self.companions)

    def _column(self, key: str) -> int:
        row = self.catalogue.row(key)
        if row is not None:
            return row
        return len(self.catalogue) + zlib.crc32(key.encode()) % HASHED

    def _idf(self, columns: Sequence[int]) -> np.ndarray:
        known = len(self.catalogue)
        df = np.array([self.catalogue.df[c] if c < known else 0.0 for c in columns], np.float64)
        return np.asarray(np.log((1 + self.listeners) / (1 + df)))


def _lengths(rows: sp.csr_matrix) -> np.ndarray:
    return np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1), np.float64).ravel())


def _unit(rows: sp.csr_matrix) -> sp.csr_matrix:
    scale = sp.diags(1 / np.maximum(_lengths(rows), 1e-12))
    return sp.csr_matrix(scale @ rows, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class People:
    """Listeners as the ranking reads them; row i of all three is one."""

    user: np.ndarray  # (N, D) unit
    candidate: np.ndarray  # (N, D) unit
    listening: Listening

    def __len__(self) -> int:
        return len(self.user)

    def followed_by(self, more: "People") -> "People":
        return People(
            np.concatenate([self.user, more.user]),
            np.concatenate([self.candidate, more.candidate]),
            self.listening.followed_by(more.listening),
        )

    def take(self, rows: Sequence[int] | np.ndarray) -> "People":
        return People(self.user[rows], self.candidate[rows], self.listening.take(rows))


def similarity(ones: People, others: People) -> np.ndarray:
    """(Q, N) -0.375..1, the same from either side: three parts, each alike from both.

    A share of taste, the mean of both ways' cosines; one of the very same artists, the root of the
    cosine of their rows, for the first few in common say most; and one of artists that go
    together.
    """
    taste = (ones.user @ others.candidate.T + ones.candidate @ others.user.T) / 2
    same = (ones.listening.rare @ others.listening.rare.T).toarray()
    return _blended(taste, same, together(ones.listening, others.listening))


def together(ones: Listening, others: Listening) -> np.ndarray:
    """(Q, N) 0..1 how well the artists of two go together; the more, the more they tell.

    The cosine of what goes with one's artists and what the other plays, and the mean of both ways.
    """
    companions, heard = ones.companions, others.plays.T
    forth = ((ones.plays @ companions.matrix) @ heard).toarray()
    back = ((ones.plays @ companions.backward) @ heard).toarray()
    forth /= np.maximum(ones.reach, TINY)[:, None]
    return np.asarray((forth + back / np.maximum(others.reach, TINY)) / 2)


def similarity_of_pairs(ones: People, others: People) -> np.ndarray:
    """(N,) `similarity` of row i to row i."""
    forth = np.einsum("ij,ij->i", ones.user, others.candidate)
    back = np.einsum("ij,ij->i", others.user, ones.candidate)
    same = ones.listening.rare.multiply(others.listening.rare).sum(axis=1)
    goes = [
        _together_of_pairs(ones.listening.take(part), others.listening.take(part))
        for part in _parts(len(ones))
    ]
    return _blended((forth + back) / 2, np.asarray(same).ravel(), np.concatenate(goes))


def _together_of_pairs(ones: Listening, others: Listening) -> np.ndarray:
    ways = (
        (ones.companions.matrix, ones.reach),
        (ones.companions.backward, others.reach),
    )
    parts = [
        np.asarray((ones.plays @ matrix).multiply(others.plays).sum(axis=1)).ravel()
        / np.maximum(reach, TINY)
        for matrix, reach in ways
    ]
    return np.asarray(sum(parts) / 2)


def _parts(count: int) -> Iterator[slice]:
    """At least one, so that there is something to put together."""
    yield from (slice(at, at + AT_ONCE) for at in range(0, max(count, 1), AT_ONCE))


def _blended(taste: np.ndarray, same: np.ndarray, goes: np.ndarray) -> np.ndarray:
    return np.asarray(TASTE * taste + SAME * np.sqrt(np.clip(same, 0.0, 1.0)) + TOGETHER * goes)


def nearness(scores: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
    """(n,) mean of each row's NEAREST largest scores among those that count; 0 without any."""
    kept = scores if counted is None else np.where(counted, scores, -np.inf)
    count = min(NEAREST, scores.shape[1])
    if not count:
        return np.zeros(len(scores))
    best = np.partition(kept, scores.shape[1] - count, axis=1)[:, -count:]
    there = np.isfinite(best)
    return np.asarray(np.where(there, best, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1))


def order(
    one: People, found: People, near: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, similarities) of the `count` nearest of those found, nearest first; equal ones by row.

    one    one listener
    found  those whose candidate vectors are nearest to their user vector, `RERANKED` or more
    near   (n,) how near each of them is to its own nearest

    By similarity less a share of that nearness: local scaling (CSLS, Conneau and others, 2018), of
    which the listener's own part is the same for all and left out.
    """
    if not len(found):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    similar = similarity(one, found)[0]
    rows = np.argsort(-(similar - HUB_SHARE * near), kind="stable")[: max(count, 0)]
    return rows, similar[rows]


def wanted(count: int) -> int:
    """How many to find by their vectors, of whom `count` are to be given, and one is oneself."""
    return max(count + 1, RERANKED)
