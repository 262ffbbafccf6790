import hashlib
from dataclasses import replace

import pytest
from planted import make_lists, make_profile, make_sources, people

from twotower.core.domain import Artist, Playlist, Profile, Spread, Track
from twotower.core.errors import MissingData
from twotower.core.names import hashed_id, in_part
from twotower.evaluation.data import (
    cut_random,
    cut_to_most_played,
    hold_out,
    hold_out_unseen,
    keep_artists,
    most_common_artists,
    restrict,
    split_half,
    split_listeners,
)
from twotower.sources.datasets.public import read_sources


@pytest.fixture(scope="module")
def sources():
    return make_sources()


@pytest.fixture
def listeners():
    return people(40, 11)


def test_a_split_follows_the_hash_order_and_cuts_it_into_three(listeners):
    split = split_listeners(listeners, 1, test=10, validation=5)
    order = sorted(
        (p.id for p in listeners), key=lambda i: hashlib.sha256(f"1:{i}".encode()).digest()
    )
    assert [p.id for p in split.test + split.validation + split.training] == order
    assert [len(split.test), len(split.validation), len(split.training)] == [10, 5, 25]


def test_splits_of_other_numbers_hold_out_others(listeners):
    held = [{p.id for p in split_listeners(listeners, r, test=10).test} for r in (0, 1, 2)]
    assert held[0] != held[1] and held[1] != held[2] and held[0] != held[2]


def test_listeners_with_fewer_than_four_artists_are_in_no_part(listeners):
    small = make_profile("small", {"a": 1.0, "b": 1.0, "c": 1.0})
    split = split_listeners([*listeners, small], 0, test=10, validation=5)
    assert small not in split.test + split.validation + split.training


def test_halves_are_disjoint_and_hold_all_artists_with_their_plays(listeners):
    for whole, one, other in zip(listeners, *split_half(listeners, 0), strict=True):
        assert not one.artists.keys() & other.artists.keys()
        assert {**one.artists, **other.artists} == whole.artists
        assert (len(one.artists), len(other.artists)) == (5, 6)


def test_halves_depend_on_seed_and_listener_and_not_on_the_order(listeners):
    forwards, backwards = split_half(listeners, 0), split_half(listeners[::-1], 0)
    assert forwards[0] == backwards[0][::-1] and forwards[1] == backwards[1][::-1]
    assert forwards != split_half(listeners, 1)


def test_halves_do_not_depend_on_the_order_of_a_profiles_artists(listeners):
    turned = [
        make_profile(p.id, {k: p.artists[k].plays for k in reversed(p.artists)}) for p in listeners
    ]
    assert [set(p.artists) for p in split_half(turned, 0)[0]] == [
        set(p.artists) for p in split_half(listeners, 0)[0]
    ]


def test_ids_of_the_two_halves_differ(listeners):
    queries, candidates = split_half(listeners, 0)
    assert not {p.id for p in queries} & {p.id for p in candidates}


def test_a_restricted_profile_reveals_nothing_of_the_rest():
    whole = Profile(
        "7",
        {"low": Artist("Low", 5, ("slowcore",)), "slint": Artist("Slint", 2, ("post-rock",))},
        genres={"post-rock": 2.0},
        tracks=(Track("Words", "Low"), Track("Good Morning, Captain", "Slint")),
        playlists=(Playlist("slint and such"),),
        audio={"energy": Spread(0.4, 0.1)},
        origin="file",
        name="S",
    )
    part = restrict(whole, {"low"})
    assert part == Profile(
        "7",
        {"low": Artist("Low", 5, ("slowcore",))},
        tracks=(Track("Words", "Low"),),
        origin="file",
    )


def test_a_smaller_random_cut_is_part_of_a_larger_one(listeners):
    for three, five in zip(cut_random(listeners, 3, 0), cut_random(listeners, 5, 0), strict=True):
        assert len(three.artists) == 3 and three.artists.keys() < five.artists.keys()


def test_a_cut_beyond_a_profiles_size_leaves_it_whole(listeners):
    assert [set(p.artists) for p in cut_random(listeners, 50, 0)] == [
        set(p.artists) for p in listeners
    ]


