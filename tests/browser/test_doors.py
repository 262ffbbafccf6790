"""ListenBrainz and Last.fm by user name, in a real browser against stand-ins of both."""

import threading
from collections.abc import Iterator

import pytest
from browsing import serving, settled, violations, wider_than_screen
from playwright.sync_api import Page, expect
from standins import USER, lastfm, listenbrainz
from webservice import Asked, Said, service

pytestmark = pytest.mark.browser

HEARD = {"Radiohead": 90, "Portishead": 60, "Massive Attack": 55, "Low": 40}
TRACKS = (("Radiohead", "Airbag", 20),)
PATIENCE_S = 60


class Doors:
    """Stand-ins that answer at once, unless `held`."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.address = ""

    def answer(self, asked: Asked) -> Said:
        self.go_on.wait(PATIENCE_S)
        standin = lastfm if asked.path == "/2.0/" else listenbrainz
        return standin(HEARD, TRACKS, 50)(asked)


@pytest.fixture(scope="module")
def doors(tmp_path_factory) -> Iterator[Doors]:
    made = Doors()
    with service(made.answer) as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWOTOWER_LISTENBRAINZ_API", place.address)
        patch.setenv("TWOTOWER_LASTFM_API", place.address)
        patch.setenv("LASTFM_API_KEY", "k3y")
        with serving(tmp_path_factory.mktemp("community")) as made.address:
            yield made
        made.go_on.set()


def is_good(page: Page) -> None:
    settled(page)
    assert violations(page) == []
    assert wider_than_screen(page) <= 0


@pytest.mark.parametrize(
    ("look", "name", "key"),
    [("light", "ListenBrainz", "listenbrainz"), ("dark", "Last.fm", "lastfm"),
     ("phone", "ListenBrainz", "listenbrainz")],
)  # fmt: skip
def test_a_user_name_and_the_enter_key_lead_to_neighbours(visit, doors, look, name, key):
    page = visit(doors.address, look)
    field = page.get_by_label(f"User name at {name}")
    expect(field).to_be_visible()
    settled(page)
    field.fill("nobody")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("knows no user named 'nobody'")
    is_good(page)
    field.fill(USER)
    field.press("Enter")
    card = page.locator(f".st-key-{key}")
    expect(card.get_by_text("245 plays of 4 artists")).to_be_visible()
    is_good(page)
    card.get_by_role("button", name="See your neighbours").click()
    expect(page.get_by_role("heading", name="Your neighbours")).to_be_visible()


def test_a_reading_that_takes_long_is_stopped_by_keyboard_and_the_rest_goes_on(visit, doors):
    page = visit(doors.address)
    field = page.get_by_label("User name at ListenBrainz")
    expect(field).to_be_visible()
    settled(page)
    doors.go_on.clear()
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
        expect(page.get_by_text("Stopped. Nothing was changed.")).to_be_visible()
    finally:
        doors.go_on.set()
    expect(page.locator(".st-key-chips").get_by_role("button")).to_have_count(1)
