"""The nearest vectors, exactly: one pass over the matrix, then only the blocks that can matter."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

_BLOCK = 256  # scores under one maximum
_SCORES_AT_ONCE = 1 << 24  # of several queries: 64 MB
_BEYOND_CACHES = 1 << 24  # numbers of a matrix: 64 MB

_blas = ThreadpoolController().select(user_api="blas").lib_controllers
_lock = threading.Lock()
_inside = 0
_threads_outside: list[int] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """numpy's BLAS on one thread inside: on a busy machine two wait for each other for long.

    The first to enter sets it and the last to leave puts it back, for all threads at once.
    """
    global _inside, _threads_outside
    with _lock:
        if _inside == 0:
            _threads_outside = [library.get_num_threads() for library in _blas]
            for library in _blas:
                library.set_num_threads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                for library, threads in zip(_blas, _threads_outside, strict=True):
                    library.set_num_threads(threads)


class Stacked:
    """A matrix (N, D) whose rows lie in several arrays, so that one of these can be replaced.

    Rows are asked for as of an array; numpy itself gets it as one array, which is a copy.
    """

    ndim = 2

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        """`parts` (n, D) float32 each, at least one, without a copy."""
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in self.parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.parts[0].shape[1]

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parts[0].dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts)
        return np.array(whole, dtype) if copy else np.asarray(whole, dtype)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """(D,) of one row, (n, D) of several, in their order."""
        if len(self.parts) == 1:
            return np.asarray(self.parts[0][rows])
        wanted = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if wanted.dtype == np.bool_:
            wanted = np.flatnonzero(wanted)
        wanted = np.where(wanted < 0, wanted + len(self), wanted)
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < len(self)):
            raise IndexError(f"a row of {rows} is not among {len(self)}")
        where = np.searchsorted(self._ends, wanted, side="right")
        inside = wanted - np.concatenate([[0], self._ends])[where]
        if wanted.ndim == 0:
            return np.asarray(self.parts[int(where)][int(inside)])
        found = np.empty((len(wanted), self.shape[1]), self.dtype)
        for number in np.unique(where):
            here = where == number
            found[here] = self.parts[number][inside[here]]
        return found


def top_k(
    matrix: "np.ndarray | Stacked", query: np.ndarray, k: int, *, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the k largest dot products and these, largest first; equal scores by row.

    matrix  (N, D)           float32; unit rows make the scores cosines
    query   (D,) or (Q, D)   gives rows and scores of shape (K,) or (Q, K)
    mask    (N,) bool        rows that may be named; all without one

    K is k, or the number of rows that may be named where that is less. Shapes that don't fit and
    vectors with NaN in them are a ValueError.
    """
    if matrix.ndim != 2 or query.ndim not in (1, 2):
        raise ValueError(
            f"matrix has {matrix.ndim} dimensions and query {query.ndim}: 2 and 1 or 2"
        )
    if k < 0:
        raise ValueError(f"k is {k}: 0 or more")
    n = len(matrix)
    if mask is not None and mask.shape != (n,):
        raise ValueError(f"mask of shape {mask.shape} for {n} rows")
    if n and matrix.shape[1] != query.shape[-1]:
        raise ValueError(f"query has {query.shape[-1]} numbers for rows of {matrix.shape[1]}")
    queries = np.atleast_2d(np.asarray(query, matrix.dtype))
    broken = np.count_nonzero(~np.isfinite(queries))
    if broken:
        raise ValueError(f"{broken} of {queries.size} numbers of the query are not finite")

    hidden = None if mask is None or mask.all() else ~mask.astype(bool)
    k = min(k, n if hidden is None else n - int(np.count_nonzero(hidden)))
    rows = np.zeros((len(queries), k), np.int64)
    best = np.zeros((len(queries), k), matrix.dtype)
    if k == 0:
        return (rows, best) if query.ndim == 2 else (rows[0], best[0])
    step = max(1, _SCORES_AT_ONCE // n)
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        with one_blas_thread():
            scores = _scores(matrix, part)  # (q, N)
        if hidden is not None:
            np.copyto(scores, -np.inf, where=hidden)
        for number, line in enumerate(scores, start):
            rows[number] = _largest(line, k)
            best[number] = line[rows[number]]
    return (rows, best) if query.ndim == 2 else (rows[0], best[0])


def _scores(matrix: "np.ndarray | Stacked", queries: np.ndarray) -> np.ndarray:
    """(q, N) dot products of queries (q, D) with the rows (N, D).

    Where the matrix comes from memory, row by row keeps up with it: `benchmarks/search.py` has a
    million rows a sixth faster by it than by BLAS. In the caches BLAS is the faster one.
    """
    parts = matrix.parts if isinstance(matrix, Stacked) else (matrix,)
    one_by_one = len(queries) == 1 and matrix.size >= _BEYOND_CACHES
    scores = np.empty((len(queries), len(matrix)), matrix.dtype)
    start = 0
    for part in parts:
        here = scores[:, start : start + len(part)]
        if one_by_one:
            np.vecdot(part, queries[0], out=here[0])
        elif len(queries) == 1:
            np.matmul(part, queries[0], out=here[0])
        else:
            np.matmul(queries, part.T, out=here)
        start += len(part)
    return scores


def _largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Places of the k largest of scores (N,), 1 <= k <= N, largest first, equal ones by place."""
    # The k-th largest block maximum is at most the k-th largest score, so a block whose maximum
    # is below it can hold none of the k.
    maxima = np.maximum.reduceat(scores, np.arange(0, len(scores), _BLOCK))  # (B,), NaN stays NaN
    if np.isnan(maxima).any():
        raise ValueError(f"{np.count_nonzero(np.isnan(scores))} of {len(scores)} rows score NaN")
    if k < len(maxima):
        floor = np.partition(maxima, -k)[-k]
        starts = np.flatnonzero(maxima >= floor) * _BLOCK
        places = (starts[:, None] + np.arange(_BLOCK)).ravel()
        places = places[places < len(scores)]
    else:
        places = np.arange(len(scores))
    values = scores[places]
    least = np.partition(values, -k)[-k]
    places = places[values >= least]
    order = np.lexsort((places, -scores[places]))
    largest: np.ndarray = places[order[:k]]
    return largest


class NeighbourIndex:
    """Exact cosine search over named unit vectors; holds the matrix as given, without a copy."""

    def __init__(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """`vectors` (N, D) float32, row i of ids[i]."""
        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} ids for {len(vectors)} vectors")
        self.ids = tuple(ids)
        self.vectors = vectors

    def __len__(self) -> int:
        return len(self.ids)

    def search(
        self, query: np.ndarray, k: int, *, mask: np.ndarray | None = None
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """Ids and cosines (K,) of the k nearest to one unit vector (D,), nearest first."""
        if query.ndim != 1:
            raise ValueError(f"query has {query.ndim} dimensions: 1")
        rows, scores = top_k(self.vectors, query, k, mask=mask)
        return tuple(self.ids[row] for row in rows), scores
