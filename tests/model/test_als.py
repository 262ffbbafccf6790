"""ALS and fold-in, compared with the formulas written in full and with other libraries."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.linear_model import Ridge

from twotower.model.als import als, fold_in, procrustes, ridge


def matrix(listeners: int, artists: int, share: float = 0.3, seed: int = 0) -> sp.csr_matrix:
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 6, (listeners, artists))
    return sp.csr_matrix(np.where(rng.random(weights.shape) < share, weights, 0), dtype=np.float32)


def solve_in_full(row: np.ndarray, others: np.ndarray, alpha: float, reg: float) -> np.ndarray:
    """Solve the system of `fold_in` with all artists, played or not."""
    confidence = 1 + alpha * row
    left = (others * confidence[:, None]).T @ others + reg * np.eye(others.shape[1])
    return np.linalg.solve(left, others.T @ (confidence * (row > 0)))


def objective(weights: sp.csr_matrix, x: np.ndarray, y: np.ndarray, alpha: float, reg: float):
    dense = weights.toarray()
    miss = np.square((dense > 0) - x @ y.T) * (1 + alpha * dense)
    return miss.sum() + reg * (np.square(x).sum() + np.square(y).sum())


@pytest.mark.parametrize(
    "k", [3, 8, 40]
)  # rows are longer than the first and shorter than the last
def test_a_listener_folded_in_solves_the_weighted_least_squares(k):
    weights = matrix(12, 30)
    others = np.random.default_rng(1).standard_normal((30, k)).astype(np.float32)
    found = fold_in(weights, torch.from_numpy(others), alpha=4.0, reg=2.0).numpy()
    for row, x in zip(weights.toarray().astype(np.float64), found, strict=True):
        np.testing.assert_allclose(x, solve_in_full(row, others.astype(float), 4.0, 2.0), atol=2e-4)


def test_padding_beside_a_longer_listener_changes_nothing():
    weights = matrix(2, 40, share=1.0).tolil()
    weights[0, 3:] = 0
    weights = sp.csr_matrix(weights)
    others = torch.from_numpy(np.random.default_rng(2).standard_normal((40, 50)).astype(np.float32))
    together = fold_in(weights, others)
    alone = fold_in(weights[:1], others)
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-4)


def test_a_listener_without_plays_has_zero_factors():
    weights = sp.csr_matrix((2, 5), dtype=np.float32)
    assert fold_in(weights, torch.ones(5, 4)).tolist() == [[0.0] * 4] * 2


def test_each_round_comes_nearer_to_the_listening():
    weights = matrix(40, 30)
    losses = [
        objective(weights, f.listeners, f.artists, 10.0, 5.0)
        for rounds in (1, 2, 4, 8)
        for f in [als(weights, k=6, iterations=rounds, reg=5.0)]
    ]
    assert losses == sorted(losses, reverse=True)


def test_the_library_implicit_finds_the_same():
    from implicit.cpu.als import AlternatingLeastSquares

    weights = matrix(40, 30)
    confidence = weights.copy()
    confidence.data = 1 + 10.0 * confidence.data  # the library's own convention
    peer = AlternatingLeastSquares(
        factors=4, alpha=1.0, regularization=5.0, iterations=300, use_cg=False,
        num_threads=1, random_state=1, dtype=np.float64,
    )  # fmt: skip
    peer.fit(confidence, show_progress=False)
    ours = als(weights, k=4, iterations=300, reg=5.0)
    theirs = objective(weights, peer.user_factors, peer.item_factors, 10.0, 5.0)
    assert objective(weights, ours.listeners, ours.artists, 10.0, 5.0) == pytest.approx(
        theirs, rel=0.01
    )
    folded = fold_in(weights, torch.from_numpy(peer.item_factors).float(), reg=5.0).numpy()
    np.testing.assert_allclose(folded, peer.recalculate_user(np.arange(40), confidence), atol=1e-3)


def test_the_same_seed_gives_the_same_factors_and_iterations_are_reported():
    told: list[int] = []
    one = als(matrix(20, 15), k=4, iterations=3, seed=5, on_iteration=told.append)
    two = als(matrix(20, 15), k=4, iterations=3, seed=5)
    assert np.array_equal(one.artists, two.artists) and told == [0, 1, 2]


def test_from_a_start_without_one_listener_their_own_artist_is_nowhere():
    weights = matrix(20, 15).tolil()
    weights[:, 7] = 0
    weights[3, 7] = 4.0
    full = als(sp.csr_matrix(weights), k=4, reg=5.0)
    before = full.artists.copy()
    weights[3] = 0
    without = als(sp.csr_matrix(weights), start=full.artists, iterations=40, reg=5.0)
    assert not without.artists[7].any() and full.artists[7].any()
    assert np.array_equal(full.artists, before)
    cold = als(sp.csr_matrix(weights), k=4, iterations=200, reg=5.0)
    np.testing.assert_allclose(
        without.artists @ without.artists.T, cold.artists @ cold.artists.T, atol=0.05
    )


def test_procrustes_finds_the_rotation_of_the_rows_that_count():
    rng = np.random.default_rng(0)
    moved = rng.standard_normal((30, 5)).astype(np.float32)
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    fixed = moved @ rotation
    fixed[20:] = 100.0  # nonsense, without weight
    weight = np.r_[rng.uniform(1, 20, 20), np.zeros(10)]
    np.testing.assert_allclose(procrustes(moved, fixed, weight), rotation, atol=1e-5)


def test_ridge_is_that_of_sklearn():
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((40, 6)), rng.standard_normal((40, 3))
    weight = rng.uniform(0.1, 5, 40)
    peer = Ridge(alpha=7.0, fit_intercept=False).fit(inputs, targets, sample_weight=weight)
    np.testing.assert_allclose(ridge(inputs, targets, weight, 7.0), peer.coef_.T, atol=1e-5)
