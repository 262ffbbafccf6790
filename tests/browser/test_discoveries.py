"""Downloads of what the neighbours play, in a real browser."""

import csv
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from browsing import settled, violations, wider_than_screen
from playwright.sync_api import Download, Page, expect

pytestmark = pytest.mark.browser


def saved(page: Page, label: str) -> Download:
    with page.expect_download() as started:
        page.locator(".st-key-take-home").get_by_role("button", name=label).click()
    return started.value


@pytest.mark.parametrize("look", ["light", "phone"])
def test_discoveries_are_listed_with_links_and_downloads(visit, address, look):
    page = visit(f"{address}/neighbours?demo=metal", look)
    expect(page.get_by_role("heading", name="Your neighbours")).to_be_visible()
    settled(page)
    page.locator(".st-key-take-home summary").press("Enter")
    links = page.locator(".st-key-take-home").get_by_role("link", name="MusicBrainz")
    expect(links).to_have_count(12)
    settled(page)
    assert violations(page) == []
    assert wider_than_screen(page) <= 0

    table = saved(page, "Download artists (CSV)")
    assert table.suggested_filename == "discoveries.csv"
    with Path(table.path()).open(encoding="utf-8", newline="") as file:
        artists = [row["artist"] for row in csv.DictReader(file)]
    playlist = saved(page, "Download XSPF playlist")
    assert playlist.suggested_filename == "discoveries.xspf"
    root = xml.fromstring(Path(playlist.path()).read_bytes())
    creators = [each.text for each in root.iter("{http://xspf.org/ns/0/}creator")]
    assert creators == artists and len(artists) > 12
    assert "musicbrainz.org" in (links.first.get_attribute("href") or "")
