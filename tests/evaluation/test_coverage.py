"""Coverage: shares of the plays that are known, and calibration of the confidence."""

from dataclasses import replace

import numpy as np
import pytest
from planted import make_profile, ring

from twotower.core.domain import Artist, Profile
from twotower.evaluation.calibrate import calibrate
from twotower.evaluation.coverage import (
    METHOD,
    ConfidenceTask,
    Evidence,
    KnownShares,
    QueriedGroups,
    fit_curve,
    measure_evidence,
    query_ids,
)
from twotower.evaluation.data import hold_out
from twotower.evaluation.decile_table import decile_lines, decile_metrics, largest_gap
from twotower.evaluation.hidden_parts import apply_variant, variants_of
from twotower.evaluation.methods.hub_corrections import LocalScaling
from twotower.evaluation.methods.towers import OneWay, TwoTowers, WithItemItem, embedder_of
from twotower.evaluation.runner import evaluate, evaluate_model
from twotower.evaluation.specs import TaskKind, TaskSpec
from twotower.evaluation.trials import make_trials
from twotower.model.confidence import DEFAULT_CURVE, POOL, ConfidenceCurve
from twotower.sources.datasets.public import Sources

LISTENERS = ring(24, artists=16, seed=50)
LISTS = ring(12, artists=24, origin="netease", seed=51)
GROUPS = {"hetrec": LISTENERS, "lists": LISTS}


@pytest.fixture(scope="module")
def method(trained) -> LocalScaling:
    return LocalScaling(WithItemItem(TwoTowers(trained)), METHOD.label)


@pytest.fixture(scope="module")
def evidence(method) -> dict[str, Evidence]:
    return measure_evidence(method, GROUPS, 0)


def test_a_hidden_part_keeps_its_plays_and_is_unknown(trained):
    query = make_profile("me", {f"artist {n}": float(n + 1) for n in range(20)})
    total = sum(artist.plays for artist in query.artists.values())
    for variant in variants_of(20):
        made = apply_variant(query, variant, trained, 0)
        unknown = [key for key in made.artists if trained.catalogue.row(key) is None]
        if variant.way == "few":
            assert len(made.artists) == variant.artists and not unknown
        else:
            assert len(made.artists) == 20 and len(unknown) == variant.artists
            assert sum(a.plays for a in made.artists.values()) == total
        assert apply_variant(query, variant, trained, 0) == made  # drawn by hash


def test_a_coherent_part_is_one_kind_of_music(trained):
    """One of two kinds of equal size is hidden before the other is touched."""
    near = {f"artist {n}": 1.0 for n in (*range(10, 20), *range(110, 120))}
    query = make_profile("me", near)
    (half,) = (v for v in variants_of(20) if v.way == "coherent" and v.artists == 8)
    made = apply_variant(query, half, trained, 0)
    hidden = [int(key.split()[-1]) for key in made.artists if key not in query.artists]
    assert len({number < 100 for number in hidden}) == 1


def test_hidden_artists_have_no_genres(trained):
    query = Profile("me", {f"artist {n}": Artist(f"a{n}", 1.0, ("jazz",)) for n in range(10)})
    (variant,) = (v for v in variants_of(10) if v.way == "random" and v.artists == 9)
    covered = trained.coverage(apply_variant(query, variant, trained, 0))
    assert covered.plays == pytest.approx(0.1) and covered.genre_only == ()


def test_short_queries_have_fewer_variants():
    assert [v.label for v in variants_of(1)] == ["whole 0"]
    assert [v.label for v in variants_of(2)] == ["whole 0", "random 1", "coherent 1"]
    assert query_ids([make_profile("x", {"a": 1, "b": 1})]) == ("x/whole 0",)


def test_each_query_has_its_evidence_and_less_is_found_of_what_is_hidden(evidence):
    for name, listeners in GROUPS.items():
        ids, found = query_ids(listeners), evidence[name]
        assert len(ids) == len(set(ids)) == len(found.scores) == len(found.mrr)
        assert found.mrr.min() > 0 and found.mrr.max() <= 1
        whole = np.array(["/whole" in each for each in ids])
        rest = np.array(["coherent" in each for each in ids])
        assert found.heard[whole] == pytest.approx(1)
        assert found.scores[whole].mean() > 2 * found.scores[rest].mean()
        assert found.mrr[whole].mean() > found.mrr[rest].mean()
        assert found.overlap[whole].mean() > found.overlap[rest].mean()


def made_up(count: int, seed: int) -> Evidence:
    """Return evidence whose expected MRR is score / (1 + score)."""
    rng = np.random.default_rng(seed)
    scores = rng.exponential(2.0, count)
    mrr = rng.random(count) < scores / (1 + scores)
    return Evidence(scores, np.ones(count), mrr.astype(float), np.zeros(count))


def test_the_curve_finds_the_expected_mrr_and_ascends():
    curve = fit_curve([made_up(6000, 0)])
    at = np.array([0.5, 1.0, 2.0, 4.0])
    assert curve.expected_mrr(at, np.ones(4)) == pytest.approx(at / (1 + at), abs=0.05)
    assert curve.scores[0] == 0 and curve.mrr[0] < 0.03  # by chance among POOL people
    falling = fit_curve([Evidence(np.arange(99.0), np.ones(99), np.arange(99.0)[::-1] / 99, at)])
    assert list(falling.mrr) == sorted(falling.mrr)


