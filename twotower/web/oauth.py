"""Signing in to Spotify and out again: the routes that the server answers beside the pages."""

import asyncio
import re
import secrets
from functools import cache, partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from twotower.core.errors import LoginExpired, NotAllowed, TwoTowerError
from twotower.core.settings import Settings
from twotower.sources.spotify import api
from twotower.sources.spotify.api import Registration
from twotower.web.oauth_sessions import SIGN_IN_S, Desk
from twotower.web.security_headers import Guarded

READ, SAVE = "read", "save"  # what a sign-in is for
SCOPES = {READ: api.TO_READ, SAVE: api.TO_SAVE}
BACK = {READ: "/", SAVE: "/neighbours"}  # the page that it began on
OUTCOME = "signin"  # parameter of the address that says how it went
LEFT = "left"  # parameter of the address that names what a tab left here
MAY_READ, MAY_SAVE = "done", "may-save"
DENIED, EXPIRED, FAILED, REFUSED = "denied", "expired", "failed", "refused"
CLOSED, ELSEWHERE, OUT, DISCONNECTED = "closed", "elsewhere", "out", "disconnected"
SENT_ON = "sent"  # parameter of a sign-in that was sent on to the right host
_NAME = re.compile(r"[\w-]{43}", re.ASCII)
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


@cache
def desk() -> Desk:
    """The one desk of this server."""
    settings = Settings.from_env()
    if not settings.spotify_client_id:
        return Desk(None)
    return Desk(
        Registration(
            settings.spotify_client_id,
            settings.spotify_redirect_uri,
            settings.spotify_accounts,
            settings.spotify_api,
        )
    )


async def tidying(desk: Desk, *, every_s: float = 60.0) -> None:
    """Let go of what is over, as long as the server runs."""
    while True:
        await asyncio.sleep(every_s)
        desk.tidy()


def guards() -> list[Middleware]:
    """What stands before every answer."""
    return [Middleware(Guarded)]


def routes(desk: Desk) -> list[Route]:
    """What the server answers beside the pages."""
    return [
        Route("/login", partial(_login, desk), methods=["GET"]),
        Route("/callback", partial(_callback, desk), methods=["GET"]),
        Route("/logout", partial(_logout, desk), methods=["POST"]),
        Route("/disconnect", partial(_disconnect, desk), methods=["POST"]),
    ]


def _login(desk: Desk, request: Request) -> Response:
    """Send a person to Spotify; one who came by another name of this server, to the right one."""
    purpose = request.query_params.get("for", READ)
    if not desk.is_open or desk.registration is None or purpose not in SCOPES:
        return _back("/", CLOSED)
    registration, ticket = desk.registration, request.query_params.get(LEFT, "")
    if request.headers.get("host", "").lower() != registration.host:
        if SENT_ON in request.query_params:  # a proxy changes the host: we would send on forever
            return _back("/", ELSEWHERE)
        scheme = "https" if registration.secure else "http"
        asked = {"for": purpose, SENT_ON: "1", **({LEFT: ticket} if ticket else {})}
        to = f"{scheme}://{registration.host}/login?{urlencode(asked)}"
        return RedirectResponse(to, 303, headers=_HEADERS)
    browser = request.cookies.get(desk.browser_cookie, "")
    if not _NAME.fullmatch(browser):
        browser = secrets.token_urlsafe(32)
    now = desk.session(request.cookies.get(desk.session_cookie))
    scopes = {*SCOPES[purpose], *(now.scopes if now and purpose == SAVE else ())}
    state, begun = desk.begin(browser, purpose, ticket)
    to = api.authorize_url(
        registration, state=state, verifier=begun.verifier, scopes=sorted(scopes)
    )
    response = RedirectResponse(to, 303, headers=_HEADERS)
    _set_cookie(response, registration, desk.browser_cookie, browser, max_age=SIGN_IN_S)
    return response


def _callback(desk: Desk, request: Request) -> Response:
    """Take what Spotify sent a person back with; every sign-in is a new session."""
    answer = request.query_params
    begun = desk.finish(request.cookies.get(desk.browser_cookie), answer.get("state", ""))
    registration = desk.registration
    if begun is None or registration is None:
        return _back("/", EXPIRED)
    page, left = BACK[begun.purpose], desk.hand_back(begun)
    if not answer.get("code"):
        return _back(page, DENIED if answer.get("error") == "access_denied" else FAILED, left)
    try:
        token = api.exchange_code(registration, answer["code"], begun.verifier)
    except LoginExpired:
        return _back(page, EXPIRED, left)
    except NotAllowed:
        return _back(page, REFUSED, left)
    except TwoTowerError:
        return _back(page, FAILED, left)
    old = request.cookies.get(desk.session_cookie)
    cookie, session = desk.open_session(token)
    before = desk.session(old)
    same = before is not None and begun.purpose == SAVE and before.account != ""
    if before is not None and same and api.account_of(registration, token) == before.account:
        session.adopt(before)
    desk.drop(old)
    response = _back(page, MAY_SAVE if begun.purpose == SAVE else MAY_READ, left)
    _set_cookie(response, registration, desk.session_cookie, cookie)
    return response


def _logout(desk: Desk, request: Request) -> Response:
    return _leave(desk, request, OUT)


def _disconnect(desk: Desk, request: Request) -> Response:
    """Sign out, in every browser of the same person."""
    return _leave(desk, request, DISCONNECTED)


def _leave(desk: Desk, request: Request, outcome: str) -> Response:
    if not _is_from_here(request):
        return PlainTextResponse("Asked from another site: nothing was done.", 403)
    session = desk.drop(request.cookies.get(desk.session_cookie))
    if session is not None and outcome == DISCONNECTED:
        desk.drop_account(session.account)
    response = _back("/", outcome)
    secure = desk.registration is not None and desk.registration.secure
    response.delete_cookie(desk.session_cookie, httponly=True, samesite="lax", secure=secure)
    return response


def _is_from_here(request: Request) -> bool:
    """Whether a form of ours was sent, not one of another site."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _back(page: str, outcome: str, left: str = "") -> Response:
    told = {OUTCOME: outcome, **({LEFT: left} if left else {})}
    to = f"{page}?{urlencode(told)}"
    return RedirectResponse(to, 303, headers=_HEADERS)


def _set_cookie(
    response: Response, registration: Registration, name: str, value: str, **more: Any
) -> None:
    """A cookie that scripts can't read and other sites' requests don't carry."""
    response.set_cookie(
        name, value, path="/", httponly=True, samesite="lax", secure=registration.secure, **more
    )
