"""Signing in to Spotify: routes beside the pages, and sessions that are in memory only.

A browser holds two cookies that say nothing: one ties a sign-in to the browser that began it, the
other names a session. Tokens, and what was read with them, are on the server under the hash of
that name, and end with the session: at sign-out, after half a day without use, with the server.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from threading import Event, Lock
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit
from weakref import WeakValueDictionary

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from twotower.errors import LoginExpired, NotAllowed, TwoTowerError
from twotower.headers import Guarded
from twotower.settings import Settings
from twotower.sources import spotify
from twotower.sources.spotify import Registration, Token

Kept = TypeVar("Kept")

SIGN_IN_S = 600  # to say yes or no at Spotify
IDLE_S = 12 * 3600  # after which a session ends by itself
MOST_SIGN_INS, MOST_SESSIONS = 10_000, 2_000  # at once; the oldest end first
READ, SAVE = "read", "save"  # what a sign-in is for
SCOPES = {READ: spotify.TO_READ, SAVE: spotify.TO_SAVE}
BACK = {READ: "/", SAVE: "/neighbours"}  # the page that it began on
OUTCOME = "signin"  # parameter of the address that says how it went
LEFT = "left"  # parameter of the address that names what a tab left here
MAY_READ, MAY_SAVE = "done", "may-save"
DENIED, EXPIRED, FAILED, REFUSED = "denied", "expired", "failed", "refused"
CLOSED, ELSEWHERE, OUT, DISCONNECTED = "closed", "elsewhere", "out", "disconnected"
SENT_ON = "sent"  # parameter of a sign-in that was sent on to the right host
_NAME = re.compile(r"[\w-]{43}", re.ASCII)
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class Session:
    """One browser that is signed in: its token, and what was read with it."""

    def __init__(self, registration: Registration, token: Token) -> None:
        self.label = secrets.token_hex(8)  # tells sessions apart, and opens nothing
        self.account = ""  # Spotify's id of the person, once it was asked
        self._registration = registration
        self._token: Token | None = token
        self._lock, self._renewing = Lock(), Lock()
        self._kept: dict[str, Any] = {}
        self._closed = False

    @property
    def scopes(self) -> frozenset[str]:
        token = self._token
        return token.scopes if token else frozenset()

    def access(self, *, renew: bool = False) -> str:
        """An access token, renewed where it is stale; LoginExpired where Spotify says no."""
        before = self._token
        with self._renewing:
            token = self._token
            if token is None:
                raise LoginExpired("you are signed out: sign in again")
            if token.is_stale() or (renew and token is before):
                try:
                    token = spotify.renew(self._registration, token)
                except LoginExpired:
                    self._token = None
                    raise
                with self._lock:
                    if self._closed:
                        raise LoginExpired("you are signed out: sign in again")
                    self._token = token
            return token.access

    def keep(self, name: str, make: Callable[[], Kept]) -> Kept:
        """What is kept under `name`, made if it isn't there; it goes with the session."""
        with self._lock:
            if self._closed:
                raise LoginExpired("you are signed out: sign in again")
            if name not in self._kept:
                self._kept[name] = make()
            kept: Kept = self._kept[name]
            return kept

    def kept(self, name: str) -> Any:
        return self._kept.get(name)

    def adopt(self, other: "Session") -> None:
        """Take over what another session of the same person keeps, but for work under way."""
        with other._lock:
            done = {k: v for k, v in other._kept.items() if not getattr(v, "is_running", False)}
            other._kept = {k: v for k, v in other._kept.items() if k not in done}
        with self._lock:
            self.account = other.account
            self._kept.update(done)

    def forget(self, name: str) -> None:
        with self._lock:
            _end(self._kept.pop(name, None))

    def close(self) -> None:
        """Let go of the token and of all that is kept; work under way is cancelled."""
        with self._lock:
            self._closed, self._token = True, None
            gone, self._kept = self._kept, {}
        for each in gone.values():
            _end(each)


def _end(kept: object) -> None:
    cancel = getattr(kept, "cancel", None)
    if cancel is not None:
        cancel()


