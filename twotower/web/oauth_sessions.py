"""Spotify sessions and unfinished sign-ins, in memory only.

A browser has two random cookies: one ties a sign-in to the browser that began it, the other names
a session. The server stores tokens, and what was read with them, under the hash of that name. They
end with the session: at sign-out, after 12 hours without use, or when the server stops.
"""

import hashlib
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from twotower.core.errors import LoginExpired
from twotower.sources.spotify import api
from twotower.sources.spotify.api import Registration, Token
from twotower.web.rate_limits import network_of

Item = TypeVar("Item")

SIGN_IN_S = 600  # time to agree at Spotify
IDLE_S = 12 * 3600  # a session that is not used for so long ends
MAX_SIGN_INS, MAX_SESSIONS = 10_000, 2_000  # the oldest end first
SIGNED_OUT = "you are signed out: sign in again"


class Session:
    """One signed-in browser: its token, and the items read with it.

    Safe to share between threads.
    """

    def __init__(self, registration: Registration, token: Token) -> None:
        self.label = secrets.token_hex(8)  # distinguishes sessions; grants nothing
        self.account = ""  # Spotify's id of the person; "" until it was asked
        self._registration = registration
        self._token: Token | None = token
        self._lock, self._renewing = Lock(), Lock()
        self._items: dict[str, Any] = {}
        self._closed = False

    @property
    def scopes(self) -> frozenset[str]:
        """Permissions that the person granted; empty after sign-out."""
        token = self._token
        return token.scopes if token else frozenset()

    def access(self, *, renew: bool = False) -> str:
        """Return an access token, renewed if it is stale or if `renew` is set.

        Raises LoginExpired if the session is closed or Spotify refuses to renew.
        """
        before = self._token
        with self._renewing:
            token = self._token
            if token is None:
                raise LoginExpired(SIGNED_OUT)
            # Threads that waited here for another one's renewal use its token.
            if token.is_stale() or (renew and token is before):
                try:
                    token = api.renew_token(self._registration, token)
                except LoginExpired:
                    self._token = None
                    raise
                with self._lock:
                    if self._closed:
                        raise LoginExpired(SIGNED_OUT)
                    self._token = token
            return token.access

    def get_or_create(self, name: str, create: Callable[[], Item]) -> Item:
        """Return the item `name`, created on first use. Raises LoginExpired if closed."""
        with self._lock:
            if self._closed:
                raise LoginExpired(SIGNED_OUT)
            if name not in self._items:
                self._items[name] = create()
            item: Item = self._items[name]
            return item

    def get(self, name: str) -> Any:
        """Return the item `name`, or None."""
        return self._items.get(name)

    def adopt(self, other: "Session") -> None:
        """Move the account and items of another session here, except running jobs."""
        with other._lock:
            done = {k: v for k, v in other._items.items() if not getattr(v, "is_running", False)}
            other._items = {k: v for k, v in other._items.items() if k not in done}
        with self._lock:
            self.account = other.account
            self._items.update(done)

    def remove(self, name: str) -> None:
        """Remove the item `name`; a running job is cancelled."""
        with self._lock:
            _cancel(self._items.pop(name, None))

    def close(self) -> None:
        """Drop the token and all items; running jobs are cancelled."""
        with self._lock:
            self._closed, self._token = True, None
            removed, self._items = self._items, {}
        for item in removed.values():
            _cancel(item)


def _cancel(item: object) -> None:
    cancel = getattr(item, "cancel", None)
    if cancel is not None:
        cancel()


