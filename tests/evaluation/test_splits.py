import hashlib

import pytest
from planted import make_profile, people

from twotower.core.domain import Artist, Playlist, Profile, Spread, Track
from twotower.evaluation.splits import (
    cut_random,
    cut_to_most_played,
    halves,
    keep_artists,
    most_common_artists,
    restrict,
    split_listeners,
)


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


def test_who_has_fewer_than_four_artists_is_in_no_part(listeners):
    small = make_profile("small", {"a": 1.0, "b": 1.0, "c": 1.0})
    split = split_listeners([*listeners, small], 0, test=10, validation=5)
    assert small not in split.test + split.validation + split.training


def test_halves_are_disjoint_and_hold_all_artists_with_their_plays(listeners):
    for whole, one, other in zip(listeners, *halves(listeners, 0), strict=True):
        assert not one.artists.keys() & other.artists.keys()
        assert {**one.artists, **other.artists} == whole.artists
        assert (len(one.artists), len(other.artists)) == (5, 6)


def test_halves_depend_on_seed_and_listener_and_not_on_the_order(listeners):
    forwards, backwards = halves(listeners, 0), halves(listeners[::-1], 0)
    assert forwards[0] == backwards[0][::-1] and forwards[1] == backwards[1][::-1]
    assert forwards != halves(listeners, 1)


def test_halves_do_not_depend_on_the_order_of_a_profiles_artists(listeners):
    turned = [
        make_profile(p.id, {k: p.artists[k].plays for k in reversed(p.artists)}) for p in listeners
    ]
    assert [set(p.artists) for p in halves(turned, 0)[0]] == [
        set(p.artists) for p in halves(listeners, 0)[0]
    ]


def test_no_id_tells_which_halves_belong_together(listeners):
    queries, candidates = halves(listeners, 0)
    assert not {p.id for p in queries} & {p.id for p in candidates}


def test_a_part_of_a_profile_tells_nothing_of_what_was_left_out():
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


def test_who_has_too_few_of_the_kept_artists_is_left_out():
    rich, poor = make_profile("1", {"a": 1, "b": 1, "x": 1}), make_profile("2", {"a": 1, "y": 1})
    kept = keep_artists([rich, poor], {"a", "b"}, at_least=2)
    assert [(p.id, set(p.artists)) for p in kept] == [("1", {"a", "b"})]


def test_common_artists_are_those_of_most_listeners_whatever_the_plays():
    one, other = make_profile("1", {"a": 1, "b": 900}), make_profile("2", {"a": 1, "c": 5})
    assert most_common_artists([one, other], 2) == ("a", "b")
