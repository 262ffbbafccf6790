"""Security headers of every response: content policy, no framing, no sniffing, no storing."""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# The only script of our own: scrolls to the container it is in and focuses it.
SCROLL_INTO_VIEW = (
    "<script>{const box = document.currentScript.closest('[class*=st-key-]'); "
    "box.tabIndex = -1; box.style.outline = 'none'; "
    "box.scrollIntoView({block: 'center'}); box.focus({preventScroll: true})}</script>"
)
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def content_security_policy(page: str) -> str:
    """Return the Content Security Policy for a page; its own inline scripts are allowed by hash.

    WebGL charts compile functions from text, hence 'unsafe-eval'. Components have inline styles.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(page))
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'unsafe-eval' {hashes}".strip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' ws: wss:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def streamlit_page() -> str:
    """Return the HTML page that Streamlit sends for every address; "" without Streamlit."""
    package = find_spec("streamlit")
    if package is None or package.origin is None:
        return ""
    return (Path(package.origin).parent / "static" / "index.html").read_text(encoding="utf-8")


class SecurityHeaders:
    """ASGI middleware that adds the security headers which a response doesn't set itself.

    Browsers store no response but those that call themselves public: Streamlit's own static files.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._headers = tuple(_encode(content_security_policy(streamlit_page() + SCROLL_INTO_VIEW)))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(_without_private_caching(message.get("headers", ())))
                names = {name.lower() for name, _ in own}
                message["headers"] = own + [pair for pair in self._headers if pair[0] not in names]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _without_private_caching(headers: Iterable[Header]) -> Iterator[Header]:
    """Yield the headers without a Cache-Control, unless it is public."""
    for name, value in headers:
        if name.lower() != b"cache-control" or b"public" in value.lower():
            yield name, value


def _encode(csp: str) -> Iterable[Header]:
    for name, value in {
        "cache-control": "no-store",
        "content-security-policy": csp,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }.items():
        yield name.encode(), value.encode()
