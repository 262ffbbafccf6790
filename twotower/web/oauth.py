"""HTTP routes for signing in to Spotify and out again."""

import asyncio
import re
import secrets
from collections.abc import Callable
from functools import cache, partial
from typing import Any
from urllib.parse import urlencode

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from twotower.core.errors import LoginExpired, NotAllowed, TooOften, TwoTowerError
from twotower.core.settings import Settings
from twotower.sources.spotify import api
from twotower.sources.spotify.api import Registration, Token
from twotower.web.bounded_pool import BoundedPool
from twotower.web.oauth_sessions import SIGN_IN_S, Session, SessionStore, SignIn
from twotower.web.origin_check import LOOPBACK, Names, OriginCheck, is_own_page
from twotower.web.rate_limits import SIGN_IN, RateLimiter
from twotower.web.security_headers import SecurityHeaders
from twotower.web.upload_limits import HeldBytes, UploadLimits

READ, SAVE = "read", "save"  # purposes of a sign-in
SCOPES = {READ: api.READ_SCOPES, SAVE: api.SAVE_SCOPES}
RETURN_PAGES = {READ: "/", SAVE: "/neighbours"}  # by purpose
# Query parameters.
OUTCOME = "signin"  # on the way back: one of the outcomes below
TICKET = "left"  # both ways: the ticket of a parked profile
REDIRECTED = "sent"  # on /login: it was already redirected to the registered host
# Spotify's answers that are checked, and that wait for it, at the same time.
CHECKING, MOST_WAITING = 4, 20
# Outcomes of a sign-in or sign-out.
MAY_READ, MAY_SAVE = "done", "may-save"
DENIED, EXPIRED, FAILED, REFUSED = "denied", "expired", "failed", "refused"
CLOSED, WRONG_HOST, BUSY = "closed", "elsewhere", "busy"
SIGNED_OUT, DISCONNECTED = "out", "disconnected"

_BROWSER_ID = re.compile(r"[\w-]{43}", re.ASCII)
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


@cache
def session_store() -> SessionStore:
    """Return the one session store of this server, set up from the environment."""
    settings = Settings.from_env()
    if not settings.spotify_client_id:
        return SessionStore(None)
    return SessionStore(
        Registration(
            settings.spotify_client_id,
            settings.spotify_redirect_uri,
            settings.spotify_accounts,
            settings.spotify_api,
        )
    )


async def remove_expired_forever(store: SessionStore, *, every_s: float = 60.0) -> None:
    """Remove expired sessions and sign-ins every `every_s` seconds until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        store.remove_expired()


def middleware(
    allowed_hosts: Names,
    allowed_origins: Names,
    *,
    uploaded_bytes: HeldBytes,
    max_upload_mb: Callable[[], int],
) -> list[Middleware]:
    """Return the middleware that every request passes through.

    The functions return the options `server.allowedHosts`, `server.corsAllowedOrigins` and
    `server.maxUploadSize`, and the bytes of the stored files by session.
    """
    return [
        Middleware(SecurityHeaders),
        Middleware(OriginCheck, allowed_hosts=allowed_hosts, allowed_origins=allowed_origins),
        Middleware(UploadLimits, held_bytes=uploaded_bytes, max_upload_mb=max_upload_mb),
    ]


def routes(
    store: SessionStore,
    limiter: RateLimiter | None = None,
    answers: BoundedPool | None = None,
) -> list[Route]:
    """Return the routes that the server answers beside the pages.

    Spotify's answers are checked in threads of their own (`answers`): if Spotify hangs, the pages
    still have theirs.
    """
    limiter, answers = limiter or RateLimiter(), answers or BoundedPool(CHECKING, MOST_WAITING)
    return [
        Route("/login", partial(_login, store, limiter), methods=["GET"]),
        Route("/callback", partial(_callback_in, answers, store), methods=["GET"]),
        Route("/logout", partial(_logout, store), methods=["POST"]),
        Route("/disconnect", partial(_disconnect, store), methods=["POST"]),
    ]


def _login(store: SessionStore, limiter: RateLimiter, request: Request) -> Response:
    """Redirect to Spotify, or first to the host that is registered there."""
    purpose = request.query_params.get("for", READ)
    registration = store.registration
    if not store.is_open or registration is None or purpose not in SCOPES:
        return _redirect("/", CLOSED)
    ticket = request.query_params.get(TICKET, "")
    if request.headers.get("host", "").lower() != registration.host:
        return _to_registered_host(registration, request, purpose, ticket)
    browser = request.cookies.get(store.browser_cookie, "")
    if not _BROWSER_ID.fullmatch(browser):
        browser = secrets.token_urlsafe(32)
    address = _address(request)
    try:
        limiter.spend(SIGN_IN, session=browser, address=address)
    except TooOften:
        return _redirect("/", BUSY)
    session = store.find_session(request.cookies.get(store.session_cookie))
    scopes = {*SCOPES[purpose], *(session.scopes if session and purpose == SAVE else ())}
    state, sign_in = store.begin_sign_in(browser, purpose, ticket, address)
    url = api.authorize_url(
        registration, state=state, verifier=sign_in.verifier, scopes=sorted(scopes)
    )
    response = RedirectResponse(url, 303, headers=_HEADERS)
    _set_cookie(response, registration, store.browser_cookie, browser, max_age=SIGN_IN_S)
    return response


def _to_registered_host(
    registration: Registration, request: Request, purpose: str, ticket: str
) -> Response:
    """Redirect to /login on the registered host: cookies set on another host would be lost."""
    if REDIRECTED in request.query_params:  # a proxy rewrites the host: stop the endless loop
        return _redirect("/", WRONG_HOST)
    scheme = "https" if registration.is_secure else "http"
    query = {"for": purpose, REDIRECTED: "1", **({TICKET: ticket} if ticket else {})}
    url = f"{scheme}://{registration.host}/login?{urlencode(query)}"
    return RedirectResponse(url, 303, headers=_HEADERS)


def _address(request: Request) -> str:
    """Return the visitor's address; "" on the server's own machine, or if a proxy hides it."""
    host = request.client.host if request.client else ""
    return "" if host in LOOPBACK else host


async def _callback_in(answers: BoundedPool, store: SessionStore, request: Request) -> Response:
    """Check Spotify's answer in the pool; ask the visitor to try again if that is full."""
    checking = answers.submit(partial(_callback, store, request))
    if checking is None:
        return _redirect("/", BUSY)
    return await asyncio.wrap_future(checking)


