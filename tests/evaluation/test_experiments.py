"""Side features, training variants and learning curves are read from reports."""

import json
from dataclasses import replace

import measured
import pytest
import varied
from measured import HOSTILE, TOWERS
from varied import DEFAULT

from twotower.evaluation.experiments import (
    Estimate,
    TrainingPoint,
    chance_mrr,
    estimates_by_verdict,
    feature_gains,
    feature_listeners,
    first_and_last_quarter,
    gain_of_more,
    learning_curves,
    training_curve,
    variant_estimates,
    variant_metrics,
    variant_table,
)


@pytest.fixture(scope="module")
def ablation():
    return varied.report(varied.ABLATION, DEFAULT)


@pytest.fixture(scope="module")
def learning():
    return varied.report(varied.LEARNING, "two towers, 100 % of the listeners")


def test_feature_gains_are_grouped_by_data_set():
    report = measured.report()
    found = feature_gains(report)
    assert list(found) == ["tidytuesday", "hetrec"]
    assert [each.name for each in found["hetrec"]] == ["artists only", "+ tags", "tags alone"]
    verdicts = {
        each.name: each.estimate.verdict
        for shown in found.values()
        for each in shown
        if each.estimate
    }
    assert verdicts == {"+ audio": "no better", "+ playlists": "behind", "+ tags": "ahead"}
    plain, tags, alone = found["hetrec"]
    assert (
        plain.gain is None and alone.gain.value < 0
    )  # tags alone are not an addition to the artists
    assert tags.estimate.value == pytest.approx(0.05, abs=0.001)
    assert feature_listeners(report, "hetrec") == measured.LISTENERS


def test_a_report_without_gains_has_no_estimates():
    found = feature_gains(replace(measured.report(), gains=()))
    assert all(each.estimate is None for shown in found.values() for each in shown)
    assert feature_gains(varied.report(varied.ABLATION, DEFAULT)) == {}


def test_chance_by_hand():
    assert chance_mrr(2) == pytest.approx(0.75)  # first or second, each half the time
    assert chance_mrr(0) == 0.0


def test_variants_are_compared_by_the_metrics_of_the_report(ablation):
    assert [each.name for each in variant_metrics(ablation)] == [
        "halves",
        "halves-head",
        "halves-other, germany",
        "cold-5",
        "friends, Hit@10",
        "friends, AUC",
    ]


def test_variants_are_compared_with_the_default_best_first(ablation):
    found = variant_estimates(ablation, "halves", "MRR")
    assert [mark.name for mark in found] == ["SigLIP", HOSTILE, "triplet", "BPR"]
    assert [mark.verdict for mark in found] == ["ahead", "no better", "behind", "behind"]
    for mark in found:
        assert mark.low < mark.value < mark.high
    kinds = estimates_by_verdict(found)
    assert [len(kinds[kind]) for kind in ("ahead", "no better", "behind")] == [1, 1, 2]


def test_the_table_of_variants_starts_with_the_default_and_has_gaps_for_missing_metrics(ablation):
    first, *rest = variant_table(ablation)
    assert first["variant"] == DEFAULT and first["halves"] == pytest.approx(0.8)
    assert first["never listed"] == pytest.approx(0.01)
    hostile = next(line for line in rest if line["variant"] == HOSTILE)
    assert hostile["halves-head"] is None
    assert "alignment" not in first


def test_a_learning_curve_is_read_from_the_method_labels(learning):
    curves = learning_curves(learning)
    assert {name: list(curve) for name, curve in curves.items()} == {
        "two towers": [25, 50, 100],
        "ALS-64": [25, 50, 100],
    }
    assert curves["ALS-64"][50] == pytest.approx(0.65)
    step = gain_of_more(learning, "two towers", 50, 100)
    assert step.value == pytest.approx(0.1, abs=0.01) and step.verdict == "ahead"
    assert gain_of_more(learning, "ALS-64", 50, 100) is None  # has no interval in the report
    assert learning_curves(measured.report()) == {}


def test_the_training_curve_is_in_the_model_or_in_a_file_of_its_own(tmp_path):
    expected = tuple(
        TrainingPoint(each["step"], each["loss"], each["alignment"], each["uniformity"])
        for each in varied.RECORDS
    )
    (tmp_path / "model").mkdir()
    config = tmp_path / "model" / "config.json"
    assert training_curve(tmp_path) == ()
    config.write_text(json.dumps({"about": {"last record": {}}}))
    assert training_curve(tmp_path) == ()
    (tmp_path / "training.json").write_text(json.dumps(varied.RECORDS))
    assert training_curve(tmp_path) == expected
    (tmp_path / "training.json").unlink()
    config.write_text(json.dumps({"about": {"records": varied.RECORDS}}))
    assert training_curve(tmp_path) == expected


def test_quarters_are_means_of_the_first_and_last_points():
    course = [TrainingPoint(step, float(step), 1.0, -1.0) for step in range(8)]
    assert first_and_last_quarter(course, "loss") == (0.5, 6.5)
    assert first_and_last_quarter(course[:2], "loss") == (0.0, 1.0)


@pytest.mark.parametrize(
    "text",
    ["", "{", "3", "null", '[{"step": 1}]', "[1]", "[" * 100_000,
     '[{"step": 1, "loss": 1, "alignment": "low", "uniformity": 1}]',
     '[{"step": 1, "loss": 1, "alignment": NaN, "uniformity": 1}]',
     '[{"step": true, "loss": 1, "alignment": 1, "uniformity": 1}]'],
)  # fmt: skip
def test_a_damaged_training_curve_is_empty(text, tmp_path):
    (tmp_path / "training.json").write_text(text)
    assert training_curve(tmp_path) == ()


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.0, 0.1, "no better"), (0.01, 0.1, "ahead"), (-1, -0.1, "behind")],
)
def test_an_estimate_whose_interval_contains_zero_is_no_better(low, high, verdict):
    assert Estimate(TOWERS, (low + high) / 2, low, high).verdict == verdict
