"""Downloads of private data: made when they are asked for, and stored nowhere.

Streamlit's own download button puts its file into a store first, where the file stays until the
page runs again, under an address that the browser remembers.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from twotower.core.errors import TwoTowerError
from twotower.web.origin_check import is_own_page

ADDRESS, TICKET = "/download", "ticket"


@dataclass(frozen=True, eq=False)
class Download:
    """A file that one visitor may download while their session has this object."""

    name: str
    media_type: str
    make: Callable[[], str]  # returns the text; may raise a TwoTowerError
    ticket: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class Downloads:
    """The downloads that pages offer now, by ticket."""

    def __init__(self) -> None:
        self._offered: WeakValueDictionary[str, Download] = WeakValueDictionary()

    def offer(self, download: Download) -> Download:
        """Let whoever has the ticket download it, as long as somebody else refers to it."""
        self._offered[download.ticket] = download
        return download

    def find(self, ticket: str) -> Download | None:
        """Return the download of a ticket; None if it is not offered any more."""
        return self._offered.get(ticket)


OFFERED = Downloads()


def routes(offered: Downloads = OFFERED) -> list[Route]:
    """Return the route that sends a download, for a form with its ticket."""
    return [Route(ADDRESS, partial(_send, offered), methods=["POST"])]


async def _send(offered: Downloads, request: Request) -> Response:
    if not is_own_page(request):
        return PlainTextResponse("Another site sent this request. Nothing was done.", 403)
    async with request.form(max_files=0, max_fields=1) as form:
        download = offered.find(str(form.get(TICKET, "")))
    if download is None:
        return PlainTextResponse("This download is no longer offered. Open the page again.", 404)
    try:
        text = await run_in_threadpool(download.make)
    except TwoTowerError as error:
        return PlainTextResponse(error.message, 410)
    return Response(
        text,
        media_type=download.media_type,
        headers={"Content-Disposition": f'attachment; filename="{download.name}"'},
    )
