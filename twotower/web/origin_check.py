"""Refuse requests under a foreign host name, and WebSockets that a foreign page opens."""

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from twotower.web.security_headers import App, Message, Receive, Send

Names = Callable[[], Sequence[str]]

HEALTH = "/_stcore/health"  # load balancers ask for it under any name
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORTS = {"http": 80, "https": 443}
POLICY_VIOLATION = 1008  # WebSocket close code; before the handshake it becomes HTTP 403
MISDIRECTED = 421  # HTTP status: this server doesn't answer under that name


class OriginCheck:
    """ASGI middleware that lets only this server's own pages open WebSockets.

    `allowed_hosts` and `allowed_origins` return the options `server.allowedHosts` and
    `server.corsAllowedOrigins`. Without a Host in the first (empty: any; loopback is always
    allowed), a request gets 421 and a WebSocket is closed. Programs that aren't browsers send no
    Origin and may connect.
    """

    def __init__(self, app: App, allowed_hosts: Names, allowed_origins: Names) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts
        self._allowed_origins = allowed_origins

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = _single_header(scope, b"host")
        is_allowed = is_allowed_host(host, self._allowed_hosts())
        if scope["type"] == "http":
            if is_allowed or scope["path"].endswith(HEALTH):
                await self._app(scope, receive, send)
            else:
                refusal = PlainTextResponse(
                    "This server doesn't answer under this address. "
                    "If you run it: add the host name to server.allowedHosts.",
                    MISDIRECTED,
                )
                await refusal(scope, receive, send)
        elif is_allowed and self._is_allowed_origin(scope, host):
            await self._app(_with_plain_origin(scope, host), receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})

    def _is_allowed_origin(self, scope: Message, host: str) -> bool:
        if not _headers(scope, b"origin"):
            return True
        origin = _single_header(scope, b"origin")
        return is_same_origin(origin, host) or any(
            _parse_origin(origin) == _parse_origin(listed) is not None
            for listed in self._allowed_origins()
        )


def is_own_page(request: Request) -> bool:
    """Return True if a form was sent from our own pages."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def is_allowed_host(host: str, allowed: Iterable[str]) -> bool:
    """Return True if the Host header names a loopback address or one of `allowed`.

    "*.example.org" allows every name below example.org, "*" and an empty list allow all.
    """
    address = _parse_address(host)
    patterns = [each.strip().lower().rstrip(".") for each in allowed]
    if address is None:
        return False
    name = address[0].rstrip(".")
    return (
        not patterns
        or name in LOOPBACK
        or any(
            pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:]))
            for pattern in patterns
        )
    )


def is_same_origin(origin: str, host: str) -> bool:
    """Return True if the Origin header names the host and port of the Host header.

    A missing port is the default one of the origin's scheme: a proxy ends TLS, so the server
    doesn't know the scheme of its own address.
    """
    theirs, ours = _parse_origin(origin), _parse_address(host)
    if theirs is None or ours is None:
        return False
    scheme, name, port = theirs
    return (name, port) == (ours[0], DEFAULT_PORTS[scheme] if ours[1] is None else ours[1])


def _parse_origin(origin: str) -> tuple[str, str, int] | None:
    """Return (scheme, host, port) of a web origin, None for anything else, such as "null"."""
    scheme, _, rest = origin.lower().partition("://")
    address = _parse_address(rest)
    if scheme not in DEFAULT_PORTS or address is None:
        return None
    name, port = address
    return scheme, name, DEFAULT_PORTS[scheme] if port is None else port


def _parse_address(text: str) -> tuple[str, int | None] | None:
    """Return (host in lower case, port if there is one), None if `text` is anything else."""
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.netloc != text or "@" in text:
        return None
    return parts.hostname, port


def _headers(scope: Message, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _single_header(scope: Message, name: bytes) -> str:
    """Return the header's value, "" if it is missing or sent more than once."""
    values = _headers(scope, name)
    return values[0] if len(values) == 1 else ""


def _with_plain_origin(scope: Message, host: str) -> Message:
    """Return the scope with an Origin that equals the Host, if it has an Origin.

    For an Origin written otherwise, Streamlit would ask an outside server for its own address.
    """
    headers = []
    for key, value in scope["headers"]:
        if key == b"origin":
            scheme = value.partition(b"://")[0]
            value = scheme + b"://" + host.encode("latin-1")
        headers.append((key, value))
    return {**scope, "headers": headers}
