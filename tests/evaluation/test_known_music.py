"""Coverage and MRR of each source, from the rows of a report."""

import pytest
from measured import covered_report, report

from twotower.evaluation.known_music import known_music


def test_each_source_has_its_coverage_and_the_best_baseline():
    rows = {row.source: row for row in known_music(covered_report())}
    assert list(rows) == ["hetrec", "kexp", "netease"]
    china = rows["netease"]
    assert (china.by_listening, china.by_genre) == (0.5, 0.3)
    assert china.unknown == pytest.approx(0.2)
    assert (china.mrr, china.baseline, china.best) == (0.6, "EASE", 0.7)
    assert rows["hetrec"].mrr == 0.8  # of the task halves
    assert rows["kexp"].unknown is None and rows["kexp"].mrr == 0.9  # without coverage


def test_a_report_without_recent_lists_and_coverage_has_no_rows():
    assert known_music(report()) == ()