def _callback(store: SessionStore, request: Request) -> Response:
    """Finish a sign-in with Spotify's answer. Each sign-in gets a new session."""
    answer, registration = request.query_params, store.registration
    sign_in = store.finish_sign_in(
        request.cookies.get(store.browser_cookie), answer.get("state", "")
    )
    if sign_in is None or registration is None:
        return _redirect("/", EXPIRED)
    page, ticket = RETURN_PAGES[sign_in.purpose], store.issue_ticket(sign_in)
    if not answer.get("code"):
        denied = answer.get("error") == "access_denied"
        return _redirect(page, DENIED if denied else FAILED, ticket)
    try:
        token = api.exchange_code(registration, answer["code"], sign_in.verifier)
    except LoginExpired:
        return _redirect(page, EXPIRED, ticket)
    except NotAllowed:
        return _redirect(page, REFUSED, ticket)
    except TwoTowerError:
        return _redirect(page, FAILED, ticket)
    cookie = _replace_session(store, registration, request, token, sign_in)
    response = _redirect(page, MAY_SAVE if sign_in.purpose == SAVE else MAY_READ, ticket)
    _set_cookie(response, registration, store.session_cookie, cookie)
    return response


def _replace_session(
    store: SessionStore,
    registration: Registration,
    request: Request,
    token: Token,
    sign_in: SignIn,
) -> str:
    """Open a session in place of the browser's previous one; return its cookie.

    Permission to save a playlist keeps what the same account had read before.
    """
    old_cookie = request.cookies.get(store.session_cookie)
    cookie, session = store.open_session(token)
    previous = store.find_session(old_cookie)
    if previous is not None and sign_in.purpose == SAVE and _same_account(
        registration, token, previous
    ):  # fmt: skip
        session.adopt(previous)
    store.end_session(old_cookie)
    return cookie


def _same_account(registration: Registration, token: Token, previous: Session) -> bool:
    """Return True if the new token belongs to the account of the previous session."""
    return previous.account != "" and api.fetch_account_id(registration, token) == previous.account


def _logout(store: SessionStore, request: Request) -> Response:
    """Sign out in this browser."""
    return _sign_out(store, request, SIGNED_OUT)


def _disconnect(store: SessionStore, request: Request) -> Response:
    """Sign out in every browser of the same account."""
    return _sign_out(store, request, DISCONNECTED)


def _sign_out(store: SessionStore, request: Request, outcome: str) -> Response:
    if not is_own_page(request):
        return PlainTextResponse("Another site sent this request. Nothing was done.", 403)
    session = store.end_session(request.cookies.get(store.session_cookie))
    if session is not None and outcome == DISCONNECTED:
        store.end_sessions_of(session.account)
    response = _redirect("/", outcome)
    secure = store.registration is not None and store.registration.is_secure
    response.delete_cookie(store.session_cookie, httponly=True, samesite="lax", secure=secure)
    return response


def _redirect(page: str, outcome: str, ticket: str = "") -> Response:
    query = {OUTCOME: outcome, **({TICKET: ticket} if ticket else {})}
    return RedirectResponse(f"{page}?{urlencode(query)}", 303, headers=_HEADERS)


def _set_cookie(
    response: Response, registration: Registration, name: str, value: str, **options: Any
) -> None:
    """Set a cookie that scripts can't read and requests of other sites don't carry."""
    response.set_cookie(
        name,
        value,
        path="/",
        httponly=True,
        samesite="lax",
        secure=registration.is_secure,
        **options,
    )
