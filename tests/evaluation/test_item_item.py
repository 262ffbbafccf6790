"""ItemKNN and EASE."""

from collections import Counter

import numpy as np
import pytest
from planted import group_of, make_profile, people

from twotower.evaluation.methods.item_item import ItemItemScorer, fit_ease, fit_item_knn
from twotower.model.play_matrix import log_play_matrix
from twotower.sources.datasets.public import Training

FITS = pytest.mark.parametrize("fit", [fit_ease, fit_item_knn])


@pytest.fixture(scope="module")
def training():
    return Training(people(300, 12), people(100, 10, origin="mpd", scale=2.0, seed=1))


def dense(method):
    weights = method.weights
    return weights if isinstance(weights, np.ndarray) else weights.toarray()


def test_ease_is_the_ridge_of_each_artist_on_all_others():
    training = Training(people(60, 12))
    method = fit_ease(training, regularization=7.0, listeners=1)
    rows = log_play_matrix(training.listeners, method.columns).toarray().astype(float)
    for artist in (0, 5):
        others = [a for a in range(rows.shape[1]) if a != artist]
        given = rows[:, others]
        left = given.T @ given + 7.0 * np.eye(len(others))
        expected = np.linalg.solve(left, given.T @ rows[:, artist])
        np.testing.assert_allclose(dense(method)[others, artist], expected, atol=1e-4)
        assert dense(method)[artist, artist] == 0


def test_item_knn_by_hand():
    profiles = (
        make_profile("1", {"a": 1.0, "b": 1.0}),
        make_profile("2", {"a": 1.0, "b": 1.0}),
        make_profile("3", {"a": 1.0, "c": 1.0}),
        make_profile("4", {"c": 1.0, "d": 1.0}),
    )
    method = fit_item_knn(Training(profiles), neighbours=1, shrinkage=2.0)
    assert list(method.columns) == ["a", "b", "c"]  # one listener is too few
    # a and b are played by 3 and 2, both by 2: 2 / sqrt 6, times 2 / (2 + 2) by shrinkage
    assert dense(method)[1, 0] == pytest.approx(2 / np.sqrt(6) / 2)
    goes_to = dense(method)  # rows: what is played, columns: what goes with it
    assert goes_to[0, 2] == pytest.approx(1 / np.sqrt(6) / 3)  # the nearest of c is a
    assert goes_to[2, 0] == 0  # but the nearest of a is b


@FITS
def test_artists_of_the_same_group_are_recommended(fit, training):
    method = fit(training)
    keys = sorted(method.columns)
    unseen = people(40, 12, seed=9)
    for profile, fits in zip(unseen, method.recommend(unseen, keys), strict=True):
        order = np.argsort(-fits, kind="stable")
        fresh = [keys[i] for i in order if keys[i] not in profile.artists][:5]
        assert {key.split()[0] for key in fresh} == {f"g{group_of(profile)}"}


@FITS
def test_an_artist_without_a_column_is_never_recommended(fit, training):
    fits = fit(training).recommend(people(2, 12), ["never heard", "g0 a0"])
    assert (fits[:, 0] == -np.inf).all() and np.isfinite(fits[:, 1]).all()


@FITS
def test_playlists_count_only_if_they_have_a_weight(fit, training):
    alone = Training(training.listeners)
    pool, keys = people(20, 12, seed=9), [f"g0 a{artist}" for artist in range(30)]
    same = fit(training).recommend(pool, keys)
    np.testing.assert_allclose(same, fit(alone).recommend(pool, keys))
    assert not np.allclose(same, fit(training, playlists=0.6).recommend(pool, keys))


def test_without_an_own_weight_both_directions_are_averaged():
    weights = np.array([[0.0, 2.0], [0.0, 0.0]], np.float32)  # b goes with a
    method = ItemItemScorer("m", {"a": 0, "b": 1}, weights, np.ones(2, np.float32), None)
    one, other = make_profile("1", {"a": 1.0}), make_profile("2", {"b": 1.0})
    # what goes with a is b, which the other plays: 1; nothing goes with b: 0
    assert method.scores([one], [other])[0, 0] == pytest.approx(0.5)
    assert method.scores([other], [one])[0, 0] == pytest.approx(0.5)


def test_ease_keeps_the_artists_of_most_listeners(training):
    counts = Counter(key for p in training.listeners for key in p.artists)
    fitted = fit_ease(training, artists=40)
    assert len(fitted.columns) == 40 and fitted.weights.shape == (40, 40)
    fewest = min(counts[key] for key in fitted.columns)
    assert all(counts[key] <= fewest for key in counts.keys() - fitted.columns.keys())
