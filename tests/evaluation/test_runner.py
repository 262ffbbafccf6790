import hashlib
from types import MappingProxyType

import numpy as np
import pytest
from planted import group_of, make_lists, make_sources

from twotower.core.errors import MissingData
from twotower.core.names import hashed_id
from twotower.core.settings import Settings
from twotower.evaluation.methods.baselines import BASELINES, fit_popularity
from twotower.evaluation.methods.towers import TwoTowers
from twotower.evaluation.runner import compared_methods, evaluate, evaluate_model
from twotower.evaluation.trials import DEFAULT_TASKS
from twotower.model.catalogue import Catalogue
from twotower.model.ease import ItemItemWeights
from twotower.sources.datasets.public import Sources
from twotower.sources.datasets.readers import read_dataset


@pytest.fixture(scope="module")
def sources():
    return make_sources(make_lists())


class Noise:
    """Random scores; with `groups`, people of one group are nearer than others."""

    def __init__(self, name: str, *, groups: bool = False) -> None:
        self.name, self.groups = name, groups

    def scores(self, queries, candidates):
        text = f"{queries[0].id} {len(queries)} {len(candidates)}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        noise = np.random.default_rng(seed).random((len(queries), len(candidates)))
        if not self.groups:
            return noise
        one, other = (np.array([group_of(p) for p in side]) for side in (queries, candidates))
        return noise + (one[:, None] == other[None, :])


class GroupEmbedder:
    """Vectors that depend on each listener's group only, not on the artists."""

    catalogue = Catalogue((), (), np.zeros(0))
    item_item = ItemItemWeights.empty(0)
    about = MappingProxyType({"listeners": 0.0})  # so that no artist has an idf above zero

    def embed(self, profiles, side="user"):
        return np.eye(20, dtype=np.float32)[[group_of(p) for p in profiles]]


KNOWS = {
    "knows groups": lambda training: Noise("knows groups", groups=True),
    "knows nothing": lambda training: Noise("knows nothing"),
}


def test_a_method_that_knows_the_groups_is_far_better_than_noise(sources):
    report = evaluate(sources, fits=KNOWS, splits=(0, 1), reference="knows groups")
    for check in {row.check for row in report.rows} - {"friends", "geometry"}:
        knowing, guessing = (report.mean(check, name) for name in KNOWS)
        assert knowing > 2 * guessing, check
        assert report.difference(check, "knows nothing").low > 0, check
    assert {row.check for row in report.rows} == {
        "halves",
        "halves, full pool",
        "halves-head",
        "halves-other, germany",
        "halves-other, germany, cut to 50",
        "halves-playlists",
        "halves-today",
        "halves-today, kexp",
        "halves-today, netease",
        "cold-3",
        "cold-5",
        "cold-10",
        "cold-20",
        "friends",
        "geometry",
    }


def test_a_method_that_knows_the_groups_finds_friends_of_one_group(sources):
    report = evaluate(
        sources, fits=KNOWS, kinds=["friends"], splits=(0, 1), reference="knows groups"
    )
    assert report.mean("friends", "knows groups", "AUC") > 0.95
    assert report.mean("friends", "knows nothing", "AUC") == pytest.approx(0.5, abs=0.05)
    for metric in ("AUC", "Hit@10"):
        assert report.difference("friends", "knows nothing", metric).low > 0


def test_tasks_on_less_data_get_fits_of_their_own(sources):
    given = []

    def fit(training):
        given.append(training)
        return Noise("noise")

    checks = ["halves", "unseen", "discover"]
    report = evaluate(sources, fits={"noise": fit}, kinds=checks, splits=(0,))
    assert len(given) == 4
    assert {row.check for row in report.rows} == {
        "halves",
        "halves, full pool",
        "unseen",
        "unseen, no content",
        "discover",
    }


def test_variants_of_the_towers_share_one_training(sources):
    trained = []

    def towers(training):
        trained.append(training)
        return TwoTowers(GroupEmbedder())

    fits = {name: fit for name, fit in compared_methods(towers).items() if name not in BASELINES}
    report = evaluate(sources, fits=fits, kinds=["halves", "friends"], splits=(0, 1))
    assert len(trained) == 2
    asked = {check: set() for check in ("halves", "friends")}
    for row in report.rows:
        asked.setdefault(row.check, set()).add(row.method)
    assert asked["halves"] == {
        *("two towers", "two towers, one way", "two towers + LS"),
        *("two towers + companions", "two towers + companions + LS"),
    }
    assert asked["friends"] == {*asked["halves"], "two towers + same artists"}


