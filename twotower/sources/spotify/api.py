"""Spotify's sign-in and Web API, as they are asked: the one file with spotipy.

spotipy is given a plain session of requests, so it neither repeats a call nor sleeps; its token
stays in memory; and it writes nothing to the log, where it would put tokens.
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

TO_READ = (
    "user-top-read",
    "user-library-read",
    "playlist-read-private",
    "playlist-read-collaborative",
    "user-read-recently-played",
)
TO_SAVE = ("playlist-modify-private",)  # asked for when a person wants a playlist saved
TIMEOUT_S = 10
MOST_CALLS = 25  # a profile, or a playlist
LONGEST_WAIT_S = 10  # of Retry-After; a longer one ends the reading
RENEW_BEFORE_S = 60  # of a token's end

SIGN_IN_AGAIN = (
    "Spotify no longer accepts this sign-in: it was taken back, or is older than the six months "
    "that Spotify lets one last. Sign in again"
)
NOT_ON_THE_LIST = (
    "Spotify lets only five people use this server's connection, named in advance, and you are "
    "not one of them: ask whoever runs this server to add you in Spotify's developer dashboard, "
    "or bring your data export instead"
)
OWNER_WITHOUT_PREMIUM = (
    "Spotify has closed this server's connection, because its owner has no Premium subscription "
    "at the moment: only whoever runs this server can change that. Your data export works without"
)
REFUSED = "Spotify refuses what was asked for: sign in again, or bring your data export instead"
UNKNOWN_APP = (
    "Spotify doesn't accept this server's registration: whoever runs it should check "
    "SPOTIPY_CLIENT_ID and SPOTIPY_REDIRECT_URI against Spotify's developer dashboard"
)
NO_ANSWER = "Spotify doesn't answer at the moment"
DOWN = f"{NO_ANSWER}: try again in a few minutes"
UNREADABLE = "Spotify answered in a form that isn't known here: try again later"
SLOW_DOWN = "Spotify is asked too much at the moment"
QUOTA = "The connection of this server has used up what Spotify allows it in a day"
OUT_OF_CALLS = f"the {MOST_CALLS} questions that this app allows itself are used up"


@dataclass(frozen=True, slots=True)
class Registration:
    """The operator's app in Spotify's dashboard, and where Spotify is."""

    client_id: str
    redirect_uri: str
    accounts: str = SPOTIFY_ACCOUNTS
    api: str = SPOTIFY_API

    @property
    def secure(self) -> bool:
        return self.redirect_uri.startswith("https://")

    @property
    def host(self) -> str:
        """The host and port under which people must open the app, as a browser names them."""
        usual = ":443" if self.secure else ":80"
        return urlsplit(self.redirect_uri).netloc.lower().removesuffix(usual)

    def problem(self) -> str:
        """Why Spotify won't take the redirect URI; "" where it will."""
        try:
            parts = urlsplit(self.redirect_uri)
            host = parts.hostname or ""
        except ValueError:
            return f"{self.redirect_uri!r} is no address"
        more = parts.query or parts.fragment or "@" in parts.netloc
        if parts.path != "/callback" or more or not host:
            return "it must be the address of this app, ending in /callback"
        if parts.scheme == "https":
            return ""
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if parts.scheme == "http" and loopback:
            return ""
        return "Spotify takes https, or http with 127.0.0.1 (localhost is refused)"


