"""Questions to a service on the web, asked politely: in turn, in time, and with an end."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

import twotower
from twotower.core.errors import RateLimited, Unreachable

TIMEOUT_S = (5.0, 10.0)  # to connect, and between two pieces of an answer
WHOLE_ANSWER_S = 30.0
LARGEST_ANSWER = 1 << 24  # bytes
LONGEST_WAIT_S = 10.0  # that a service may ask for; a longer one ends the reading
MOST_TRIES = 3
AGAIN_AFTER_S = 2.0  # where a service asks to wait and doesn't say how long, or has stumbled
_STEP_S = 0.25  # of waiting, between two looks whether to go on
_STUMBLED = (500, 502, 504)
_BUSY = (429, 503)

# At its level DEBUG it writes addresses to the log, and with them a service's key.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

Waiting = Callable[[str, float], None]  # why, and seconds left; may raise, which ends the waiting


class Pace:
    """Turns of a service that wants a pause between calls; one for all who ask from here."""

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
        self._lock = threading.Lock()

    def turn(self, waiting: Callable[[float], None] | None = None) -> None:
        """Come back when it is this caller's turn."""
        with self._lock:
            at = max(self.now(), self._next)
            self._next = at + self.between_s
        self.wait(at - self.now(), waiting)

    def wait(self, seconds: float, waiting: Callable[[float], None] | None = None) -> None:
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            if waiting is not None:
                waiting(left)
            self.sleep(min(left, _STEP_S))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int  # 200 to 299, or 400 to 499 but 429
    body: Any  # decoded JSON; None where there is none


def agent(contact: str) -> str:
    """How we introduce ourselves, as MusicBrainz and ListenBrainz ask of everyone."""
    return f"MusicalNeighbours/{twotower.__version__} ( {contact} )"


class WebClient:
    """One service. `waiting` hears of every pause, and ends the reading by raising."""

    def __init__(
        self,
        service: str,  # as people call it
        address: str,  # without a slash at its end
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
        """The answer to a question.

        What a service asks for in Retry-After is waited up to LONGEST_WAIT_S, then RateLimited
        says how long. Unreachable where there is no answer, or none in JSON, or a redirection.
        """
        asked = {key: str(value) for key, value in fields.items() if value is not None}
        tried = 0
        while True:
            tried += 1
            self._pace.turn(self._told(f"Waiting for the next turn at {self.service}"))
            self.calls += 1
            response, raw = self._ask(path, asked)
            status = response.status_code
            if status in _BUSY:
                wait = _seconds(response.headers)
                if tried == MOST_TRIES or (wait or 0.0) > LONGEST_WAIT_S:
                    raise self.busy(wait)
                self.pause(AGAIN_AFTER_S if wait is None else wait)
            elif status in _STUMBLED and tried < MOST_TRIES:
                self.pause(AGAIN_AFTER_S)
            elif status >= 500 or 300 <= status < 400:
                raise self.down(f"it answers with status {status}")
            else:
                return Answer(status, self._decoded(raw, status))

    def busy(self, wait_s: float | None) -> RateLimited:
        """What to raise where the service wants no more questions for now."""
        when = "a few minutes" if wait_s is None else spoken(wait_s)
        return RateLimited(
            f"{self.service} wants fewer questions just now: try again in {when}",
            retry_after_s=wait_s,
        )

    def down(self, why: str) -> Unreachable:
        """What to raise where the service gives no answer that is one."""
        return Unreachable(
            f"{self.service} can't be read at the moment ({why}): try again in a few minutes"
        )

    def pause(self, seconds: float) -> None:
        self._pace.wait(seconds, self._told(f"{self.service} asks us to wait"))

    def _told(self, why: str) -> Callable[[float], None] | None:
        waiting = self._waiting
        return None if waiting is None else lambda left: waiting(why, left)

    def _ask(self, path: str, fields: Mapping[str, str]) -> tuple[requests.Response, bytes]:
        """The response and its body. Nothing of the address gets into an error: it has the key."""
        until = self._pace.now() + WHOLE_ANSWER_S
        try:
            with self._session.get(
                f"{self._address}{path}",
                params=dict(fields),
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            ) as response:
                raw = bytearray()
                while piece := response.raw.read1(1 << 16, decode_content=True):
                    raw += piece
                    if len(raw) > LARGEST_ANSWER:
                        raise self.down("its answer is too large")
                    if self._pace.now() > until:
                        raise self.down("it is too slow")
                return response, bytes(raw)
        except (requests.Timeout, TimeoutError, urllib3.exceptions.TimeoutError):
            raise self.down("it doesn't answer in time") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError):
            raise self.down("the connection fails") from None

    def _decoded(self, raw: bytes, status: int) -> Any:
        if not raw.strip():
            return None
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            if status >= 400:
                return None
            raise self.down("its answer is none that we understand") from None


def spoken(seconds: float) -> str:
    """A time to wait as people say it, rounded up: `40 seconds`, `3 minutes`, `14 hours`."""
    for size, noun in ((3600, "hour"), (60, "minute")):
        if seconds > 2 * size:
            count = -int(-seconds // size)
            return f"{count} {noun}s"
    count = max(1, -int(-seconds // 1))
    return f"{count} second" + "s" * (count > 1)


def _seconds(headers: Mapping[str, str]) -> float | None:
    """How long the service asks to wait; None where it doesn't say so in a form that we know."""
    for name in ("Retry-After", "X-RateLimit-Reset-In"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 <= seconds < 1e9:
            return seconds
    return None
