"""Browsers store static files only: never a page, a download or an answer of a route."""

import re

import pytest
import requests
from live_app import ROOT
from serving import serving
from starlette.applications import Starlette
from streamlit.runtime.media_file_storage import MediaFileKind
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.web.server.starlette.starlette_routes import create_media_routes

from twotower.web import oauth
from twotower.web.oauth_sessions import SessionStore

PAGES = ["", *sorted(path.stem for path in (ROOT / "pages").glob("*.py"))]
OWN = [(method, r.path) for r in oauth.routes(SessionStore(None)) for method in sorted(r.methods)]
OF_STREAMLIT = [
    ("GET", "/_stcore/health"),
    ("GET", "/_stcore/host-config"),
    ("GET", "/_stcore/metrics"),
    ("PUT", "/_stcore/upload_file/none/none"),
    ("DELETE", "/_stcore/upload_file/none/none"),
    ("GET", "/media/none.csv"),
    ("GET", "/static/js/none.js"),
    ("GET", "/index.html"),
    ("GET", "/manifest.json"),
    ("GET", "/map/"),
]
EVERY = [*(("GET", f"/{page}") for page in PAGES), *OWN, *OF_STREAMLIT]


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_no_browser_stores_an_answer(port, method, path):
    address = f"http://127.0.0.1:{port}{path}"
    answer = requests.request(method, address, allow_redirects=False, timeout=20)
    assert answer.headers["Cache-Control"] == "no-store"


def test_no_browser_stores_a_refusal_of_a_foreign_host_name(port):
    away = {"Host": "evil.example"}
    answer = requests.get(f"http://127.0.0.1:{port}/", headers=away, timeout=20)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (421, "no-store")


def test_static_files_stay_cacheable(port):
    page = requests.get(f"http://127.0.0.1:{port}/", timeout=20).text
    files = re.findall(r"static/(?:js|css)/[\w.-]+", page)
    assert files
    for file in files:
        answer = requests.get(f"http://127.0.0.1:{port}/{file}", timeout=20)
        assert "immutable" in answer.headers["Cache-Control"]


def test_no_browser_stores_a_download():
    storage = MemoryMediaFileStorage("/media")
    file = storage.load_and_get_id(
        b"access code", "text/plain", MediaFileKind.DOWNLOADABLE, "a.txt"
    )
    guards = oauth.middleware(list, list, uploaded_bytes=dict, max_upload_mb=lambda: 1)
    with serving(Starlette(routes=create_media_routes(storage, ""), middleware=guards)) as address:
        answer = requests.get(address + storage.get_url(file), timeout=20)
    assert (answer.content, answer.headers["Cache-Control"]) == (b"access code", "no-store")
