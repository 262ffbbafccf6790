import numpy as np
import pytest
import scipy.sparse as sp
from planted import make_profile, ring

from twotower.model.play_matrix import (
    MEAN_WEIGHT,
    MIN_WEIGHT,
    artist_plays,
    centred_log,
    log_play_matrix,
    play_matrix,
    play_rows,
    row_lengths,
    unit_rows,
    unit_sparse_rows,
)


def test_play_weights_by_hand():
    rows = centred_log(play_rows([[("a", 1), ("b", 7)], [], [("b", 3)]], "ab".index, 2))
    apart = np.log(8 / 2) / 2  # of both from their mean
    expected = [[MEAN_WEIGHT - apart, MEAN_WEIGHT + apart], [0, 0], [0, MEAN_WEIGHT]]
    np.testing.assert_allclose(rows.toarray(), expected)


def test_no_play_weight_is_below_the_least():
    rows = centred_log(play_rows([[("a", 0), ("b", 1e9)]], "ab".index, 2))
    assert rows[0, 0] == MIN_WEIGHT


def test_the_factor_of_all_plays_does_not_matter():
    few, many = (
        centred_log(play_rows([[("a", n), ("b", 9 * n)]], "ab".index, 2)) for n in (1e5, 1e6)
    )
    np.testing.assert_allclose(few.toarray(), many.toarray(), atol=1e-4)


def test_artists_without_a_column_count_in_the_mean_only():
    profile = make_profile("p", {"new": 7, "a": 1})
    weights = log_play_matrix([profile], {"b": 0, "a": 1})
    assert weights.shape == (1, 2) and weights.dtype == np.float32
    np.testing.assert_allclose(weights.toarray(), [[0, MEAN_WEIGHT - np.log(4) / 2]], rtol=1e-6)


def test_plays_are_laid_out_by_the_columns_given(trained):
    people = ring(5, artists=6, seed=12)
    plays = play_matrix([*people, make_profile("p", {"nobody": 3})], trained.catalogue.row_of)
    assert plays.shape == (6, len(trained.catalogue)) and plays[5].nnz == 0
    for row, person in enumerate(people):
        found = {trained.catalogue.keys[c]: plays[row, c] for c in plays[row].indices}
        assert found == dict(artist_plays(person))


def test_single_precision_is_kept():
    plays = play_rows([[("a", 2.5)]], "a".index, 1, kind="f")
    assert plays.dtype == centred_log(plays).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_length_one_and_a_row_of_zeros_stays(dtype):
    rows = np.array([[3, 4], [0, 0]], dtype)
    expected = [[0.6, 0.8], [0, 0]]
    np.testing.assert_allclose(unit_rows(rows), expected, rtol=1e-6)
    np.testing.assert_allclose(unit_sparse_rows(sp.csr_matrix(rows)).toarray(), expected, rtol=1e-6)
    assert row_lengths(sp.csr_matrix(rows)).tolist() == [5, 0]
    assert unit_rows(rows).dtype == unit_sparse_rows(sp.csr_matrix(rows)).dtype == dtype
    np.testing.assert_allclose(unit_rows(rows[0]), [0.6, 0.8], rtol=1e-6)
