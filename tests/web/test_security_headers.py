"""Security headers: load from this server only, no framing."""

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
from twotower.web.oauth_sessions import SessionStore
from twotower.web.security_headers import content_security_policy, streamlit_page


@pytest.fixture(scope="module")
def server():
    def own(request):
        return PlainTextResponse("mine", headers={"Referrer-Policy": "no-referrer"})

    served = [*routes(SessionStore(None)), Route("/own", own)]
    guards = oauth.middleware(list, list, uploaded_bytes=dict, max_upload_mb=lambda: 1)
    with serving(Starlette(routes=served, middleware=guards)) as address:
        yield address


@pytest.mark.parametrize("path", ["/own", "/login", "/nothing-here"])
def test_every_response_has_the_headers(server, path):
    headers = requests.get(server + path, allow_redirects=False, timeout=20).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_a_header_that_the_response_sets_stays(server):
    assert requests.get(f"{server}/own", timeout=20).headers["Referrer-Policy"] == "no-referrer"
    other = requests.get(f"{server}/nothing-here", timeout=20)
    assert other.headers["Referrer-Policy"] == "same-origin"


def test_only_the_inline_scripts_of_the_page_may_run():
    csp = content_security_policy("<html><script>one()</script><script src='x.js'></script></html>")
    digest = base64.b64encode(hashlib.sha256(b"one()").digest()).decode()
    scripts = next(part for part in csp.split("; ") if part.startswith("script-src"))
    assert scripts == f"script-src 'self' 'unsafe-eval' 'sha256-{digest}'"
    assert "'unsafe-inline'" not in scripts


def test_the_policy_allows_the_scripts_of_streamlits_page():
    assert "<script" in streamlit_page()
    assert content_security_policy(streamlit_page()).count("sha256-") >= 1
