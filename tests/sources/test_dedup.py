"""Duplicate plays across files: found by title and time, each once."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.domain import Play
from twotower.sources.dedup import EARLIER_S, LATER_S, DuplicateFinder

NOON = 1_714_564_800


def play(at: int, track: str | None = "Monkey", ms: int | None = None, count: int = 1) -> Play:
    return Play("Low", track, at=datetime.fromtimestamp(at, UTC), ms_played=ms, count=count)


def known(first: list[Play], second: list[Play], *, kinds=("extended", "listens")) -> list[bool]:
    """Return for each play of a second file if the first file has it."""
    heard = DuplicateFinder()
    assert not any(heard.is_duplicate(one, kinds[0]) for one in first)
    heard.end_file(kinds[0])
    return [heard.is_duplicate(one, kinds[1]) for one in second]


def test_start_times_are_compared_even_if_a_source_has_end_times():
    first = [play(NOON + 200, ms=200_000)]
    for told in (NOON, NOON + 200, NOON - EARLIER_S, NOON + LATER_S):
        assert known(first, [play(told)]) == [True]
    for told in (NOON - EARLIER_S - 1, NOON + LATER_S + 1):
        assert known(first, [play(told)]) == [False]


def test_one_play_matches_at_most_one_other():
    assert known([play(NOON)], [play(NOON), play(NOON + 1)]) == [True, False]
    assert known([play(NOON), play(NOON + 240)], [play(NOON), play(NOON + 240)]) == [True, True]


def test_files_of_one_kind_are_compared_to_the_second():
    same = {"kinds": ("extended", "extended")}
    assert known([play(NOON)], [play(NOON)], **same) == [True]
    assert known([play(NOON)], [play(NOON + 60)], **same) == [False]


def test_a_third_file_is_compared_with_both():
    heard = DuplicateFinder()
    for kind in ("extended", "listens", "table"):
        found = heard.is_duplicate(play(NOON), kind)
        assert found == (kind != "extended")
        heard.end_file(kind)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Monkey", "MONKEY!", True),
        ("Monkey - Remastered 2011", "Monkey", True),
        ("Monkey (Live at Home)", "Monkey", True),
        ("Café", "Cafe\u0301", True),
        ("(What's So Funny)", "What's so funny", True),
        ("東京", "東京 - Single Version", True),
        ("!!!", "!!!", True),
        ("Monkey", "Donkey", False),
        ("Half-Life", "Half", False),
    ],
)
def test_titles_match_if_only_their_version_differs(one: str, other: str, same: bool):
    assert known([play(NOON, one)], [play(NOON, other)]) == [same]


@pytest.mark.parametrize("told", [Play("Low", "Monkey"), play(NOON, None), play(NOON, count=3)])
def test_a_play_without_time_or_title_is_never_a_duplicate(told: Play):
    assert known([told], [told]) == [False]


TIMES = st.lists(st.integers(NOON, NOON + 7200), max_size=30)


@given(TIMES, TIMES)
def test_duplicates_are_never_more_than_the_plays_before(first: list[int], second: list[int]):
    found = known([play(at) for at in first], [play(at) for at in second])
    assert sum(found) <= min(len(first), len(second))
    same = known([play(at) for at in first], [play(at) for at in first], kinds=("a", "a"))
    assert all(same)