def test_the_most_played_stay_and_ties_go_by_key():
    profile = make_profile("1", {"d": 1, "c": 9, "b": 1, "a": 3})
    assert set(cut_to_most_played([profile], 3)[0].artists) == {"c", "a", "b"}


def test_listeners_with_too_few_of_the_artists_are_left_out():
    rich, poor = make_profile("1", {"a": 1, "b": 1, "x": 1}), make_profile("2", {"a": 1, "y": 1})
    kept = keep_artists([rich, poor], {"a", "b"}, at_least=2)
    assert [(p.id, set(p.artists)) for p in kept] == [("1", {"a", "b"})]


def test_common_artists_are_those_of_most_listeners_whatever_the_plays():
    one, other = make_profile("1", {"a": 1, "b": 900}), make_profile("2", {"a": 1, "c": 5})
    assert most_common_artists([one, other], 2) == ("a", "b")


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_test_listeners_and_playlists_are_not_in_the_training(sources, part, number):
    held = hold_out(sources, number, part=part)
    asked = {p.id for p in held.test}
    assert len(asked) == (378 if part == "test" else 303)
    assert not asked & {p.id for p in held.training.listeners}
    assert not asked & {listener for listener, *_ in held.training.tags}
    playlists = {p.id for p in held.test_playlists}
    assert playlists and not playlists & {p.id for p in held.training.playlists}


def test_the_training_has_the_tags_of_all_its_listeners(sources):
    held = hold_out(sources, 0)
    assert {t[0] for t in held.training.tags} == {p.id for p in held.training.listeners}


def test_the_validation_split_leaves_the_test_untouched(sources):
    test, choosing = hold_out(sources, 0), hold_out(sources, 0, part="validation")
    seen = {p.id for p in (*choosing.training.listeners, *choosing.test)}
    assert not seen & {p.id for p in test.test}
    lists = {p.id for p in (*choosing.training.playlists, *choosing.test_playlists)}
    assert not lists & {p.id for p in test.test_playlists}


def test_the_test_split_trains_on_all_other_listeners(sources):
    held = hold_out(sources, 0)
    assert len(held.test) + len(held.training.listeners) == len(sources.listeners)


def test_a_stored_model_is_tested_with_test_lists_that_it_has_not_seen(sources):
    today = replace(sources, lists=make_lists())
    held_out = hold_out(today, 0).test_lists
    untrained = hold_out_unseen(today, [], known=[])[1]
    assert untrained.test_lists == held_out
    _, split = hold_out_unseen(today, [hashed_id(p) for p in held_out[:5]], known=[])
    assert split.test_lists == held_out[5:] and split.training.playlists == held_out[:5]


def test_playlists_of_the_test_are_large_enough_and_never_withheld(sources):
    small = make_profile("5", {"a": 1.0}, origin="mpd")
    own_id = next(str(n) for n in range(1000, 2000) if in_part(str(n), "012"))
    withheld = replace(people(1, 12, origin="mpd-withheld")[0], id=own_id)
    held = hold_out(replace(sources, playlists=(*sources.playlists, small, withheld)), 0)
    assert all(p.origin == "mpd" and in_part(p.id, "012") for p in held.test_playlists)
    assert all(len(p.artists) >= 10 for p in held.test_playlists)
    assert {small.id, withheld.id} <= {p.id for p in held.training.playlists}


def test_a_stored_model_is_evaluated_only_on_profiles_it_has_not_seen(sources):
    seen_listeners, unseen_listeners = sources.listeners[:700], sources.listeners[700:]
    seen = [*seen_listeners, *sources.playlists[:250], *sources.others["germany"][:20]]
    left, held = hold_out_unseen(sources, [hashed_id(p) for p in seen])
    assert held.test == unseen_listeners
    assert held.training.listeners == seen_listeners
    assert held.training.playlists == sources.playlists[:250]
    assert {t[0] for t in held.training.tags} == {p.id for p in seen_listeners}
    assert left.others["germany"] == sources.others["germany"][20:]
    assert all(p in sources.playlists[250:] for p in held.test_playlists)


def test_a_folder_without_the_data_is_refused(tmp_path):
    with pytest.raises(MissingData, match=r"docs/data\.md"):
        read_sources(tmp_path)
