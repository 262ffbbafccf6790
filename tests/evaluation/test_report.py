import json

import numpy as np
import pytest

from twotower.evaluation.tally import Tally


@pytest.fixture
def report():
    tally = Tally()
    rng = np.random.default_rng(0)
    for split, ids in enumerate([("a", "b", "c", "d"), ("c", "d", "e", "f")]):
        plain = rng.random(4) / 2
        for method, values in (("towers", plain + 0.25), ("plain", plain)):
            tally.add("halves", "MRR", method, split, ids, values)
            tally.add("halves", "recall@10", method, split, ids, values > 0.2)
    return tally.report({"seed": 0}, reference="towers")


def test_a_row_is_the_mean_over_listeners_and_a_mean_that_over_splits(report):
    rows = [r for r in report.rows if (r.method, r.metric) == ("plain", "MRR")]
    assert [(row.split, row.listeners) for row in rows] == [(0, 4), (1, 4)]
    assert report.mean("halves", "plain") == pytest.approx((rows[0].value + rows[1].value) / 2)


def test_a_difference_is_paired_so_a_constant_one_has_no_width(report):
    (found,) = report.differences
    assert (found.reference, found.method, found.metric) == ("towers", "plain", "MRR")
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_without_the_reference_there_are_no_differences():
    tally = Tally()
    tally.add("halves", "MRR", "plain", 0, ("a", "b"), np.array([1.0, 0.5]))
    report = tally.report({}, reference="towers")
    assert report.differences == () and report.mean("halves", "plain") == 0.75


def test_json_holds_header_rows_means_and_differences(report):
    told = json.loads(report.to_json())
    assert told["header"] == {"seed": 0, "reference": "towers"}
    assert told == report.to_dict()
    assert len(told["rows"]) == 8 and len(told["means"]) == 4 and len(told["differences"]) == 1
    assert told["rows"][0].keys() == {"check", "method", "split", "metric", "value", "listeners"}


def test_text_shows_each_method_with_its_difference(report):
    title, head, towers, plain = report.to_text().rstrip().splitlines()
    assert title == "halves (4 listeners)"
    assert head.split() == ["MRR", "mean", "split", "0", "split", "1", "recall@10"]
    assert towers.split()[:2] == ["towers", f"{report.mean('halves', 'towers'):.3f}"]
    assert plain.endswith("+0.250 [+0.250, +0.250]")


def test_methods_evaluated_on_other_listeners_cannot_be_compared():
    tally = Tally()
    tally.add("halves", "MRR", "one", 0, ("a", "b"), np.ones(2))
    with pytest.raises(ValueError, match="other listeners in halves"):
        tally.add("halves", "MRR", "other", 0, ("b", "a"), np.ones(2))


def test_each_value_needs_an_id():
    with pytest.raises(ValueError, match="1 ids for 2 values"):
        Tally().add("halves", "MRR", "one", 0, ("a",), np.ones(2))


def test_a_missing_mean_or_difference_is_a_key_error(report):
    with pytest.raises(KeyError):
        report.mean("friends", "towers")
    with pytest.raises(KeyError):
        report.difference("halves", "towers")


def test_a_method_without_a_metric_has_no_line_for_it():
    tally = Tally()
    for metric in ("MRR", "overlap@10"):
        tally.add("cold-3", metric, "towers", 0, ("a", "b"), np.ones(2))
    tally.add("cold-3", "overlap@10", "blend", 0, ("a", "b"), np.ones(2))
    lines = tally.report({}, reference="towers").to_text().rstrip().splitlines()
    assert [line.split()[0] for line in lines] == [
        "cold-3", "MRR", "towers", "overlap@10", "towers", "blend",
    ]  # fmt: skip


def grouped() -> Tally:
    tally, rng = Tally(), np.random.default_rng(0)
    for split, ids in enumerate([("a", "b", "c"), ("b", "c", "d")]):
        plain = rng.random(3) / 2
        for shown, more in (("artists only", 0.0), ("+ tags", 0.25), ("tags alone", -0.125)):
            for method in ("towers", "plain"):
                tally.add(f"groups, made, {shown}", "MRR", method, split, ids, plain + more)
    return tally