@dataclass(frozen=True, slots=True)
class Token:
    """What opens a person's account; it is never shown, logged or written."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float  # seconds since 1970
    scopes: frozenset[str]

    def is_stale(self) -> bool:
        return self.expires_at - time.time() < RENEW_BEFORE_S


def new_verifier() -> str:
    return secrets.token_urlsafe(64)


def authorize_url(
    registration: Registration, *, state: str, verifier: str, scopes: Iterable[str]
) -> str:
    """Where a person says yes or no to `scopes`."""
    manager = _manager(registration, scopes)
    manager.code_verifier = verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    manager.code_challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return str(manager.get_authorize_url(state=state))


def exchange_code(registration: Registration, code: str, verifier: str) -> Token:
    """The token for a code that Spotify gave; a code works once."""
    manager = _manager(registration)
    manager.code_verifier, manager.code_challenge = verifier, "not asked for here"
    _asked(lambda: manager.get_access_token(code, check_cache=False))
    return _token(manager.cache_handler.get_cached_token(), refresh="")


def renew(registration: Registration, token: Token) -> Token:
    """A fresh token; Spotify may give a new refresh token with it, and the old one ends."""
    if not token.refresh:
        raise LoginExpired(SIGN_IN_AGAIN)
    manager = _manager(registration)
    info = _asked(lambda: manager.refresh_access_token(token.refresh))
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


def _asked(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except SpotifyOauthError as refused:
        raise _refused_sign_in(refused) from refused
    except requests.RequestException as fault:
        raise Unreachable(DOWN) from fault
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise Unreachable(UNREADABLE) from fault


def _refused_sign_in(refused: SpotifyOauthError) -> TwoTowerError:
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


class Web:
    """Questions to the Web API for one person, counted: never more than `most`.

    `access(renew=...)` gives the person's access token; `pause(seconds, why)` waits where a
    question is worth asking again. Refusals are of our error tree.
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
        """What spotipy asks an auth manager before each call."""
        return self._access(renew=False)

    @property
    def left(self) -> int:
        return self._most - self.calls

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self._answer(lambda: self._client._get(path, **params), repeatable=True)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Not asked again where it is unknown whether Spotify did it."""
        return self._answer(lambda: self._client._post(path, payload=body), repeatable=False)

    def _answer(self, ask: Callable[[], Any], *, repeatable: bool) -> dict[str, Any]:
        renewed = waited = False
        while True:
            if self.left <= 0:
                raise RateLimited(OUT_OF_CALLS)
            self.calls += 1
            try:
                answer = ask()
            except spotipy.SpotifyException as refused:
                if refused.http_status == 401 and not renewed:
                    renewed = True
                    self._access(renew=True)
                    continue
                refusal = _refusal(refused)
                again = repeatable or refused.http_status == 429
            except requests.RequestException as fault:
                refusal, again = Unreachable(DOWN), repeatable
                refusal.__cause__ = fault
            except (AttributeError, TypeError) as fault:  # spotipy met an error of unknown form
                refusal, again = Unreachable(UNREADABLE), False
                refusal.__cause__ = fault
            else:
                if isinstance(answer, dict):
                    return answer
                raise Unreachable(UNREADABLE)
            delay = _worth_waiting(refusal)
            if delay is None or waited or not again or self.left <= 0:
                raise refusal
            waited = True
            self._pause(delay, SLOW_DOWN if isinstance(refusal, RateLimited) else NO_ANSWER)


def account_id(me: Mapping[str, Any]) -> str:
    """Spotify's id of a person, of its answer to "me"; "" where there is none."""
    for name in ("account_id", "id"):
        if isinstance(me.get(name), str) and me[name]:
            return str(me[name])
    return ""


def account_of(registration: Registration, token: Token) -> str:
    """Whose account a token opens; "" where Spotify doesn't say."""
    web = Web(registration, lambda *, renew: token.access, pause=lambda *_: None, most=1)
    try:
        return account_id(web.get("me"))
    except TwoTowerError:
        return ""


def _worth_waiting(refusal: TwoTowerError) -> float | None:
    """Seconds after which to ask once more; None where that would be of no use."""
    if isinstance(refusal, RateLimited) and not isinstance(refusal, _QuotaUsed):
        delay = refusal.retry_after_s
        return delay if delay is not None and delay <= LONGEST_WAIT_S else None
    return 1.0 if isinstance(refusal, Unreachable) else None


def _refusal(refused: spotipy.SpotifyException) -> TwoTowerError:
    status, said = refused.http_status, str(refused.msg).casefold()
    if status == 401:
        return LoginExpired(SIGN_IN_AGAIN)
    if status == 429:
        return _rate_limited(
            refused.headers.get("Retry-After"), quota=refused.reason == "QUOTA_EXCEEDED"
        )
    if status >= 500:
        return Unreachable(DOWN)
    if "not registered" in said:
        return NotAllowed(NOT_ON_THE_LIST)
    if "premium subscription required" in said:
        return NotAllowed(OWNER_WITHOUT_PREMIUM)
    return NotAllowed(REFUSED)


def _rate_limited(retry_after: str | None, *, quota: bool) -> RateLimited:
    try:
        delay = float(retry_after) if retry_after is not None else None
    except ValueError:
        delay = None
    if delay is not None and not 0 <= delay < 1e7:
        delay = None
    when = "try again later" if delay is None else f"try again in {duration_in_words(delay)}"
    if quota:
        return _QuotaUsed(f"{QUOTA}: {when}", retry_after_s=delay)
    return RateLimited(f"{SLOW_DOWN}: {when}", retry_after_s=delay)


class _QuotaUsed(RateLimited):
    """Of a day, not of half a minute: asking again soon is of no use, whatever Retry-After says."""
