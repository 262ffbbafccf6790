"""Journeys through the app, in a real browser."""

import json
import re

import pytest
from browsing import EACH_SCREEN, is_good, settled
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

KNOWN = "Radiohead"  # an artist of the shipped catalogue
HOSTILE = (
    "*x*", "[qxzv](zwvk)", "$math$ $x$", ":red[x]", "<b>bold</b>", ":smile:", ":material/home:",
    "www.example.com", "https://example.com/a", "me@example.com", "Qxz -> Zwv -- Kqj",
    "`code` ~~no~~",
)  # fmt: skip


TITLES = {"You": "What you hear", "Neighbours": "Your neighbours", "Map": "The map of listeners"}


def go(page: Page, name: str) -> None:
    """Open a page by the navigation, which is behind a button on a small screen."""
    small = page.viewport_size["width"] < 500
    if small:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name=name, exact=True).click()
    if small:
        expect(page.get_by_test_id("stSidebarNavLink").first).not_to_be_in_viewport()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[name])
    settled(page)


@EACH_SCREEN
def test_from_the_start_to_neighbours_and_a_person_on_the_map(visit, address, look):
    page = visit(address, look)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Find the people who hear music the way you do"
    )
    expect(page.get_by_role("button", name="Try it")).to_have_count(6)
    is_good(page)

    page.get_by_role("button", name="Try it").first.click()
    expect(page.get_by_role("heading", name="Your neighbours")).to_be_visible()
    expect(page.get_by_role("heading", level=3)).to_have_count(10)
    is_good(page)
    first = page.get_by_role("heading", level=3).first.inner_text().removeprefix("1. ")

    go(page, "You")
    expect(page.get_by_role("heading", name="Your artists")).to_be_visible()
    is_good(page)

    go(page, "Map")
    expect(page.get_by_role("heading", level=2)).to_have_text(first)
    before = click_a_point(page)
    expect(page.get_by_role("heading", level=2)).not_to_have_text(before)
    expect(page).to_have_url(re.compile(r"/map\?.*listener="))
    is_good(page)


def click_a_point(page: Page) -> str:
    """Click the community's outermost point on the map; return the name shown before."""
    before = page.get_by_role("heading", level=2).inner_text()
    page.wait_for_function(
        "() => (document.querySelector('.js-plotly-plot')?.calcdata ?? []).length > 0"
    )
    page.locator(".js-plotly-plot").scroll_into_view_if_needed()
    x, y = page.evaluate(
        """() => {
            const plot = document.querySelector('.js-plotly-plot');
            const box = plot.getBoundingClientRect(), size = plot._fullLayout._size;
            const {xaxis, yaxis} = plot._fullLayout;
            let best = [0, 0];
            for (const trace of plot._fullData.filter(each => each.hoverinfo === 'none'))
                for (let i = 0; i < trace.x.length; i++) {
                    const at = [box.left + size.l + xaxis.d2p(trace.x[i]),
                                box.top + size.t + yaxis.d2p(trace.y[i])];
                    if (at[1] < innerHeight - 20 && at[1] > best[1]) best = at;
                }
            return best;
        }"""
    )
    page.mouse.move(x, y)
    page.wait_for_function(
        "() => (document.querySelector('.js-plotly-plot')._hoverdata ?? []).length > 0"
    )
    page.mouse.click(x, y)
    return before


def test_the_keyboard_is_enough_to_reach_neighbours(visit, address):
    page = visit(address)
    button = page.get_by_role("button", name="Try it").first
    expect(button).to_be_visible()
    settled(page)
    for _ in range(30):
        page.keyboard.press("Tab")
        if button.evaluate("each => each === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your neighbours")).to_be_visible()


