"""Each answer tells the browser to load from here only, and to frame it nowhere."""

import base64
import hashlib

import pytest
import requests
from serving import serving
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from twotower.web import oauth
from twotower.web.oauth import routes
from twotower.web.oauth_sessions import Desk
from twotower.web.security_headers import policy, streamlit_page


@pytest.fixture(scope="module")
def guarded():
    def own(request):
        return PlainTextResponse("mine", headers={"Referrer-Policy": "no-referrer"})

    served = [*routes(Desk(None)), Route("/own", own)]
    with serving(Starlette(routes=served, middleware=oauth.guards())) as address:
        yield address


@pytest.mark.parametrize("path", ["/own", "/login", "/nothing-here"])
def test_every_answer_carries_them(guarded, path):
    headers = requests.get(guarded + path, allow_redirects=False, timeout=20).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_what_an_answer_says_itself_stays(guarded):
    assert requests.get(f"{guarded}/own", timeout=20).headers["Referrer-Policy"] == "no-referrer"
    other = requests.get(f"{guarded}/nothing-here", timeout=20)
    assert other.headers["Referrer-Policy"] == "same-origin"


def test_no_inline_script_runs_but_those_of_the_page_itself():
    told = policy("<html><script>one()</script><script src='x.js'></script></html>")
    digest = base64.b64encode(hashlib.sha256(b"one()").digest()).decode()
    scripts = next(part for part in told.split("; ") if part.startswith("script-src"))
    assert scripts == f"script-src 'self' 'unsafe-eval' 'sha256-{digest}'"
    assert "'unsafe-inline'" not in scripts


def test_streamlits_own_page_is_the_one_that_is_measured():
    assert "<script" in streamlit_page()
    assert policy(streamlit_page()).count("sha256-") >= 1