def test_sources_count_the_same_whatever_their_size():
    low, high = (
        Evidence(np.full(n, 1.0), np.ones(n), np.full(n, mrr), np.zeros(n))
        for n, mrr in ((1000, 0.2), (10, 0.8))
    )
    curve = fit_curve([low, high])
    assert curve.expected_mrr(np.ones(1), np.ones(1)) == pytest.approx(0.5, abs=0.01)


def test_deciles_of_a_right_curve_agree_with_the_measured_mrr(method):
    ids = tuple(str(n) for n in range(8000))
    queried = QueriedGroups(GROUPS, 0, [(method, {"hetrec": made_up(8000, 1)})])
    fitted = QueriedGroups(GROUPS, 0, [(method, {"hetrec": made_up(8000, 2)})])
    spec = TaskSpec(TaskKind.COVERAGE, "hetrec", condition="confidence")
    right = ConfidenceTask(spec, ids, "hetrec", queried, fitted).measure(method)
    means = {name: float(values.mean()) for name, values in right.items()}
    assert all(len(values) == len(ids) for values in right.values())
    assert largest_gap(means) < 0.06
    wrong = ConfidenceTask(spec, ids, "hetrec", queried, None).measure(method)
    assert largest_gap({name: float(v.mean()) for name, v in wrong.items()}) > 0.06


def test_the_decile_table_by_hand():
    values = decile_metrics([0.1] * 9 + [0.9], [0.1] * 9 + [0.75], [0.5] * 10)
    means = values | {"rank correlation": 0.5}
    assert largest_gap(means) == pytest.approx(0.15)
    assert decile_lines(means)[-1].strip().startswith("largest gap 0.150, rank correlation")
    assert decile_lines(means)[10].split() == ["10", "0.900", "0.750", "0.500"]


def test_known_shares_sum_to_one(method):
    profile = Profile("p", {
        "artist 3": Artist("artist 3", 5.0),
        "new": Artist("new", 3.0, ("jazz",)),
        "nobody": Artist("nobody", 2.0),
    })  # fmt: skip
    task = KnownShares(TaskSpec(TaskKind.COVERAGE, "x"), ("p",), [profile])
    assert {name: float(v[0]) for name, v in task.measure(method).items()} == pytest.approx(
        {"known from listening": 0.5, "by genre only": 0.3, "unknown": 0.2}
    )


def test_the_model_is_found_under_every_variant_of_the_towers(trained, method):
    variants = (TwoTowers(trained), OneWay(trained), WithItemItem(TwoTowers(trained)), method)
    assert all(embedder_of(each) is trained for each in variants)
    with pytest.raises(TypeError, match="noise is no variant of the towers"):
        embedder_of(type("Noise", (), {"name": "noise"})())


@pytest.fixture(scope="module")
def sources() -> Sources:
    """378 test listeners, 22 for validation, none for training, and lists of two sources."""
    lists = [*LISTS, *ring(60, artists=12, origin="kexp", seed=52)]
    return Sources(tuple(ring(400, artists=4, seed=53)), lists=tuple(lists))


def test_the_trial_fits_without_validation_and_test_and_only_the_towers(sources):
    split = hold_out(sources, 0)
    (trial,) = make_trials(sources, split, [TaskKind.COVERAGE])
    assert trial.method == METHOD.label
    held = {p.id for p in (*split.test, *hold_out(sources, 0, part="validation").test)}
    assert held and not held & {p.id for p in trial.training.listeners}
    labels = [task.spec.label for task in trial.tasks]
    assert labels[0] == "coverage, hetrec" and labels[-1] == "coverage, lists, confidence"
    fitted = {p.id for group in trial.tasks[-1].calibration.groups.values() for p in group}
    assert fitted and not fitted & {p.id for p in split.test}
    (last,) = make_trials(sources, split, ["halves", "coverage"])[1:]
    assert last.method == METHOD.label  # beside the trial of the other tasks


def test_a_report_has_the_deciles_and_only_of_the_towers(sources, method):
    small = replace(sources, listeners=sources.listeners[:385])
    fits = {METHOD.label: lambda _: method, "noise": lambda _: pytest.fail("fitted in vain")}
    report = evaluate(small, fits=fits, kinds=["coverage"], splits=(0,))
    assert {row.method for row in report.rows} == {METHOD.label}
    text = report.to_text()
    assert "decile of confidence" in text and "known from listening" in text


def test_a_stored_model_is_measured_by_its_own_curve(sources, method):
    seen = replace(sources, listeners=ring(2, artists=6, seed=54))
    report = evaluate_model(method, (), seen, fits={}, kinds=["coverage"])
    assert report.mean("coverage, hetrec", METHOD.label, "unknown") == 0
    expected = report.mean("coverage, lists, confidence", METHOD.label, "expected MRR 10")
    assert expected <= DEFAULT_CURVE.mrr[-1]


def test_calibration_fits_validation_listeners_of_all_splits(sources, trained):
    asked = []

    def towers(training):
        asked.append(training)
        return TwoTowers(trained)

    curve = calibrate(sources, towers=towers, splits=(0, 1))
    assert isinstance(curve, ConfidenceCurve) and len(asked) == 2
    assert curve.mrr[0] < 10 / POOL and curve.mrr[-1] > curve.mrr[1]
