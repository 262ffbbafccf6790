import numpy as np
import pytest

from twotower.evaluation.bootstrap import bootstrap
from twotower.evaluation.metrics import (
    aucs,
    cubed_z_scores,
    equal_weights,
    expected_reciprocal_ranks,
    k_occurrences,
    mutual_shares,
    ndcgs_at,
    overlaps,
    rank_correlation,
    ranks_of_positives,
    top_columns,
    uniformity,
)


def test_ranks_by_hand_count_a_tie_against_us():
    scores = np.array([[0.9, 0.1, 0.5], [0.7, 0.7, 0.1], [0.2, 0.3, 0.1]])
    assert ranks_of_positives(scores, np.array([0, 1, 2])).tolist() == [1, 2, 3]


def test_a_score_that_is_not_a_number_is_the_worst():
    scores = np.array([[np.nan, 0.1, -5.0], [np.nan, 0.3, 0.2]])
    assert ranks_of_positives(scores, np.array([0, 1])).tolist() == [3, 1]


def test_equal_scores_rank_every_positive_last():
    assert ranks_of_positives(np.zeros((2, 5)), np.array([0, 3])).tolist() == [5, 5]


def test_expected_reciprocal_ranks_by_hand():
    """Two groups: one of two others is ahead in the first, one of three in the second."""
    scores = np.array([[0.5, 0.6, 0.1, 0.5, 0.2, 0.3]])
    group_of = np.array([0, 0, 0, 1, 1, 1])
    (value,) = expected_reciprocal_ranks(scores, np.array([0]), group_of, pool=13)
    mean = 12 * (1 / 2 + 1 / 3) / 2  # others ahead, of 6 in each group
    assert value == pytest.approx((1 - np.exp(-mean)) / mean)


def test_expected_reciprocal_ranks_agree_with_drawn_pools():
    rng = np.random.default_rng(0)
    scores = rng.random((1, 4000))
    scores[0, 0] = 0.99
    group_of = np.zeros(4000, int)
    (value,) = expected_reciprocal_ranks(scores, np.array([0]), group_of, pool=100)
    ahead = [(rng.choice(scores[0, 1:], 99, replace=False) > 0.99).sum() for _ in range(4000)]
    assert value == pytest.approx(np.mean(1 / (1 + np.array(ahead))), abs=0.02)
    assert expected_reciprocal_ranks(np.eye(3), np.arange(3), np.zeros(3, int), 100) == (
        pytest.approx(1)
    )


def test_rank_correlation_by_hand():
    a = np.array([1.0, 2.0, 3.0, 40.0])
    assert rank_correlation(a, np.exp(a / 9)) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.array([1.0, 1.0, 2.0, 2.0])) == pytest.approx(2 / 5**0.5)
    assert rank_correlation(a, np.ones(4)) == 0


def test_top_columns_are_best_first_and_ties_go_by_column():
    scores = np.array([[0.1, 0.9, 0.5, 0.5], [1.0, 1.0, 1.0, 2.0]])
    assert top_columns(scores, 3).tolist() == [[1, 2, 3], [3, 0, 1]]


def test_overlaps_by_hand():
    first = np.array([[0, 1, 2, 3], [0, 1, 2, 3]])
    second = np.array([[3, 9, 0, 8], [4, 5, 6, 7]])
    assert overlaps(first, second).tolist() == [0.5, 0.0]


def test_bootstrap_mean_is_that_of_the_splits_means():
    values = np.array([[1.0, np.nan], [3.0, 10.0], [np.nan, 20.0]])
    assert bootstrap(values, resamples=50).mean == pytest.approx((2.0 + 15.0) / 2)


def test_bootstrap_of_equal_values_has_no_width():
    interval = bootstrap(np.full((20, 3), 0.25))
    assert interval.low == pytest.approx(0.25)
    assert interval.high == pytest.approx(0.25)


def test_bootstrap_has_the_width_of_the_normal_interval():
    values = np.random.default_rng(1).normal(0.3, 1.0, (400, 1))
    interval = bootstrap(values, resamples=4000)
    half = 1.96 * values.std() / np.sqrt(400)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_draws_whole_listeners_not_their_splits_apart():
    once = np.random.default_rng(2).normal(0.0, 1.0, (200, 1))
    one, three = bootstrap(once), bootstrap(np.repeat(once, 3, axis=1))
    assert three.high - three.low == pytest.approx(one.high - one.low)


def test_bootstrap_gives_the_same_for_the_same_seed_only():
    values = np.random.default_rng(3).normal(size=(50, 2))
    assert bootstrap(values, seed=5) == bootstrap(values, seed=5)
    assert bootstrap(values, seed=5) != bootstrap(values, seed=6)


def test_bootstrap_needs_a_listener_in_each_split():
    with pytest.raises(ValueError, match="at least one listener"):
        bootstrap(np.array([[1.0, np.nan], [2.0, np.nan]]))


def test_aucs_by_hand_with_a_tie_half_right_and_the_left_out_in_no_pair():
    scores = np.array([[3.0, 2.0, 2.0, 1.0, -np.inf]])
    positives = np.array([[False, True, False, False, False]])
    # of 3, 2 and 1 the friend's 2 is above one and ties with another
    assert aucs(scores, positives).tolist() == [0.5]


def test_ndcgs_by_hand():
    relevant = np.array([[True, False, True], [False, False, False]])
    found = ndcgs_at(relevant, np.array([2, 1]), 3)
    assert found.tolist() == pytest.approx([(1 + 0.5) / (1 + 1 / np.log2(3)), 0.0])
    assert ndcgs_at(np.ones((1, 3), bool), np.array([9]), 3).tolist() == pytest.approx([1.0])


def test_k_occurrences_and_mutual_shares_by_hand():
    lists = np.array([[1], [0], [0]])
    assert k_occurrences(lists).tolist() == [2, 1, 0]
    assert mutual_shares(lists).tolist() == [1.0, 1.0, 0.0]


def test_cubed_z_scores_have_the_skewness_as_their_mean():
    assert cubed_z_scores(np.array([0.0, 0.0, 3.0])).mean() == pytest.approx(2**-0.5)
    assert cubed_z_scores(np.ones(3)).tolist() == [0, 0, 0]


def test_uniformity_by_hand():
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    # squared distances 2, 4 and 2
    expected = np.log((2 * np.exp(-4) + np.exp(-8)) / 3)
    assert uniformity(vectors) == pytest.approx(expected)


def test_equal_weights_make_a_mean_the_mean_of_the_groups_means():
    weights = equal_weights(["a", "b", "b", "b"])
    assert weights.mean() == pytest.approx(1)
    assert (weights * [0.2, 0.6, 0.6, 0.9]).mean() == pytest.approx((0.2 + 0.7) / 2)
