"""Rate limits by session, by network address and for the whole server.

They live in the server's memory. Addresses are stored as hashes with a random salt, which no other
server can reproduce, nor this one after a restart.
"""

import hashlib
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from twotower.core.durations import duration_in_words
from twotower.core.errors import TooOften

MAX_BUCKETS = 10_000  # sessions and addresses; the longest unused are dropped first


@dataclass(frozen=True, slots=True)
class Rate:
    """A burst of `at_once`, then one every `every_s` seconds."""

    at_once: int
    every_s: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits of one action; None is no limit."""

    session: Rate  # of a visitor's session, or of a member
    address: Rate | None = None
    server: Rate | None = None


JOIN, CHANGE, LEAVE, CODE, READ = "join", "change", "leave", "code", "read"
SIGN_IN = "sign-in"
RATES: Mapping[str, Rates] = MappingProxyType(
    {
        JOIN: Rates(Rate(3, 600), Rate(10, 120), Rate(100, 1)),
        # No limit that others could use up: a member can always change or leave.
        CHANGE: Rates(Rate(20, 10)),
        LEAVE: Rates(Rate(5, 60)),
        CODE: Rates(Rate(5, 20), Rate(20, 10)),  # only wrong codes count
        READ: Rates(Rate(20, 20), Rate(60, 5)),  # readings of files and services
        SIGN_IN: Rates(Rate(10, 30), Rate(30, 10)),  # each may become a question to Spotify
    }
)
ATTEMPTS = {
    JOIN: "attempts to join",
    CHANGE: "changes",
    LEAVE: "attempts to leave",
    CODE: "attempts with an access code",
    READ: "readings",
    SIGN_IN: "attempts to sign in",
}


def network_of(address: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address, which one household has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class RateLimiter:
    """Token buckets: each action takes one from its session, its address and the server.

    Safe to share between threads. `clock` returns seconds and never goes back.
    """

    def __init__(
        self,
        rates: Mapping[str, Rates] = RATES,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_buckets: int = MAX_BUCKETS,
    ) -> None:
        self._rates, self._clock, self._max_buckets = rates, clock, max_buckets
        # A bucket is stored as the time at which it will be full again.
        self._full_at: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(16)

    def spend(self, action: str, *, session: str, address: str | None = None) -> None:
        """Take one token for an action. Raises TooOften, and takes none, if a bucket is empty."""
        rates = self._rates[action]
        buckets = {(action, "session", self._hash(session)): rates.session}
        if address and rates.address:
            buckets[action, "address", self._hash(network_of(address))] = rates.address
        if rates.server:
            buckets[action, "server", ""] = rates.server
        with self._lock:
            now = self._clock()
            wait_s = max(self._wait_s(key, rate, now) for key, rate in buckets.items())
            if wait_s > 0:
                raise TooOften(
                    f"too many {ATTEMPTS.get(action, action)}: nothing was done; try again in "
                    f"{duration_in_words(wait_s)}",
                    retry_after_s=wait_s,
                )
            for key, rate in buckets.items():
                self._full_at[key] = max(self._full_at.get(key, now), now) + rate.every_s
                self._full_at.move_to_end(key)
            while len(self._full_at) > self._max_buckets:
                self._full_at.popitem(last=False)

    def _wait_s(self, key: tuple[str, str, str], rate: Rate, now: float) -> float:
        """Return the seconds until a token is there."""
        missing_s = max(0.0, self._full_at.get(key, now) - now)
        return max(0.0, missing_s - (rate.at_once - 1) * rate.every_s)

    def _hash(self, name: str) -> str:
        return hashlib.blake2b(name.encode(), key=self._salt, digest_size=12).hexdigest()
