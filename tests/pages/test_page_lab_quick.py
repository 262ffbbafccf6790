"""Verification on the lab page: the report is checked while the visitor watches."""

import json
import shutil
import time
from pathlib import Path

import pytest
from world import state_of

from twotower.evaluation.verify import verify_report
from twotower.ui.lab import verification

PATIENCE_S = 60


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


@pytest.fixture
def assets(judged_assets, tmp_path, monkeypatch) -> Path:
    """A report with its half-vectors, to spoil; the public data is not here."""
    folder = shutil.copytree(judged_assets, tmp_path / "assets")
    monkeypatch.setenv("TWOTOWER_ASSETS", str(folder))
    monkeypatch.setenv("TWOTOWER_DATA", str(tmp_path / "none"))
    verification._shared_job.clear()
    return folder


@pytest.fixture
def page(app, assets):
    return app.switch_page("lab.py").run()


def press(page):
    """Press the button and return the page after the check has ended."""
    page.button(key="go-quick-check").click().run()
    until = time.monotonic() + PATIENCE_S
    while [b for b in page.button if b.key == "quick-cancel"]:
        assert time.monotonic() < until
        assert not page.exception
        state_of(page).quick_check.job.join(1.0)
        page.run()
    return page


def words(page) -> str:
    return "\n".join(element.value for element in page.markdown)


def tables(page) -> list:
    """Return the tables of the check, in order."""
    return [each.value for each in page.dataframe if "verdict" in each.value.columns]


def test_the_button_computes_every_metric_again(page):
    assert "All ranks follow from them." in words(page)
    assert page.button(key="go-quick-check").label == "Run the quick check"
    assert not page.success and not page.error
    press(page)
    assert not page.exception and not page.error
    assert page.success[0].value.startswith("**All ")
    ranked, gaps = tables(page)
    assert set(ranked["verdict"]) == set(gaps["verdict"]) == {"same"}
    first = ranked[ranked["method"] == "two towers"].iloc[0]
    assert first["task"] == "Last.fm strangers"
    assert first["report"] == pytest.approx(first["now"], abs=0.01)
    assert "public data is missing" in words(page)
    assert page.button(key="go-quick-check").label == "Run it again"


def test_a_changed_metric_is_named(page, assets):
    report = json.loads((assets / "quality.json").read_text())
    report["rows"][0]["value"] = 0.987
    (assets / "quality.json").write_text(json.dumps(report))
    press(page)
    assert not page.success and not page.exception
    assert "differ from the report" in page.error[0].value
    assert "in the report" in words(page) and "MRR 0\\.987" in words(page)
    assert tables(page)[0]["verdict"].iloc[0] == "differs"


def test_the_result_of_another_report_disappears(page, assets):
    assert press(page).success
    report = json.loads((assets / "quality.json").read_text())
    report["rows"][0]["value"] = 0.987
    (assets / "quality.json").write_text(json.dumps(report))
    page.run()
    assert not page.success and page.button(key="go-quick-check").label == "Run the quick check"
    assert press(page).error


def test_vectors_of_another_run_are_reported_and_a_retry_is_possible(page, assets):
    whole = (assets / "halves.npz").read_bytes()
    (assets / "halves.npz").write_bytes(whole[:-10])
    press(page)
    assert "The check failed: halves" in page.error[0].value
    assert "changed or damaged since" in page.error[0].value
    (assets / "halves.npz").write_bytes(whole)
    press(page)
    assert page.success and not page.error


def test_while_it_runs_it_shows_progress_and_can_be_cancelled(page, monkeypatch):
    seen = []

    def slow(assets, data, *, progress):
        while True:  # until nobody waits
            seen.append(len(seen))
            progress(0.5, "ranks of *halves*")
            time.sleep(0.01)

    monkeypatch.setattr(verification, "verify_report", slow)
    page.button(key="go-quick-check").click().run()
    job = state_of(page).quick_check.job
    until = time.monotonic() + PATIENCE_S
    while job.share < 0.5:
        assert time.monotonic() < until
        job.join(0.01)
    page.run()
    assert page.get("progress")[0].proto.text.startswith("50%")
    page.button(key="quick-cancel").click().run()
    assert not page.exception
    job.join(PATIENCE_S)
    assert job.is_cancelled
    assert page.button(key="go-quick-check").label == "Run the quick check"
    monkeypatch.setattr(verification, "verify_report", verify_report)
    assert press(page).success


def test_without_vectors_and_data_it_says_so_and_has_no_button(app, assets):
    (assets / "halves.npz").unlink()
    app.switch_page("lab.py").run()
    assert not app.exception
    assert "The report can't be checked here" in words(app)
    assert not [b for b in app.button if b.key == "go-quick-check"]
