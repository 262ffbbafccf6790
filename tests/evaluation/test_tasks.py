"""Evaluation tasks, worked out by hand."""

import numpy as np
import pytest
from planted import make_profile, people

from twotower.evaluation.specs import TaskKind, TaskSpec
from twotower.evaluation.tasks import (
    Discovery,
    Friends,
    Geometry,
    Retrieval,
    Stability,
    symmetric_scores,
)

SPEC = TaskSpec(TaskKind.HALVES)


class Table:
    """Scores read from a table."""

    name = "table"

    def __init__(self, *tables):
        self.tables = [np.array(table, float) for table in tables]

    def scores(self, queries, candidates):
        return self.tables.pop(0)


def test_retrieval_by_hand():
    task = Retrieval(SPEC, ("a", "b"), people(2, 4), people(3, 4))
    values = task.measure(Table([[0.9, 0.1, 0.2], [0.5, 0.3, 0.4]]))
    assert values["MRR"].tolist() == [1.0, 1 / 3]
    assert values["recall@1"].tolist() == [1.0, 0.0]
    assert values["recall@10"].tolist() == [1.0, 1.0]


def test_stability_by_hand_leaves_the_listener_out():
    twelve = people(12, 4)
    whole = np.tile(np.arange(12.0), (12, 1))  # lists hold all but self and the lowest other
    cut = -whole  # and here all but self and the highest other
    values = Stability(SPEC, tuple("abcdefghijkl"), twelve, twelve).measure(Table(cut, whole))
    # of the eleven others each list leaves one out, not the same one
    assert values["overlap@10"].tolist() == pytest.approx([0.9] * 12)


def test_scores_of_a_wrong_shape_are_refused():
    task = Retrieval(SPEC, ("a", "b"), people(2, 4), people(3, 4))
    with pytest.raises(ValueError, match=r"table: scores of shape \(1, 3\) for 2 queries and 3"):
        task.measure(Table([[1, 2, 3]]))


def test_symmetric_scores_by_hand():
    scores = symmetric_scores(Table([[9, 1, 2], [3, 9, 4], [5, 6, 9]]), people(3, 4))
    assert scores.tolist() == [[-np.inf, 2, 3.5], [2, -np.inf, 5], [3.5, 5, -np.inf]]


def test_friends_by_hand():
    friends = np.zeros((4, 4), bool)
    friends[0, 1] = friends[1, 0] = friends[0, 3] = friends[3, 0] = True
    task = Friends(SPEC, ("0", "1"), np.array([0, 1]), people(4, 4), friends)
    scores = [[0, 3, 2, 1], [3, 0, 5, 4], [2, 5, 0, 0], [1, 4, 0, 0]]
    values = task.measure(Table(scores))
    # 0 has its friends first and last, around the other one; 1 has its friend after both others
    assert values["MRR"].tolist() == [1.0, 1 / 3]
    assert values["AUC"].tolist() == [0.5, 0.0]
    assert values["Hit@10"].tolist() == [1.0, 1.0]


def test_geometry_by_hand():
    twelve = people(12, 4)
    # all have the first ten on their lists, or the tenth and eleventh for want of themselves
    scores = np.tile(-np.arange(12.0), (12, 1))
    values = Geometry(SPEC, tuple("abcdefghijkl"), twelve, ([], [])).measure(Table(scores))
    # symmetric scores fall with the sum of places; 0 to 9 list all of 0 to 10 but themselves
    found = np.array([11.0] * 10 + [10.0, 0.0])
    assert values["never listed"].mean() == pytest.approx(1 / 12)
    cubes = ((found - found.mean()) / found.std()) ** 3
    assert values["skew of N_10"].mean() == pytest.approx(cubes.mean())
    # of the lists of 0 to 9, nine or ten answer; 10 and 11 list ten who all have 10 and none 11
    assert values["mutual share of top 10"].tolist() == [1.0] * 11 + [0.0]


class Vectors(Table):
    """Scores of a table, and vectors on a circle."""

    def vectors(self, profiles, *, asking):
        angles = np.arange(len(profiles)) * np.pi / 2 + (0 if asking else np.pi)
        return np.column_stack([np.cos(angles), np.sin(angles)])


def test_alignment_and_uniformity_need_vectors():
    two = people(2, 4)
    task = Geometry(SPEC, ("a", "b"), two, (two, two))
    values = task.measure(Vectors([[0, 1], [1, 0]]))
    assert values["alignment"].mean() == pytest.approx(4)  # opposite points of the circle
    assert values["uniformity"].mean() == pytest.approx(-4)  # exp(-2 * squared sqrt 2)
    assert "uniformity" not in task.measure(Table([[0, 1], [1, 0]]))


KNOWN = (
    make_profile("0", {"a": 1.0}),
    make_profile("1", {"a": 1.0, "b": 9.0, "c": 1.0}),
    make_profile("2", {"d": 1.0}),
)
HIDDEN = (frozenset({"c", "elsewhere"}), frozenset({"d"}), frozenset({"a"}))


def test_discovery_by_hand_from_the_artists_of_neighbours():
    task = Discovery(SPEC, ("0", "1", "2"), KNOWN, HIDDEN)
    values = task.measure(Table([[0, 2, 1], [2, 0, 1], [1, 1, 0]]))
    # 0 gets b (which its nearest plays most), c, and d from the other; 1 gets d only
    assert values["recall@10"].tolist() == [0.5, 1.0, 1.0]
    assert values["NDCG@10"][1] == 1.0
    second = 1 / np.log2(3)
    assert values["NDCG@10"][0] == pytest.approx(second / (1 + second))


def test_a_method_that_recommends_ranks_the_artists_itself():
    class Likes(Table):
        def recommend(self, profiles, keys):
            return np.array([[key == "d" for key in keys] for _ in profiles], float)

    task = Discovery(SPEC, ("0", "1", "2"), KNOWN, HIDDEN)
    values = task.measure(Likes())
    assert values["NDCG@10"].tolist()[1] == 1.0
    assert values["NDCG@10"][0] < 1
