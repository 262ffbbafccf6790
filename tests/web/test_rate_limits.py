"""Rate limits: token buckets by session, address and server."""

import pytest

from twotower.core.errors import TooOften
from twotower.web.rate_limits import (
    CHANGE,
    CODE,
    LEAVE,
    RATES,
    Rate,
    RateLimiter,
    Rates,
    network_of,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


WIDE = Rate(1000, 0.001)


def make_limiter(
    clock: Clock, *, session=WIDE, address=WIDE, server=WIDE, max_buckets=100
) -> RateLimiter:
    return RateLimiter(
        {CODE: Rates(session, address, server)}, clock=clock, max_buckets=max_buckets
    )


def attempts(limiter: RateLimiter, count: int, **who: str) -> int:
    """Return how many of `count` attempts the limiter allowed."""
    allowed = 0
    for _ in range(count):
        try:
            limiter.spend(CODE, **({"session": "s"} | who))
            allowed += 1
        except TooOften:
            pass
    return allowed


def test_a_burst_is_allowed_and_then_one_each_interval():
    clock = Clock()
    limiter = make_limiter(clock, session=Rate(3, 10))
    assert attempts(limiter, 5) == 3
    clock.now += 9.9
    assert attempts(limiter, 5) == 0
    clock.now += 0.1
    assert attempts(limiter, 5) == 1
    clock.now += 1000
    assert attempts(limiter, 5) == 3


def test_the_error_says_how_long_to_wait():
    clock = Clock()
    limiter = make_limiter(clock, session=Rate(1, 600))
    limiter.spend(CODE, session="s")
    clock.now += 60
    with pytest.raises(TooOften, match="try again in 9 min") as e:
        limiter.spend(CODE, session="s")
    assert e.value.retry_after_s == pytest.approx(540)


def test_one_session_does_not_slow_another():
    limiter = make_limiter(Clock(), session=Rate(2, 10))
    assert attempts(limiter, 5, session="a") == 2
    assert attempts(limiter, 5, session="b") == 2


def test_sessions_from_one_address_share_a_limit():
    limiter = make_limiter(Clock(), address=Rate(2, 10))
    assert [attempts(limiter, 1, session=str(n), address="192.0.2.1") for n in range(4)] == [
        1,
        1,
        0,
        0,
    ]
    assert attempts(limiter, 1, session="x", address="192.0.2.2") == 1


def test_all_addresses_share_the_limit_of_the_server():
    limiter = make_limiter(Clock(), server=Rate(3, 10))
    assert sum(attempts(limiter, 1, session=str(n), address=str(n)) for n in range(9)) == 3


def test_a_refused_attempt_takes_no_token():
    clock = Clock()
    limiter = make_limiter(clock, session=Rate(1, 10), server=Rate(2, 1000))
    assert attempts(limiter, 50, session="a") == 1
    assert attempts(limiter, 1, session="b") == 1


def test_the_number_of_buckets_is_bounded():
    limiter = make_limiter(Clock(), session=Rate(1, 1000), max_buckets=10)
    assert sum(attempts(limiter, 1, session=str(n)) for n in range(50)) == 50
    assert len(limiter._full_at) == 10


def test_addresses_and_sessions_are_stored_as_hashes():
    limiter = RateLimiter()
    limiter.spend(CODE, session="s3ss10n", address="192.0.2.1")
    assert "192.0.2.1" not in str(limiter.__dict__) and "s3ss10n" not in str(limiter.__dict__)


def test_the_limit_of_a_server_is_wider_than_that_of_a_session():
    for rates in RATES.values():
        limits = [rate.at_once for rate in (rates.session, rates.address, rates.server) if rate]
        assert limits == sorted(set(limits))


@pytest.mark.parametrize("action", [CHANGE, LEAVE])
def test_nobody_uses_up_the_changes_of_another_member(action):
    limiter = RateLimiter(clock=Clock())
    for member in range(1000):
        limiter.spend(action, session=str(member), address="192.0.2.1")


def test_addresses_of_one_ipv6_network_share_a_limit():
    limiter = make_limiter(Clock(), address=Rate(2, 10))
    inside = [f"2001:db8:0:1::{n:x}" for n in range(1, 5)]
    assert sum(attempts(limiter, 1, session=each, address=each) for each in inside) == 2
    assert attempts(limiter, 1, session="x", address="2001:db8:0:2::1") == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_the_network_of_an_address(address: str, network: str):
    assert network_of(address) == network
