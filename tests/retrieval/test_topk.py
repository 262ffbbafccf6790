import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from twotower.retrieval import topk as module
from twotower.retrieval.topk import _blas, one_blas_thread, top_k


def whole_numbers(n: int, seed: int, d: int = 4, span: int = 3) -> np.ndarray:
    """Return (n, d) small integers as float32: dot products are exact, and many are equal."""
    return np.random.default_rng(seed).integers(-span, span + 1, (n, d)).astype(np.float32)


def plain_sort(scores: np.ndarray, k: int, mask: np.ndarray) -> list[int]:
    return sorted(np.flatnonzero(mask).tolist(), key=lambda row: (-scores[row], row))[:k]


@given(
    n=st.integers(1, 2000),
    k=st.integers(0, 60),
    span=st.integers(1, 200),
    allowed=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_top_k_is_what_a_plain_sort_gives(n, k, span, allowed, seed):
    matrix = whole_numbers(n, seed, span=span)
    query = whole_numbers(1, seed + 1, span=span)[0]
    mask = np.random.default_rng(seed).random(n) < allowed
    rows, scores = top_k(matrix, query, k, mask=mask)
    assert rows.tolist() == plain_sort(matrix @ query, k, mask)
    assert scores.tolist() == (matrix @ query)[rows].tolist()


@pytest.mark.parametrize("n", [1, 255, 256, 257, 512, 2561])
def test_the_best_row_is_found_wherever_it_stands_in_a_block(n):
    matrix = np.zeros((n, 2), np.float32)
    for row in {0, n // 2, n - 1}:
        matrix[row] = [1, 0]
        rows, scores = top_k(matrix, np.array([1, 0], np.float32), 1)
        assert (rows.tolist(), scores.tolist()) == ([row], [1.0])
        matrix[row] = 0


def test_scores_that_are_all_equal_come_in_the_order_of_rows():
    rows, _ = top_k(np.ones((3000, 3), np.float32), np.ones(3, np.float32), 12)
    assert rows.tolist() == list(range(12))


def test_several_queries_give_a_line_each_as_one_by_one(monkeypatch):
    monkeypatch.setattr("twotower.retrieval.topk._SCORES_AT_ONCE", 2000)  # three at a time
    matrix, queries = whole_numbers(600, seed=1), whole_numbers(7, seed=2)
    mask = np.arange(600) % 3 == 0
    rows, scores = top_k(matrix, queries, 5, mask=mask)
    assert rows.shape == scores.shape == (7, 5)
    for number, query in enumerate(queries):
        alone = top_k(matrix, query, 5, mask=mask)
        assert rows[number].tolist() == alone[0].tolist()
        assert scores[number].tolist() == alone[1].tolist()


def test_more_than_there_are_gives_all_there_are():
    matrix = whole_numbers(7, seed=0)
    assert len(top_k(matrix, matrix[0], 50)[0]) == 7
    assert len(top_k(matrix, matrix[0], 50, mask=np.arange(7) < 3)[0]) == 3


def test_a_mask_that_leaves_nothing_gives_nothing():
    matrix = whole_numbers(300, seed=0)
    rows, scores = top_k(matrix, matrix[0], 5, mask=np.zeros(300, bool))
    assert rows.shape == scores.shape == (0,)
    assert top_k(matrix, matrix[:2], 5, mask=np.zeros(300, bool))[0].shape == (2, 0)


def test_a_matrix_without_rows_gives_nothing():
    assert top_k(np.empty((0, 0), np.float32), np.ones(4, np.float32), 5)[0].shape == (0,)


@pytest.mark.parametrize(
    ("matrix", "query", "mask", "message"),
    [
        (np.ones((5, 4)), np.ones(3), None, "query has 3 numbers for rows of 4"),
        (np.ones((5, 4)), np.ones(4), np.ones(6, bool), r"mask of shape \(6,\) for 5 rows"),
        (np.ones((5, 4)), np.array([1, np.nan, 1, 1]), None, "1 of 4 numbers of the query"),
        (np.ones((5, 4)), np.array([1, np.inf, 1, 1]), None, "1 of 4 numbers of the query"),
        (np.full((5, 4), np.nan), np.ones(4), None, "5 of 5 rows score NaN"),
        (np.ones(4), np.ones(4), None, "matrix has 1 dimensions and query 1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_both_numbers(matrix, query, mask, message):
    with pytest.raises(ValueError, match=message):
        top_k(matrix.astype(np.float32), query.astype(np.float32), 2, mask=mask)


def test_a_nan_in_one_row_among_many_is_found():
    matrix = np.ones((5000, 4), np.float32)
    matrix[4321, 2] = np.nan
    with pytest.raises(ValueError, match="1 of 5000 rows"):
        top_k(matrix, np.ones(4, np.float32), 3)


def test_blas_has_one_thread_inside_and_its_own_number_after():
    def threads() -> list[int]:
        return [library.get_num_threads() for library in _blas]

    with threadpool_limits(2, "blas"):
        before = threads()
        first, second = one_blas_thread(), one_blas_thread()  # as two people's searches overlap
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(threads()) == {1}  # and there is one: an empty list would fail
        second.__exit__(None, None, None)
        assert threads() == before


def test_a_matrix_beyond_the_caches_is_searched_as_any_other(monkeypatch):
    monkeypatch.setattr(module, "_BEYOND_CACHES", 0)
    matrix, query = whole_numbers(3000, 5), whole_numbers(1, 6)[0]
    rows, scores = top_k(matrix, query, 20)
    assert rows.tolist() == plain_sort(matrix @ query, 20, np.ones(3000, bool))
    assert scores.tolist() == (matrix @ query)[rows].tolist()
