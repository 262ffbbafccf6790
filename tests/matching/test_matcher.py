"""Matching on a planted world: the right neighbours, a symmetric similarity, true reasons."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from changes import opened
from planted import make_profile, ring

from twotower.community import Member
from twotower.core.domain import AUDIO, Listener, Profile
from twotower.core.errors import (
    CommunityError,
    IncompatibleModel,
    MissingData,
)
from twotower.core.names import artist_key
from twotower.matching.explanations import MAX_DISCOVER, MAX_SHARED, shared_artists
from twotower.matching.matcher import Matcher
from twotower.retrieval.similarity import ListenerBatch, hub_corrected, local_density, similarity

STRANGERS = ring(12, artists=16, hits=8, origin="file", seed=31)


@pytest.fixture(scope="module")
def matcher(planted_assets, tmp_path_factory) -> Matcher:
    return opened(planted_assets, tmp_path_factory.mktemp("home"))


@pytest.fixture
def own(planted_assets, tmp_path) -> Matcher:
    """A matcher whose community the test may change."""
    return opened(planted_assets, tmp_path)


@pytest.fixture(scope="module")
def invented(matcher) -> dict[str, Profile]:
    return {p.id: p for p in matcher.shipped.profiles()}


def member(matcher: Matcher, profile: Profile) -> Member:
    portrait = matcher.portrait(profile)
    listed = tuple((a.name, a.plays) for a in portrait.artists)
    who = Listener(profile.id, profile.name, "file", listed, (), matcher.place(portrait))
    return Member(who, portrait.user_vector, portrait.candidate_vector)


def test_neighbours_are_of_the_listeners_own_quarter(matcher):
    found = [matcher.neighbours(matcher.portrait(stranger)) for stranger in STRANGERS]
    assert [len(each) for each in found] == [10] * 12
    same = [
        [int(n.listener.id[1:]) % 4 == number % 4 for n in each]
        for number, each in enumerate(found)
    ]
    assert np.mean(same) > 0.85 and all(each[0] for each in same)  # some stand near a border


def test_the_order_is_that_of_the_corrected_similarity_to_all(matcher):
    portrait, snapshot = matcher.portrait(STRANGERS[1]), matcher.snapshot()
    profiles = {p.id: p for p in matcher.shipped.profiles()}
    listening = ListenerBatch.of(matcher.embedder, [profiles[id] for id in snapshot.ids]).play_rows
    everyone = ListenerBatch(snapshot.user[:], snapshot.candidate[:], listening)
    scores = similarity(ListenerBatch.of(matcher.embedder, [STRANGERS[1]]), everyone)
    density = local_density(similarity(everyone, everyone), ~np.eye(len(snapshot), dtype=bool))
    corrected = hub_corrected(scores, local_density(scores), density)[0]
    expected = [snapshot.ids[row] for row in np.argsort(-corrected, kind="stable")]
    found = matcher.neighbours(portrait, 200)
    assert [n.listener.id for n in found] == expected
    assert [n.rank for n in found] == list(range(1, 201))
    by_id = dict(zip(snapshot.ids, corrected.tolist(), strict=True))
    np.testing.assert_allclose(
        [n.similarity for n in found], [by_id[id] for id in expected], atol=1e-5
    )


def test_similarity_is_the_same_from_either_side(own):
    a, b = (replace(p, id=id) for p, id in zip(STRANGERS[:2], "ab", strict=True))
    for each in (a, b):
        own.community.join(member(own, each))
    seen = [
        next(n for n in own.neighbours(own.portrait(one), 300) if n.listener.id == other.id)
        for one, other in ((a, b), (b, a))
    ]
    assert seen[0].similarity == pytest.approx(seen[1].similarity, abs=1e-6)
    assert seen[0].percentile == pytest.approx(seen[1].percentile, abs=0.01)


def test_similarity_is_the_same_from_either_side_of_random_pairs(matcher, invented):
    rng = np.random.default_rng(0)
    seen = {id: matcher.neighbours(matcher.portrait(p), 200) for id, p in invented.items()}
    similarity = {(id, n.listener.id): n.similarity for id, found in seen.items() for n in found}
    for a, b in rng.choice(list(invented), (50, 2)):
        if a != b:
            assert similarity[a, b] == pytest.approx(similarity[b, a], abs=1e-3)


@pytest.mark.parametrize("stranger", STRANGERS)
def test_order_number_and_percentile_agree(matcher, stranger):
    found = matcher.neighbours(matcher.portrait(stranger), 200)
    similarity = [n.similarity for n in found]
    assert similarity == sorted(similarity, reverse=True)
    percentiles = [n.percentile for n in found]
    assert percentiles == sorted(percentiles, reverse=True)
    assert 0 <= percentiles[-1] < percentiles[0] <= 100


def test_percentiles_are_shares_of_random_pairs(matcher):
    at = [matcher.percentile(value) for value in np.linspace(-2, 1, 301)]
    assert at == sorted(at) and at[0] == 0 and at[-1] == 100
    assert matcher.percentile(matcher.typical_similarity()) == pytest.approx(50)


def test_a_model_without_quantiles_takes_them_from_the_community(matcher):
    """Folders of older versions have those of another similarity."""
    old = Matcher(matcher.embedder, matcher.community, replace(matcher.shipped, quantiles=None))
    for value in np.linspace(-1.2, 0.2, 8):
        assert old.percentile(value) == pytest.approx(matcher.percentile(value), abs=1)


def test_nobody_is_a_neighbour_of_themselves(matcher, invented):
    for count in (10, 199, 200, 500):
        found = matcher.neighbours(matcher.portrait(invented["i7"]), count)
        assert "i7" not in {n.listener.id for n in found}
        assert len(found) == min(count, 199)
    other = matcher.neighbours(matcher.portrait(replace(invented["i7"], id="me")))
    assert other[0].listener.id == "i7" and other[0].percentile > 99.9


def test_a_count_of_zero_returns_no_neighbours(matcher):
    assert matcher.neighbours(matcher.portrait(STRANGERS[0]), 0) == ()


def test_shared_artists_are_those_of_both_most_distinctive_first(matcher, invented):
    me = STRANGERS[0]
    for neighbour in matcher.neighbours(matcher.portrait(me)):
        theirs = invented[neighbour.listener.id].artists
        both = {a.name for k, a in me.artists.items() if k in theirs}
        assert set(neighbour.shared) <= both
        assert len(neighbour.shared) == min(len(both), MAX_SHARED)
    me = make_profile("me", {"hit 1": 20, "artist 20": 20, "artist 30": 1})
    them = Listener("x", "X", "file", (("hit 1", 20.0), ("artist 20", 20.0), ("artist 30", 20.0)))
    shared = shared_artists(matcher.catalogue, me, them)
    assert shared == ("artist 20", "hit 1", "artist 30")  # rarer, then more played by both


def test_artists_to_discover_are_theirs_and_not_mine_best_fit_first(matcher, invented):
    portrait = matcher.portrait(STRANGERS[2])
    for neighbour in matcher.neighbours(portrait):
        theirs = invented[neighbour.listener.id].artists
        assert len(neighbour.discover) == MAX_DISCOVER
        keys = [artist_key(name) for name in neighbour.discover]
        assert set(keys) <= theirs.keys() - STRANGERS[2].artists.keys()
        alone = [
            make_profile(key, {key: 1}) for key in theirs if key not in portrait.profile.artists
        ]
        fit = matcher.embedder.embed(alone, "candidate") @ portrait.user_vector
        best = sorted(fit.tolist(), reverse=True)[:MAX_DISCOVER]
        shown = dict(zip([p.id for p in alone], fit.tolist(), strict=True))
        np.testing.assert_allclose([shown[key] for key in keys], best, atol=1e-4)


def test_artists_that_the_model_doesnt_know_are_discovered_last(own):
    odd = (("unheard of", 900.0), *((f"artist {n}", 5.0) for n in range(10, 18)))
    one = member(own, make_profile("odd", {"artist 20": 5}))
    own.community.join(replace(one, listener=replace(one.listener, artists=odd)))
    found = own.neighbours(own.portrait(make_profile("me", {"artist 20": 5})), 300)
    theirs = next(n for n in found if n.listener.id == "odd")
    assert len(theirs.discover) == MAX_DISCOVER and "unheard of" not in theirs.discover
    assert theirs.shared == ()


def test_a_new_member_is_found_at_once_and_one_who_left_is_not(own):
    me, friend = own.portrait(STRANGERS[0]), replace(STRANGERS[0], id="friend")
    own.community.join(member(own, friend))
    first = own.neighbours(me)[0]
    assert first.listener.id == "friend" and own.person("friend") == first.listener
    assert len(first.shared) == MAX_SHARED and first.discover == ()
    own.community.leave("friend")
    assert own.neighbours(me)[0].listener.id != "friend" and own.person("friend") is None


def test_an_empty_community_has_no_neighbours_and_no_map_place(planted_assets, own):
    for id in list(own.snapshot().ids):
        own.community.leave(id)
    portrait = own.portrait(STRANGERS[0])
    assert own.neighbours(portrait) == () and np.isnan(own.place(portrait)).all()


@pytest.mark.parametrize("number", range(4))
def test_the_place_is_inside_the_quarters_part_of_the_map(matcher, number):
    snapshot = matcher.snapshot()
    quarters = np.array([int(id[1:]) % 4 for id in snapshot.ids])
    middles = np.array([np.median(snapshot.places[quarters == q], axis=0) for q in range(4)])
    middle = {f"artist {50 * number + n}": 5.0 for n in range(15, 35)}
    place = np.array(matcher.place(matcher.portrait(make_profile("me", middle))))
    assert np.linalg.norm(middles - place, axis=1).argmin() == number


def test_concurrent_threads_get_the_same_results_as_one(planted_assets, tmp_path):
    matcher = opened(planted_assets, tmp_path)

    def all_of(profile: Profile):
        portrait = matcher.portrait(profile)
        found = matcher.neighbours(portrait)
        return (
            [n.listener for n in found],
            [round(n.similarity, 4) for n in found],  # sums are rounded by batch
            matcher.place(portrait),
            matcher.catalogue.search("art"),
        )

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(all_of, STRANGERS * 3))
    assert together == [all_of(profile) for profile in STRANGERS] * 3


def test_the_community_is_seeded_once(planted_assets, tmp_path):
    first = opened(planted_assets, tmp_path)
    first.community.leave("i3")
    again = opened(planted_assets, tmp_path)
    assert len(again.community.snapshot()) == 199 and again.snapshot().synthetic.all()


def test_demos_areas_audio_and_listeners_are_available(matcher):
    assert len(matcher.demos()) == len({demo.id for demo in matcher.demos()}) == 6
    assert matcher.areas() == matcher.shipped.areas
    assert matcher.suggestions(3) == matcher.catalogue.names[:3]  # this community has none
    assert set(matcher.community_audio()) == set(AUDIO)
    assert matcher.person("i3").origin == "invented"
    assert matcher.person("nobody") is None


def test_missing_assets_and_a_broken_database_raise_their_own_errors(planted_assets, tmp_path):
    with pytest.raises(MissingData):
        opened(tmp_path / "nowhere", tmp_path)
    (tmp_path / "c.sqlite").write_text("this is no database, and long enough to be looked into")
    with pytest.raises(CommunityError):
        opened(planted_assets, tmp_path)


def test_slow_libraries_are_not_imported_with_the_package():
    slow = ("sklearn", "umap", "pandas", "implicit")
    program = f"import sys, twotower.matching; print([m for m in {slow} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_a_model_and_a_community_of_different_runs_are_refused(planted_assets, trained, tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "community").symlink_to(planted_assets / "community")
    replace(trained, trained_on=()).save(tmp_path / "assets" / "model")
    with pytest.raises(IncompatibleModel, match="make both"):
        opened(tmp_path / "assets", tmp_path)
