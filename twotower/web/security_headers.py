"""What every answer of the server tells the browser: load from here only, and frame it nowhere."""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# The one script of our own: shows the container it stands in, and brings the keyboard there.
INTO_VIEW = (
    "<script>{const box = document.currentScript.closest('[class*=st-key-]'); "
    "box.tabIndex = -1; box.style.outline = 'none'; "
    "box.scrollIntoView({block: 'center'}); box.focus({preventScroll: true})}</script>"
)
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def policy(page: str) -> str:
    """The Content Security Policy for Streamlit's one HTML page; its own inline scripts may run.

    WebGL charts make functions of text, which is what 'unsafe-eval' allows; styles of components
    stand in the page.
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
    """The page that Streamlit sends for every address."""
    found = find_spec("streamlit")
    if found is None or found.origin is None:
        return ""
    return (Path(found.origin).parent / "static" / "index.html").read_text(encoding="utf-8")


class Guarded:
    """An ASGI app whose every answer carries the headers; those it sets itself stay."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._headers = tuple(_encoded(policy(streamlit_page() + INTO_VIEW)))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                names = {name.lower() for name, _ in own}
                message["headers"] = own + [pair for pair in self._headers if pair[0] not in names]
            await send(message)

        await self._app(scope, receive, told if scope["type"] == "http" else send)


def _encoded(csp: str) -> Iterable[tuple[bytes, bytes]]:
    for name, value in {
        "content-security-policy": csp,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }.items():
        yield name.encode(), value.encode()
