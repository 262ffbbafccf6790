"""Groups of near-doubles, parts and counts of the lists of 2018 to 2026."""

from collections import Counter
from pathlib import Path

import pytest

from twotower.core.domain import Artist, Profile
from twotower.core.names import in_part
from twotower.core.settings import Settings
from twotower.sources.datasets.modern import (
    LISTS,
    SourceCount,
    count_sources,
    divide_lists,
    group_near_duplicates,
    list_of,
    read_lists,
    unlike,
)
from twotower.sources.datasets.parts import part_of
from twotower.sources.datasets.source_weight import SOURCE_WEIGHT
from twotower.sources.datasets.tables import FOLDERS

DATA = Settings.from_env().data


def profile(id: str, artists: str, origin: str = "netease") -> Profile:
    return Profile(id, {key: Artist(key, 1.0) for key in artists}, origin=origin)


def test_lists_that_share_more_than_half_of_their_artists_are_one_group():
    profiles = [profile("1", "abcd"), profile("2", "bcde"), profile("3", "cdxy")]
    assert group_near_duplicates(profiles) == ["netease:1", "netease:1", "netease:3"]


def test_half_of_the_artists_is_not_enough():
    assert group_near_duplicates([profile("1", "abcd"), profile("2", "cdef")]) == [
        "netease:1",
        "netease:2",
    ]


def test_a_short_list_within_a_long_one_is_no_near_double():
    assert len(set(group_near_duplicates([profile("1", "abcd"), profile("2", "abcdefgh")]))) == 2


def test_a_near_double_of_a_near_double_is_in_the_group():
    chain = [profile("1", "abcd"), profile("2", "bcde"), profile("3", "cdef")]
    assert set(group_near_duplicates(chain)) == {"netease:1"}


def test_near_doubles_of_two_sources_are_one_group():
    profiles = [profile("1", "abcd", "kexp"), profile("1", "abcd", "editorial")]
    assert group_near_duplicates(profiles) == ["editorial:1", "editorial:1"]


def test_half_years_of_a_list_are_one_group_whatever_they_share():
    parts = [profile("A/B/2020-1", "abcd", "archive"), profile("A/B/2020-2", "wxyz", "archive")]
    other = profile("A/2020-1", "lmno", "archive")
    assert group_near_duplicates([*parts, other]) == ["archive:A/B", "archive:A/B", "archive:A"]


def test_a_near_double_of_one_half_year_joins_the_list():
    parts = [profile("A/2020-1", "abcd", "archive"), profile("A/2020-2", "wxyz", "archive")]
    assert set(group_near_duplicates([*parts, profile("1", "wxyz")])) == {"archive:A"}


def test_groups_do_not_depend_on_the_order():
    profiles = [profile("1", "abcd"), profile("2", "bcde"), profile("3", "cdxy")]
    forward = dict(zip("123", group_near_duplicates(profiles), strict=True))
    backward = dict(zip("321", group_near_duplicates(profiles[::-1]), strict=True))
    assert forward == backward


def test_no_profiles_have_no_groups():
    assert group_near_duplicates([]) == []


def test_a_slash_is_part_of_other_ids():
    assert list_of(profile("a/b", "abcd", "netease")) == "netease:a/b"


def test_three_of_sixteen_groups_are_for_the_test_and_one_for_validation():
    parts = Counter(part_of(f"netease:{number}") for number in range(4000))
    assert parts["test"] / 4000 == pytest.approx(3 / 16, abs=0.02)
    assert parts["validation"] / 4000 == pytest.approx(1 / 16, abs=0.02)
    assert parts["training"] == 4000 - parts["test"] - parts["validation"]


def test_the_hash_of_test_playlists_decides():
    groups = [f"netease:{number}" for number in range(50)]
    assert all((part_of(group) == "test") == in_part(group, "012") for group in groups)


