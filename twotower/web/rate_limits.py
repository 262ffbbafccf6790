"""How often something may be tried: by one session, from one address, on the whole server.

In the server's memory only, and of an address no more than a hash that another server, or this
one after a new start, would not make.
"""

import hashlib
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from twotower.core.errors import TooOften

REMEMBERED = 10_000  # sessions and addresses; those longest unheard of are forgotten first


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and after that one every so many seconds."""

    at_once: int
    every_s: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one kind of act."""

    session: Rate
    address: Rate
    server: Rate


JOIN, CHANGE, LEAVE, CODE = "join", "change", "leave", "code"
RATES: Mapping[str, Rates] = MappingProxyType(
    {
        JOIN: Rates(Rate(3, 600), Rate(10, 120), Rate(100, 1)),
        CHANGE: Rates(Rate(20, 10), Rate(60, 5), Rate(300, 0.2)),
        LEAVE: Rates(Rate(5, 60), Rate(20, 30), Rate(200, 0.5)),
        CODE: Rates(Rate(5, 20), Rate(20, 10), Rate(200, 0.5)),
    }
)
TOLD = {
    JOIN: "joined",
    CHANGE: "changed something",
    LEAVE: "left",
    CODE: "tried a code",
}


class Limits:
    """Token buckets: each act takes one from those of its session, its address and the server.

    Safe to share between threads. `clock` gives seconds that never fall.
    """

    def __init__(
        self,
        rates: Mapping[str, Rates] = RATES,
        *,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = REMEMBERED,
    ) -> None:
        self._rates, self._clock, self._most = rates, clock, remembered
        self._full_at: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(16)

    def spend(self, act: str, *, session: str, address: str | None = None) -> None:
        """Take note of one try; TooOften where it is one too many, and then nothing is taken."""
        rates = self._rates[act]
        asked = {(act, "server", ""): rates.server}
        asked[act, "session", self._hash(session)] = rates.session
        if address:
            asked[act, "address", self._hash(address)] = rates.address
        with self._lock:
            now = self._clock()
            wait = max(self._wait(key, rate, now) for key, rate in asked.items())
            if wait > 0:
                raise TooOften(
                    f"somebody here {TOLD.get(act, act)} many times just now: try again in "
                    f"{in_words(wait)}; nothing was changed",
                    retry_after_s=wait,
                )
            for key, rate in asked.items():
                self._full_at[key] = max(self._full_at.get(key, now), now) + rate.every_s
                self._full_at.move_to_end(key)
            while len(self._full_at) > self._most:
                self._full_at.popitem(last=False)

    def _wait(self, key: tuple[str, str, str], rate: Rate, now: float) -> float:
        """Seconds until one may be taken: a bucket is known by when it will be full again."""
        missing_s = max(0.0, self._full_at.get(key, now) - now)
        return max(0.0, missing_s - (rate.at_once - 1) * rate.every_s)

    def _hash(self, name: str) -> str:
        return hashlib.blake2b(name.encode(), key=self._salt, digest_size=12).hexdigest()


def in_words(seconds: float) -> str:
    """A time to wait: `40 seconds`, `3 minutes`."""
    whole = max(1, math.ceil(seconds))
    if whole <= 90:
        return f"{whole} second" + "s" * (whole > 1)
    return f"{math.ceil(whole / 60)} minutes"
