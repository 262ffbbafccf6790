"""ListenBrainz and Last.fm by user name, in a real browser, against stand-ins."""

import pytest
from browsing import is_good, settled
from playwright.sync_api import expect
from standins import USER

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("look", "name", "key"),
    [("light", "ListenBrainz", "listenbrainz"), ("phone", "Last.fm", "lastfm"),
     pytest.param("dark", "Last.fm", "lastfm", marks=pytest.mark.all_rounds)],
)  # fmt: skip
def test_a_user_name_and_the_enter_key_lead_to_neighbours(visit, site, look, name, key):
    page = visit(site.address, look)
    field = page.get_by_label(f"User name at {name}")
    expect(field).to_be_visible()
    settled(page)
    field.fill("nobody")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("has no user named 'nobody'")
    is_good(page)
    field.fill(USER)
    field.press("Enter")
    card = page.locator(f".st-key-{key}")
    expect(card.get_by_text("245 plays of 4 artists")).to_be_visible()
    is_good(page)
    card.get_by_role("button", name="See your neighbours").click()
    expect(page.get_by_role("heading", name="Your neighbours")).to_be_visible()


def test_a_long_reading_is_stopped_by_keyboard_while_the_page_stays_usable(visit, site):
    page = visit(site.address)
    field = page.get_by_label("User name at ListenBrainz")
    expect(field).to_be_visible()
    settled(page)
    site.services.go_on.clear()
    try:
        field.fill(USER)
        field.press("Enter")
        stop = page.get_by_role("button", name="Stop")
        expect(stop).to_be_visible()
        expect(page.get_by_role("progressbar")).to_be_visible()
        page.locator(".st-key-found").get_by_role("button").first.click()
        expect(page.locator(".st-key-chips").get_by_role("button")).to_have_count(1)
        expect(stop).to_be_visible()
        is_good(page)
        stop.press("Enter")
        expect(page.get_by_text("Stopped. Nothing changed.")).to_be_visible()
    finally:
        site.services.go_on.set()
    expect(page.locator(".st-key-chips").get_by_role("button")).to_have_count(1)