def test_artists_are_counted_once_per_source():
    profiles = [profile("1", "abcd"), profile("2", "cdef"), profile("3", "axyz", "kexp")]
    assert count_sources(profiles, heard={"a", "b"}) == [
        SourceCount("netease", listeners=2, artists=6, new_artists=4),
        SourceCount("kexp", listeners=1, artists=4, new_artists=3),
    ]


def test_sets_that_are_missing_are_named(tmp_path: Path):
    assert read_lists(tmp_path) == ([], list(LISTS))


# Real lists


@pytest.fixture(scope="module")
def lists() -> list[Profile]:
    missing = [FOLDERS[name] for name in LISTS if not (DATA / FOLDERS[name]).is_dir()]
    if missing:
        pytest.skip(f"{', '.join(missing)} not in the data folder; see docs/data.md")
    return read_lists(DATA)[0]


def test_every_real_origin_has_a_weight(lists: list[Profile]):
    assert {profile.origin for profile in lists} <= set(SOURCE_WEIGHT)


def test_no_real_list_is_near_a_list_of_another_group(lists: list[Profile]):
    groups = group_near_duplicates(lists)
    artists = [frozenset(profile.artists) for profile in lists]
    for first in range(0, len(lists), 40):  # a sample
        for second in range(len(lists)):
            larger = max(len(artists[first]), len(artists[second]))
            if len(artists[first] & artists[second]) > larger / 2:
                assert groups[first] == groups[second]


def test_real_groups_leave_every_source_lists_for_training_and_test(lists: list[Profile]):
    groups = group_near_duplicates(lists)
    assert Counter(groups).most_common(1)[0][1] < 100
    parts = Counter(
        (profile.origin, part_of(group)) for profile, group in zip(lists, groups, strict=True)
    )
    for name in LISTS:
        assert parts[name, "training"] >= 50 and parts[name, "test"] >= 10


def test_real_lists_have_as_many_artists_as_docs_data_md_says(lists: list[Profile]):
    counts = [(c.origin, c.listeners, c.artists) for c in count_sources(lists, heard=())]
    assert counts == [
        ("netease", 576, 20258),
        ("netease-tv", 54, 413),
        ("archive", 519, 23709),
        ("editorial", 100, 5075),
        ("philippines", 196, 2176),
        ("vagalume", 129, 1446),
        ("kexp", 74, 1660),
    ]


def alphabet(first: int, count: int = 10) -> str:
    return "".join(chr(0x4E00 + first + n) for n in range(count))


def test_lists_are_divided_by_the_hash_of_their_group():
    lists = [profile(str(n), alphabet(20 * n)) for n in range(64)]
    test, validation = divide_lists(lists), divide_lists(lists, "validation")
    of = {part: {p.id for p in lists if part_of(f"netease:{p.id}") == part} for part in PARTS}
    assert {p.id for p in test.held_out} == of["test"]
    assert {p.id for p in test.training} == of["training"] | of["validation"]
    assert {p.id for p in validation.held_out} == of["validation"]
    assert {p.id for p in validation.training} == of["training"]


PARTS = ("test", "validation", "training")


def test_of_near_doubles_one_is_tested_and_none_that_resembles_a_training_list():
    near = [profile("1", alphabet(0)), profile("2", alphabet(1))]
    short, other = profile("3", alphabet(50, 7)), profile("4", alphabet(100))
    show = profile("5", alphabet(200), "netease-tv")
    assert [p.id for p in unlike([*near, short, other, show], [])] == ["1", "4"]
    alike = profile("6", alphabet(94))  # 4 of 16 are in both
    assert [p.id for p in unlike([other], [alike])] == ["4"]
    alike = profile("6", alphabet(95))  # 5 of 15
    assert not unlike([other], [alike])


def test_songs_of_tv_shows_are_for_training():
    shows = [profile(str(n), alphabet(20 * n), "netease-tv") for n in range(32)]
    assert len(divide_lists(shows).training) == 32
