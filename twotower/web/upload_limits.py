"""Limits of the memory that uploaded files take, for each visitor and for the whole server."""

import re
from collections import Counter
from collections.abc import Callable, Mapping

from starlette.responses import PlainTextResponse

from twotower.web.security_headers import App, Message, Receive, Send

MEGABYTE = 1 << 20
SERVER_SHARE = 4  # the files of so many visitors who use all that they may fit at once
VISITOR_FULL = (413, "These files are too large together. Remove some, then try again.")
SERVER_FULL = (503, "The server reads many files just now. Try again in a few minutes.")

_UPLOAD = re.compile(r".*/_stcore/upload_file/(?P<session>[^/]+)/[^/]+")

HeldBytes = Callable[[], Mapping[str, int]]  # bytes of the stored files by session


class _NoRoom(Exception):
    """A limit is reached; `args` are the status and the text of the answer."""


class UploadLimits:
    """ASGI middleware that refuses uploads for which there is no room.

    Counted are the files that the server has (`held_bytes`) and those that are arriving. A visitor
    may have `max_upload_mb()` megabytes, and all visitors together `SERVER_SHARE` times that.
    """

    def __init__(self, app: App, held_bytes: HeldBytes, max_upload_mb: Callable[[], int]) -> None:
        self._app, self._held_bytes, self._max_upload_mb = app, held_bytes, max_upload_mb
        self._arriving: Counter[str] = Counter()  # bytes by session

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        match = _UPLOAD.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None or scope["method"] != "PUT":
            await self._app(scope, receive, send)
            return
        session, received = match["session"], 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            size = len(message.get("body", b""))
            received += size
            self._arriving[session] += size
            self._check_room(session)
            return message

        try:
            self._check_room(session, _declared_bytes(scope))
            await self._app(scope, counting_receive, send)
        except _NoRoom as full:
            status, text = full.args
            await PlainTextResponse(text, status)(scope, receive, send)
        finally:
            self._arriving[session] -= received
            if self._arriving[session] <= 0:
                del self._arriving[session]

    def _check_room(self, session: str, more_bytes: int = 0) -> None:
        """Raise _NoRoom if `more_bytes` of a session pass a limit."""
        limit = self._max_upload_mb() * MEGABYTE
        held = self._held_bytes()
        if held.get(session, 0) + self._arriving[session] + more_bytes > limit:
            raise _NoRoom(*VISITOR_FULL)
        total = sum(held.values()) + self._arriving.total() + more_bytes
        if total > SERVER_SHARE * limit:
            raise _NoRoom(*SERVER_FULL)


def _declared_bytes(scope: Message) -> int:
    """Return the Content-Length of a request, 0 if it has none."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
