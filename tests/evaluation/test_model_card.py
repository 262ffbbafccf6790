import json

import pytest

from twotower.core.errors import MissingData
from twotower.evaluation.model_card import fill, quality_table, shape_table
from twotower.evaluation.report import Difference, Mean, Report, Row

ABOUT = {
    who: {part: [1, 2, 3, 4, 5.5] for part in ("artists", "popularity", "similarity")}
    for who in ("real", "invented")
}


LOCAL, FINAL = "two towers + LS", "two towers + same artists"


def report(*, reference: str = LOCAL) -> Report:
    """Return a report of one task, with its own reference."""
    values = {"two towers": 0.95, LOCAL: 0.8, FINAL: 0.9, "weak": 0.3, "strong": 0.7}
    gaps = {"strong": (0.1, 0.05, 0.15), "weak": (0.5, 0.4, 0.6)}
    return Report(
        {"reference": LOCAL},
        (Row("halves", LOCAL, 0, "MRR", 0.8, 60),),
        tuple(Mean("halves", method, "MRR", value) for method, value in values.items()),
        tuple(Difference("halves", reference, name, "MRR", *gap) for name, gap in gaps.items()),
    )


def write(folder, card: str) -> None:
    (folder / "community").mkdir()
    (folder / "community" / "community.json").write_text(json.dumps({"about": ABOUT}))
    (folder / "quality.json").write_text(report().to_json())
    (folder / "MODEL_CARD.md").write_text(card)


def test_the_quality_table_has_the_best_baseline_and_the_interval():
    head, _, line = quality_table(report()).splitlines()
    assert head == "| check, MRR | two towers + LS | best baseline | difference |"
    assert line == "| halves | 0.800 | 0.700 (strong) | +0.100 [+0.050, +0.150] |"


def test_the_shape_table_has_real_and_synthetic_listeners():
    lines = shape_table(ABOUT).splitlines()
    assert "| artists in a profile, real | 1 | 2 | 3 | 4 | 5.5 |" in lines
    assert sum("invented" in line for line in lines) == 3


def test_the_shape_table_has_every_group_of_sources():
    lines = shape_table(ABOUT | {"groups": {"lists": ABOUT}}).splitlines()
    assert "| artists in a profile, invented (lists) | 1 | 2 | 3 | 4 | 5.5 |" in lines
    assert len(lines) == 2 + 2 * len(shape_table(ABOUT).splitlines()[2:])


def test_filling_twice_equals_filling_once_and_keeps_the_text_around(tmp_path):
    write(
        tmp_path,
        "a\n<!-- shapes -->\nold\n<!-- /shapes -->\nb\n<!-- quality --><!-- /quality -->\nc\n",
    )
    once = fill(tmp_path).read_text()
    assert "old" not in once and once.startswith("a\n") and once.endswith("\nc\n")
    assert fill(tmp_path).read_text() == once


def test_a_card_without_its_marks_is_refused(tmp_path):
    write(tmp_path, "no marks here")
    with pytest.raises(MissingData, match="lacks the marks <!-- shapes -->"):
        fill(tmp_path)


def test_a_missing_report_is_refused(tmp_path):
    write(tmp_path, "<!-- shapes --><!-- /shapes --><!-- quality --><!-- /quality -->")
    (tmp_path / "quality.json").unlink()
    with pytest.raises(MissingData, match="there is no quality report yet"):
        fill(tmp_path)


def test_a_task_with_its_own_reference_shows_it():
    (row,) = quality_table(report(reference=FINAL)).splitlines()[2:]
    assert f"({FINAL}) | 0.900 | 0.700 (strong)" in row
