"""Lists of 2018 to 2026 as listeners: groups of near-doubles, parts for testing, counts."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.sources.datasets.parts import VALIDATION_DIGITS, Part, part_of
from twotower.sources.datasets.readers import read_dataset

LISTS = ("netease", "archive", "editorial", "philippines", "vagalume", "kexp")  # data sets

NOBODYS_TASTE = "netease-tv"  # origin of lists that are never tested: songs of TV shows

NEAR_SHARE = 0.5  # near-doubles: more than this share of each list's artists is in the other
MAX_RESEMBLANCE = 0.3  # of a test list to a training list: artists of both / artists of either
MIN_ARTISTS = 8  # of a test list


def read_lists(data: Path) -> tuple[list[Profile], list[str]]:
    """Return the listeners of the sets of `LISTS` in a data folder, and the names of missing sets.

    Raises UnreadableExport if a file is damaged.
    """
    profiles: list[Profile] = []
    missing: list[str] = []
    for name in LISTS:
        try:
            profiles.extend(read_dataset(name, data))
        except MissingData:
            missing.append(name)
    return profiles, missing


def list_of(profile: Profile) -> str:
    """Return the id of the list that a profile is a part of, unique over origins.

    Half-years of a list of the archive (`list/2020-1`) are parts of it; others are whole lists.
    """
    list_id = profile.id.rpartition("/")[0] if profile.origin == "archive" else profile.id
    return f"{profile.origin}:{list_id or profile.id}"


def group_near_duplicates(profiles: Sequence[Profile]) -> list[str]:
    """Return a group id for each profile: parts of one list and near-doubles have the same.

    Two profiles are near-doubles if each shares more than half of its artists with the other. A
    near-double of a near-double is in the same group. The id is the first of the group's lists in
    the order of the alphabet, so it depends on the profiles but not on their order.
    """
    lists = [list_of(profile) for profile in profiles]
    number_of = {list_id: number for number, list_id in enumerate(sorted(set(lists)))}
    numbers = np.array([number_of[list_id] for list_id in lists], np.int64)
    first, second = _near_pairs(profiles)
    edges = (np.ones(len(first)), (numbers[first], numbers[second]))
    graph = coo_array(edges, shape=(len(number_of), len(number_of)))
    _, component = connected_components(graph, directed=False)
    group: dict[int, str] = {}
    for list_id, number in number_of.items():  # sorted
        group.setdefault(int(component[number]), list_id)
    return [group[int(component[number])] for number in numbers]


def _near_pairs(profiles: Sequence[Profile]) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of each pair of near-doubles, as two arrays."""
    matrix = _artist_matrix(profiles)
    sizes = matrix.sum(axis=1)
    shared = (matrix @ matrix.T).tocoo()  # (profiles, profiles): number of artists in both
    first, second = shared.coords
    larger = np.maximum(sizes[first], sizes[second])
    near = (first < second) & (shared.data > NEAR_SHARE * larger)
    return first[near], second[near]


def _artist_matrix(profiles: Sequence[Profile]) -> csr_array:
    """Return (profiles, artists) 1 for each artist of a profile."""
    column_of: dict[str, int] = {}
    columns = [column_of.setdefault(key, len(column_of)) for p in profiles for key in p.artists]
    row_starts = np.concatenate([[0], np.cumsum([len(profile.artists) for profile in profiles])])
    return csr_array(
        (np.ones(len(columns), np.int64), np.array(columns, np.int64), row_starts),
        shape=(len(profiles), len(column_of)),
    )


@dataclass(frozen=True, slots=True)
class DividedLists:
    """Lists to train on, and lists to test with."""

    training: tuple[Profile, ...]
    held_out: tuple[Profile, ...]


def divide_lists(
    lists: Sequence[Profile], part: Part = "test", *, validation_digits: str = VALIDATION_DIGITS
) -> DividedLists:
    """Divide lists by the hash of their group of near-doubles.

    Held out are the lists of `part` that `unlike` returns. With "test", validation lists are for
    training; with "validation", test lists are in neither. Songs of TV shows are for training.
    """
    groups = group_near_duplicates(lists)
    parts = [
        "training" if profile.origin == NOBODYS_TASTE else part_of(group, validation_digits)
        for profile, group in zip(lists, groups, strict=True)
    ]
    training = [p for p, one in zip(lists, parts, strict=True) if one not in (part, "test")]
    candidates = [p for p, one in zip(lists, parts, strict=True) if one == part]
    return DividedLists(tuple(training), unlike(candidates, training))


def unlike(candidates: Sequence[Profile], training: Sequence[Profile]) -> tuple[Profile, ...]:
    """Return the lists that can be tested when these training lists were trained on.

    One of each group of near-doubles (the first) with at least MIN_ARTISTS artists, unless it is
    nobody's taste or resembles a training list too much.
    """
    first: dict[str, int] = {}
    for row, (profile, group) in enumerate(
        zip(candidates, group_near_duplicates(candidates), strict=True)
    ):
        if len(profile.artists) >= MIN_ARTISTS and profile.origin != NOBODYS_TASTE:
            first.setdefault(group, row)
    able = [candidates[row] for row in first.values()]
    resemblance = _largest_resemblance(able, training)
    return tuple(p for p, v in zip(able, resemblance, strict=True) if v < MAX_RESEMBLANCE)


def _largest_resemblance(lists: Sequence[Profile], others: Sequence[Profile]) -> np.ndarray:
    """Return (lists,) the largest Jaccard index of each list with any of the others."""
    if not lists or not others:
        return np.zeros(len(lists))
    matrix = _artist_matrix([*lists, *others])
    one, other = matrix[: len(lists)], matrix[len(lists) :]
    shared = (one @ other.T).toarray()  # (lists, others)
    either = one.sum(axis=1)[:, None] + other.sum(axis=1)[None, :] - shared
    return np.asarray((shared / either).max(axis=1))


@dataclass(frozen=True, slots=True)
class SourceCount:
    """The size of one source."""

    origin: str
    listeners: int
    artists: int
    new_artists: int  # without any listening before


def count_sources(profiles: Iterable[Profile], heard: Collection[str]) -> list[SourceCount]:
    """Return the counts of each origin, in the order of the profiles.

    heard  artist keys known from listening before, such as those of a catalogue with df above 0
    """
    listeners: dict[str, int] = {}
    artists: dict[str, set[str]] = {}
    for profile in profiles:
        listeners[profile.origin] = listeners.get(profile.origin, 0) + 1
        artists.setdefault(profile.origin, set()).update(profile.artists)
    known = frozenset(heard)
    return [
        SourceCount(origin, listeners[origin], len(keys), len(keys - known))
        for origin, keys in artists.items()
    ]
