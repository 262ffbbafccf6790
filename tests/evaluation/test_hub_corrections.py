"""Hub corrections, worked out by hand and on a planted hub."""

import numpy as np
import pytest
from planted import make_profile, people
from scipy.stats import norm

from twotower.evaluation.methods.base import memoised
from twotower.evaluation.methods.hub_corrections import (
    LocalScaling,
    MutualProximity,
    corrected,
    scaled,
)
from twotower.evaluation.metrics import k_occurrences, top_columns
from twotower.sources.datasets.public import Training


class Cosines:
    name = "cosines"

    def __init__(self, vectors):
        self.vectors = vectors  # by id

    def scores(self, queries, candidates):
        one, other = (
            np.array([self.vectors[p.id] for p in side]) for side in (queries, candidates)
        )
        return one @ other.T


@pytest.fixture(scope="module")
def pool():
    return people(40, 4)


@pytest.fixture(scope="module")
def hubby(pool):
    """Vectors with one hub, which is near to all others."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 64))
    rows[0] = 0
    rows += 0.6
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Cosines({p.id: row for p, row in zip(pool, rows, strict=True)})


def lists(scores):
    scores = scores.copy()
    np.fill_diagonal(scores, -np.inf)
    return top_columns(scores, 5)


def test_mutual_proximity_takes_a_hub_off_the_lists(pool, hubby):
    before = k_occurrences(lists(hubby.scores(pool, pool)))
    after = k_occurrences(lists(MutualProximity(hubby, "mp").scores(pool, pool)))
    assert before[0] > 25 and after[0] < 15
    assert (after == 0).sum() <= (before == 0).sum()


def test_mutual_proximity_by_hand():
    three = people(3, 4)
    table = np.array([[9.0, 1.0, 3.0], [1.0, 9.0, 4.0], [3.0, 4.0, 9.0]])

    class Known:
        name = "known"

        def scores(self, queries, candidates):
            return table

    found = MutualProximity(Known(), "mp").scores(three, three)
    # 0 scores 1 and 3 with the others: mean 2, spread 1; 1 scores 1 and 4: mean 2.5, spread 1.5
    chance = norm.cdf((1 - 2) / 1) * norm.cdf((1 - 2.5) / 1.5)
    assert found[0, 1] == pytest.approx(norm.ppf(chance))
    assert found == pytest.approx(found.T)


def test_mutual_proximity_of_a_query_does_not_depend_on_other_queries(pool, hubby):
    strangers = [make_profile(f"{p.id}/query", {"a": 1.0}) for p in pool[:5]]
    rows = {**hubby.vectors, **{s.id: hubby.vectors[s.id[:-6]] for s in strangers}}
    method = MutualProximity(Cosines(rows), "mp")
    together = method.scores(strangers, pool)
    alone = np.vstack([method.scores([one], pool) for one in strangers])
    np.testing.assert_allclose(together, alone)


def test_scores_far_out_stay_finite_and_in_order():
    crowd = people(30, 4)
    values = np.linspace(0, 1e-3, 900).reshape(30, 30)
    values[0, 1:4] = [1.0, 2.0, 3.0]

    class Far:
        name = "far"

        def scores(self, queries, candidates):
            return values

    found = MutualProximity(Far(), "mp").scores(crowd, crowd)
    assert np.isfinite(found).all()
    assert found[0, 1] < found[0, 2] < found[0, 3]


def test_local_scaling_takes_a_hub_off_the_lists(pool, hubby):
    before = k_occurrences(lists(hubby.scores(pool, pool)))
    after = k_occurrences(lists(LocalScaling(hubby, "ls").scores(pool, pool)))
    assert before[0] > 35 and after[0] < 0.8 * before[0]
    assert (after == 0).sum() <= (before == 0).sum()


def test_local_scaling_by_hand():
    three = people(3, 4)
    table = np.array([[9.0, 1.0, 3.0], [1.0, 9.0, 4.0], [3.0, 4.0, 9.0]])

    class Known:
        name = "known"

        def scores(self, queries, candidates):
            return table

    found = LocalScaling(Known(), "ls", share=0.5).scores(three, three)
    # nearness to the two others: 2, 2.5 and 3.5
    assert found[0, 1] == pytest.approx(1 - 0.5 * (2 + 2.5))
    assert found[1, 2] == pytest.approx(4 - 0.5 * (2.5 + 3.5))
    assert found == pytest.approx(found.T)


def test_local_scaling_of_a_query_does_not_depend_on_other_queries(pool, hubby):
    strangers = [make_profile(f"{p.id}/query", {"a": 1.0}) for p in pool[:5]]
    rows = {**hubby.vectors, **{s.id: hubby.vectors[s.id[:-6]] for s in strangers}}
    method = LocalScaling(Cosines(rows), "ls")
    together = method.scores(strangers, pool)
    alone = np.vstack([method.scores([one], pool) for one in strangers])
    np.testing.assert_allclose(together, alone)


def test_a_memoised_fit_runs_once():
    calls = []

    def fit(training):
        calls.append(training)
        return Cosines({})

    fit = memoised(fit)
    one, other = Training(people(2, 4)), Training(people(3, 4))
    assert corrected(fit)(one).name == "cosines + MP"
    assert scaled(fit)(one).name == "cosines + LS"
    assert len(calls) == 1
    fit(other)
    assert calls == [one, other]