def test_artists_are_found_as_one_types_and_neighbours_follow(visit, address):
    page = visit(address)
    search = page.get_by_label("Find an artist")
    expect(search).to_be_visible()
    name = KNOWN
    search.press_sequentially(name.lower()[:8])
    settled(page)
    page.locator(".st-key-found").get_by_role("button", name=name, exact=False).first.click()
    chips = page.locator(".st-key-chips").get_by_role("button")
    expect(chips).to_have_count(1)
    expect(search).to_have_value("")
    expect(page.get_by_role("heading", name="You, from 1 artist")).to_be_visible()
    expect(page.get_by_text("People near you also play")).to_be_visible()
    page.locator(".st-key-found").get_by_role("button").first.click()
    expect(chips).to_have_count(2)
    is_good(page)
    chips.first.click()
    expect(chips).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(chips).to_have_count(2)
    page.get_by_role("button", name="See your neighbours").click()
    expect(page.get_by_role("heading", name="Your neighbours")).to_be_visible()


def history(*artists: str) -> bytes:
    return json.dumps(
        [
            {"endTime": "2024-05-01 10:00", "artistName": name, "trackName": "t", "msPlayed": 60000}
            for name in artists
        ]
    ).encode()


def upload(page: Page, name: str, content: bytes) -> None:
    file = {"name": name, "mimeType": "application/json", "buffer": content}
    page.locator("input[type=file]").set_input_files(file)


def test_names_in_a_file_are_shown_letter_for_letter(visit, address):
    page = visit(address)
    upload(page, "StreamingHistory0.json", history(KNOWN, *HOSTILE))
    expect(page.get_by_text(f"{len(HOSTILE) + 1} plays of")).to_be_visible()
    page.locator(".st-key-upload").get_by_role("button", name="See your neighbours").click()
    expect(page.get_by_role("heading", name="Your neighbours")).to_be_visible()
    go(page, "You")
    rows = page.locator(".st-key-top-artists [data-testid=stMarkdown]")
    expect(rows).to_have_count(len(HOSTILE) + 1)
    shown = {text.replace("\u2060", "").rsplit(" · ", 1)[0] for text in rows.all_inner_texts()}
    assert shown == {KNOWN, *HOSTILE}
    assert page.locator(".st-key-top-artists").locator("b, a, code, del, em, .katex").count() == 0


def test_a_damaged_file_is_an_error_and_nothing_is_lost(visit, address):
    page = visit(address)
    page.locator(".st-key-found").get_by_role("button").first.click()
    expect(page.locator(".st-key-chips").get_by_role("button")).to_have_count(1)
    upload(page, "my_spotify_data.zip", b"PK\x03\x04 this is no archive")
    expect(page.get_by_role("alert")).to_contain_text("Your earlier music is still here")
    expect(page.locator(".st-key-chips").get_by_role("button")).to_have_count(1)


def test_a_fresh_server_answers_a_deep_link_first(fresh_address, visit):
    page = visit(f"{fresh_address}/neighbours")
    expect(page.get_by_role("link", name="Start", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Bring some music first")).to_be_visible()
    expect(page).to_have_title("Neighbours · Musical Neighbours")
    is_good(page)


@pytest.mark.parametrize("path", ["you", "map"])
def test_each_page_works_without_music(visit, address, path):
    page = visit(f"{address}/{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    is_good(page)


def test_a_card_leads_to_its_person_on_the_map(visit, address):
    page = visit(f"{address}/neighbours?demo=metal")
    expect(page.get_by_role("heading", level=3)).to_have_count(10)
    settled(page)  # cards that are still drawn would move under the click
    third = page.get_by_role("heading", level=3).nth(2).inner_text().removeprefix("3. ")
    page.get_by_role("link", name="See on the map").nth(2).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES["Map"])
    expect(page.get_by_role("heading", level=2, name=third)).to_be_visible()
    expect(page.get_by_text("Your number 3")).to_be_visible()


def test_a_reload_keeps_what_was_picked(visit, address):
    page = visit(address)
    page.locator(".st-key-found").get_by_role("button").first.click()
    expect(page).to_have_url(re.compile(r"artist=1\+"))
    page.reload()
    expect(page.locator(".st-key-chips").get_by_role("button")).to_have_count(1)
