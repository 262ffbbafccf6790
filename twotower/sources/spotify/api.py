"""Spotify's sign-in (OAuth) and Web API; the only file that uses spotipy.

spotipy gets a plain session of requests, so it neither retries nor sleeps. Its tokens stay in
memory, and its logging is off, because it logs tokens.
"""

import base64
import hashlib
import ipaddress
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import requests
import spotipy
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyOauthError, SpotifyPKCE

from twotower.core.durations import duration_in_words
from twotower.core.errors import (
    LoginExpired,
    NotAllowed,
    RateLimited,
    TwoTowerError,
    Unreachable,
)
from twotower.core.settings import SPOTIFY_ACCOUNTS, SPOTIFY_API

logging.getLogger("spotipy").setLevel(logging.CRITICAL)

READ_SCOPES = (
    "user-top-read",
    "user-library-read",
    "playlist-read-private",
    "playlist-read-collaborative",
    "user-read-recently-played",
)
SAVE_SCOPES = ("playlist-modify-private",)  # requested when a person saves a playlist
TIMEOUT_S = 10
MOST_CALLS = 25  # for a profile, or for a playlist
LONGEST_WAIT_S = 10  # if Retry-After is longer, the reading ends
RENEW_BEFORE_S = 60  # before a token expires

SIGN_IN_AGAIN = (
    "Spotify no longer accepts this sign-in. It was revoked, or is older than six months. "
    "Sign in again"
)
NOT_ON_THE_LIST = (
    "Spotify lets only five registered people sign in on this server, and you are not one of "
    "them. Ask the operator to register you, or upload your data export instead"
)
OWNER_WITHOUT_PREMIUM = (
    "Spotify no longer serves this server, because its operator's Premium subscription has "
    "ended. Upload your data export instead"
)
REFUSED = "Spotify refused the request: sign in again, or upload your data export instead"
UNKNOWN_APP = (
    "Spotify doesn't accept this server's registration: ask the operator to compare "
    "SPOTIPY_CLIENT_ID and SPOTIPY_REDIRECT_URI with Spotify's developer dashboard"
)
NO_ANSWER = "Spotify doesn't answer at the moment"
DOWN = f"{NO_ANSWER}: try again in a few minutes"
UNREADABLE = "we don't understand Spotify's answer: try again later"
SLOW_DOWN = "Spotify gets too many requests at the moment"
QUOTA = "This server has used up what Spotify allows in a day"
OUT_OF_CALLS = f"this app's limit of {MOST_CALLS} requests is used up"


@dataclass(frozen=True, slots=True)
class Registration:
    """The operator's app as registered at Spotify, and Spotify's addresses."""

    client_id: str
    redirect_uri: str
    accounts: str = SPOTIFY_ACCOUNTS
    api: str = SPOTIFY_API

    @property
    def is_secure(self) -> bool:
        return self.redirect_uri.startswith("https://")

    @property
    def host(self) -> str:
        """Host and port under which people must open the app, as browsers write them."""
        default_port = ":443" if self.is_secure else ":80"
        return urlsplit(self.redirect_uri).netloc.lower().removesuffix(default_port)

    def redirect_uri_problem(self) -> str:
        """Say why Spotify won't accept the redirect URI; "" if it will."""
        try:
            parts = urlsplit(self.redirect_uri)
            host = parts.hostname or ""
        except ValueError:
            return f"{self.redirect_uri!r} is not a web address"
        has_more = parts.query or parts.fragment or "@" in parts.netloc
        if parts.path != "/callback" or has_more or not host:
            return "it must be the address of this app, ending in /callback"
        if parts.scheme == "https":
            return ""
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if parts.scheme == "http" and loopback:
            return ""
        return "Spotify accepts https, or http with 127.0.0.1 (localhost is refused)"


