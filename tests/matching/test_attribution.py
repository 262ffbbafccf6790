"""Reasons for a match: they add up, from both sides, and name what makes the match."""

from dataclasses import replace

import numpy as np
import pytest
from changes import opened
from planted import make_profile, ring

from twotower.community import Member
from twotower.core.domain import Artist, Listener, Playlist, Profile, Spread, Track
from twotower.matching.attribution import (
    OTHER_ARTISTS,
    decades_of,
    genres_of,
    group_reasons,
    shorten,
    total,
)
from twotower.matching.comparison import Comparer
from twotower.matching.matcher import Matcher

STRANGERS = ring(16, artists=20, hits=6, origin="file", seed=31)
SHORT = ring(8, artists=5, hits=1, origin="file", seed=32)
LONG = ring(2, artists=90, hits=20, origin="file", seed=33)  # three chunks
RICH = replace(
    STRANGERS[0],
    genres={"jazz": 5.0},
    playlists=(Playlist("metal night", (("a", "artist 3"),)),),
    audio={"energy": Spread(0.4, 0.1)},
)


@pytest.fixture(scope="module")
def matcher(planted_assets, tmp_path_factory) -> Matcher:
    return opened(planted_assets, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def comparer(matcher) -> Comparer:
    return Comparer(matcher)


def person(comparer: Comparer, profile: Profile):
    return comparer.visitor(comparer.matcher.portrait(profile))


def match_of(comparer: Comparer, one: Profile, other: Profile) -> float:
    return comparer.match(person(comparer, one), person(comparer, other))


def pairs() -> list[tuple[Profile, Profile]]:
    rng = np.random.default_rng(0)
    everyone = [*STRANGERS, *SHORT, *LONG, RICH]
    drawn = [tuple(everyone[i] for i in rng.choice(len(everyone), 2)) for _ in range(16)]
    unknown = make_profile("odd", {"nobody knows": 5, "artist 20": 3})
    single = make_profile("one", {"artist 7": 1})
    return [*drawn, (RICH, LONG[0]), (unknown, single), (single, single), (LONG[0], LONG[1])]


def test_each_list_of_reasons_sums_to_the_match_for_every_pair(comparer):
    for one, other in pairs():
        account = comparer.compare(person(comparer, one), person(comparer, other))
        for reasons in (account.reasons.by_one, account.reasons.by_other, account.reasons.by_both):
            assert total(reasons) == pytest.approx(account.match, abs=2e-6)


def test_the_account_of_a_pair_is_the_same_from_both_sides(comparer):
    swap = {"one": "other", "other": "one", "both": "both"}
    for one, other in pairs()[:12]:
        a, b = person(comparer, one), person(comparer, other)
        here, there = comparer.compare(a, b), comparer.compare(b, a)
        assert here.match == pytest.approx(there.match, abs=1e-6)
        assert here.percentile == pytest.approx(there.percentile, abs=0.01)
        assert (here.rank, here.their_rank) == (there.their_rank, there.rank)
        assert here.is_mutual == there.is_mutual
        numbers = {(r.kind, r.key, r.whose): r.contribution for r in here.reasons.by_both}
        again = {(r.kind, r.key, swap[r.whose]): r.contribution for r in there.reasons.by_both}
        assert numbers == pytest.approx(again, abs=1e-6)


def test_the_order_of_the_artists_does_not_matter(comparer):
    for profile in (*STRANGERS[:2], SHORT[0], LONG[0]):
        turned = replace(profile, artists=dict(reversed(profile.artists.items())))
        partner = person(comparer, STRANGERS[5])
        one, other = (
            {
                (reason.kind, reason.key): reason.contribution
                for reason in comparer.compare(person(comparer, each), partner).reasons.by_one
            }
            for each in (profile, turned)
        )
        assert one == pytest.approx(other, abs=1e-5)


def test_every_artist_and_group_of_both_is_one_entry(comparer):
    account = comparer.compare(person(comparer, RICH), person(comparer, STRANGERS[4]))
    keys = [reason.key for reason in account.reasons.by_both if reason.kind == "artist"]
    assert sorted(keys) == sorted(RICH.artists.keys() | STRANGERS[4].artists.keys())
    shared = RICH.artists.keys() & STRANGERS[4].artists.keys()
    assert {
        r.key for r in account.reasons.by_both if r.kind == "artist" and r.whose == "both"
    } == shared
    kinds = [reason.kind for reason in account.reasons.by_both if reason.kind != "artist"]
    assert sorted(kinds) == sorted(
        ["audio", "base value", "genres", "hub correction", "hub correction", "playlists"]
    )


def test_a_shared_artist_raises_the_match_and_is_named_first(comparer):
    rare = {"artist 120": Artist("artist 120", 30.0)}
    for seed in range(6):
        one, other = ring(2, artists=12, origin="file", seed=50 + seed)  # metal and jazz
        with_one, with_other = (
            replace(p, artists={k: a for k, a in p.artists.items() if k != "artist 120"} | rare)
            for p in (one, other)
        )
        before = match_of(comparer, one, other)
        account = comparer.compare(person(comparer, with_one), person(comparer, with_other))
        first = account.reasons.by_both[0]
        if not one.artists.keys() & other.artists.keys():
            assert account.match > before and (first.key, first.whose) == ("artist 120", "both")


def without(profile: Profile, keys: set[str]) -> Profile:
    return replace(profile, artists={k: a for k, a in profile.artists.items() if k not in keys})


def test_removing_the_strongest_artists_lowers_the_similarity_more_than_random_ones(comparer):
    """The hub correction is left out: it changes with the profile and is shared by no artist."""
    rng, lower, draws = np.random.default_rng(1), 0, 0
    for at in range(5):
        one, other = STRANGERS[at], STRANGERS[at + 4]  # of the same quarter
        a, b = person(comparer, one), person(comparer, other)
        listed = [r for r in comparer.compare(a, b).reasons.by_both if r.kind == "artist"]
        strongest = {reason.key for reason in listed[:5]}

        def left(keys: set[str], one: Profile = one, other: Profile = other) -> float:
            sides = [person(comparer, without(p, keys)) for p in (one, other)]
            return comparer.match(*sides) + 0.6 * sum(side.density for side in sides)

        least = left(strongest)
        for _ in range(4):
            keys = {reason.key for reason in rng.choice(np.array(listed, object), 5, replace=False)}
            if keys != strongest:
                lower, draws = lower + (least < left(keys)), draws + 1
    assert lower / draws >= 0.95


def test_small_profiles_have_exact_shapley_values(comparer):
    """With two artists, each gets the mean of joining first and joining last."""
    both = make_profile("two", {"artist 10": 5, "artist 60": 9})
    partner = person(comparer, STRANGERS[0])

    def taste(keys: tuple[str, ...]) -> float:
        embedder, profile = (
            comparer.matcher.embedder,
            make_profile("p", {k: both.artists[k].plays for k in keys}),
        )
        user, candidate = (embedder.embed([profile], side)[0] for side in ("user", "candidate"))
        return 0.1875 * float(user @ partner.batch.candidate[0] + candidate @ partner.batch.user[0])

    first, second = both.artists
    expected = (taste((first,)) - taste(()) + taste((first, second)) - taste((second,))) / 2
    reasons = comparer.compare(person(comparer, both), partner).reasons.by_one
    actual = next(reason.taste for reason in reasons if reason.key == first)
    assert actual == pytest.approx(expected, abs=1e-6)


def test_groups_sum_to_the_match_and_hold_their_artists(comparer, matcher):
    tracks = (
        Track("a", "artist 3", 5.0, released="1994"),
        Track("b", "artist 3", 15.0, released="2003-02"),
    )
    one = person(
        comparer, replace(make_profile("x", {f"artist {n}": 5 for n in range(12)}), tracks=tracks)
    )
    other = person(comparer, STRANGERS[0])
    reasons = comparer.compare(one, other).reasons.by_both
    by_genre = group_reasons(reasons, "genre", genres_of([one, other], matcher.catalogue))
    assert total(by_genre) == pytest.approx(total(reasons), abs=1e-9)
    assert "metal" in {reason.name for reason in by_genre if reason.kind == "genre"}
    by_decade = {
        r.name: r
        for r in group_reasons(reasons, "decade", decades_of([one, other]))
        if r.kind == "decade"
    }
    assert by_decade.keys() == {"1990s", "2000s", "unknown"}
    single = next(reason for reason in reasons if reason.key == "artist 3")
    assert by_decade["2000s"].contribution == pytest.approx(0.75 * single.contribution)


def test_a_shortened_list_keeps_the_strongest_and_the_sum(comparer):
    reasons = comparer.compare(person(comparer, LONG[0]), person(comparer, LONG[1])).reasons.by_both
    short = shorten(reasons, 5)
    assert total(short) == pytest.approx(total(reasons), abs=1e-9)
    kept = [reason for reason in short if reason.kind == "artist"]
    sizes = sorted((abs(r.contribution) for r in reasons if r.kind == "artist"), reverse=True)
    assert sorted((abs(r.contribution) for r in kept), reverse=True) == sizes[:5]
    (rest,) = (reason for reason in short if reason.kind == "rest")
    assert rest.name.endswith(" more artists") and shorten(reasons, 1000) == reasons


def test_hidden_artists_of_a_member_are_one_entry_without_a_name(planted_assets, tmp_path):
    own = opened(planted_assets, tmp_path)
    portrait = own.portrait(replace(STRANGERS[1], id="hides"))
    shown = portrait.artists[:6]
    listener = Listener("hides", "Quiet Otter", "file", tuple((a.name, a.plays) for a in shown))
    own.community.join(Member(listener, portrait.user_vector, portrait.candidate_vector))
    comparer = Comparer(own)
    member = comparer.member("hides")
    assert member is not None
    account = comparer.compare(person(comparer, STRANGERS[5]), member)
    hidden = {a.name for a in portrait.artists[6:]} - {
        a.name for a in STRANGERS[5].artists.values()
    }
    named = {reason.name for reason in (*account.reasons.by_both, *account.reasons.by_other)}
    assert hidden and not named & hidden
    rest = [reason for reason in account.reasons.by_both if reason.kind == OTHER_ARTISTS]
    assert [reason.whose for reason in rest] == ["other"]
    for reasons in (account.reasons.by_one, account.reasons.by_other, account.reasons.by_both):
        assert total(reasons) == pytest.approx(account.match, abs=2e-6)
    assert comparer.member("nobody") is None


def test_ranks_are_those_of_the_lists_of_both(matcher, comparer):
    """A member of the community is asked, so that both have lists."""
    profiles = {p.id: p for p in matcher.shipped.profiles()}
    me = matcher.portrait(profiles["i7"])
    listed = matcher.neighbours(me, 5)
    for neighbour in listed:
        one, other = comparer.visitor(me), comparer.member(neighbour.listener.id)
        account = comparer.compare(one, other)
        assert account.rank == neighbour.rank
        assert account.match == pytest.approx(neighbour.similarity, abs=1e-5)
        theirs = matcher.neighbours(matcher.portrait(profiles[neighbour.listener.id]), 200)
        assert account.their_rank == next(n.rank for n in theirs if n.listener.id == "i7")
        assert account.is_mutual == (account.their_rank <= 10)
