"""The lab page's other reports: what groups add, what else was tried, more listeners, training."""

import json
from pathlib import Path

import measured
import pytest
import varied
from measured import HOSTILE

from twotower.ui.text import escape


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


@pytest.fixture
def assets(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TWOTOWER_ASSETS", str(tmp_path))
    monkeypatch.setenv("TWOTOWER_DATA", str(tmp_path / "none"))
    measured.write(tmp_path)
    varied.write(tmp_path)
    (tmp_path / "LICENSE").write_text("For *non-commercial* use only.")
    return tmp_path


@pytest.fixture
def page(app, assets):
    return app.switch_page("lab.py").run()


def words(page) -> str:
    return "\n".join(element.value for element in page.markdown)


def headers(page) -> list[str]:
    return [header.value for header in page.header]


def told(page) -> list[str]:
    return [chart.proto.alt for chart in page.get("plotly_chart")]


def test_all_parts_are_there(page):
    assert not page.exception and not page.error
    for header in (
        "Does it help to know more than artists?",
        "What else was tried",
        "Would more listeners help?",
        "How the training went",
    ):
        assert header in headers(page)


def test_where_a_group_adds_nothing_or_harms_it_says_so(page):
    assert "Beside artists, the sound of the tracks **adds nothing** (" in words(page)
    assert "; the playlist's title **harms** (−0.05" in words(page)
    assert "Beside artists, their own tagging **helps** (+0.05" in words(page)
    assert "Guessing among 60 playlists: 0.078." in words(page)
    assert any("+ playlists −0.05" in alt and "harms" in alt for alt in told(page))
    tables = [each.value for each in page.dataframe if "told" in each.value.columns]
    assert list(tables[1]["told"]) == ["artists only", "+ tags", "tags alone"]


def test_variants_that_beat_the_default_are_named_first(page):
    assert "**Better** than the default: SigLIP (+0.0" in words(page)
    assert "**Worse**: BPR (−0.3" in words(page)
    assert f"No different: {escape(HOSTILE)}." in words(page) and HOSTILE not in words(page)
    page.selectbox(key="ablation-check").set_value("cold-5").run()
    assert not page.exception
    assert "No variant is better than the default here" in words(page)
    (table,) = (each.value for each in page.dataframe if "variant" in each.value.columns)
    assert table["variant"].iloc[0] == varied.DEFAULT
    assert "Declared friends (AUC)" in table.columns and "skew of N_10" in table.columns


def test_a_learning_curve_says_what_the_last_step_brought(page):
    assert "two towers +0.10" in words(page)
    assert "from 50 to 100 % of them, **more would help**" in words(page)
    assert "ALS\\-64 +0.05" in words(page)
    assert any("two towers: 0.60 from 25" in alt for alt in told(page))


def test_the_course_of_training_is_drawn(page):
    assert "loss from 5.00 to 3.00, alignment from 2.00 to 1.00, uniformity" in words(page)
    assert "came to lie nearer to each other, and were told from others' more surely" in words(page)
    assert any(alt.startswith("Line chart of uniformity over training steps") for alt in told(page))


def test_parts_that_moved_apart_in_training_are_said_so(app, assets):
    records = [each | {"alignment": each["step"] / 100} for each in varied.RECORDS]
    (assets / "training.json").write_text(json.dumps(records))
    app.switch_page("lab.py").run()
    assert not app.exception
    assert "lie further from each other, and yet were told from others' more surely" in words(app)


def test_what_is_not_there_leaves_no_empty_part(app, assets):
    for name in ("ablation.json", "learning.json", "training.json"):
        (assets / name).unlink()
    app.switch_page("lab.py").run()
    assert not app.exception
    assert not {"What else was tried", "Would more listeners help?", "How the training went"} & set(
        headers(app)
    )


@pytest.mark.parametrize("name", ["ablation.json", "learning.json"])
def test_a_damaged_report_is_told_and_the_rest_stays(app, assets, name):
    (assets / name).write_text("{")
    app.switch_page("lab.py").run()
    assert not app.exception
    assert escape(f"{name} is no quality report, or is damaged") in words(app)
    assert "Are friends near?" in headers(app)


def test_a_report_that_compares_nothing_has_no_part(app, assets):
    report = json.loads((assets / "ablation.json").read_text())
    (assets / "ablation.json").write_text(json.dumps(report | {"differences": []}))
    app.switch_page("lab.py").run()
    assert not app.exception


def test_terms_of_all_data_and_the_licence_are_on_the_page(page):
    terms = page.expander(key="licences")
    assert "Last.fm listeners of 2011 (HetRec)**: trained on" in terms.markdown[0].value
    assert terms.code[0].value == "For *non-commercial* use only."