@dataclass(frozen=True, slots=True)
class Token:
    """Access to a person's account; never shown, logged or written to disk."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float  # seconds since 1970
    scopes: frozenset[str]

    def is_stale(self) -> bool:
        return self.expires_at - time.time() < RENEW_BEFORE_S


def new_verifier() -> str:
    """Return a random PKCE code verifier."""
    return secrets.token_urlsafe(64)


def authorize_url(
    registration: Registration, *, state: str, verifier: str, scopes: Iterable[str]
) -> str:
    """Return the address at Spotify where a person grants `scopes` or not."""
    manager = _manager(registration, scopes)
    manager.code_verifier = verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    manager.code_challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return str(manager.get_authorize_url(state=state))


def exchange_code(registration: Registration, code: str, verifier: str) -> Token:
    """Exchange a code from Spotify for a token; a code works once."""
    manager = _manager(registration)
    manager.code_verifier, manager.code_challenge = verifier, "unused here"
    _call_sign_in(lambda: manager.get_access_token(code, check_cache=False))
    return _token(manager.cache_handler.get_cached_token(), refresh="")


def renew_token(registration: Registration, token: Token) -> Token:
    """Return a new token. If it has a new refresh token, the old one is no longer valid."""
    if not token.refresh:
        raise LoginExpired(SIGN_IN_AGAIN)
    manager = _manager(registration)
    info = _call_sign_in(lambda: manager.refresh_access_token(token.refresh))
    fresh = _token(info, refresh=token.refresh)
    return fresh if fresh.scopes else replace(fresh, scopes=token.scopes)


def _manager(registration: Registration, scopes: Iterable[str] = ()) -> SpotifyPKCE:
    manager = SpotifyPKCE(
        client_id=registration.client_id,
        redirect_uri=registration.redirect_uri,
        scope=" ".join(scopes) or None,
        open_browser=False,
        requests_timeout=TIMEOUT_S,
        cache_handler=MemoryCacheHandler(),
    )
    manager.OAUTH_AUTHORIZE_URL = f"{registration.accounts}/authorize"
    manager.OAUTH_TOKEN_URL = f"{registration.accounts}/api/token"
    return manager


def _call_sign_in(call: Callable[[], Any]) -> Any:
    """Call Spotify's sign-in, and translate its errors."""
    try:
        return call()
    except SpotifyOauthError as refused:
        raise _sign_in_error(refused) from refused
    except requests.RequestException as fault:
        raise Unreachable(DOWN) from fault
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise Unreachable(UNREADABLE) from fault


def _sign_in_error(refused: SpotifyOauthError) -> TwoTowerError:
    response = getattr(refused.__context__, "response", None)
    if refused.error == "invalid_grant":
        return LoginExpired(SIGN_IN_AGAIN)
    if response is not None and response.status_code == 429:
        return _rate_limited(response.headers.get("Retry-After"), quota=False)
    if response is not None and response.status_code >= 500:
        return Unreachable(DOWN)
    return NotAllowed(UNKNOWN_APP)


