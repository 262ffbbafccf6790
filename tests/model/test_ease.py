"""Item-item weights: EASE by hand, strongest weights only, no artists of too few listeners."""

import numpy as np
import pytest
import scipy.sparse as sp

from twotower.model import ease as module
from twotower.model.ease import TOP, ItemItemWeights, ease


def plays(listeners: int, artists: int, seed: int = 0) -> sp.csr_matrix:
    rng = np.random.default_rng(seed)
    return sp.csr_matrix((rng.random((listeners, artists)) < 0.2) * rng.random((1, artists)) * 5)


def test_weights_are_those_of_the_regression_of_each_artist_on_the_others():
    matrix = plays(60, 7)
    dense, weights = matrix.toarray(), ease(matrix, 2.0)
    for artist in range(7):
        others = np.delete(np.arange(7), artist)
        gram = dense[:, others].T @ dense[:, others] + 2.0 * np.eye(6)
        expected = np.linalg.solve(gram, dense[:, others].T @ dense[:, artist])
        np.testing.assert_allclose(weights[others, artist], expected, atol=1e-5)
    assert not np.diag(weights).any()


def test_each_artist_keeps_its_strongest_weights():
    matrix = plays(400, 60)
    found = ItemItemWeights.fit(matrix).matrix.toarray()
    full = np.maximum(ease(matrix), 0)
    for row, kept in zip(full, found, strict=True):
        best = np.sort(row)[-TOP:]
        np.testing.assert_allclose(np.sort(kept)[-TOP:], best, rtol=1e-3, atol=1e-6)
    assert (np.count_nonzero(found, axis=1) <= TOP).all()


def test_artists_that_few_play_take_no_part():
    matrix = plays(80, 12).tolil()
    matrix[:, 5] = 0
    matrix[:2, 5] = 4.0
    found = ItemItemWeights.fit(matrix.tocsr())
    assert 5 not in found.artists and found.matrix[5].nnz == found.transposed[5].nnz == 0
    assert len(found.artists) == 11 and found.size == 12


def test_of_very_many_artists_the_most_played_take_part(monkeypatch):
    monkeypatch.setattr(module, "MAX_ARTISTS", 4)
    matrix = sp.csr_matrix(np.tri(30, 9, dtype=np.float32)[::-1])
    assert ItemItemWeights.fit(matrix).artists.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("matrix", [np.zeros((5, 4)), np.eye(4), np.zeros((0, 4))])
def test_without_artists_of_enough_listeners_there_are_no_weights(matrix):
    found = ItemItemWeights.fit(sp.csr_matrix(matrix, dtype=np.float32))
    assert found.matrix.shape == (4, 4) and found.matrix.nnz == 0


def test_a_smaller_catalogue_keeps_those_of_its_own_artists():
    found = ItemItemWeights.fit(plays(80, 12))
    rows = np.array([0, 2, 3, 7, 11])
    smaller = found.select(rows)
    expected = found.matrix.toarray()[np.ix_(rows, rows)]
    np.testing.assert_array_equal(smaller.matrix.toarray(), expected)
    assert expected.any() and ItemItemWeights.empty(12).select(rows).matrix.nnz == 0
