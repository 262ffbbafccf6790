"""The lab page in a real browser."""

import json
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import measured
import pytest
import varied
from browsing import ROOT, serving, settled, violations, wider_than_screen
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def assets(tmp_path_factory) -> Path:
    """What ships, with a report of invented figures."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("model", "community", "MODEL_CARD.md", "LICENSE"):
        (folder / name).symlink_to(ROOT / "assets" / name)
    measured.write(folder)
    varied.write(folder)
    return folder


@pytest.fixture(scope="module")
def lab(assets, tmp_path_factory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWOTOWER_ASSETS", str(assets))
        with serving(tmp_path_factory.mktemp("community")) as address:
            yield f"{address}/lab"


def is_good(page) -> None:
    settled(page)
    assert violations(page) == []
    assert wider_than_screen(page) <= 0


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_everything_on_the_page_can_be_read_by_everyone(visit, lab, look):
    page = visit(f"{lab}?demo=metal", look)
    expect(page).to_have_title("Lab · Musical Neighbours")
    expect(page.get_by_role("heading", level=1)).to_have_text("How good is it, really?")
    expect(page.get_by_role("heading", name="How much of your listening it knows")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(10)
    for key in ("methods", "licences", "card", "made-with"):
        page.locator(f".st-key-{key} summary").click()
    expect(page.get_by_role("heading", level=3, name="Limits")).to_be_visible()
    is_good(page)
    levels = page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3, h4')].map(each => +each.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_check_is_chosen_by_keyboard_and_its_table_downloaded(visit, lab):
    page = visit(lab)
    box = page.get_by_role("combobox", name="Check")
    expect(box).to_be_visible()
    settled(page)
    box.focus()
    page.keyboard.type("best known")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Behind EASE (−0.1")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download CSV").click()
    assert started.value.suggested_filename == "halves-head-mrr.csv"
    head, first, *_ = Path(started.value.path()).read_text(encoding="utf-8").splitlines()
    assert head.startswith("method,MRR,split 0")
    assert first.startswith("EASE,0.6")


@pytest.fixture(scope="module")
def judged(judged_assets, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """(address, folder) of a server whose report has its half-vectors."""
    folder = tmp_path_factory.mktemp("judged")
    for name in ("model", "community", "MODEL_CARD.md", "LICENSE"):
        (folder / name).symlink_to(ROOT / "assets" / name)
    for file in judged_assets.iterdir():
        shutil.copy(file, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWOTOWER_ASSETS", str(folder))
        patch.setenv("TWOTOWER_DATA", str(folder / "none"))
        with serving(tmp_path_factory.mktemp("community")) as address:
            yield f"{address}/lab", folder


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_report_is_checked_at_the_press_of_a_button(visit, judged, look):
    page = visit(judged[0], look)
    page.get_by_role("button", name="Run the quick check").click()
    expect(page.get_by_text("figures are what the report says")).to_be_visible()
    expect(page.get_by_role("heading", name="Ranked again")).to_be_visible()
    expect(page.get_by_role("button", name="Run it again")).to_be_visible()
    is_good(page)


def test_a_check_that_finds_something_says_what_by_keyboard_too(visit, judged):
    address, folder = judged
    report = folder / "quality.json"
    kept = report.read_bytes()
    told = json.loads(kept)
    told["rows"][0]["value"] = 0.987
    report.write_text(json.dumps(told))
    try:
        page = visit(address)
        button = page.get_by_role("button", name="Run the quick check")
        expect(button).to_be_visible()
        settled(page)
        button.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").filter(has_text="differ from what")).to_be_visible()
        expect(page.get_by_text("MRR 0.987 in the report").first).to_be_visible()
        is_good(page)
    finally:
        report.write_bytes(kept)


def test_without_a_report_the_page_says_how_to_make_one(visit, lab, assets):
    report = assets / "quality.json"
    kept = report.read_bytes()
    report.unlink()
    try:
        page = visit(lab, "phone")
        expect(page.get_by_role("heading", name="Nothing measured here yet")).to_be_visible()
        is_good(page)
    finally:
        report.write_bytes(kept)
