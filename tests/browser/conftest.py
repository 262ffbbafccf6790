"""Fixtures of the browser tests."""

import shutil
from collections.abc import Iterator

import measured
import pytest
import varied
from browsing import LOOKS, PATIENCE_MS, ROOT, is_away, is_ours, serving
from playwright.sync_api import Browser, Page
from serving import free_port
from serving import serving as answering
from spotify_standin import StandIn
from webservice import service
from whole_app import MusicServices, Site, environment


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Site]:
    """The app with every source on, for all tests that need no server of their own."""
    folder, assets = tmp_path_factory.mktemp("server"), tmp_path_factory.mktemp("lab")
    for name in ("model", "community", "MODEL_CARD.md", "LICENSE"):
        (assets / name).symlink_to(ROOT / "assets" / name)
    measured.write(assets)
    varied.write(assets)
    port, services = free_port(), MusicServices()
    spotify = StandIn(f"http://127.0.0.1:{port}/callback")
    with answering(spotify.app) as theirs, service(services.answer) as place:
        env = environment(spotify, theirs, folder) | {
            "TWOTOWER_ASSETS": str(assets),
            "TWOTOWER_DATA": str(folder / "none"),
            "TWOTOWER_LISTENBRAINZ_API": place.address,
            "TWOTOWER_LASTFM_API": place.address,
            "LASTFM_API_KEY": "k3y",
        }
        with serving(folder, port=port, env=env) as address:
            yield Site(address, assets, services, spotify, theirs)
        services.go_on.set()


@pytest.fixture
def address(site) -> str:
    return site.address


@pytest.fixture
def fresh_address(tmp_path) -> Iterator[str]:
    """A server that nobody has visited yet."""
    with serving(tmp_path) as address:
        yield address


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict:
    """Debian's Chromium where it is installed, else the one that Playwright brings."""
    args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    found = shutil.which("chromium")
    return {"args": args} | ({"executable_path": found} if found else {})


@pytest.fixture
def visit(browser: Browser):
    """visit(address, look) opens a page that may neither log an error nor call another server."""
    contexts, wrong = [], []

    def open_page(address: str, look: str = "light") -> Page:
        context = browser.new_context(**LOOKS[look])
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if is_ours(line) else None)
        page.on("request", lambda each: wrong.append(each.url) if is_away(each.url) else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
