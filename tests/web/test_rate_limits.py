"""How often something may be tried."""

import pytest

from twotower.core.errors import TooOften
from twotower.web.rate_limits import CODE, RATES, Limits, Rate, Rates, in_words


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


WIDE = Rate(1000, 0.001)


def limits(clock: Clock, *, session=WIDE, address=WIDE, server=WIDE, remembered=100) -> Limits:
    return Limits({CODE: Rates(session, address, server)}, clock=clock, remembered=remembered)


def tries(of: Limits, count: int, **who: str) -> int:
    """How many of so many tries were let through."""
    through = 0
    for _ in range(count):
        try:
            of.spend(CODE, **({"session": "s"} | who))
            through += 1
        except TooOften:
            pass
    return through


def test_so_many_at_once_and_then_one_as_time_goes_by():
    clock = Clock()
    made = limits(clock, session=Rate(3, 10))
    assert tries(made, 5) == 3
    clock.now += 9.9
    assert tries(made, 5) == 0
    clock.now += 0.1
    assert tries(made, 5) == 1
    clock.now += 1000
    assert tries(made, 5) == 3


def test_it_says_for_how_long_to_wait():
    clock = Clock()
    made = limits(clock, session=Rate(1, 600))
    made.spend(CODE, session="s")
    clock.now += 60
    with pytest.raises(TooOften, match="tried a code many times just now: try again in 9 min") as e:
        made.spend(CODE, session="s")
    assert e.value.retry_after_s == pytest.approx(540)


def test_one_session_does_not_hold_up_another():
    made = limits(Clock(), session=Rate(2, 10))
    assert tries(made, 5, session="a") == 2
    assert tries(made, 5, session="b") == 2


def test_new_sessions_from_one_address_are_held_up_together():
    made = limits(Clock(), address=Rate(2, 10))
    assert [tries(made, 1, session=str(n), address="192.0.2.1") for n in range(4)] == [1, 1, 0, 0]
    assert tries(made, 1, session="x", address="192.0.2.2") == 1


def test_the_whole_server_is_held_up_beyond_its_own():
    made = limits(Clock(), server=Rate(3, 10))
    assert sum(tries(made, 1, session=str(n), address=str(n)) for n in range(9)) == 3


def test_a_try_that_was_refused_takes_nothing():
    clock = Clock()
    made = limits(clock, session=Rate(1, 10), server=Rate(2, 1000))
    assert tries(made, 50, session="a") == 1
    assert tries(made, 1, session="b") == 1


def test_it_remembers_no_more_than_it_may():
    made = limits(Clock(), session=Rate(1, 1000), remembered=10)
    assert sum(tries(made, 1, session=str(n)) for n in range(50)) == 50
    assert len(made._full_at) == 10


def test_no_address_is_kept():
    made = Limits()
    made.spend(CODE, session="s3ss10n", address="192.0.2.1")
    assert "192.0.2.1" not in str(made.__dict__) and "s3ss10n" not in str(made.__dict__)


def test_each_act_has_a_rate_under_which_a_server_is_wider_than_a_session():
    for rates in RATES.values():
        assert rates.session.at_once < rates.address.at_once < rates.server.at_once


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 second"), (40, "40 seconds"), (91, "2 minutes")]
)
def test_a_time_to_wait_in_words(seconds, said):
    assert in_words(seconds) == said
