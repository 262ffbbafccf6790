"""The nearest by the symmetric similarity, held against all pairs."""

import numpy as np
import pytest

from twotower.ranking import RERANKED, nearest


def unit(rows: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((rows, 16)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


USERS, CANDIDATES = unit(150, 0), unit(150, 1)


@pytest.mark.parametrize("count", [0, 1, 10, 149, 150, 1000])
def test_the_order_is_that_of_the_mean_of_both_cosines(count):
    rows, similarity = nearest(USERS[3], CANDIDATES[3], USERS, CANDIDATES, count)
    both = (CANDIDATES @ USERS[3] + USERS @ CANDIDATES[3]) / 2
    expected = np.argsort(-both, kind="stable")[:count]
    assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(similarity, both[expected], atol=1e-6)


def test_one_listener_may_be_left_out_and_the_count_is_full_all_the_same():
    everyone, _ = nearest(USERS[3], CANDIDATES[3], USERS, CANDIDATES, 150)
    others, _ = nearest(USERS[3], CANDIDATES[3], USERS, CANDIDATES, 149, own=3)
    assert 3 in everyone and 3 not in others and len(others) == 149


def test_beyond_the_reranked_none_of_many_is_lost():
    users, candidates = unit(RERANKED + 60, 2), unit(RERANKED + 60, 3)
    rows, _ = nearest(USERS[0], CANDIDATES[0], users, candidates, RERANKED + 20, own=7)
    assert len(set(rows.tolist())) == RERANKED + 20 and 7 not in rows


def test_equal_listeners_come_by_row():
    same, one = (
        np.repeat(np.eye(16, dtype=np.float32)[:1], 5, axis=0),
        np.eye(16, dtype=np.float32)[0],
    )
    rows, _ = nearest(one, one, same, same, 5)
    assert rows.tolist() == [0, 1, 2, 3, 4]


def test_among_nobody_there_is_nobody():
    rows, similarity = nearest(USERS[0], CANDIDATES[0], USERS[:0], CANDIDATES[:0], 10)
    assert rows.shape == similarity.shape == (0,)
    nothing = np.zeros((0, 0), np.float32)
    assert len(nearest(USERS[0], CANDIDATES[0], nothing, nothing, 10)[0]) == 0
