import sys
import warnings
from functools import partial

import numpy as np
import pytest
from planted import group_of, make_profile, people

from twotower.core.errors import MissingData
from twotower.evaluation.data import split_half
from twotower.evaluation.methods.base import summed
from twotower.evaluation.methods.baselines import (
    BASELINES,
    fit_als,
    fit_idf_cosine,
    fit_popularity,
    fit_svd,
)
from twotower.evaluation.metrics import ranks_of_positives
from twotower.model.play_matrix import log_play_matrix
from twotower.sources.datasets.public import Training

FITS = pytest.mark.parametrize("fit", BASELINES.values(), ids=BASELINES.keys())
COUNTED = ("popularity", "idf cosine")  # that learn nothing
LEARNED = tuple(name for name in BASELINES if not name.startswith(COUNTED))


@pytest.fixture(scope="module")
def training():
    return Training(people(300, 12), people(100, 10, origin="mpd", scale=2.0, seed=1))


@pytest.fixture(scope="module")
def unseen():
    return people(60, 12, seed=9)


def test_log_play_weights_by_hand():
    profile = make_profile("1", {"a": np.e - 1, "b": np.e**3 - 1, "unknown": np.e**2 - 1})
    weights = log_play_matrix([profile], {"a": 0, "b": 1})
    # logs 1, 3 and 2 have the mean 2, which becomes 5
    assert weights.toarray()[0].tolist() == pytest.approx([4.0, 6.0])


def test_weights_stay_the_same_when_all_plays_count_a_hundredfold():
    small = make_profile("1", {"a": 1e4, "b": 1e6})
    large = make_profile("1", {"a": 1e6, "b": 1e8})
    columns = {"a": 0, "b": 1}
    one, other = (log_play_matrix([p], columns).toarray() for p in (small, large))
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_weights_are_never_negative_and_an_empty_profile_has_none():
    wide = make_profile("1", {"a": 1.0, "b": 1e30})
    weights = log_play_matrix([wide, make_profile("2", {})], {"a": 0, "b": 1}).toarray()
    assert weights[0, 0] == pytest.approx(0.3)
    assert not weights[1].any()


def test_idf_cosine_by_hand():
    training = Training(tuple(make_profile(str(i), {"a": 1.0}) for i in range(3)))
    one, other = make_profile("x", {"a": 1.0, "b": 1.0}), make_profile("y", {"b": 1.0, "c": 1.0})
    # three of three have a: log(4 / 4) = 0; none has b or c: log 4 each; only b is shared
    scores = fit_idf_cosine(training).scores([one], [other, one])
    assert scores[0].tolist() == pytest.approx([1 / np.sqrt(2), 1.0])


def test_popularity_compares_mean_logs_of_listeners():
    training = Training((make_profile("1", {"a": 1.0}), make_profile("2", {"a": 1.0, "b": 1.0})))
    known, rare = make_profile("x", {"a": 1.0}), make_profile("y", {"b": 1.0, "none": 1.0})
    scores = fit_popularity(training).scores([known], [known, rare])
    assert scores[0].tolist() == pytest.approx([0.0, np.log(2) / 2 - np.log(3)])


@FITS
def test_every_baseline_gives_finite_scores_of_the_right_shape(fit, training, unseen):
    strange = [make_profile("s", {"never heard": 1.0}), make_profile("e", {}), unseen[0]]
    scores = fit(training).scores(strange, unseen)
    assert scores.shape == (3, len(unseen))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", LEARNED)
def test_learned_baselines_put_halves_of_one_group_together(name, training, unseen):
    queries, candidates = split_half(unseen, 0)
    scores = BASELINES[name](training).scores(queries, candidates)
    groups = np.array([group_of(profile) for profile in unseen])
    first = groups[scores.argmax(axis=1)]
    assert (first == groups).mean() > 0.95
    # three of a group of twenty: chance within the group is (1 + 1/2 + 1/3) / 3
    ranks = ranks_of_positives(scores, np.arange(len(unseen)))
    assert (1 / ranks).mean() > 0.4


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_baseline_is_the_same_for_the_same_seed(name, training, unseen):
    one, other = (BASELINES[name](training).scores(unseen, unseen) for _ in range(2))
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("fit", [fit_svd, fit_als])
def test_playlists_count_only_if_they_have_a_weight(fit):
    training = Training(people(100, 12), (make_profile("p", {"only here": 1.0, "g0 a0": 1.0}),))
    profile = make_profile("1", {"only here": 1.0})
    without, with_them = fit(training), fit(training, playlists=1.0)
    assert without.scores([profile], [profile])[0, 0] == 0
    assert with_them.scores([profile], [profile])[0, 0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("fit", [fit_popularity, fit_idf_cosine])
def test_playlists_count_by_their_weight(fit):
    listeners, playlists = (make_profile("1", {"a": 1.0}),), (make_profile("p", {"a": 1, "b": 1}),)
    fitted = fit(Training(listeners, playlists), playlists=0.5)
    assert dict(fitted.counts) == {"a": 1.5, "b": 0.5}
    assert fitted.name.endswith(" + playlists")
    assert dict(fit(Training(listeners, playlists)).counts) == {"a": 1}


def test_als_solves_the_folded_in_profile_exactly():
    from implicit.cpu.als import AlternatingLeastSquares

    training = Training(people(100, 12))
    columns = {
        key: i for i, key in enumerate(sorted({k for p in training.listeners for k in p.artists}))
    }
    model = AlternatingLeastSquares(
        factors=8, alpha=10.0, regularization=200.0, iterations=15, num_threads=1, random_state=0
    )
    model.fit(log_play_matrix(training.listeners, columns), show_progress=False)
    artists = model.item_factors.astype(float)
    profile = people(1, 12, seed=5)[0]
    weights = 10.0 * log_play_matrix([profile], columns).toarray()[0].astype(float)
    heard = weights > 0
    # (Y'Y + reg I + sum (c - 1) y y') x = sum c y over the artists heard
    left = artists.T @ artists + 200 * np.eye(8)
    left += (artists[heard].T * (weights[heard] - 1)) @ artists[heard]
    expected = np.linalg.solve(left, artists[heard].T @ weights[heard])
    found = fit_als(training, k=8).embed(log_play_matrix([profile], columns))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-5)


def test_als_trains_without_a_warning(training):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_als(training, k=4)


def test_als_without_its_library_says_what_to_install(training, monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(MissingData, match=r"pip install -e \.\[dev\]"):
        fit_als(training)


def test_two_methods_are_summed_by_their_share(training):
    one, other = fit_popularity(training), fit_svd(training, k=4)
    both = summed(fit_popularity, partial(fit_svd, k=4), 0.25, "both")(training)
    profiles = training.listeners[:5]
    expected = one.scores(profiles, profiles) + 0.25 * other.scores(profiles, profiles)
    assert both.name == "both"
    np.testing.assert_allclose(both.scores(profiles, profiles), expected, atol=1e-6)
