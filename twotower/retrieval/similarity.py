"""Similarity between listeners, and the hub-corrected order of neighbours.

Similarity is symmetric and has three parts, with the weights `W_VECTOR`, `W_OVERLAP` and
`W_ITEM_ITEM`: the cosines of the towers, the artists that both listeners play, and the artists of
one that go with those of the other. Vectors alone hold 64 numbers and don't tell two similar
artists apart, which the other two parts do.

`rank_csls` subtracts a share of both listeners' local density from the similarity and orders
candidates by the result, so that hubs, who are near everyone, don't fill all lists.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Profile
from twotower.model.catalogue import Catalogue
from twotower.model.ease import ItemItemWeights
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import (
    artist_plays,
    centred_log,
    play_rows,
    row_lengths,
    unit_sparse_rows,
)

W_VECTOR, W_OVERLAP, W_ITEM_ITEM = 0.375, 0.46, 0.165
RERANKED = 200  # candidates whose full similarity is computed
DENSITY_NEIGHBOURS = 10  # local density is the mean similarity to so many nearest
DENSITY_SAMPLE = 5000  # listeners that densities are measured against
HUB_SHARE = 0.6  # share of the local density that is subtracted, of both listeners
QUANTILES = 1001  # of the similarity of pairs, to look percentiles up
HASH_COLUMNS = 1 << 20  # columns for artists outside the catalogue
CHUNK = 1024  # listeners in one sparse product
TINY = 1e-9  # instead of a length of zero


@dataclass(frozen=True, eq=False)
class PlayRows:
    """Artists of N listeners as sparse rows; row i of every array is listener i."""

    tfidf: sp.csr_matrix  # (N, catalogue + HASH_COLUMNS) unit rows of play weight x idf
    plays: sp.csr_matrix  # (N, catalogue) unit rows of play weights
    item_item_norm: np.ndarray  # (N,) length of `plays @ item_item.matrix`
    item_item: ItemItemWeights

    def __len__(self) -> int:
        return len(self.item_item_norm)

    def select(self, rows: Sequence[int] | np.ndarray | slice) -> "PlayRows":
        """Return these rows, in this order."""
        return PlayRows(
            self.tfidf[rows], self.plays[rows], self.item_item_norm[rows], self.item_item
        )

    def concat(self, more: "PlayRows") -> "PlayRows":
        """Return the rows of both, these first."""
        return PlayRows(
            sp.vstack([self.tfidf, more.tfidf], format="csr"),
            sp.vstack([self.plays, more.plays], format="csr"),
            np.concatenate([self.item_item_norm, more.item_item_norm]),
            self.item_item,
        )


@dataclass(frozen=True)
class PlayRowReader:
    """Turns (artist key, plays) pairs into `PlayRows`; unknown artists are hashed to columns."""

    catalogue: Catalogue
    listeners: float  # number of listeners on which the catalogue's df was counted
    item_item: ItemItemWeights

    @classmethod
    def of(cls, embedder: Embedder) -> "PlayRowReader":
        """Return the reader for a model's catalogue and item-item weights."""
        catalogue = embedder.catalogue
        listeners = float(embedder.about.get("listeners", catalogue.df.max(initial=0.0)))
        return cls(catalogue, listeners, embedder.item_item)

    def read(self, listeners: Sequence[Iterable[tuple[str, float]]]) -> PlayRows:
        """Return one row per listener; a listener without artists has a row of zeros."""
        known = len(self.catalogue)
        column_of = cache(self.column)  # many listeners have the same artists
        weights = centred_log(play_rows(listeners, column_of, known + HASH_COLUMNS))
        tfidf = weights.copy()
        tfidf.data = weights.data * self._idf(weights.indices)
        plays = _unit(weights[:, :known])
        lengths = [
            row_lengths(plays[chunk] @ self.item_item.matrix) for chunk in _chunks(weights.shape[0])
        ]
        norm = np.concatenate(lengths).astype(np.float32)
        return PlayRows(_unit(tfidf), plays, norm, self.item_item)

    def column(self, key: str) -> int:
        """Return the column of an artist in the tf-idf rows."""
        row = self.catalogue.row(key)
        if row is not None:
            return row
        return len(self.catalogue) + zlib.crc32(key.encode()) % HASH_COLUMNS

    def _idf(self, columns: np.ndarray) -> np.ndarray:
        df = np.zeros(len(columns))
        known = columns < len(self.catalogue)
        df[known] = self.catalogue.df[columns[known]]
        return np.asarray(np.log((1 + self.listeners) / (1 + df)))