def test_guessing_has_the_mrr_of_chance(sources):
    report = evaluate(sources, fits=KNOWS, kinds=["halves"])
    chance = np.mean(1 / np.arange(1, 379))
    assert report.mean("halves", "knows nothing") == pytest.approx(chance, abs=0.008)


def test_every_method_is_fitted_on_the_same_data_and_never_on_test_listeners(sources):
    given, asked = [], []

    def spy(training):
        given.append(training)

        class Spy:
            name = "spy"

            def scores(self, queries, candidates):
                asked.append((len(given), {p.id.split("/")[0] for p in queries}))
                return np.zeros((len(queries), len(candidates)))

        return Spy()

    evaluate(sources, fits={"one": spy, "other": spy}, kinds=["halves", "cold"], splits=(0, 1))
    assert len(given) == 4 and given[0] == given[1] and given[2] == given[3]
    for number, ids in asked:
        training = given[number - 1]
        assert len(ids) == 378
        assert not ids & {p.id for p in training.listeners}
        assert not ids & {listener for listener, *_ in training.tags}


def test_the_same_run_gives_the_same_report(sources):
    one, other = (
        evaluate(
            sources, fits=BASELINES, kinds=["halves"], splits=(0,), reference="ALS-64"
        ).to_dict()
        for _ in range(2)
    )
    assert [r | {"value": round(r["value"], 3)} for r in one["rows"]] == [
        r | {"value": round(r["value"], 3)} for r in other["rows"]
    ]
    assert one["header"] == other["header"]


def test_the_header_makes_the_run_repeatable(sources):
    report = evaluate(
        sources, fits=KNOWS, kinds=["halves"], splits=(1,), seed=7, command="evaluate --seed 7"
    )
    assert report.header["command"] == "evaluate --seed 7"
    assert (report.header["seed"], report.header["splits"]) == (7, [1])
    assert report.header["data"] == {"made.dat": "0" * 64}
    assert report.header["versions"].keys() >= {"python", "numpy"}


def test_progress_rises_from_0_to_1(sources):
    told = []
    evaluate(sources, fits=KNOWS, kinds=["halves"], progress=lambda *step: told.append(step))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert told[1] == (pytest.approx(1 / 6), "split 0: knows nothing")


def test_a_stored_model_is_compared_on_unseen_listeners(sources):
    seen = [hashed_id(p) for p in sources.listeners[:740]]
    model = Noise("stored", groups=True)
    report = evaluate_model(model, seen, sources, fits={"popularity": fit_popularity})
    assert {r.listeners for r in report.rows if r.check == "halves"} == {60}
    assert report.difference("halves", "popularity").value > 0
    assert report.header["left out"] == []
    refitted = evaluate_model(model, seen, sources, fits={}, kinds=["halves", "discover"])
    assert refitted.header["left out"] == ["discover"]


def test_a_model_trained_on_all_is_evaluated_on_other_data_sets_only(sources):
    seen = [hashed_id(p) for p in sources.listeners + sources.playlists + sources.lists]
    report = evaluate_model(Noise("stored"), seen, sources, fits={})
    left = {"halves-other", "friends", "geometry"}  # where nothing is hidden, all may be asked
    assert {row.check.split(",")[0] for row in report.rows} == left
    assert report.header["left out"] == [check for check in DEFAULT_TASKS if check not in left]


def test_a_model_trained_on_other_data_is_evaluated_without_baselines(sources):
    known = {key for p in sources.listeners for key in p.artists}
    report = evaluate_model(
        Noise("stored"), [], sources, kinds=["halves", "halves-other"], known=known
    )
    assert {row.method for row in report.rows} == {"stored"}
    assert {r.listeners for r in report.rows if r.check == "halves"} == {800}
    assert {r.listeners for r in report.rows if r.check == "halves-other, germany"} == {60}


def test_baselines_on_real_listeners_are_as_strong_as_known():
    try:
        listeners = tuple(read_dataset("hetrec", Settings.from_env().data))
    except MissingData:
        pytest.skip("the HetRec data set is not there; docs/data.md says where to get it")
    fits = {name: BASELINES[name] for name in ("SVD-32", "ALS-64")}
    report = evaluate(Sources(listeners), fits=fits, kinds=["halves"], splits=(0,))
    assert {row.listeners for row in report.rows} == {378}
    assert report.mean("halves", "SVD-32") > 0.59
    assert report.mean("halves", "ALS-64") > 0.72
