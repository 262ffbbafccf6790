"""A server of the real app, and checks that every page must pass."""

import os
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, expect
from serving import free_port

NOTHING: Mapping[str, str] = {}
ROOT = Path(__file__).resolve().parents[2]
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
        "user_agent": "Mozilla/5.0 (Linux; Android 16) Chrome/156.0 Mobile Safari/537.36",
    },
}
EACH_SCREEN = pytest.mark.parametrize(
    "look", ["light", "phone", pytest.param("dark", marks=pytest.mark.all_rounds)]
)
PATIENCE_MS = 30_000  # the first page waits for the model
expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def serving(
    folder: Path,
    *,
    port: int | None = None,
    env: Mapping[str, str] = NOTHING,
    log: list[str] | None = None,
) -> Iterator[str]:
    """Start a server with its community in `folder`, and yield its address.

    Its output is added to `log`, completely once the server has ended.
    """
    port = port or free_port()
    env = {key: value for key, value in os.environ.items() if not key.startswith("SPOTIPY")} | {
        "TWOTOWER_COMMUNITY": f"sqlite:///{folder / 'community.sqlite'}",
        "OMP_NUM_THREADS": "1",
        **env,
    }
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    server = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    reader = None
    said = [] if log is None else log
    try:
        for line in server.stdout:
            said.append(line)
            if "URL:" in line:
                break
        else:
            pytest.fail("the server ended: " + "".join(said))
        reader = threading.Thread(target=said.extend, args=(server.stdout,), daemon=True)
        reader.start()
        scheme = "https" if "STREAMLIT_SERVER_SSL_CERT_FILE" in env else "http"
        address = f"{scheme}://127.0.0.1:{port}"
        trusting = ssl._create_unverified_context()  # a test's certificate is its own
        health = f"{address}/_stcore/health"
        urllib.request.urlopen(health, timeout=20, context=trusting).close()
        yield address
    finally:
        server.terminate()
        server.wait(20)
        if reader is not None:
            reader.join(20)
        server.stdout.close()


def is_ours(line: ConsoleMessage) -> bool:
    """Return whether a console line is an error of ours; Streamlit's own 404s are not."""
    is_streamlits = "_stcore" in line.location["url"] and "404" in line.text
    return line.type == "error" and not is_streamlits


def is_away(url: str) -> bool:
    here = "//127.0.0.1:" in url or "//localhost:" in url
    return url.startswith(("http", "ws")) and not here


def settled(page: Page) -> None:
    """Wait until the script has run and no old part of the page is left."""
    page.wait_for_function(
        """() => {
            const app = document.querySelector('[data-testid=stApp]');
            return app && app.dataset.testScriptState === 'notRunning'
                && !document.querySelector('[data-stale=true]');
        }"""
    )


def violations(page: Page) -> list[str]:
    """Return the axe violations of the page, without those of Streamlit's own markup."""
    found = []
    for each in Axe().run(page).response["violations"]:
        for node in each["nodes"]:
            own = each["id"] == "presentation-role-conflict" and "stFileUploader" in node["html"]
            if not own:
                found.append(f"{each['id']}: {node['html'][:200]}")
    return found


def wider_than_screen(page: Page) -> int:
    """Return by how many pixels the page scrolls sideways."""
    return page.evaluate(
        """() => {
            const main = document.querySelector('[data-testid=stMain]');
            return Math.max(main.scrollWidth - main.clientWidth,
                document.documentElement.scrollWidth - window.innerWidth);
        }"""
    )


def is_good(page: Page) -> None:
    settled(page)
    assert violations(page) == []
    assert wider_than_screen(page) <= 0
