"""Reports are read back, damaged ones are refused, and summaries have known verdicts."""

import csv
import io
import json
from dataclasses import replace

import measured
import pytest
from measured import HOSTILE, PLAIN, TOWERS

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.evaluation.report import COMMANDS, Difference, Gain, load_report
from twotower.evaluation.summary import (
    TrainingFacts,
    cold_start_curves,
    headline_comparisons,
    is_towers,
    method_table,
    plain_towers,
    reference_method,
    table_csv,
    training_facts,
)


@pytest.fixture(scope="module")
def report():
    return measured.report()


def test_a_written_report_is_read_back(report, tmp_path):
    found = load_report(measured.write(tmp_path))
    assert found.to_dict() == report.to_dict()
    assert found.means[0].value == pytest.approx(report.means[0].value, abs=1e-9)


def test_a_missing_report_says_how_to_make_it(tmp_path):
    with pytest.raises(MissingData, match="python -m twotower evaluate --out"):
        load_report(tmp_path / "quality.json")


def test_gains_are_optional_and_are_read_back(report, tmp_path):
    gain = Gain("groups, made, + tags", "groups, made, artists only", TOWERS, "MRR", 0.1, 0.0, 0.2)
    path = tmp_path / "quality.json"
    path.write_text(replace(report, gains=(gain,)).to_json())
    assert load_report(path).gains == (gain,)
    path.write_text(replace(report, gains=()).to_json())
    assert "gains" not in json.loads(path.read_text()) and load_report(path).gains == ()


@pytest.mark.parametrize(("file", "command"), COMMANDS.items())
def test_the_error_names_the_command_that_makes_the_report(file, command, tmp_path):
    with pytest.raises(MissingData, match=f"`python -m twotower {command} --out assets/{file}`"):
        load_report(tmp_path / file)
    (tmp_path / file).write_text("{}")
    with pytest.raises(IncompatibleModel, match=f"^{file} is no quality report.* {command} --out"):
        load_report(tmp_path / file)


def damaged(told: dict) -> list[str]:
    """Return texts that are no report."""
    whole = json.dumps(told)
    row = told["rows"][0]
    wrong = [
        row | {"value": "0.5"},
        row | {"value": float("nan")},
        row | {"split": 1.5},
        row | {"split": True},
        row | {"method": None},
        {"check": "halves"},
        [],
    ]
    return [
        "",
        whole[: len(whole) // 2],
        "[]",
        "null",
        "[" * 100_000,
        "{}",
        json.dumps(told | {"header": []}),
        json.dumps(told | {"means": []}),
        json.dumps(told | {"rows": None}),
        *(json.dumps(told | {"rows": [each]}) for each in wrong),
    ]


def test_a_damaged_report_is_refused(report, tmp_path):
    path = tmp_path / "quality.json"
    for text in damaged(report.to_dict()):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(IncompatibleModel, match="damaged"):
            load_report(path)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(IncompatibleModel, match="damaged"):
        load_report(path)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.001, 0.1, "ahead"),
        (0.0, 0.1, "no better"),
        (-0.1, 0.1, "no better"),
        (-0.1, 0.0, "no better"),
        (-0.1, -0.001, "behind"),
    ],
)
def test_an_interval_that_contains_zero_is_no_better(low, high, verdict):
    gap = Difference("halves", TOWERS, "EASE", "MRR", (low + high) / 2, low, high)
    assert gap.verdict == verdict


def test_variants_of_the_towers_are_recognised(report):
    assert (reference_method(report), plain_towers(report)) == (TOWERS, PLAIN)
    ours = (PLAIN, TOWERS, f"{PLAIN}, one way", f"{PLAIN} + same artists")
    assert all(is_towers(report, method) for method in ours)
    assert not any(is_towers(report, name) for name in ("EASE", "EASE + LS", "two towers2"))
    older = replace(report, header={**report.header, "reference": PLAIN})
    assert plain_towers(older) == PLAIN and is_towers(older, TOWERS)