@dataclass(eq=False)
class ParkedProfile:
    """A tab's profile, parked while its owner is at Spotify: the way back reloads the page.

    `value` is None while there is no profile.

    The store has only a weak reference until a sign-in begins, so closing the tab drops it.
    From then on the sign-in refers to it, for at most twenty minutes.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class SignIn:
    """An unfinished sign-in; it can be finished once."""

    verifier: str
    browser: str  # hash of the cookie of the browser that began it
    purpose: str
    began: float  # seconds on the store's clock
    parked: ParkedProfile | None = None
    network: str = ""  # hash of the network that it came from; "" if unknown


class SessionStore:
    """Sessions, unfinished sign-ins and parked profiles of one server.

    Safe to share between threads. `clock` returns seconds and never goes back.
    """

    def __init__(
        self, registration: Registration | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.registration = registration
        self.no_audio = Event()  # set once Spotify has refused this server audio features
        self._clock = clock
        self._lock = Lock()
        self._salt = secrets.token_hex(16)
        self._sign_ins: dict[str, SignIn] = {}  # by state, oldest first
        self._sessions: dict[str, tuple[Session, float]] = {}  # by cookie hash -> with last use
        self._parked: WeakValueDictionary[str, ParkedProfile] = WeakValueDictionary()  # by ticket
        self._returned: dict[str, SignIn] = {}  # by ticket, until the tab claims it
        prefix = "__Host-" if registration and registration.is_secure else ""
        self.session_cookie = f"{prefix}neighbours-session"
        self.browser_cookie = f"{prefix}neighbours-browser"

    @property
    def is_open(self) -> bool:
        """True if people can sign in: there is a registration that Spotify accepts."""
        return self.registration is not None and not self.registration.redirect_uri_problem()

    def park(self, parked: ParkedProfile) -> str:
        """Return the ticket with which a sign-in takes a parked profile along."""
        ticket = secrets.token_urlsafe(32)
        self._parked[ticket] = parked
        return ticket

    def begin_sign_in(
        self, browser: str, purpose: str, ticket: str = "", address: str = ""
    ) -> tuple[str, SignIn]:
        """Return a new OAuth state and its sign-in.

        If there are too many, the oldest of the network with the most of them ends: a flood from
        one network ends no sign-in of others.
        """
        state = secrets.token_urlsafe(32)
        parked = self._parked.get(ticket)
        network = _hash(self._salt + network_of(address)) if address else ""
        sign_in = SignIn(
            api.new_verifier(), _hash(browser), purpose, self._clock(), parked, network
        )
        with self._lock:
            self._remove_old(self._sign_ins)
            if len(self._sign_ins) >= MAX_SIGN_INS:
                self._remove_of_busiest_network()
            self._sign_ins[state] = sign_in
        return state, sign_in

    def finish_sign_in(self, browser: str | None, state: str) -> SignIn | None:
        """Return the sign-in of a state, once, to the browser that began it; else None."""
        with self._lock:
            sign_in = self._sign_ins.pop(state, None)
        if sign_in is None or self._clock() - sign_in.began > SIGN_IN_S:
            return None
        return sign_in if _began_in(sign_in, browser) else None

    def issue_ticket(self, sign_in: SignIn) -> str:
        """Return the ticket with which the browser claims its parked profile; "" if none."""
        if sign_in.parked is None or sign_in.parked.value is None:
            return ""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._remove_old(self._returned)
            self._returned[ticket] = sign_in
        return ticket

    def claim(self, browser: str | None, ticket: str) -> Any:
        """Return the parked profile of a ticket, once, to the browser that parked it; else None."""
        with self._lock:
            self._remove_old(self._returned)
            sign_in = self._returned.pop(ticket, None)
        if sign_in is None or sign_in.parked is None:
            return None
        return sign_in.parked.value if _began_in(sign_in, browser) else None

    def open_session(self, token: Token) -> tuple[str, Session]:
        """Open a session; return its cookie value and the session."""
        if self.registration is None:
            raise ValueError("a session needs a registration")
        cookie, session = secrets.token_urlsafe(32), Session(self.registration, token)
        with self._lock:
            ended = self._remove_idle()
            while len(self._sessions) >= MAX_SESSIONS:
                ended.append(self._sessions.pop(next(iter(self._sessions)))[0])
            self._sessions[_hash(cookie)] = session, self._clock()
        _close(ended)
        return cookie, session

    def find_session(self, cookie: str | None) -> Session | None:
        """Return the session that a cookie names, None if there is none or it has ended."""
        with self._lock:
            ended = self._remove_idle()
            self._remove_old(self._returned)
            entry = self._sessions.pop(key := _hash(cookie or ""), None)
            if entry is not None:
                self._sessions[key] = entry[0], self._clock()  # ordered by last use
        _close(ended)
        return entry and entry[0]

    def end_session(self, cookie: str | None) -> Session | None:
        """End the session that a cookie names, and return it."""
        with self._lock:
            entry = self._sessions.pop(_hash(cookie or ""), None)
        if entry is None:
            return None
        entry[0].close()
        return entry[0]

    def end_sessions_of(self, account: str) -> None:
        """End every session of one Spotify account."""
        with self._lock:
            keys = [k for k, (one, _) in self._sessions.items() if account == one.account != ""]
            ended = [self._sessions.pop(key)[0] for key in keys]
        _close(ended)

    def remove_expired(self) -> None:
        """Remove what has expired. Call it now and then: a server may have no visitors."""
        with self._lock:
            ended = self._remove_idle()
            for sign_ins in (self._sign_ins, self._returned):
                self._remove_old(sign_ins)
        _close(ended)

    def _remove_old(self, sign_ins: dict[str, SignIn]) -> None:
        """Remove expired sign-ins, and the oldest if there are too many. Hold the lock."""
        now = self._clock()
        for key, sign_in in list(sign_ins.items()):
            is_full = len(sign_ins) >= MAX_SIGN_INS and sign_ins is not self._sign_ins
            if not is_full and now - sign_in.began <= 2 * SIGN_IN_S:
                break
            del sign_ins[key]

    def _remove_of_busiest_network(self) -> None:
        """Remove the oldest sign-in of the network with the most of them. Hold the lock."""
        counts = Counter(each.network for each in self._sign_ins.values())
        busiest = max(counts, key=lambda network: counts[network])
        del self._sign_ins[
            next(key for key, each in self._sign_ins.items() if each.network == busiest)
        ]

    def _remove_idle(self) -> list[Session]:
        """Remove and return idle sessions, for the caller to close. Hold the lock."""
        now, ended = self._clock(), []
        for key, (session, last_used) in list(self._sessions.items()):
            if now - last_used <= IDLE_S:
                break
            ended.append(session)
            del self._sessions[key]
        return ended


def _began_in(sign_in: SignIn, browser: str | None) -> bool:
    return hmac.compare_digest(sign_in.browser, _hash(browser or ""))


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _close(sessions: list[Session]) -> None:
    for session in sessions:
        session.close()
