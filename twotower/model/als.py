"""Artist factors by implicit-feedback ALS, solved exactly; fold-in, rotation and ridge.

Hu, Koren, Volinsky (2008), "Collaborative Filtering for Implicit Feedback Datasets".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

ALPHA = 10.0  # confidence of a play weight of one
REG = 200.0  # ridge on both sides
BUDGET = 60_000  # numbers of padded columns that are solved at once


@dataclass(frozen=True)
class Factors:
    """Result of ALS."""

    listeners: np.ndarray  # (listeners, k) float32
    artists: np.ndarray  # (artists, k) float32, zero for artists that nobody plays


def als(
    weights: sp.csr_matrix,
    *,
    k: int = 64,
    iterations: int = 15,
    alpha: float = ALPHA,
    reg: float = REG,
    seed: int = 0,
    start: np.ndarray | None = None,
    on_iteration: Callable[[int], None] | None = None,
) -> Factors:
    """Fit factors of play weights (listeners, artists), non-negative.

    Artists start at `start` (artists, k), or at seeded noise. `on_iteration` is called with
    0, 1, ... after each iteration.
    """
    by_listener = weights.tocsr().astype(np.float32)
    by_artist = by_listener.T.tocsr()
    if start is None:
        noise = np.random.default_rng(seed).standard_normal((weights.shape[1], k)) * 0.01
        artists = torch.from_numpy(noise.astype(np.float32))
    else:
        artists = torch.from_numpy(start.astype(np.float32).copy())
    listeners = torch.zeros(weights.shape[0], artists.shape[1])
    for iteration in range(iterations):
        listeners = fold_in(by_listener, artists, alpha=alpha, reg=reg)
        artists = fold_in(by_artist, listeners, alpha=alpha, reg=reg)
        if on_iteration is not None:
            on_iteration(iteration)
    return Factors(listeners.numpy(), artists.numpy())


def fold_in(
    weights: sp.csr_matrix,
    others: torch.Tensor,
    *,
    alpha: float = ALPHA,
    reg: float = REG,
    base: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return (n, k) exact least-squares factors of each row of weights (n, m) among others (m, k).

    Row u solves (Y'Y + reg I + sum_i alpha w_i y_i y_i') x = sum_i (1 + alpha w_i) y_i. `base`
    (k, k), if given, replaces Y'Y + reg I. Rows shorter than k use the Woodbury identity, an n x n
    solve. `Tower.posterior_mean` solves the same system on padded sets, with gradients.
    """
    k = others.shape[1]
    if base is None:
        base = others.T @ others + reg * torch.eye(k)
    inverse = torch.linalg.inv(base.double()).float()
    out = torch.zeros(weights.shape[0], k)
    for rows, columns, values in _padded_rows(weights):
        y = others[columns]  # (b, n, k)
        c = alpha * values  # (b, n), zero on padding
        right = ((values > 0) * (1 + c)).unsqueeze(1) @ y  # (b, 1, k)
        if y.shape[1] < k:
            half = y * c.sqrt().unsqueeze(2)
            small = half @ inverse  # (b, n, k)
            x0 = right @ inverse
            inner = torch.eye(y.shape[1]) + small @ half.transpose(1, 2)
            step = torch.linalg.solve(inner, half @ x0.transpose(1, 2))  # (b, n, 1)
            x = x0 - step.transpose(1, 2) @ small
        else:
            left = base + (y * c.unsqueeze(2)).transpose(1, 2) @ y
            x = torch.linalg.solve(left, right.transpose(1, 2)).transpose(1, 2)
        out[rows] = x.squeeze(1)
    return out


def fold_in_numpy(weights: sp.csr_matrix, artists: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Return `fold_in` of listeners (n, m) among artists (m, k), with `base` (k, k), as numpy."""
    return np.asarray(
        fold_in(weights, torch.from_numpy(artists), base=torch.from_numpy(base)).numpy()
    )


def _padded_rows(
    weights: sp.csr_matrix,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield rows of similar length: rows (b,), columns (b, n), values (b, n), zero-padded."""
    lengths = np.diff(weights.indptr)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    at = 0
    while at < len(order):
        end = at + 1
        while end < len(order) and (end + 1 - at) * max(8, lengths[order[end]]) <= BUDGET:
            end += 1
        rows = order[at:end]
        width = int(lengths[rows].max())
        offset = np.arange(width)[None, :]
        inside = offset < lengths[rows][:, None]
        positions = np.where(inside, weights.indptr[rows][:, None] + offset, 0)
        columns = np.where(inside, weights.indices[positions], 0)
        values = np.where(inside, weights.data[positions], 0.0).astype(np.float32)
        yield (
            torch.from_numpy(rows),
            torch.from_numpy(columns.astype(np.int64)),
            torch.from_numpy(values),
        )
        at = end


def procrustes(moved: np.ndarray, fixed: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the rotation (k, k) that maps `moved` (n, k) best onto `fixed`, rows weighted (n,).

    Schönemann (1966), "A generalized solution of the orthogonal Procrustes problem".
    """
    left, _, right = np.linalg.svd((moved * weight[:, None]).T @ fixed)
    return np.asarray(left @ right, dtype=np.float32)


def ridge(inputs: np.ndarray, targets: np.ndarray, weight: np.ndarray, alpha: float) -> np.ndarray:
    """Return coefficients (p, q) of weighted ridge from inputs (n, p) to targets (n, q)."""
    weighted = inputs * weight[:, None]
    left = weighted.T.astype(np.float64) @ inputs + alpha * np.eye(inputs.shape[1])
    right = weighted.T.astype(np.float64) @ targets
    return np.asarray(np.linalg.solve(left, right), dtype=np.float32)
