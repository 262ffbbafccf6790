import json

import pytest

from twotower.card import fill, quality_table, shape_table
from twotower.errors import MissingData

ABOUT = {
    who: {part: [1, 2, 3, 4, 5.5] for part in ("artists", "popularity", "similarity")}
    for who in ("real", "invented")
}


def mean(method: str, value: float) -> dict[str, object]:
    return {"check": "halves", "method": method, "metric": "MRR", "value": value}


REPORT = {
    "means": [
        mean("two towers", 0.8),
        mean("two towers + x", 0.9),
        mean("weak", 0.3),
        mean("strong", 0.7),
    ],
    "differences": [
        mean("strong", 0.1) | {"low": 0.05, "high": 0.15, "reference": "two towers"},
        mean("weak", 0.5) | {"low": 0.4, "high": 0.6, "reference": "two towers"},
    ],
}


def write(folder, card: str) -> None:
    (folder / "community").mkdir()
    (folder / "community" / "community.json").write_text(json.dumps({"about": ABOUT}))
    (folder / "quality.json").write_text(json.dumps(REPORT))
    (folder / "MODEL_CARD.md").write_text(card)


def test_quality_stands_beside_the_best_baseline_with_its_interval():
    line = quality_table(REPORT).splitlines()[-1]
    assert line == "| halves | 0.800 | 0.700 (strong) | +0.100 [+0.050, +0.150] |"


def test_shapes_set_invented_beside_real():
    lines = shape_table(ABOUT).splitlines()
    assert "| artists in a profile, real | 1 | 2 | 3 | 4 | 5.5 |" in lines
    assert sum("invented" in line for line in lines) == 3


def test_filling_twice_is_filling_once_and_keeps_the_words_around(tmp_path):
    write(
        tmp_path,
        "a\n<!-- shapes -->\nold\n<!-- /shapes -->\nb\n<!-- quality --><!-- /quality -->\nc\n",
    )
    once = fill(tmp_path).read_text()
    assert "old" not in once and once.startswith("a\n") and once.endswith("\nc\n")
    assert fill(tmp_path).read_text() == once


def test_a_card_without_its_marks_is_said_so(tmp_path):
    write(tmp_path, "no marks here")
    with pytest.raises(MissingData, match="no place for its shapes"):
        fill(tmp_path)


def test_a_missing_report_is_said_so(tmp_path):
    write(tmp_path, "<!-- shapes --><!-- /shapes --><!-- quality --><!-- /quality -->")
    (tmp_path / "quality.json").unlink()
    with pytest.raises(MissingData, match="make assets"):
        fill(tmp_path)


def test_a_check_with_a_reference_of_its_own_shows_that_one():
    final = "two towers + same artists"
    report = json.loads(json.dumps(REPORT))
    report["means"].append(mean(final, 0.9))
    for each in report["differences"]:
        each["reference"] = final
    (row,) = quality_table(report).splitlines()[2:]
    assert f"({final}) | 0.900 | 0.700 (strong)" in row