def test_the_headline_compares_the_towers_with_the_best_baseline(report):
    found = {each.check: (each.baseline, each.verdict) for each in headline_comparisons(report)}
    assert found == {
        "halves": ("EASE", "ahead"),
        "halves-head": ("EASE", "behind"),
        "halves-other, germany": (HOSTILE, "no better"),
        "halves-other, germany, cut to 50": (HOSTILE, "no better"),
        "friends": ("EASE", "ahead"),
    }


def test_a_cut_that_cut_nothing_is_not_counted_twice(report, tmp_path):
    told = report.to_dict()
    named = "halves-other, germany, cut to 50"
    told["means"] = [each for each in told["means"] if each["check"] != named] + [
        each | {"check": named} for each in told["means"] if each["check"] == named[:-11]
    ]
    path = tmp_path / "quality.json"
    path.write_text(json.dumps(told))
    assert named not in {each.check for each in headline_comparisons(load_report(path))}


def test_a_report_without_towers_compares_nothing(report, tmp_path):
    path = tmp_path / "quality.json"
    path.write_text(json.dumps(report.to_dict() | {"differences": []}))
    found = load_report(path)
    assert reference_method(found) == ""
    assert headline_comparisons(found) == ()
    assert method_table(found, "halves")[0]["the towers are"] == "—"


def test_a_table_has_one_row_per_method_best_first(report):
    lines = method_table(report, "halves")
    assert [line["method"] for line in lines] == [
        PLAIN, TOWERS, "EASE", HOSTILE, "popularity",
    ]  # fmt: skip
    ease = lines[2]
    assert ease["MRR"] == pytest.approx(0.7)
    assert [ease[f"split {n}"] for n in range(3)] == pytest.approx([0.7] * 3)
    assert (ease["recall@1"], ease["recall@10"]) == pytest.approx((0.65, 0.85))
    assert ease["95 % low"] < ease["towers minus this"] < ease["95 % high"]
    assert ease["the towers are"] == "ahead"
    assert lines[0]["the towers are"] == "behind"


def test_a_task_without_compared_metrics_has_all_metrics_as_columns(report):
    towers, ease = method_table(report, "geometry")
    assert towers["uniformity"] == pytest.approx(-3.0)
    assert "uniformity" not in ease
    assert ease["never listed"] == pytest.approx(0.2)


def test_a_table_as_csv_is_read_back(report):
    lines = method_table(report, "geometry")
    towers, ease = csv.DictReader(io.StringIO(table_csv(lines)))
    assert float(towers["uniformity"]) == lines[0]["uniformity"]
    assert ease["uniformity"] == ""


def test_names_of_methods_in_a_csv_are_no_formula():
    assert table_csv([{"=1": "@towers", "gap": -0.5}]) == '"\'=1","gap"\n"\'@towers",-0.5\n'


def test_curves_have_the_same_methods_for_each_metric(report):
    finding, staying = (cold_start_curves(report, metric) for metric in ("MRR", "overlap@10"))
    assert list(finding) == list(staying) == [TOWERS, "EASE", HOSTILE, "popularity"]
    assert finding[TOWERS] == pytest.approx({3: 0.4, 10: 0.6})
    assert staying["EASE"] == pytest.approx({3: 0.35, 10: 0.5})


def test_training_facts_are_read_from_the_model(tmp_path):
    about = {"profiles": {"hetrec": 5}, "artists": 9, "played artists": 7, "seconds": 60}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"version": "v", "about": about}))
    assert training_facts(tmp_path) == TrainingFacts({"hetrec": 5}, 9, 7, 60.0, "v")
    config.write_text("{}")
    assert training_facts(tmp_path) == TrainingFacts({}, 0, 0, 0.0, "")
    for text in ("[]", "{", '{"about": {"artists": "many"}}', '{"about": {"profiles": [1]}}'):
        config.write_text(text)
        with pytest.raises(MissingData, match=r"config\.json"):
            training_facts(tmp_path)


def test_single_sources_of_recent_lists_are_not_in_the_headline():
    checks = [each.check for each in headline_comparisons(measured.covered_report())]
    assert "halves-today" in checks and "halves-today, netease" not in checks
