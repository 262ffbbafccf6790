"""Private downloads: made when asked for, sent to our own page only, stored nowhere."""

import gc

import pytest
import requests
from serving import serving
from starlette.applications import Starlette

from twotower.core.errors import UnknownCode
from twotower.web import oauth
from twotower.web.downloads import Download, Downloads, routes


@pytest.fixture
def downloads():
    return Downloads()


@pytest.fixture
def download(downloads):
    """Send the form of a ticket."""
    guards = oauth.middleware(list, list, uploaded_bytes=dict, max_upload_mb=lambda: 1)
    with serving(Starlette(routes=routes(downloads), middleware=guards)) as address:
        yield lambda ticket, **headers: requests.post(
            f"{address}/download", {"ticket": ticket}, headers=headers, timeout=20
        )


def test_a_download_is_a_file_that_no_browser_stores(download, downloads):
    offered = downloads.offer(Download("a.json", "application/json", lambda: '{"Björk": 1}'))
    answer = download(offered.ticket)
    assert answer.json() == {"Björk": 1}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.json"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert offered.ticket not in answer.url


def test_it_has_what_is_true_at_that_moment(download, downloads):
    music = ["Low"]

    def make() -> str:
        if not music:
            raise UnknownCode("nothing is stored")
        return music[0]

    offered = downloads.offer(Download("a.txt", "text/plain", make))
    assert download(offered.ticket).text == "Low"
    music.clear()
    answer = download(offered.ticket)
    assert (answer.status_code, answer.text) == (410, "nothing is stored")


def test_a_ticket_ends_with_the_page_that_offered_it(download, downloads):
    ticket = downloads.offer(Download("a.txt", "text/plain", lambda: "Low")).ticket
    gc.collect()
    for each in (ticket, "", "x"):
        assert download(each).status_code == 404


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}]
)
def test_a_form_of_another_site_gets_nothing(download, downloads, headers):
    offered = downloads.offer(Download("a.txt", "text/plain", lambda: "Low"))
    answer = download(offered.ticket, **headers)
    assert answer.status_code == 403 and "Low" not in answer.text
