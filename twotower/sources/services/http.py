"""HTTP client for web services: one call at a time, at a given pace, with retries and limits."""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

import twotower
from twotower.core.durations import duration_in_words
from twotower.core.errors import RateLimited, Unreachable

TIMEOUT_S = (5.0, 10.0)  # to connect, and between two pieces of an answer
WHOLE_ANSWER_S = 30.0
LARGEST_ANSWER = 1 << 24  # bytes
LONGEST_WAIT_S = 10.0  # if a service asks for a longer wait, the reading ends
MOST_TRIES = 3
RETRY_AFTER_S = 2.0  # after an error, or if a service doesn't say how long to wait
_STEP_S = 0.25  # of waiting, between two calls of `waiting`
_SOON_S = 0.001  # until the one ahead has begun, if there is no pause between calls
_TEMPORARY = (500, 502, 504)
_BUSY = (429, 503)

# At level DEBUG, urllib3 logs addresses, which contain a service's key.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

Waiting = Callable[[str, float], None]  # (why, seconds left); may raise, to stop waiting


class Pace:
    """Minimum time between calls to one service, shared by all its clients in this process.

    Clients wait in line. One that stops waiting leaves the line, and the others move up.
    """

    def __init__(
        self,
        between_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.between_s = between_s
        self.now, self.sleep = now, sleep
        self._next = now()
        self._line: deque[object] = deque()
        self._lock = threading.Lock()

    def turn(self, waiting: Callable[[float], None] | None = None) -> None:
        """Block until it is this caller's turn; `waiting` gets the seconds left, several times."""
        place = object()
        with self._lock:
            self._line.append(place)
        try:
            while (left := self._seconds_left(place)) > 0:
                if waiting is not None:
                    waiting(left)
                self.sleep(min(left, _STEP_S))
        finally:
            with self._lock, suppress(ValueError):
                self._line.remove(place)

    def _seconds_left(self, place: object) -> float:
        """Return the seconds until a caller's turn; 0 takes the turn."""
        with self._lock:
            now, ahead = self.now(), self._line.index(place)
            left = max(self._next - now, 0.0) + ahead * self.between_s
            if ahead:
                return max(left, _SOON_S)
            if left == 0.0:
                self._line.popleft()
                self._next = now + self.between_s
            return left

    def wait(self, seconds: float, waiting: Callable[[float], None] | None = None) -> None:
        """Block for some seconds; `waiting` gets the seconds left, several times."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            if waiting is not None:
                waiting(left)
            self.sleep(min(left, _STEP_S))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int  # 200 to 299, or 400 to 499 without 429
    body: Any  # decoded JSON; None if there is none


def user_agent(contact: str) -> str:
    """Return our User-Agent with a contact, as MusicBrainz and ListenBrainz require."""
    return f"MusicalNeighbours/{twotower.__version__} ( {contact} )"


class WebClient:
    """Client of one service. `waiting` is called during pauses, and may raise to stop."""

    def __init__(
        self,
        service: str,  # its name for people
        address: str,
        *,
        agent: str = "MusicalNeighbours",
        pace: Pace | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self.service = service
        self.calls = 0
        self._address = address.rstrip("/")
        self._pace = pace or Pace(0.0)
        self._waiting = waiting
        self._session = requests.Session()
        self._session.headers["User-Agent"] = agent

    def get(self, path: str, **fields: object) -> Answer:
        """Return the answer to a GET request; fields that are None are left out.

        Waits and retries if the service asks for at most LONGEST_WAIT_S, else raises RateLimited.
        Raises Unreachable if there is no answer, no JSON, or a redirection.
        """
        params = {key: str(value) for key, value in fields.items() if value is not None}
        attempt = 0
        while True:
            attempt += 1
            self._pace.turn(self._countdown(f"Waiting for the next turn at {self.service}"))
            self.calls += 1
            response, raw = self._request(path, params)
            status = response.status_code
            if status in _BUSY:
                wait_s = _requested_wait_s(response.headers)
                if attempt == MOST_TRIES or (wait_s or 0.0) > LONGEST_WAIT_S:
                    raise self.rate_limited(wait_s)
                self.pause(RETRY_AFTER_S if wait_s is None else wait_s)
            elif status in _TEMPORARY and attempt < MOST_TRIES:
                self.pause(RETRY_AFTER_S)
            elif status >= 500 or 300 <= status < 400:
                raise self.unreachable(f"it answers with status {status}")
            else:
                return Answer(status, self._decoded(raw, status))

    def rate_limited(self, wait_s: float | None) -> RateLimited:
        """Return the error to raise if the service accepts no more requests for now."""
        when = "a few minutes" if wait_s is None else duration_in_words(wait_s)
        return RateLimited(
            f"{self.service} accepts no more requests just now: try again in {when}",
            retry_after_s=wait_s,
        )

    def unreachable(self, why: str) -> Unreachable:
        """Return the error to raise if the service has no usable answer."""
        return Unreachable(
            f"{self.service} can't be read at the moment ({why}): try again in a few minutes"
        )

    def pause(self, seconds: float) -> None:
        """Wait because the service asks for it."""
        self._pace.wait(seconds, self._countdown(f"{self.service} asks us to wait"))

    def _countdown(self, why: str) -> Callable[[float], None] | None:
        waiting = self._waiting
        return None if waiting is None else lambda left: waiting(why, left)

    def _request(self, path: str, params: Mapping[str, str]) -> tuple[requests.Response, bytes]:
        """Return the response and its body. Errors never contain the address: it has the key."""
        until = self._pace.now() + WHOLE_ANSWER_S
        try:
            with self._session.get(
                f"{self._address}{path}",
                params=dict(params),
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            ) as response:
                raw = bytearray()
                while piece := response.raw.read1(1 << 16, decode_content=True):
                    raw += piece
                    if len(raw) > LARGEST_ANSWER:
                        raise self.unreachable("its answer is too large")
                    if self._pace.now() > until:
                        raise self.unreachable("it is too slow")
                return response, bytes(raw)
        except (requests.Timeout, TimeoutError, urllib3.exceptions.TimeoutError):
            raise self.unreachable("it doesn't answer in time") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError):
            raise self.unreachable("the connection fails") from None

    def _decoded(self, raw: bytes, status: int) -> Any:
        if not raw.strip():
            return None
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            if status >= 400:
                return None
            raise self.unreachable("its answer isn't JSON") from None


def _requested_wait_s(headers: Mapping[str, str]) -> float | None:
    """Return how long the service asks us to wait, in seconds; None if it doesn't say."""
    for name in ("Retry-After", "X-RateLimit-Reset-In"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 <= seconds < 1e9:
            return seconds
    return None
