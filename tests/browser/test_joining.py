"""Two people in two browsers: one joins and leaves, the other page updates by itself."""

import json
import sys
import time
from pathlib import Path

import pytest
from browsing import EACH_SCREEN, is_good, settled
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

ARTISTS = ("Low", "Codeine", "Bedhead", "Slint", "Red House Painters", "Galaxie 500")


def address_of(address: str, page: str, artists: tuple[str, ...]) -> str:
    """A page for a visitor who has picked these artists."""
    return f"{address}/{page}?" + "&".join(f"artist=1+{name.lower()}" for name in artists)


def names(page: Page) -> list[str]:
    return [
        heading.split(". ", 1)[1]
        for heading in page.get_by_role("heading", level=3).all_inner_texts()
    ]


def open_form(page: Page) -> str:
    """Choose to be found, and return the suggested pseudonym."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Community")
    settled(page)
    page.get_by_text("Let others find me").click()
    field = page.get_by_role("textbox", name="Name others see")
    expect(field).to_be_visible()
    expect(page.locator(".st-key-preview")).to_be_visible()
    return field.input_value()


@EACH_SCREEN
def test_joining_opening_and_leaving_work_in_every_look(visit, address, look, tmp_path):
    page = visit(address_of(address, "community", ARTISTS), look)
    name = open_form(page)
    is_good(page)
    page.get_by_role("button", name="Join", exact=True).click()
    expect(page.get_by_role("heading", name="Save your access code")).to_be_in_viewport()
    code = page.locator(".st-key-code-once code").inner_text().strip()
    is_good(page)
    page.get_by_role("button", name="I've saved it. Join now").click()
    expect(page.get_by_text("You have joined.")).to_be_in_viewport()
    is_good(page)

    page.reload()
    expect(page.get_by_role("heading", name="Already a member?")).to_be_visible()
    settled(page)
    page.get_by_role("textbox", name="Access code").fill(code.lower())
    page.get_by_role("textbox", name="Access code").press("Enter")
    expect(page.get_by_role("heading", name="What we store")).to_be_visible()
    expect(page.locator(".st-key-stored").get_by_role("heading", name=name)).to_be_visible()
    with page.expect_download() as held:
        page.get_by_role("button", name="Download everything").click()
    assert name in Path(held.value.path()).read_text(encoding="utf-8")
    is_good(page)

    page.get_by_role("button", name="Leave the community").click()
    page.get_by_role("button", name="Delete and leave").press("Enter")
    expect(page.get_by_role("heading", name="You have left")).to_be_in_viewport()
    with page.expect_download() as receipt:
        page.get_by_role("button", name="Download the receipt").click()
    assert json.loads(Path(receipt.value.path()).read_text())["removed"]
    is_good(page)


def test_an_open_list_shows_who_joins_and_leaves_by_itself(address, visit, capsys):
    here = visit(address_of(address, "community", ARTISTS))
    name = open_form(here)
    there = visit(address_of(address, "neighbours", ARTISTS[:5]))
    expect(there.get_by_role("heading", name="Your neighbours")).to_be_visible()
    settled(there)
    assert name not in names(there)

    here.get_by_role("button", name="Join", exact=True).click()
    here.get_by_role("button", name="I've saved it. Join now").click()
    expect(here.get_by_text("You have joined.")).to_be_visible()
    joined = time.perf_counter()
    card = there.get_by_role("heading", level=3, name=name)
    expect(card).to_be_visible(timeout=10_000)
    seen_s = time.perf_counter() - joined
    expect(there.get_by_text("member", exact=True).first).to_be_visible()

    here.get_by_role("button", name="Leave the community").click()
    here.get_by_role("button", name="Delete and leave").click()
    expect(here.get_by_role("heading", name="You have left")).to_be_visible()
    left = time.perf_counter()
    expect(card).to_have_count(0, timeout=10_000)
    gone_s = time.perf_counter() - left
    there.reload()
    expect(there.get_by_role("heading", level=3).first).to_be_visible()
    settled(there)
    assert name not in names(there)
    with capsys.disabled():
        line = f"\njoin to seen elsewhere {seen_s:.2f} s, leave to gone {gone_s:.2f} s\n"
        sys.stdout.write(line)


def test_a_list_that_updates_itself_keeps_the_keyboard_focus(address, visit):
    there = visit(address_of(address, "neighbours", ARTISTS[:5]))
    expect(there.get_by_role("heading", name="Your neighbours")).to_be_visible()
    settled(there)
    thumb = there.get_by_role("slider")
    thumb.press("ArrowRight")
    expect(there.get_by_role("heading", name="The 15 closest")).to_be_visible()
    here = visit(address_of(address, "community", ARTISTS))
    name = open_form(here)
    here.get_by_role("button", name="Join", exact=True).click()
    here.get_by_role("button", name="I've saved it. Join now").click()
    expect(there.get_by_role("heading", level=3, name=name)).to_be_visible(timeout=10_000)
    settled(there)
    assert thumb.evaluate("each => each === document.activeElement")
    expect(there.get_by_role("heading", level=3)).to_have_count(15)
