"""Calibration of the band on a planted world: the coverage is right, and never of its own fit."""

from dataclasses import replace

import numpy as np
import pytest
from planted import ring

from twotower.evaluation.calibration import (
    CUTS,
    Crowd,
    Pairs,
    calibrate,
    draw_pairs,
    in_first_half,
)
from twotower.evaluation.calibration_report import held_out_groups
from twotower.evaluation.data import EvaluationSplit
from twotower.retrieval.band import MAX_DIMENSIONS, MIN_DIMENSIONS
from twotower.sources.datasets.public import Training

HELD_OUT = ring(24, artists=20, hits=6, origin="file", seed=71)


@pytest.fixture(scope="module")
def crowd(trained) -> Crowd:
    return Crowd.of(trained, ring(60, artists=16, hits=8, origin="invented", seed=20))


@pytest.fixture(scope="module")
def pairs(trained, crowd) -> Pairs:
    groups = {"ring": HELD_OUT[:20], "few": HELD_OUT[20:]}
    return draw_pairs(trained, groups, crowd, seed=0)


def made(count: int, width: float, seed: int) -> Pairs:
    """Return pairs of 240 listeners, whose true match has a standard deviation of `width`."""
    rng = np.random.default_rng(seed)
    listener = rng.integers(0, 240, count)
    dimensions = np.linspace(0.5, 5.5, 240)[listener]
    matches = rng.uniform(-0.8, 0.0, count)
    truth = matches + width * rng.normal(size=count)
    zeros = np.zeros(count, int)
    return Pairs(matches, truth, dimensions, zeros, listener, zeros, rng.integers(0, 3, count))


def test_each_cut_profile_is_compared_with_people_of_all_kinds(pairs, crowd, trained):
    assert set(pairs.source.tolist()) == {0, 1} and set(pairs.listener.tolist()) == set(range(24))
    used = {CUTS[cut] for cut in pairs.cut.tolist()}
    assert used == {cut for cut in CUTS if cut[1] * 1.25 <= 26}  # of 26 artists
    assert set(pairs.partner.tolist()) == {0, 1, 2}
    ten = pairs.matches[(pairs.listener == 3) & (pairs.cut == 2) & (pairs.partner == 0)]
    assert len(ten) == 10 and ten.tolist() == sorted(ten, reverse=True)
    whole = crowd.matches(trained, [HELD_OUT[3]])[0]
    truth = pairs.truth[pairs.listener == 3]
    assert all(np.abs(whole - value).min() < 1e-6 for value in truth)


def test_fewer_artists_have_fewer_dimensions_and_larger_errors(pairs):
    error = np.abs(pairs.matches - pairs.truth)
    three, twenty = (
        next(at for at, cut in enumerate(CUTS) if cut == wanted)
        for wanted in (("random", 3), ("random", 20))
    )
    assert (
        pairs.dimensions[pairs.cut == three].mean() < pairs.dimensions[pairs.cut == twenty].mean()
    )
    assert error[pairs.cut == three].mean() > 1.5 * error[pairs.cut == twenty].mean()


def test_the_band_covers_eight_of_ten_of_listeners_it_was_not_fitted_on(pairs):
    result = calibrate(pairs, ("ring", "few"), fitted_with="planted")
    assert result.is_covered.mean() == pytest.approx(0.8, abs=0.07)
    rows = {(row.check, row.metric): row for row in result.rows(0)}
    row = rows["calibration, ring, random 3", "coverage of ten shown"]
    assert row.listeners == 20 and 0.5 < row.value < 1
    assert ("calibration, ring, random 40", "coverage of ten shown") not in rows  # too few artists


def test_coverage_is_not_of_the_listeners_that_the_band_was_fitted_on():
    """A band of one half is measured on the other: if the halves differ, coverage is far off."""
    sample = made(3000, 0.05, 0)
    even = np.array([in_first_half(number) for number in sample.listener])
    wide = replace(sample, truth=np.where(even, sample.truth, sample.truth + 1.0))
    assert calibrate(wide, ("made",), fitted_with="x").is_covered.mean() < 0.1


def test_a_class_that_misses_is_hidden_and_gets_no_band():
    sample = made(5000, 0.05, 1)
    two = (sample.dimensions >= 2.0) & (sample.dimensions < 3.0)
    shown = sample.partner == 0  # only these are off, so that no fit can be right for all
    truth = np.where(two & shown, sample.matches + 0.2, sample.truth)
    right, wrong = (
        calibrate(each, ("made",), fitted_with="x").band
        for each in (sample, replace(sample, truth=truth))
    )
    assert (2.0, 3.0) not in right.hidden and right.interval(-0.3, 2.5) is not None
    assert (2.0, 3.0) in wrong.hidden and wrong.interval(-0.3, 2.5) is None


def test_only_profiles_with_a_band_count_as_shown():
    result = calibrate(made(8000, 0.05, 2), ("made",), fitted_with="x")
    (row, *_) = (row for row in result.rows(0) if row.check == "calibration, all with a band")
    dimensions = np.linspace(0.5, 5.5, 240)
    assert row.listeners == ((dimensions >= MIN_DIMENSIONS) & (dimensions <= MAX_DIMENSIONS)).sum()
    assert row.value == pytest.approx(0.8, abs=0.05)


def test_the_same_seed_draws_the_same_pairs(trained, crowd, pairs):
    again = draw_pairs(trained, {"ring": HELD_OUT[:20], "few": HELD_OUT[20:]}, crowd, seed=0)
    np.testing.assert_array_equal(again.matches, pairs.matches)
    other = draw_pairs(trained, {"few": HELD_OUT[20:]}, crowd, seed=1)
    assert not np.array_equal(other.truth, pairs.truth[pairs.source == 1])


def test_held_out_listeners_are_of_three_sources():
    training = Training((), (), (), (), 0)
    split = EvaluationSplit(
        0, "test", training, tuple(HELD_OUT), tuple(ring(3, artists=3)), (), frozenset()
    )
    groups = held_out_groups(split)
    assert list(groups) == ["hetrec"] and len(groups["hetrec"]) == 24