def _unit(rows: sp.csr_matrix) -> sp.csr_matrix:
    return sp.csr_matrix(unit_sparse_rows(rows), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class ListenerBatch:
    """N listeners as `similarity` reads them; row i of every part is listener i."""

    user: np.ndarray  # (N, D) unit
    candidate: np.ndarray  # (N, D) unit
    play_rows: PlayRows

    @classmethod
    def of(cls, embedder: Embedder, profiles: Sequence[Profile]) -> "ListenerBatch":
        """Embed the profiles with both towers and read their artists."""
        return cls(
            embedder.embed(profiles, "user"),
            embedder.embed(profiles, "candidate"),
            PlayRowReader.of(embedder).read([artist_plays(p) for p in profiles]),
        )

    def __len__(self) -> int:
        return len(self.user)

    def select(self, rows: Sequence[int] | np.ndarray) -> "ListenerBatch":
        """Return these listeners, in this order."""
        return ListenerBatch(self.user[rows], self.candidate[rows], self.play_rows.select(rows))

    def concat(self, more: "ListenerBatch") -> "ListenerBatch":
        """Return the listeners of both, these first."""
        return ListenerBatch(
            np.concatenate([self.user, more.user]),
            np.concatenate([self.candidate, more.candidate]),
            self.play_rows.concat(more.play_rows),
        )


def similarity(queries: ListenerBatch, candidates: ListenerBatch) -> np.ndarray:
    """Return (Q, N) similarities, -0.375..1, the same if queries and candidates are swapped.

    The vector part is the mean of both cosines, user tower against candidate tower. The overlap
    part is the square root of the tf-idf cosine: the first few common artists count most.
    """
    vector = (queries.user @ candidates.candidate.T + queries.candidate @ candidates.user.T) / 2
    overlap = (queries.play_rows.tfidf @ candidates.play_rows.tfidf.T).toarray()
    item_item = item_item_similarity(queries.play_rows, candidates.play_rows)
    return _weighted_sum(vector, overlap, item_item)


def item_item_similarity(queries: PlayRows, candidates: PlayRows) -> np.ndarray:
    """Return (Q, N), 0..1: how well the artists of one listener predict those of the other.

    The cosine between one's artists, spread by the item-item weights, and the other's artists;
    mean of both directions. Works for listeners without a common artist.
    """
    weights, played = queries.item_item, candidates.plays.T
    forward = ((queries.plays @ weights.matrix) @ played).toarray()  # (Q, N)
    backward = ((queries.plays @ weights.transposed) @ played).toarray()
    forward /= np.maximum(queries.item_item_norm, TINY)[:, None]
    return np.asarray((forward + backward / np.maximum(candidates.item_item_norm, TINY)) / 2)


def similarity_of_pairs(ones: ListenerBatch, others: ListenerBatch) -> np.ndarray:
    """Return (N,) `similarity` of row i of `ones` to row i of `others`."""
    forward = np.einsum("ij,ij->i", ones.user, others.candidate)
    backward = np.einsum("ij,ij->i", others.user, ones.candidate)
    overlap = ones.play_rows.tfidf.multiply(others.play_rows.tfidf).sum(axis=1)
    item_item = [
        _item_item_of_pairs(ones.play_rows.select(chunk), others.play_rows.select(chunk))
        for chunk in _chunks(len(ones))
    ]
    return _weighted_sum(
        (forward + backward) / 2, np.asarray(overlap).ravel(), np.concatenate(item_item)
    )


def _item_item_of_pairs(ones: PlayRows, others: PlayRows) -> np.ndarray:
    directions = (
        (ones.item_item.matrix, ones.item_item_norm),
        (ones.item_item.transposed, others.item_item_norm),
    )
    parts = [
        np.asarray((ones.plays @ matrix).multiply(others.plays).sum(axis=1)).ravel()
        / np.maximum(norm, TINY)
        for matrix, norm in directions
    ]
    return np.asarray(sum(parts) / 2)


def _chunks(count: int) -> Iterator[slice]:
    """Yield slices of CHUNK rows; one empty slice if there are no rows."""
    yield from (slice(at, at + CHUNK) for at in range(0, max(count, 1), CHUNK))


def _weighted_sum(vector: np.ndarray, overlap: np.ndarray, item_item: np.ndarray) -> np.ndarray:
    overlap = np.sqrt(np.clip(overlap, 0.0, 1.0))
    return np.asarray(W_VECTOR * vector + W_OVERLAP * overlap + W_ITEM_ITEM * item_item)


def local_density(scores: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Return (n,) the mean of the 10 largest scores of each row of (n, m); 0 if there are none.

    Only scores where `mask` (n, m) is True count.
    """
    counted = scores if mask is None else np.where(mask, scores, -np.inf)
    count = min(DENSITY_NEIGHBOURS, scores.shape[1])
    if not count:
        return np.zeros(len(scores))
    best = np.partition(counted, scores.shape[1] - count, axis=1)[:, -count:]
    finite = np.isfinite(best)
    return np.asarray(np.where(finite, best, 0.0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1))


def density_sample(count: int, size: int = DENSITY_SAMPLE) -> np.ndarray:
    """Return the rows of `count` listeners that densities are measured against, all if few.

    Always the same for the same numbers.
    """
    if count <= size:
        return np.arange(count)
    return np.random.default_rng(0).permutation(count)[:size]


def hub_corrected(
    scores: np.ndarray, density: np.ndarray, others: np.ndarray, share: float = HUB_SHARE
) -> np.ndarray:
    """Return (Q, N) scores less a share of the local density of both listeners.

    density  (Q,) local density of each row's listener
    others   (N,) local density of each column's listener

    Cross-domain similarity local scaling (CSLS; Conneau et al., 2018). Symmetric if `scores` is.
    """
    return np.asarray(scores - share * (density[:, None] + others[None, :]))


def rank_csls(
    query: ListenerBatch,
    candidates: ListenerBatch,
    density: float,
    others: np.ndarray,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, hub-corrected similarities) of the best `count`, best first, ties by row.

    query       a batch of one listener
    candidates  `candidates_needed(count)` listeners, or all if there are fewer
    density     local density of the query
    others      (n,) local density of each candidate
    """
    if not len(candidates):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    corrected = hub_corrected(similarity(query, candidates), np.array([density]), others)[0]
    rows = np.argsort(-corrected, kind="stable")[: max(count, 0)]
    return rows, corrected[rows]


def pair_quantiles(corrected: np.ndarray) -> np.ndarray:
    """Return (QUANTILES,) quantiles of all pairs of different listeners, ascending.

    corrected  (n, n) corrected similarity of the same listeners in rows and columns
    """
    pairs = corrected[~np.eye(len(corrected), dtype=bool)]
    if not len(pairs):
        return np.linspace(-1, 1, QUANTILES)
    return np.asarray(np.quantile(pairs, np.linspace(0, 1, QUANTILES)))


def candidates_needed(count: int) -> int:
    """Return how many candidates to search for a list of `count`; one may be the query itself."""
    return max(count + 1, RERANKED)
