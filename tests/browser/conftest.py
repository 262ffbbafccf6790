"""Fixtures of the browser tests."""

import shutil
from collections.abc import Iterator

import pytest
from browsing import LOOKS, PATIENCE_MS, is_away, is_ours, serving
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("community")) as address:
        yield address


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
