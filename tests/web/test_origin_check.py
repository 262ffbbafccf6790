"""WebSockets of the real server: its own pages may open them, other sites may not."""

import socket

import pytest
import requests
from live_app import LISTED, PROXIED
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from twotower.web.origin_check import is_allowed_host, is_same_origin

STREAM = "/_stcore/stream"


def status_of_handshake(port: int, host: str, origin: str | None, **headers: str) -> int:
    """Return the HTTP status of a WebSocket's handshake: 101 means that it is open."""
    reached = socket.create_connection(("127.0.0.1", port), timeout=20)
    try:
        with connect(
            f"ws://{host}{STREAM}",
            sock=reached,
            origin=origin,
            additional_headers={name.replace("_", "-"): text for name, text in headers.items()},
            subprotocols=["streamlit"],
            proxy=None,
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code
    finally:
        reached.close()


def test_a_page_of_another_site_opens_no_websocket_and_nothing_is_asked_outside(port, outside):
    here = f"127.0.0.1:{port}"
    for origin in (
        "https://evil.example",
        "null",
        f"http://{here}.evil.example",
        "http://user@" + here,
    ):
        assert status_of_handshake(port, here, origin) == 403, origin
    assert outside.asked == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_page_on_another_port_of_this_machine_opens_no_websocket(port, name):
    here = f"127.0.0.1:{port}"
    assert status_of_handshake(port, here, f"http://{name}:{port + 1}") == 403
    assert status_of_handshake(port, here, f"http://{name}") == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_servers_own_pages_open_a_websocket(port, name):
    assert status_of_handshake(port, f"{name}:{port}", f"http://{name}:{port}") == 101


def test_behind_a_proxy_the_host_and_the_listed_origins_count(port, outside):
    forwarded = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "203.0.113.7"}
    assert status_of_handshake(port, PROXIED, f"https://{PROXIED}", **forwarded) == 101
    assert status_of_handshake(port, f"{PROXIED}:443", f"https://{PROXIED}", **forwarded) == 101
    assert status_of_handshake(port, f"127.0.0.1:{port}", LISTED, **forwarded) == 101
    assert status_of_handshake(port, PROXIED, f"https://{PROXIED}:8443", **forwarded) == 403
    lie = {"X_Forwarded_Host": "evil.example"}
    assert status_of_handshake(port, PROXIED, "https://evil.example", **lie) == 403
    assert outside.asked == []


def test_a_foreign_host_name_gets_neither_a_websocket_nor_a_page(port):
    assert status_of_handshake(port, "evil.example", "http://evil.example") == 403
    for path, status in (("/", 421), ("/login", 421), ("/_stcore/health", 200)):
        answer = requests.get(
            f"http://127.0.0.1:{port}{path}", headers={"Host": "evil.example"}, timeout=20
        )
        assert answer.status_code == status, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer = requests.get(f"http://127.0.0.1:{port}/", headers={"Host": PROXIED}, timeout=20)
    assert answer.status_code == 200


def test_a_program_without_an_origin_may_connect(port):
    assert status_of_handshake(port, f"127.0.0.1:{port}", None) == 101


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://a.example", "a.example", True),
        ("http://A.example:80", "a.example", True),
        ("https://a.example", "a.example:443", True),
        ("http://[::1]:8501", "[::1]:8501", True),
        ("https://a.example", "a.example:80", False),
        ("http://a.example:0", "a.example", False),
        ("http://a.example:x", "a.example", False),
        ("http://a.example/b", "a.example", False),
        ("ftp://a.example", "a.example", False),
        ("a.example", "a.example", False),
        ("null", "null", False),
        ("", "", False),
    ],
)
def test_same_origin_compares_host_and_port(origin, host, same):
    assert is_same_origin(origin, host) is same


@pytest.mark.parametrize(
    ("host", "allowed", "may"),
    [
        ("a.example:8501", ["A.example."], True),
        ("b.a.example", ["*.a.example"], True),
        ("a.example", ["*.a.example"], False),
        ("anything", ["*"], True),
        ("anything", [], True),
        ("127.0.0.1:8501", ["a.example"], True),
        ("a.example@evil.example", ["a.example"], False),
        ("a.example:port", ["a.example"], False),
        ("", [], False),
    ],
)
def test_hosts_are_allowed_by_name_or_below_a_name(host, allowed, may):
    assert is_allowed_host(host, allowed) is may
