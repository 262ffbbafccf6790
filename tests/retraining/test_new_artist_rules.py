"""Rules for artists that members bring into a model."""

import math

import pytest

from twotower.retraining.new_artist_rules import (
    DELTA,
    EPSILON,
    NewArtistRules,
    admission_probability,
)


def test_below_the_minimum_no_artist_enters_and_well_above_it_every_one():
    assert [admission_probability(n, 5) for n in range(5)] == [0.0] * 5
    assert admission_probability(13, 5) == admission_probability(1000, 5) == 1.0


def test_one_listener_more_changes_the_probability_by_little():
    for n in range(20):
        less, more = admission_probability(n, 5), admission_probability(n + 1, 5)
        assert less <= more <= math.exp(EPSILON) * less + DELTA + 1e-12
        assert 1 - less <= math.exp(EPSILON) * (1 - more) + DELTA + 1e-12


def test_a_fifth_listener_shows_for_about_one_rare_artist_in_a_hundred():
    rules = NewArtistRules({}, b"secret of a community")
    shown = sum(rules.has_enough(f"rare {n}", 5) for n in range(10_000))
    assert shown == pytest.approx(10_000 * DELTA, rel=0.3)


def test_a_decision_is_the_same_in_every_retraining_of_one_community_only():
    rules, other = (NewArtistRules({}, secret) for secret in (b"one", b"other"))
    keys = [f"artist {n}" for n in range(200)]
    first, again, elsewhere = (
        [each.has_enough(key, 8) for key in keys] for each in (rules, rules, other)
    )
    assert first == again != elsewhere
