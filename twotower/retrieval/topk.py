"""Exact search for the k largest dot products.

    rows, cosines = top_k(matrix, query, 10)

One pass computes all scores; then only the blocks that can hold one of the k are sorted.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

_BLOCK = 256  # scores that share one maximum
_SCORES_AT_ONCE = 1 << 24  # for several queries: 64 MB
_BEYOND_CACHES = 1 << 24  # numbers of a matrix that no cache holds: 64 MB

_blas = ThreadpoolController().select(user_api="blas").lib_controllers
_lock = threading.Lock()
_inside = 0
_threads_outside: list[int] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run numpy's BLAS on one thread inside the block.

    On a busy machine two BLAS threads wait for each other. The setting is global: the first to
    enter changes it and the last to leave restores it.
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
    """A matrix (N, D) whose rows lie in several arrays, so that one of them can be replaced.

    It is indexed by row like an array. Converted with `np.asarray` it is copied into one array.
    """

    ndim = 2

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        """Keep `parts`, each (n, D) float32, without copying them; at least one."""
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
        """Return one row (D,), or several (n, D) in their order."""
        if len(self.parts) == 1:
            return np.asarray(self.parts[0][rows])
        index = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if index.dtype == np.bool_:
            index = np.flatnonzero(index)
        index = np.where(index < 0, index + len(self), index)
        if index.size and not (index.min() >= 0 and index.max() < len(self)):
            raise IndexError(f"row {rows} is out of range for {len(self)} rows")
        part = np.searchsorted(self._ends, index, side="right")
        inside = index - np.concatenate([[0], self._ends])[part]
        if index.ndim == 0:
            return np.asarray(self.parts[int(part)][int(inside)])
        out = np.empty((len(index), self.shape[1]), self.dtype)
        for number in np.unique(part):
            here = part == number
            out[here] = self.parts[number][inside[here]]
        return out


def top_k(
    matrix: "np.ndarray | Stacked", query: np.ndarray, k: int, *, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest rows and their scores, best first; ties by row.

    matrix  (N, D)           float32; with unit rows the scores are cosines
    query   (D,) or (Q, D)   returns rows and scores of shape (K,) or (Q, K)
    mask    (N,) bool        rows that may be returned; by default all

    K is k, or the number of rows in the mask if that is less. Raises ValueError if shapes don't
    fit or a number is not finite.
    """
    if matrix.ndim != 2 or query.ndim not in (1, 2):
        raise ValueError(
            f"matrix has {matrix.ndim} dimensions and query {query.ndim}, not 2 and 1 or 2"
        )
    if k < 0:
        raise ValueError(f"k is {k}, not 0 or more")
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
    """Return (q, N) dot products of queries (q, D) with the rows (N, D).

    If the matrix doesn't fit into the caches, reading it takes the time, and `np.vecdot` is a sixth
    faster than BLAS (`benchmarks/search.py`). In the caches BLAS is faster.
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
    """Return indices of the k largest of scores (N,), largest first, ties by index; 1 <= k <= N."""
    # The k-th largest block maximum is at most the k-th largest score. A block with a smaller
    # maximum can't hold one of the k.
    maxima = np.maximum.reduceat(scores, np.arange(0, len(scores), _BLOCK))  # (B,), NaN stays NaN
    if np.isnan(maxima).any():
        raise ValueError(f"{np.count_nonzero(np.isnan(scores))} of {len(scores)} rows score NaN")
    if k < len(maxima):
        floor = np.partition(maxima, -k)[-k]
        starts = np.flatnonzero(maxima >= floor) * _BLOCK
        rows = (starts[:, None] + np.arange(_BLOCK)).ravel()
        rows = rows[rows < len(scores)]
    else:
        rows = np.arange(len(scores))
    values = scores[rows]
    least = np.partition(values, -k)[-k]
    rows = rows[values >= least]
    order = np.lexsort((rows, -scores[rows]))
    largest: np.ndarray = rows[order[:k]]
    return largest
