"""Ranks from rounded vectors, and the bounds that rounding leaves."""

from dataclasses import replace

import numpy as np
import pytest
from planted import LISTS_OF

from twotower.evaluation.metrics import ranks_of_positives
from twotower.evaluation.report import QUALITY, Difference, Mean, Report, Row, load_report
from twotower.evaluation.runner import SECOND_REFERENCE
from twotower.evaluation.specs import scaled_label
from twotower.evaluation.verify_data import (
    VECTORS,
    QueryCandidateVectors,
    VectorKey,
    read_vectors,
)
from twotower.evaluation.verify_ranks import recompute_ranks
from twotower.model.play_matrix import unit_rows

ALONE = SECOND_REFERENCE.label


def recompute(report, halves):
    return recompute_ranks(report, halves, lambda share, text: None)


def report_of(value, *, listeners=2, metric="MRR"):
    rows = (Row("halves", "m", 0, metric, value, listeners),)
    return Report({}, rows, (), ())


def figure(report, halves, metric="MRR"):
    figures, _ = recompute(report, {VectorKey(0, "halves", "m"): halves})
    return next(each for each in figures if each.metric == metric)


def test_ranks_by_hand():
    # the first query finds its own, the second has the other candidate before its own
    queries = np.array([[1.0, 0.0], [0.8, 0.6]], np.float32)
    candidates = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    found = figure(report_of(0.75), QueryCandidateVectors(queries, candidates))
    assert (found.recomputed, found.verdict) == (0.75, "same")
    assert max(found.slack) < 1e-6  # far apart: rounding can't have moved them
    assert figure(report_of(0.76), QueryCandidateVectors(queries, candidates)).verdict == "differs"


def test_local_scaling_of_ranks_by_hand():
    # both candidates are as near to the query's, but one is near to all the others too
    people = unit_rows(np.array([[1, 1, 0.2], [1, 0, 0], [1, 0.1, 0], [0, 1, 0]], np.float32))
    queries = people.copy()
    queries[0] = unit_rows(np.array([[1, 0.55, 0.1]], np.float32))
    plain = ranks_of_positives(queries @ people.T, np.arange(4))
    among = people @ people.T
    near = (among.sum(axis=1) - 1) / 3  # to the three others
    scaled = ranks_of_positives(queries @ people.T - 0.4 * near, np.arange(4))
    assert (plain != scaled).any()
    values = {"m": (1 / plain).mean(), "m + LS": (1 / scaled).mean()}
    rows = tuple(Row("halves", name, 0, "MRR", float(v), 4) for name, v in values.items())
    means = tuple(Mean("halves", name, "MRR", float(v)) for name, v in values.items())
    figures, _ = recompute(
        Report({}, rows, means, ()),
        {VectorKey(0, "halves", "m"): QueryCandidateVectors(queries, people)},
    )
    found = {each.method: each for each in figures if each.metric == "MRR"}
    assert {name: each.recomputed for name, each in found.items()} == pytest.approx(values)
    assert {each.verdict for each in found.values()} == {"same"}


def test_recomputed_local_scaling_matches_the_report(judged_assets):
    report = load_report(judged_assets / QUALITY)
    halves = read_vectors(judged_assets / VECTORS, report)
    scaled = [each for each in recompute(report, halves)[0] if each.method.endswith(" + LS")]
    assert {each.method for each in scaled} > {ALONE}
    for each in scaled:
        assert each.verdict == "same" and each.recomputed == pytest.approx(each.stored, abs=0.01)


