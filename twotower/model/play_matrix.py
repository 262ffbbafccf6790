"""Sparse matrices of listeners by artists: plays, centred log plays, unit rows.

A play weight is log(1 + plays) moved to the same mean for every listener, so that a playlist, a
year and a decade of listening weigh the same. The model reads relative plays only: absolute ones
would identify a listener without saying anything about taste.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Profile

MEAN_WEIGHT = 5.0  # mean weight of a listener's artists
MIN_WEIGHT = 0.3  # of an artist played far less than the listener's others
TINY = 1e-12  # instead of a length of zero


def artist_plays(profile: Profile) -> list[tuple[str, float]]:
    """Return (artist key, plays) of a profile."""
    return [(key, artist.plays) for key, artist in profile.artists.items()]


def play_rows(
    listeners: Iterable[Iterable[tuple[str, float]]],
    column_of: Callable[[str], int],
    width: int,
    *,
    kind: Literal["f", "d"] = "d",
) -> sp.csr_matrix:
    """Return (listeners, width) plays, one row per listener, artists in the order given.

    `listeners` holds (artist key, plays) pairs; `kind` is "f" for float32, "d" for float64.
    """
    columns, plays, ends = array("i"), array(kind), array("q", [0])
    for pairs in listeners:
        for key, count in pairs:
            columns.append(column_of(key))
            plays.append(count)
        ends.append(len(columns))
    return sp.csr_matrix(
        (np.array(plays), np.array(columns), np.array(ends)), shape=(len(ends) - 1, width)
    )


def centred_log(plays: sp.csr_matrix) -> sp.csr_matrix:
    """Return play weights: log(1 + plays), every row moved to mean 5, no weight below 0.3."""
    weights = np.log1p(plays.data)
    for start, end in zip(plays.indptr[:-1], plays.indptr[1:], strict=True):
        if end > start:
            logs = weights[start:end]
            weights[start:end] = np.maximum(MEAN_WEIGHT + logs - logs.mean(), MIN_WEIGHT)
    # Indices of its own: scipy may sort those of one matrix in place.
    return sp.csr_matrix((weights, plays.indices.copy(), plays.indptr.copy()), plays.shape)


def play_matrix(profiles: Sequence[Profile], columns: Mapping[str, int]) -> sp.csr_matrix:
    """Return (profiles, columns) float64 plays; artists without a column are left out."""
    return _known_columns(_with_others(profiles, columns), len(columns))


def log_play_matrix(profiles: Sequence[Profile], columns: Mapping[str, int]) -> sp.csr_matrix:
    """Return (profiles, columns) float32 play weights.

    Artists without a column are left out, but count in their listener's mean:

        log_play_matrix([profile], {"low": 0, "bjork": 1}).toarray()  # [[5.7, 4.3]]
    """
    weights = centred_log(_with_others(profiles, columns))
    return _known_columns(weights, len(columns)).astype(np.float32)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows (..., D) scaled to length one; a row of zeros stays as it is."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, TINY))


def unit_sparse_rows(rows: sp.csr_matrix) -> sp.csr_matrix:
    """Return sparse rows scaled to length one; an empty row stays empty."""
    return sp.csr_matrix(sp.diags(1 / np.maximum(row_lengths(rows), TINY)) @ rows)


def row_lengths(rows: sp.csr_matrix) -> np.ndarray:
    """Return the Euclidean length of each row, (n,)."""
    return np.asarray(np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel()))


def _with_others(profiles: Sequence[Profile], columns: Mapping[str, int]) -> sp.csr_matrix:
    """(profiles, columns + 1): artists without a column share the last one."""
    other = len(columns)
    return play_rows(map(artist_plays, profiles), lambda key: columns.get(key, other), other + 1)


def _known_columns(rows: sp.csr_matrix, count: int) -> sp.csr_matrix:
    rows = rows[:, :count]
    rows.sort_indices()
    return rows
