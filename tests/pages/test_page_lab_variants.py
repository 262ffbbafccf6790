"""Experiments on the lab page: side features, variants, fewer listeners, training."""

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


def alternatives(page) -> list[str]:
    return [chart.proto.alt for chart in page.get("plotly_chart")]


def test_all_parts_are_there(page):
    assert not page.exception and not page.error
    for header in (
        "Do audio, titles and tags help?",
        "What else was tried",
        "Would more listeners help?",
        "How training went",
    ):
        assert header in headers(page)


def test_features_that_add_nothing_or_harm_are_named(page):
    assert "Added to the artists, the sound of the tracks **adds nothing** (" in words(page)
    assert "; the playlist's title **harms** (−0.05" in words(page)
    assert "Added to the artists, their list of tags **helps** (+0.05" in words(page)
    assert "MRR of a random guess among 60 playlists: 0.078." in words(page)
    assert any("+ playlists −0.05" in alt and "harms" in alt for alt in alternatives(page))
    tables = [each.value for each in page.dataframe if "features" in each.value.columns]
    assert list(tables[1]["features"]) == ["artists only", "+ tags", "tags alone"]


def test_variants_that_beat_the_default_are_named_first(page):
    assert "**Better** than the default: SigLIP (+0.0" in words(page)
    assert "**Worse**: BPR (−0.3" in words(page)
    assert f"No different: {escape(HOSTILE)}." in words(page) and HOSTILE not in words(page)
    page.selectbox(key="ablation-check").set_value("cold-5").run()
    assert not page.exception
    assert "No variant is significantly better than the default." in words(page)
    (table,) = (each.value for each in page.dataframe if "variant" in each.value.columns)
    assert table["variant"].iloc[0] == varied.DEFAULT
    assert "Declared friends (AUC)" in table.columns and "skew of N_10" in table.columns


def test_the_learning_curve_names_the_gain_of_the_last_step(page):
    assert "two towers +0.10" in words(page)
    assert "from 50 to 100 % of them, **more would help**" in words(page)
    assert "ALS\\-64 +0.05" in words(page)
    assert any("two towers: 0.60 from 25" in alt for alt in alternatives(page))


def test_the_training_curve_is_drawn(page):
    assert "loss from 5.00 to 3.00, alignment from 2.00 to 1.00, uniformity" in words(page)
    assert "moved **closer together**, and became **easier** to distinguish from others." in words(
        page
    )
    assert any(
        alt.startswith("Line chart of uniformity over training steps") for alt in alternatives(page)
    )


def test_parts_that_moved_apart_in_training_are_reported(app, assets):
    records = [each | {"alignment": each["step"] / 100} for each in varied.RECORDS]
    (assets / "training.json").write_text(json.dumps(records))
    app.switch_page("lab.py").run()
    assert not app.exception
    assert "moved **further apart**, but became **easier** to distinguish from others." in words(
        app
    )


def test_missing_reports_leave_no_empty_section(app, assets):
    for name in ("ablation.json", "learning.json", "training.json"):
        (assets / name).unlink()
    app.switch_page("lab.py").run()
    assert not app.exception
    assert not {"What else was tried", "Would more listeners help?", "How training went"} & set(
        headers(app)
    )


@pytest.mark.parametrize("name", ["ablation.json", "learning.json"])
def test_a_damaged_report_is_reported_and_the_rest_stays(app, assets, name):
    (assets / name).write_text("{")
    app.switch_page("lab.py").run()
    assert not app.exception
    assert escape(f"{name} is no quality report, or is damaged") in words(app)
    assert "Are friends near?" in headers(app)


def test_a_report_without_comparisons_has_no_section(app, assets):
    report = json.loads((assets / "ablation.json").read_text())
    (assets / "ablation.json").write_text(json.dumps(report | {"differences": []}))
    app.switch_page("lab.py").run()
    assert not app.exception


def test_terms_of_all_data_and_the_licence_are_on_the_page(page):
    terms = page.expander(key="licences")
    assert "Last.fm listeners of 2011 (HetRec)**: training and test." in terms.markdown[0].value
    assert terms.code[0].value == "For *non-commercial* use only."