def test_side_features_have_a_gain_for_the_reference_only():
    report = grouped().report({}, reference="towers")
    found = {(g.check, g.beside, g.method): (g.value, g.low, g.high) for g in report.gains}
    plain = "groups, made, artists only"
    assert found == {
        ("groups, made, + tags", plain, "towers"): pytest.approx((0.25, 0.25, 0.25)),
        ("groups, made, tags alone", plain, "towers"): pytest.approx((-0.125,) * 3),
    }
    assert json.loads(report.to_json())["gains"][0]["beside"] == plain
    assert f"towers, MRR beside {plain}: +0.250 [+0.250, +0.250]" in report.to_text()
    assert grouped().report({}, reference="no such").gains == ()


def test_a_gain_needs_the_same_listeners():
    tally = grouped()
    tally.add("groups, made, + audio", "MRR", "towers", 0, ("x", "y"), np.ones(2))
    with pytest.raises(
        ValueError, match="groups, made, \\+ audio was evaluated on other listeners"
    ):
        tally.report({}, reference="towers")


def tallied(check: str, header: dict[str, object], **values: list[float]):
    tally = Tally()
    for method, each in values.items():
        tally.add(check, "MRR", method, 0, ("a", "b"), np.array(each))
    return tally.report(
        {"checks": [check], "command": f"ask {check}", **header}, reference="towers"
    )


def test_tasks_of_another_run_are_added_and_replace_the_same_tasks():
    told = {"seed": 0, "part": "test", "splits": [0]}
    first = tallied("halves", told, towers=[1.0, 0.5], other=[0.5, 0.5])
    more = tallied("discover", told, towers=[0.2, 0.4], other=[0.3, 0.3])
    both = first.with_more(more)
    assert both.header["checks"] == ["halves", "discover"]
    assert both.header["command"] == "ask halves && ask discover"
    assert both.mean("halves", "towers") == 0.75 and both.mean(
        "discover", "towers"
    ) == pytest.approx(0.3)
    assert len(both.differences) == 2
    again = both.with_more(tallied("halves", told, towers=[0.0, 0.0]))
    assert again.mean("halves", "towers") == 0.0 and len(again.rows) == 3


def test_a_run_with_another_setup_is_not_added():
    first = tallied("halves", {"seed": 0, "part": "test"}, towers=[1.0, 0.5])
    with pytest.raises(ValueError, match="part: test and validation"):
        first.with_more(tallied("cold", {"seed": 0, "part": "validation"}, towers=[1.0, 0.5]))


def test_a_task_may_have_a_reference_of_its_own():
    tally = Tally()
    for check in ("halves", "friends"):
        for method, value in (("towers", 0.4), ("final", 0.9), ("other", 0.3)):
            if check == "friends" or method != "final":
                tally.add(check, "MRR", method, 0, ("a", "b"), np.array([value, value]))
    report = tally.report({}, reference="towers", by_check={"friends": "final", "halves": "final"})
    assert report.difference("friends", "other").reference == "final"
    assert report.difference("friends", "other").value == pytest.approx(0.6)
    assert report.difference("friends", "towers").value == pytest.approx(0.5)
    assert report.difference("halves", "other").reference == "towers"


def test_a_second_reference_is_compared_by_mrr_only():
    tally = Tally()
    ids = tuple(f"u{at}" for at in range(40))
    for at, name in enumerate(("ours", "other", "theirs")):
        for metric in ("MRR", "recall@1"):
            tally.add("halves", metric, name, 0, ids, np.full(40, 0.9 - 0.2 * at))
    header = {"checks": ["halves"], "command": "evaluate"}
    report = tally.report(header, reference="ours", beside="other")
    told = {(d.reference, d.method, d.metric): round(d.value, 6) for d in report.beside}
    assert told == {("other", "ours", "MRR"): -0.2, ("other", "theirs", "MRR"): 0.2}
    assert {d.reference for d in report.differences} == {"ours"}
    assert report.with_more(report).beside == report.beside
