"""Artist features: no listener is trained with features made of their own plays."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from planted import QUARTERS, make_profile, quarter, ring, ring_content, ring_tags

from twotower.core.domain import Artist, Profile
from twotower.model.artist_features import (
    PRIOR_LISTENERS,
    TrainingData,
    assign_folds,
    build_training_data,
    cross_fit,
    listeners_per_artist,
)
from twotower.model.towers import CONTENT, DF, FACTOR, TAGS

PEOPLE = ring(120)
CHANGED = 5  # the listener whose listening and tags change


def built(people: list[Profile], tags: list | None = None) -> TrainingData:
    return build_training_data(people, ring_content(), ring_tags(people) if tags is None else tags)


@pytest.fixture(scope="module")
def world() -> TrainingData:
    return built(PEOPLE)


@pytest.fixture(scope="module")
def fold(world) -> np.ndarray:
    return assign_folds(world.source, 4, seed=0)


@pytest.fixture(scope="module")
def tables(world, fold):
    return cross_fit(world, fold)


@pytest.fixture(scope="module")
def before(fold):
    """Return data and features per fold, without tags."""
    untagged = built(PEOPLE, [])
    return untagged, cross_fit(untagged, fold).per_fold


@pytest.fixture(scope="module")
def after(before, fold):
    """Return the same after one listener has moved to the other side of the ring."""
    elsewhere = list(PEOPLE)
    elsewhere[CHANGED] = replace(PEOPLE[CHANGED + 2], id=PEOPLE[CHANGED].id)
    moved = build_training_data(elsewhere, ring_content(), space=before[0].space)
    return moved, cross_fit(moved, fold).per_fold


def relations(world: TrainingData, inputs: np.ndarray) -> np.ndarray:
    """Return (artists, artists) products of the factors, by key, divided by the largest."""
    rows = [world.keys.index(key) for key in sorted(world.keys)]
    factors = inputs[rows, FACTOR].astype(np.float64)
    products = factors @ factors.T
    return products / np.abs(products).max()


def test_the_features_of_a_fold_owe_nothing_to_its_own_listeners(fold, before, after):
    """Compare the relations between artists, which could identify a listener.

    The common scale and rotation may come from all listeners: they identify nobody.
    """
    assert sorted(before[0].keys) == sorted(after[0].keys)
    for f in range(4):
        one, two = (relations(world, tables[f].inputs) for world, tables in (before, after))
        counts = [
            tables[f].inputs[[world.keys.index(key) for key in sorted(world.keys)], DF]
            for world, tables in (before, after)
        ]
        if f == fold[CHANGED]:
            assert np.abs(one - two).max() < 1e-5
            assert np.array_equal(*counts)
        else:
            assert np.abs(one - two).max() > 1e-2
            assert not np.array_equal(*counts)


def test_tags_of_a_folds_own_listeners_are_not_in_its_features(world, fold):
    """One listener tags all artists as techno; only the other folds see it."""
    own = int(fold[CHANGED])
    tags = ring_tags(PEOPLE)
    lying = [
        (who, key, "techno heard" if who == PEOPLE[CHANGED].id else tag, when)
        for who, key, tag, when in tags
    ]
    before = cross_fit(world, fold).per_fold
    after = cross_fit(built(PEOPLE, lying), fold).per_fold
    rows = [world.keys.index(key) for key in list(PEOPLE[CHANGED].artists)[:4]]
    for f in range(4):
        one, two = before[f].inputs[rows, TAGS], after[f].inputs[rows, TAGS]
        same = np.array_equal(one[:, -1], two[:, -1])  # number of tags
        turned = np.abs(one @ one.T - two @ two.T).max() / np.abs(one @ one.T).max()
        assert (same and turned < 0.01) == (f == own)


def test_artists_that_only_one_fold_plays_are_known_by_content_in_its_features():
    people = [*PEOPLE, make_profile("x", {"only x": 9, "artist 3": 2, "artist 4": 1})]
    alone = built(people, ring_tags(PEOPLE))
    fold = assign_folds(alone.source, 4, seed=0)
    tables = cross_fit(alone, fold).per_fold
    row = alone.keys.index("only x")
    for f, table in enumerate(tables):
        hidden = f == fold[-1]
        assert table.inputs[row, DF].tolist() == pytest.approx(
            [0, 0, 1] if hidden else [np.log(2) / 2, 1, 1]
        )
        near = np.allclose(table.inputs[row, FACTOR], table.by_content[row], atol=1e-5)
        assert near == hidden


def test_taggings_of_listeners_outside_training_are_not_used(world):
    strangers = [("nobody", "artist 3", "metal heard", None)] * 9
    assert np.array_equal(built(PEOPLE, [*ring_tags(PEOPLE), *strangers]).taggings, world.taggings)
    assert len(world.taggings) == 4 * len(PEOPLE)
    assert built(PEOPLE, strangers).taggings.shape == (0, 3)


def test_folds_are_even_within_each_source():
    source = np.array(["hetrec"] * 101 + ["mpd"] * 31 + ["file"] * 2)
    fold = assign_folds(source, 4, seed=3)
    for origin in ("hetrec", "mpd", "file"):
        sizes = Counter(fold[source == origin].tolist())
        assert max(sizes.values()) - min(sizes.get(f, 0) for f in range(4)) <= 1
    assert np.array_equal(fold, assign_folds(source, 4, seed=3))
    assert not np.array_equal(fold, assign_folds(source, 4, seed=4))


def test_rows_go_by_listeners_and_artists_known_by_content_follow(world):
    df = listeners_per_artist(world)
    assert (np.diff(df) <= 0).all()
    heard = Counter(key for p in PEOPLE for key in p.artists)
    assert df.tolist() == [heard[key] for key in world.keys]
    extra = build_training_data(PEOPLE[:4], ring_content())
    assert set(extra.keys) > {key for p in PEOPLE[:4] for key in p.artists}


def test_a_playlist_counts_as_little_as_its_source():
    people = [make_profile("0", {"artist 1": 3}), make_profile("0", {"artist 1": 1}, "mpd")]
    assert listeners_per_artist(build_training_data(people)).tolist() == pytest.approx([1.3])


def test_plays_count_relative_to_the_listeners_own(world):
    row = world.weights[CHANGED].toarray().ravel()
    logs = np.log1p([a.plays for a in PEOPLE[CHANGED].artists.values()])
    expected = dict(zip(PEOPLE[CHANGED].artists, 5 + logs - logs.mean(), strict=True))
    for key, weight in expected.items():
        assert row[world.keys.index(key)] == pytest.approx(max(weight, 0.3), rel=1e-4)


def test_artists_of_a_quarter_stand_together(world, tables):
    whole, parts = tables.whole, tables.per_fold
    for table in (whole, *parts):
        factors = table.inputs[:, FACTOR]
        factors = factors / np.linalg.norm(factors, axis=1, keepdims=True)
        at = np.array([quarter(key) for key in world.keys])
        near = factors @ factors.T
        assert near[at[:, None] == at].mean() > near[at[:, None] != at].mean() + 0.3


def test_the_features_of_the_folds_are_aligned_with_those_of_all(world, tables):
    whole, parts = tables.whole, tables.per_fold
    heard = listeners_per_artist(world) >= 8
    for part in parts:
        a, b = whole.inputs[heard, FACTOR], part.inputs[heard, FACTOR]
        cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert np.median(cosines) > 0.8


def test_an_unplayed_artist_has_the_factors_estimated_from_content(world, tables):
    whole = tables.whole
    df = listeners_per_artist(world)
    expected = whole.content_map.factors(whole.inputs[:, CONTENT])
    np.testing.assert_allclose(whole.by_content, expected, atol=1e-5)
    few = build_training_data(PEOPLE[:60], ring_content())
    table = cross_fit(few, assign_folds(few.source, 4, seed=0)).whole
    unheard = listeners_per_artist(few) == 0
    np.testing.assert_allclose(
        table.inputs[unheard][:, FACTOR], table.by_content[unheard], atol=1e-5
    )
    assert df.min() >= 0 and PRIOR_LISTENERS > 0


def test_a_group_is_in_the_fold_of_its_first_listener():
    source = np.array(["archive"] * 12)
    group = np.array([0, 0, 0, 3, 4, 5, 6, 6, 8, 9, 10, 11])
    fold = assign_folds(source, 3, seed=0, group=group)
    assert len(set(fold[:3])) == 1 and fold[6] == fold[7]
    alone = fold[np.unique(group)]
    assert sorted(np.bincount(alone)) == [3, 3, 3]


def test_chart_listeners_count_in_no_listener_number():
    people = [
        Profile("a", {"x": Artist("X", 1.0)}, origin="netease"),
        Profile("b", {"x": Artist("X", 1.0), "y": Artist("Y", 1.0)}, origin="chart"),
    ]
    data = build_training_data(people)
    assert dict(zip(data.keys, listeners_per_artist(data), strict=True)) == {"x": 1.0, "y": 0.0}


def test_near_doubles_have_the_number_of_the_first():
    lists = [
        Profile(str(n), {key: Artist(key, 1.0) for key in keys}, origin=origin)
        for n, (origin, keys) in enumerate(
            [("netease", "abcd"), ("hetrec", "abcd"), ("netease", "abce"), ("kexp", "wxyz")]
        )
    ]
    assert build_training_data(lists).group.tolist() == [0, 1, 0, 3]


def test_the_prior_is_a_precision(tables):
    for table in (tables.whole, *tables.per_fold):
        assert np.linalg.eigvalsh(table.prior.astype(np.float64)).min() > 0


def test_progress_rises_to_the_end(world, fold):
    told: list[float] = []
    cross_fit(world, fold, progress=lambda share, text: told.append(share))
    assert told == sorted(told) and 0.9 < told[-1] <= 1


def test_the_same_seed_gives_the_same_features(world, fold, tables):
    again = cross_fit(world, fold)
    assert np.array_equal(again.whole.inputs, tables.whole.inputs)
    pairs = zip(again.per_fold, tables.per_fold, strict=True)
    assert all(np.array_equal(a.inputs, b.inputs) for a, b in pairs)


def test_features_are_computed_without_content_and_tags_too():
    bare = build_training_data(PEOPLE)
    found = cross_fit(bare, assign_folds(bare.source, 4, seed=0))
    assert len(found.per_fold) == 4 and np.isfinite(found.whole.inputs).all()
    assert all(word in QUARTERS for word in built(PEOPLE).space.genre_words)
    assert bare.space.genre_words == ()