def _token(info: Any, *, refresh: str) -> Token:
    try:
        access = info["access_token"]
        if not isinstance(access, str) or not access:
            raise ValueError("no access token")
        return Token(
            access,
            info.get("refresh_token") or refresh,
            float(info["expires_at"]),
            frozenset((info.get("scope") or "").split()),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise Unreachable(UNREADABLE) from fault


class SpotifyClient:
    """Client of the Web API for one person, for at most `most` calls.

    `access(renew=...)` returns the person's access token. `pause(seconds, why)` waits before a
    call is repeated. Raises errors of our own tree, RateLimited when the calls are used up.
    """

    def __init__(
        self,
        registration: Registration,
        access: Callable[..., str],
        *,
        pause: Callable[[float, str], None],
        most: int = MOST_CALLS,
    ) -> None:
        self.calls = 0
        self._access = access
        self._pause = pause
        self._most = most
        self._client = spotipy.Spotify(
            auth_manager=self, requests_session=requests.Session(), requests_timeout=TIMEOUT_S
        )
        self._client.prefix = registration.api.rstrip("/") + "/"

    def get_access_token(self, as_dict: bool = False) -> str:
        """Return the access token; spotipy calls this before each request."""
        return self._access(renew=False)

    @property
    def left(self) -> int:
        """Number of calls left."""
        return self._most - self.calls

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self._call(lambda: self._client._get(path, **params), repeatable=True)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a POST request; never repeated if Spotify may have executed it."""
        return self._call(lambda: self._client._post(path, payload=body), repeatable=False)

    def _call(self, send: Callable[[], Any], *, repeatable: bool) -> dict[str, Any]:
        """Send a request: once more with a renewed token, once more after a pause."""
        has_renewed = has_waited = False
        while True:
            if self.left <= 0:
                raise RateLimited(OUT_OF_CALLS)
            self.calls += 1
            try:
                answer = send()
            except spotipy.SpotifyException as refused:
                if refused.http_status == 401 and not has_renewed:
                    has_renewed = True
                    self._access(renew=True)
                    continue
                error = _translated(refused)
                may_repeat = repeatable or refused.http_status == 429
            except requests.RequestException as fault:
                error, may_repeat = Unreachable(DOWN), repeatable
                error.__cause__ = fault
            except (AttributeError, TypeError) as fault:  # spotipy fails on errors of unknown form
                error, may_repeat = Unreachable(UNREADABLE), False
                error.__cause__ = fault
            else:
                if isinstance(answer, dict):
                    return answer
                raise Unreachable(UNREADABLE)
            delay_s = _retry_delay_s(error)
            if delay_s is None or has_waited or not may_repeat or self.left <= 0:
                raise error
            has_waited = True
            self._pause(delay_s, SLOW_DOWN if isinstance(error, RateLimited) else NO_ANSWER)


def account_id(me: Mapping[str, Any]) -> str:
    """Return the person's id from the answer to GET /me; "" if it has none."""
    for name in ("account_id", "id"):
        if isinstance(me.get(name), str) and me[name]:
            return str(me[name])
    return ""


def fetch_account_id(registration: Registration, token: Token) -> str:
    """Return the id of the account that a token belongs to; "" if Spotify doesn't say."""
    web = SpotifyClient(registration, lambda *, renew: token.access, pause=lambda *_: None, most=1)
    try:
        return account_id(web.get("me"))
    except TwoTowerError:
        return ""


def _retry_delay_s(error: TwoTowerError) -> float | None:
    """Return the seconds until a retry; None if a retry is no use."""
    if isinstance(error, RateLimited) and not isinstance(error, _QuotaUsed):
        delay_s = error.retry_after_s
        return delay_s if delay_s is not None and delay_s <= LONGEST_WAIT_S else None
    return 1.0 if isinstance(error, Unreachable) else None


def _translated(refused: spotipy.SpotifyException) -> TwoTowerError:
    status, message = refused.http_status, str(refused.msg).casefold()
    if status == 401:
        return LoginExpired(SIGN_IN_AGAIN)
    if status == 429:
        return _rate_limited(
            refused.headers.get("Retry-After"), quota=refused.reason == "QUOTA_EXCEEDED"
        )
    if status >= 500:
        return Unreachable(DOWN)
    if "not registered" in message:
        return NotAllowed(NOT_ON_THE_LIST)
    if "premium subscription required" in message:
        return NotAllowed(OWNER_WITHOUT_PREMIUM)
    return NotAllowed(REFUSED)


def _rate_limited(retry_after: str | None, *, quota: bool) -> RateLimited:
    try:
        delay_s = float(retry_after) if retry_after is not None else None
    except ValueError:
        delay_s = None
    if delay_s is not None and not 0 <= delay_s < 1e7:
        delay_s = None
    when = "try again later" if delay_s is None else f"try again in {duration_in_words(delay_s)}"
    if quota:
        return _QuotaUsed(f"{QUOTA}: {when}", retry_after_s=delay_s)
    return RateLimited(f"{SLOW_DOWN}: {when}", retry_after_s=delay_s)


class _QuotaUsed(RateLimited):
    """The daily quota is used up, so a retry soon is no use, whatever Retry-After says."""
