"""Every call to the Web API is valid by its published description, served by Prism."""

import re
import shutil
import subprocess
import threading
from collections.abc import Container, Iterator
from pathlib import Path

import pytest
import requests
from serving import free_port, serving
from spotify_callers import CALLS
from spotify_standin import identifier
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twotower.core.errors import NotAllowed, RateLimited
from twotower.sources.profiles import build_profile
from twotower.sources.spotify.api import Registration, SpotifyClient
from twotower.sources.spotify.playlist import save_playlist
from twotower.sources.spotify.profile import read_spotify

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = ROOT / "tests" / "data" / "spotify-open-api.yml"
PRISM = ROOT / ".prism" / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
# What an app in Development Mode no longer gets since February 2026, as far as it concerns us.
GONE = re.compile(
    r"tracks|albums|artists|shows|episodes|audiobooks|chapters|markets|browse/.*|users/.*"
    r"|artists/[^/]+/(top-tracks|related-artists)|playlists/[^/]+/(tracks|followers)"
    r"|audio-(features|analysis).*|recommendations.*|me/[^/]+/contains"
)
STRIPPED = {
    "available_markets", "linked_from", "popularity", "album_group", "label", "followers",
    "country", "email", "explicit_content", "product", "publisher", "genres", "preview_url",
}  # fmt: skip
ID = identifier("an example")


@pytest.fixture(scope="module")
def prism() -> Iterator[str]:
    """Address of a mock that refuses calls which the description doesn't allow."""
    node = shutil.which("node")
    if node is None or not PRISM.exists():
        pytest.skip("Prism isn't here: `make test` installs it where Node is")
    port = free_port()
    command = [node, PRISM, "mock", "-h", "127.0.0.1", "-p", str(port), DESCRIPTION]
    mock = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, reader = [], None
    try:
        for line in mock.stdout:
            said.append(line)
            if "is listening" in line:
                break
        else:
            pytest.fail("Prism ended: " + "".join(said))
        reader = threading.Thread(target=mock.stdout.read, daemon=True)
        reader.start()
        yield f"http://127.0.0.1:{port}"
    finally:
        mock.terminate()
        mock.wait(20)
        if reader is not None:
            reader.join(20)
        mock.stdout.close()


class Front:
    """Proxy before Prism that changes its answers to those of one of Spotify's two modes."""

    def __init__(self, prism: str, *, extended: bool) -> None:
        self.prism, self.extended = prism, extended
        self.requests: list[tuple[str, str, int]] = []  # method, path, what Prism answered
        self.prefer = ""
        self.app = Starlette(routes=[Route("/{path:path}", self._any, methods=["GET", "POST"])])

    async def _any(self, request: Request) -> Response:
        path, body = request.path_params["path"], await request.body()
        answer = await run_in_threadpool(self._ask, request, path, body)
        self.requests.append((request.method, path, answer.status_code))
        if not self.extended and GONE.fullmatch(path):
            return JSONResponse({"error": {"status": 403, "message": "Forbidden"}}, 403)
        return JSONResponse(self._as_of(path, answer.json()), answer.status_code)

    def _ask(self, request: Request, path: str, body: bytes) -> requests.Response:
        headers = {
            name: request.headers[name]
            for name in ("authorization", "content-type")
            if name in request.headers
        }
        if self.prefer:
            headers["Prefer"] = self.prefer
        to = f"{self.prism}/{path}?{request.url.query}"
        return requests.request(request.method, to, headers=headers, data=body, timeout=30)

    def _as_of(self, path: str, answer: object) -> object:
        """Return the example with valid ids, without fields that Development Mode lacks."""
        if path == "me/playlists" and not self.extended and isinstance(answer.get("items"), list):
            for row in answer["items"]:
                del row["tracks"]
        return likely(answer, () if self.extended else STRIPPED)


def likely(value: object, stripped: Container[str]) -> object:
    """Replace each id "string" of an example by a possible one."""
    if isinstance(value, list):
        return [likely(one, stripped) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: likely(one, stripped) for key, one in value.items() if key not in stripped}
    return kept | ({"id": ID} if kept.get("id") == "string" else {})


@pytest.fixture(params=["development", "extended"])
def front(prism, request) -> Iterator[tuple[Front, SpotifyClient]]:
    front = Front(prism, extended=request.param == "extended")
    with serving(front.app) as address:
        registration = Registration("c", "r", address, address)
        yield front, SpotifyClient(registration, lambda *, renew: "token", pause=lambda *how: None)


def call(path: str) -> str:
    return "/" + re.sub(r"^playlists/[^/]+", "playlists/{id}", path)


def test_every_call_of_a_reading_is_valid_and_its_answers_are_read(front):
    front, web = front
    found = read_spotify(web, lambda *how: None, no_audio=threading.Event())
    assert {status for _, _, status in front.requests} == {200}
    assert {call(path) for _, path, _ in front.requests} == set(CALLS)
    assert {method for method, _, _ in front.requests} == {"GET"}
    refused = [step.name for step in found.steps if step.problem]
    assert refused == ([] if front.extended else ["audio attributes"])
    assert found.stopped == ""
    assert {play.kind for play in found.plays} == {"played", "saved", "listed"}
    assert build_profile(found.plays).artists


def test_every_call_of_a_playlist_is_valid(front):
    front, web = front
    name = "string"  # of every artist in the examples
    saved = save_playlist(web, lambda *how: None, title="T", description="D", artists=[name])
    assert saved.problem == ""
    assert front.requests == [
        ("GET", "search", 200), ("POST", "me/playlists", 201),
        ("POST", f"playlists/{ID}/items", 201),
    ]  # fmt: skip


@pytest.mark.parametrize(("code", "error"), [(403, NotAllowed), (429, RateLimited)])
def test_the_described_refusals_are_recognised(front, code, error):
    front, web = front
    front.prefer = f"code={code}"
    with pytest.raises(error):
        web.get("me")
    assert [status for _, _, status in front.requests] == [code]


def test_an_invalid_call_would_be_noticed(front):
    front, web = front
    for ask in (
        lambda: web.get("me/top/artists", limit=500),
        lambda: web.get("search", q="x", type="track", limit=50),
        lambda: web.post("me/playlists", {"title": "no name"}),
    ):
        with pytest.raises(NotAllowed):
            ask()
    assert {status for _, _, status in front.requests} == {422}
