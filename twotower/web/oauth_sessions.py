"""Sessions of people who are signed in to Spotify, and sign-ins under way: in memory only.

A browser holds two cookies that say nothing: one ties a sign-in to the browser that began it, the
other names a session. Tokens, and what was read with them, are on the server under the hash of
that name, and end with the session: at sign-out, after half a day without use, with the server.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from twotower.core.errors import LoginExpired
from twotower.sources.spotify import api
from twotower.sources.spotify.api import Registration, Token

Kept = TypeVar("Kept")

SIGN_IN_S = 600  # to say yes or no at Spotify
IDLE_S = 12 * 3600  # after which a session ends by itself
MOST_SIGN_INS, MOST_SESSIONS = 10_000, 2_000  # at once; the oldest end first


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
                    token = api.renew(self._registration, token)
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
        begun = SignIn(api.new_verifier(), _hash(browser), purpose, self._clock(), left)
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

    def tidy(self) -> None:
        """Let go of what is over; a server without visitors must do so, too."""
        with self._lock:
            gone = self._idle()
            for begun in (self._sign_ins, self._back):
                self._tidy(begun)
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