@dataclass(eq=False)
class Left:
    """What a tab leaves at the desk while its person is at Spotify, for the page is loaded anew.

    Whoever leaves it holds it; the desk does so only from the sign-in on, for twenty minutes.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class SignIn:
    """One that has begun; it is used once."""

    verifier: str
    browser: str  # hash of the cookie of the browser that began it
    purpose: str
    began: float
    left: Left | None = None


class Desk:
    """Where people sign in: the sign-ins that have begun, and the sessions."""

    def __init__(
        self, registration: Registration | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.registration = registration
        self.no_audio = Event()  # set once Spotify has refused this server audio features
        self._clock = clock
        self._lock = Lock()
        self._sign_ins: dict[str, SignIn] = {}  # by state
        self._sessions: dict[str, tuple[Session, float]] = {}  # by hash of cookie; last used
        self._offered: WeakValueDictionary[str, Left] = WeakValueDictionary()  # by ticket
        self._back: dict[str, SignIn] = {}  # by ticket, until the tab takes it
        mark = "__Host-" if registration and registration.secure else ""
        self.session_cookie = f"{mark}neighbours-session"
        self.browser_cookie = f"{mark}neighbours-browser"

    @property
    def is_open(self) -> bool:
        return self.registration is not None and not self.registration.problem()

    def offer(self, left: Left) -> str:
        """The ticket with which a sign-in takes along what a tab leaves here."""
        ticket = secrets.token_urlsafe(32)
        self._offered[ticket] = left
        return ticket

    def begin(self, browser: str, purpose: str, ticket: str = "") -> tuple[str, SignIn]:
        """A new state and what belongs to it."""
        state = secrets.token_urlsafe(32)
        left = self._offered.get(ticket)
        begun = SignIn(spotify.new_verifier(), _hash(browser), purpose, self._clock(), left)
        with self._lock:
            self._tidy(self._sign_ins)
            self._sign_ins[state] = begun
        return state, begun

    def hand_back(self, begun: SignIn) -> str:
        """The ticket with which the browser of a sign-in takes what its tab left; "" for none."""
        if begun.left is None:
            return ""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._tidy(self._back)
            self._back[ticket] = begun
        return ticket

    def take(self, browser: str | None, ticket: str) -> Any:
        """What was left under a ticket, once, for the browser that left it; else None."""
        with self._lock:
            self._tidy(self._back)
            begun = self._back.pop(ticket, None)
        if begun is None or begun.left is None:
            return None
        return begun.left.value if self._is_of(begun, browser) else None

    def _tidy(self, begun: dict[str, SignIn]) -> None:
        """Let go of what is over, and of the oldest where there are too many."""
        now = self._clock()
        for old, one in list(begun.items()):
            if len(begun) < MOST_SIGN_INS and now - one.began <= 2 * SIGN_IN_S:
                break
            del begun[old]

    def _is_of(self, begun: SignIn, browser: str | None) -> bool:
        return hmac.compare_digest(begun.browser, _hash(browser or ""))

    def finish(self, browser: str | None, state: str) -> SignIn | None:
        """What belongs to a state, once, for the browser that began it."""
        with self._lock:
            begun = self._sign_ins.pop(state, None)
        if begun is None or self._clock() - begun.began > SIGN_IN_S:
            return None
        return begun if self._is_of(begun, browser) else None

    def open_session(self, token: Token) -> tuple[str, Session]:
        """The value of the cookie for a new session, and the session."""
        if self.registration is None:
            raise ValueError("a session needs a registration")
        cookie, session = secrets.token_urlsafe(32), Session(self.registration, token)
        with self._lock:
            gone = self._idle()
            while len(self._sessions) >= MOST_SESSIONS:
                gone.append(self._sessions.pop(next(iter(self._sessions)))[0])
            self._sessions[_hash(cookie)] = session, self._clock()
        _close(gone)
        return cookie, session

    def session(self, cookie: str | None) -> Session | None:
        """The session that a cookie names; None where there is none, or it has ended."""
        with self._lock:
            gone = self._idle()
            self._tidy(self._back)
            found = self._sessions.pop(key := _hash(cookie or ""), None)
            if found is not None:
                self._sessions[key] = found[0], self._clock()  # the last used stands last
        _close(gone)
        return found and found[0]

    def drop(self, cookie: str | None) -> Session | None:
        """End the session that a cookie names."""
        with self._lock:
            found = self._sessions.pop(_hash(cookie or ""), None)
        if found is None:
            return None
        found[0].close()
        return found[0]

    def drop_account(self, account: str) -> None:
        """End every session of one person."""
        with self._lock:
            keys = [k for k, (one, _) in self._sessions.items() if account == one.account != ""]
            gone = [self._sessions.pop(key)[0] for key in keys]
        _close(gone)

    def _idle(self) -> list[Session]:
        now, gone = self._clock(), []
        for key, (session, used) in list(self._sessions.items()):
            if now - used <= IDLE_S:
                break
            gone.append(session)
            del self._sessions[key]
        return gone


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _close(sessions: list[Session]) -> None:
    for session in sessions:
        session.close()


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
    to = spotify.authorize_url(
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
        token = spotify.exchange_code(registration, answer["code"], begun.verifier)
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
    if before is not None and same and spotify.account_of(registration, token) == before.account:
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
