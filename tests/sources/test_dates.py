"""Dates of exports in many notations, and the order of day and month in a column."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.sources.dates import DateOrder, DateOrderEvidence, parse_time

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-02T19:05:21Z",
        "2026-03-02 19:05:21 UTC",
        "2026-03-02 19:05:21 GMT",
        "2026-03-02T20:05:21+01:00",
        "2026-03-02 20:05:21 +0100",
        "2026-03-02T19:05:21.000Z[UTC]",
        "02 Mar 2026, 19:05:21",
        "2 March 2026 7:05:21 PM",
        "Mon, 02 Mar 2026 20:05:21 +0100",
        "Mar 2, 2026, 7:05:21\u202fPM UTC",
        "Mar 2, 2026, 8:05:21 PM CET",
        "March 2nd, 2026 at 7:05:21 p.m.",
        "2. März 2026, 20:05:21 MEZ",
        "2 mars 2026 à 19:05:21",
        "2 de marzo de 2026 19:05:21",
        "2 марта 2026 г., 19:05:21",
        "2026年3月2日 19:05:21",
        "2026년 3월 2일 오후 7:05:21",
        "02.03.2026 19:05:21",
        "2.3.2026, 19.05.21",
        "02/03/26 19:05:21",
        "2026/03/02 19:05:21",
        "02-03-2026 19:05:21",
        "02/03/2026 07:05:21 pm",
        "1772478321",
        "1772478321.0",
        "1772478321000",
        "1772478321000000",
    ],
)
def test_a_time_in_many_notations(written: str):
    assert parse_time(written) == datetime(2026, 3, 2, 19, 5, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "hour"), [("12:05 AM", 0), ("12:05 pm", 12), ("1:05 a.m.", 1), ("11:05 PM", 23)]
)
def test_a_twelve_hour_clock(written: str, hour: int):
    assert parse_time(f"3/2/2026 {written}") == datetime(2026, 2, 3, hour, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        *("", "soon", "12", "258", "4:18", "25/25/2026", "31 Foo 2026", "1970-01-01", "99/99/99"),
        *("１２", "Live in Paris, the second night, 02/03/2026", "10,000 Maniacs", "2026-13-01"),
        "123456789012345",
    ],
)
def test_a_text_that_is_no_time(written: str):
    assert parse_time(written) is None


def order_of(*dates: str, day_first: bool | None = None) -> DateOrder:
    evidence = DateOrderEvidence()
    for written in dates:
        evidence.add(written)
    return evidence.order(NOW, day_first=day_first)


@pytest.mark.parametrize(
    ("dates", "day_first"),
    [
        (["01/03/2026", "13/03/2026"], True),
        (["3/1/2026 9:00", "3/13/2026 9:00"], False),
        (["03-01-2026", "03-31-2026"], False),
        (["11/05/2026"], True),  # the fifth of November 2026 lies in the future
        (["05/11/2026"], False),
        ([f"{day}/4/2026" for day in range(1, 6)], True),
        ([f"4/{day}/2026" for day in range(1, 6)], False),
        (["3/4/2026 7:05 PM"], False),
    ],
)
def test_one_row_decides_the_order_of_the_whole_column(dates: list[str], day_first: bool):
    assert order_of(*dates) == DateOrder(day_first)


def test_header_or_language_decide_before_the_clock_and_after_a_value_above_12():
    assert order_of("3/4/2026 7:05 PM", day_first=True) == DateOrder(True)
    assert order_of("3/4/2026", day_first=False) == DateOrder(False)
    assert order_of("13/4/2026", day_first=False) == DateOrder(True)


def test_without_a_sign_the_day_comes_first_and_that_is_a_guess():
    assert order_of("3/4/2026", "5/4/2026") == DateOrder(True, is_guess=True)
    assert order_of("3/3/2026", "2026-04-05", "05.04.2026", "x") == DateOrder(True)


def test_dots_are_day_first_and_a_value_above_12_decides_its_own_row():
    for day_first in (True, False):
        assert parse_time("5.3.2026", day_first=day_first) == datetime(2026, 3, 5, tzinfo=UTC)
        assert parse_time("3/25/2026", day_first=day_first) == datetime(2026, 3, 25, tzinfo=UTC)
    assert parse_time("5/3/2026", day_first=False) == datetime(2026, 5, 3, tzinfo=UTC)


@given(st.text(max_size=40), st.booleans())
def test_no_text_raises(text: str, day_first: bool):
    evidence = DateOrderEvidence()
    evidence.add(text)
    evidence.order(NOW)
    parse_time(text, day_first=day_first)
