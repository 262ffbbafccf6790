"""The lab page in a real browser."""

import json
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from browsing import EACH_SCREEN, is_good, settled
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def lab(address) -> str:
    return f"{address}/lab"


@EACH_SCREEN
def test_the_page_is_accessible_and_its_headings_are_in_order(visit, lab, look):
    page = visit(f"{lab}?demo=metal", look)
    expect(page).to_have_title("Lab · Musical Neighbours")
    expect(page.get_by_role("heading", level=1)).to_have_text("How good is it, really?")
    expect(page.get_by_role("heading", name="How much of your listening it knows")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(11)
    for key in ("methods", "licences", "card", "made-with"):
        page.locator(f".st-key-{key} summary").click()
    expect(page.get_by_role("heading", level=3, name="Limits")).to_be_visible()
    is_good(page)
    levels = page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3, h4')].map(each => +each.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_task_is_chosen_by_keyboard_and_its_table_downloaded(visit, lab):
    page = visit(lab)
    box = page.get_by_role("combobox", name="Task")
    expect(box).to_be_visible()
    settled(page)
    box.focus()
    page.keyboard.type("best-known")
    page.keyboard.press("Enter")
    # The list above says it too, after the task's name.
    expect(page.get_by_text(re.compile("^Worse than EASE \\(−0.1"))).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download CSV").click()
    assert started.value.suggested_filename == "halves-head-mrr.csv"
    head, first, *_ = Path(started.value.path()).read_text(encoding="utf-8").splitlines()
    assert head.startswith('"method","MRR","split 0"')
    assert first.startswith('"EASE",0.6')


@pytest.fixture
def judged(site, lab, judged_assets) -> Iterator[str]:
    """The page while the report is one that has its half-vectors."""
    kept = (site.assets / "quality.json").read_bytes()
    for file in judged_assets.iterdir():
        shutil.copy(file, site.assets)
    yield lab
    for file in judged_assets.iterdir():
        (site.assets / file.name).unlink()
    (site.assets / "quality.json").write_bytes(kept)


@EACH_SCREEN
def test_the_report_is_checked_at_the_press_of_a_button(visit, judged, look):
    page = visit(judged, look)
    page.get_by_role("button", name="Run the quick check").click()
    expect(page.get_by_text("metrics match the report")).to_be_visible()
    expect(page.get_by_role("heading", name="Ranked again")).to_be_visible()
    expect(page.get_by_role("button", name="Run it again")).to_be_visible()
    is_good(page)


def test_a_failed_check_names_the_metric_and_works_by_keyboard(visit, site, judged):
    report = site.assets / "quality.json"
    stored = json.loads(report.read_bytes())
    stored["rows"][0]["value"] = 0.987
    report.write_text(json.dumps(stored))
    page = visit(judged)
    button = page.get_by_role("button", name="Run the quick check")
    expect(button).to_be_visible()
    settled(page)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="differ from the report")).to_be_visible()
    expect(page.get_by_text("MRR 0.987 in the report").first).to_be_visible()
    is_good(page)


def test_without_a_report_the_page_says_how_to_make_one(visit, site, lab):
    report = site.assets / "quality.json"
    kept = report.read_bytes()
    report.unlink()
    try:
        page = visit(lab, "phone")
        expect(page.get_by_role("heading", name="Nothing measured yet")).to_be_visible()
        is_good(page)
    finally:
        report.write_bytes(kept)