def test_a_row_with_another_number_of_listeners_differs():
    halves = QueryCandidateVectors(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
    assert figure(report_of(1.0), halves).verdict == "same"
    assert figure(report_of(1.0, listeners=3), halves).stored is None
    assert figure(report_of(1.0, listeners=3), halves).verdict == "differs"


def test_a_zero_vector_ties_with_all_and_is_ranked_last():
    candidates = np.eye(3, dtype=np.float32)
    queries = candidates.copy()
    queries[0] = 0
    found = figure(report_of(7 / 9, listeners=3), QueryCandidateVectors(queries, candidates))
    assert found.recomputed == pytest.approx(7 / 9)
    assert found.verdict == "same" and max(found.slack) < 1e-6


@pytest.mark.parametrize("near", [0.02, 0.2, 1.0])
def test_metrics_before_rounding_are_within_the_slack(near):
    draw = np.random.default_rng(0)
    centre = draw.normal(size=16)
    both = [unit_rows(centre + near * draw.normal(size=(300, 16))) for _ in range(2)]
    both[1] = unit_rows(both[0] + 0.5 * near * draw.normal(size=(300, 16)))
    ranks = ranks_of_positives(both[0] @ both[1].T, np.arange(300))
    before = {
        "MRR": (1 / ranks).mean(),
        "recall@1": (ranks <= 1).mean(),
        "recall@10": (ranks <= 10).mean(),
    }
    rounded = QueryCandidateVectors(
        *(unit_rows(side.astype(np.float16).astype(np.float32)) for side in both)
    )
    for metric, value in before.items():
        found = figure(report_of(float(value), listeners=300, metric=metric), rounded, metric)
        assert found.verdict == "same"
        assert max(found.slack) < (0.05 if near > 0.1 else 1.0)


def test_a_difference_has_the_interval_of_its_listeners(judged_assets):
    report = load_report(judged_assets / QUALITY)
    halves = read_vectors(judged_assets / VECTORS, report)
    _, gaps = recompute(report, halves)
    kept = {(check, name) for _, check, name in halves}
    kept |= {(check, scaled_label(name)) for check, name in kept}
    kept |= {
        (f"{check}, {source}", name)
        for check, name in kept
        for source in LISTS_OF
        if check == "halves-today"
    }
    assert {(gap.check, gap.method) for gap in gaps} == {
        (check, name) for check, name in kept if name != ALONE
    }
    assert {gap.reference for gap in gaps} == {ALONE}
    for gap in gaps:
        assert gap.verdict == "same"
        if gap.check.startswith("halves-today"):
            continue  # so few lists that every method may find them all
        assert gap.recomputed.low < gap.recomputed.mean < gap.recomputed.high
        assert gap.slack < gap.recomputed.high - gap.recomputed.low


def test_a_narrowed_or_moved_interval_differs(judged_assets):
    report = load_report(judged_assets / QUALITY)
    halves = read_vectors(judged_assets / VECTORS, report)
    gap = next(g for g in recompute(report, halves)[1] if g.check == "halves")
    width = gap.recomputed.high - gap.recomputed.low

    def verdict(**changed: float) -> str:
        assert isinstance(gap.stored, Difference)
        return replace(gap, stored=replace(gap.stored, **changed)).verdict

    assert verdict() == "same"
    assert verdict(low=gap.stored.value - 0.01 * width) == "differs"
    assert verdict(high=gap.stored.high + width) == "differs"
    assert verdict(value=gap.stored.value + width) == "differs"
    assert replace(gap, stored=None).verdict == "differs"


def test_a_listener_in_every_split_counts_once_as_evidence(judged_assets):
    report = load_report(judged_assets / QUALITY)
    halves = read_vectors(judged_assets / VECTORS, report)
    for gap in recompute(report, halves)[1]:
        if gap.check == "halves-playlists":
            stored = gap.stored.high - gap.stored.low
            assert gap.recomputed.high - gap.recomputed.low == pytest.approx(stored, rel=0.1)


def test_the_mean_over_sources_and_each_source_are_recomputed(judged_assets):
    report = load_report(judged_assets / QUALITY)
    halves = read_vectors(judged_assets / VECTORS, report)
    found = [each for each in recompute(report, halves)[0] if "halves-today" in each.check]
    checks = {each.check for each in found}
    assert checks == {"halves-today", *(f"halves-today, {source}" for source in LISTS_OF)}
    assert {each.verdict for each in found} == {"same"}
    lists = {row.check: row.listeners for row in report.rows if row.check in checks}
    assert lists["halves-today, kexp"] < lists["halves-today, netease"]
    moved = tuple(
        replace(row, listeners=row.listeners + (1 if "kexp" in row.check else -1))
        if row.check in checks - {"halves-today"}
        else row
        for row in report.rows
    )
    changed = recompute(replace(report, rows=moved), halves)[0]
    assert any(each.verdict == "differs" for each in changed if each.check in checks)
