"""Durations in words."""

import pytest

from twotower.core.durations import duration_in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 second"),
        (1.2, "2 seconds"),
        (99, "99 seconds"),
        (100, "2 minutes"),
        (3600, "60 minutes"),
        (48_925, "13.6 hours"),
        (86_400, "24 hours"),
    ],
)
def test_a_duration_in_words_is_rounded_up(seconds: float, words: str):
    assert duration_in_words(seconds) == words
