"""The trials of a split: what a method is fitted on, and the tasks it is then evaluated by.

Every task hides a part of a listener that no method was fitted on, and looks for it again.
docs/evaluation.md describes each task.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twotower.core.domain import Profile
from twotower.evaluation.coverage import (
    METHOD,
    ConfidenceTask,
    KnownShares,
    QueriedGroups,
    groups_of,
    query_ids,
)
from twotower.evaluation.data import (
    EvaluationSplit,
    cut_random,
    cut_to_most_played,
    hold_out,
    keep_artists,
    most_common_artists,
    restrict,
    shuffled_artists,
    split_half,
    without_plays,
)
from twotower.evaluation.side_features import AUDIO_FEATURES, TAG_FEATURES, side_feature_tasks
from twotower.evaluation.specs import TaskKind, TaskSpec
from twotower.evaluation.tasks import Discovery, Friends, Geometry, Retrieval, Stability, Task
from twotower.sources.datasets.public import Sources, Training

DEFAULT_TASKS = (
    TaskKind.HALVES,
    TaskKind.HEAD,
    TaskKind.OTHER_DATA,
    TaskKind.PLAYLISTS,
    TaskKind.TODAY,
    TaskKind.COLD,
    TaskKind.FRIENDS,
    TaskKind.GEOMETRY,
)
# The last three need fits of their own, on less data.
ALL_TASKS = (
    *DEFAULT_TASKS,
    TaskKind.FEATURES,
    TaskKind.ONE_SIDED_PLAYS,
    TaskKind.UNSEEN,
    TaskKind.DISCOVER,
    TaskKind.COVERAGE,
)
HEAD_ARTISTS = 1000  # best known artists, for HEAD
MIN_KNOWN_ARTISTS = 8  # of a listener, for HEAD, OTHER_DATA and FEATURES
MOST_PLAYED = 50  # artists in a cut profile, for OTHER_DATA
LIST_ARTISTS = 40  # of a list, at most, for TODAY: 20 in each half
MIN_LISTS = 2  # of a source, for TODAY
COLD_CUTS = (3, 5, 10, 20)  # artists in the query
HIDDEN_SHARE = 0.3  # of the artists, for UNSEEN
MIN_HIDDEN = 3  # artists of a listener in query and candidate, for UNSEEN
MIN_TO_DISCOVER = 10  # artists of a listener, for DISCOVER


@dataclass(frozen=True)
class Trial:
    """One fit and the tasks it is evaluated by."""

    training: Training
    tasks: tuple[Task, ...]
    method: str = ""  # label of the only method to fit; empty for all


def make_trials(
    sources: Sources, split: EvaluationSplit, kinds: Collection[str] = DEFAULT_TASKS
) -> tuple[Trial, ...]:
    """Return the trials of a split, the same for every method.

    Most tasks share one fit; UNSEEN, DISCOVER and COVERAGE need fits on less data.
    """
    shared = [kind for kind in kinds if kind != TaskKind.COVERAGE]
    trials = [Trial(split.training, tuple(make_tasks(sources, split, shared)))]
    if TaskKind.UNSEEN in kinds:
        trials.extend(_unseen_trials(split))
    if TaskKind.DISCOVER in kinds:
        trials.append(_discovery_trial(sources, split))
    if TaskKind.COVERAGE in kinds:
        trials.append(_coverage_trial(sources, split))
    return tuple(
        replace(trial, tasks=tasks)
        for trial in trials
        if (tasks := tuple(task for task in trial.tasks if len(task.ids) > 1))
    )


def make_tasks(
    sources: Sources, split: EvaluationSplit, kinds: Collection[str] = DEFAULT_TASKS
) -> list[Task]:
    """Return the tasks that share the fit on `split.training`.

    Tasks with fewer than two listeners are left out. Raises ValueError for an unknown kind.
    """
    if unknown := set(kinds) - set(ALL_TASKS):
        names = ", ".join(sorted(unknown))
        raise ValueError(f"unknown task {names}; choose from {', '.join(ALL_TASKS)}")
    makers = {
        TaskKind.HALVES: _split_half_tasks,
        TaskKind.HEAD: _head_tasks,
        TaskKind.OTHER_DATA: _other_data_tasks,
        TaskKind.PLAYLISTS: _playlist_tasks,
        TaskKind.TODAY: _today_tasks,
        TaskKind.COLD: _cold_tasks,
        TaskKind.ONE_SIDED_PLAYS: _one_sided_plays,
        TaskKind.FRIENDS: _friends_tasks,
        TaskKind.GEOMETRY: _geometry_tasks,
        TaskKind.FEATURES: _feature_tasks,
        TaskKind.COVERAGE: _coverage_tasks,
    }
    tasks = [
        task for kind, make in makers.items() if kind in kinds for task in make(sources, split)
    ]
    return [task for task in tasks if len(task.ids) > 1]


def _retrieval(
    spec: TaskSpec, profiles: Sequence[Profile], number: int, pool: Sequence[Profile] = ()
) -> Retrieval:
    queries, candidates = split_half(profiles, number)
    return Retrieval(spec, _ids(profiles), queries, [*candidates, *pool])


def _split_half_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    """Yield the halves of the test listeners, and the same among all whole profiles."""
    yield _retrieval(TaskSpec(TaskKind.HALVES), split.test, split.number)
    ids = {listener.id for listener in split.test}
    pool = [restrict(p, p.artists) for p in sources.listeners if p.id not in ids]
    full = TaskSpec(TaskKind.HALVES, condition="full pool")
    yield _retrieval(full, split.test, split.number, pool)


def _head_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    head = most_common_artists(split.training.listeners, HEAD_ARTISTS)
    profiles = keep_artists(split.test, head, at_least=MIN_KNOWN_ARTISTS)
    yield _retrieval(TaskSpec(TaskKind.HEAD), profiles, split.number)


def _other_data_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    for name, profiles in sources.others.items():
        able = [p for p in profiles if len(split.known & p.artists.keys()) >= MIN_KNOWN_ARTISTS]
        spec = TaskSpec(TaskKind.OTHER_DATA, name)
        yield _retrieval(spec, able, split.number)
        cut = cut_to_most_played(able, MOST_PLAYED)
        yield _retrieval(replace(spec, cut=MOST_PLAYED), cut, split.number)


def _playlist_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    yield _retrieval(TaskSpec(TaskKind.PLAYLISTS), split.test_playlists, split.number)


def _today_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    """Yield the halves of recent lists: the mean over their sources, then each source.

    The candidates are the halves of all lists in each of these tasks.
    """
    lists = cut_random(split.test_lists, LIST_ARTISTS, split.number)
    queries, candidates = split_half(lists, split.number)
    rows_of: dict[str, list[int]] = {}
    for row, profile in enumerate(lists):
        rows_of.setdefault(profile.origin, []).append(row)
    rows_of = {name: rows for name, rows in sorted(rows_of.items()) if len(rows) >= MIN_LISTS}

    def task(spec: TaskSpec, rows: Sequence[int], source_of: Sequence[str] = ()) -> Retrieval:
        rest = sorted(set(range(len(lists))) - set(rows))
        return Retrieval(
            spec,
            tuple(f"{lists[row].origin}:{lists[row].id}" for row in rows),
            [queries[row] for row in rows],
            [candidates[row] for row in (*rows, *rest)],
            tuple(source_of),
        )

    spec = TaskSpec(TaskKind.TODAY)
    rows = [row for rows in rows_of.values() for row in rows]
    yield task(spec, rows, [lists[row].origin for row in rows])
    for name, rows in rows_of.items():
        yield task(replace(spec, dataset=name), rows)


def _cold_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    """Yield the query half cut to k artists (or fewer), and the stability of the list."""
    ids, number = _ids(split.test), split.number
    queries, candidates = split_half(split.test, number)
    whole = [restrict(profile, profile.artists) for profile in split.test]
    for k in COLD_CUTS:
        spec = TaskSpec(TaskKind.COLD, cut=k)
        yield Retrieval(spec, ids, cut_random(queries, k, number), candidates)
        yield Stability(spec, ids, cut_random(split.test, k, number), whole)


def _one_sided_plays(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    """Yield the halves with play counts in the candidate or in the query only."""
    ids = _ids(split.test)
    queries, candidates = split_half(split.test, split.number)
    spec = TaskSpec(TaskKind.ONE_SIDED_PLAYS, condition="no plays in the query")
    yield Retrieval(spec, ids, without_plays(queries), candidates)
    spec = replace(spec, condition="no plays in the candidate")
    yield Retrieval(spec, ids, queries, without_plays(candidates))


def _friends_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    """Yield the friends task: the pool is everyone with a friend, the queries one half of them.

    A hash decides which half is for the test and which for validation.
    """
    named = {id for pair in sources.friends for id in pair}
    pool = [restrict(p, p.artists) for p in sources.listeners if p.id in named and p.artists]
    row = {profile.id: row for row, profile in enumerate(pool)}
    friends = np.zeros((len(pool), len(pool)), bool)
    for a, b in sources.friends:
        if a in row and b in row:
            friends[row[a], row[b]] = friends[row[b], row[a]] = True
    able = friends.any(axis=1) & ((~friends).sum(axis=1) > 1)  # someone else who is no friend
    validation = split.part == "validation"
    half = np.array([(_hash_share(f"friends:{p.id}") < 0.5) == validation for p in pool], bool)
    rows = np.flatnonzero(able & half)
    ids = tuple(pool[row].id for row in rows)
    yield Friends(TaskSpec(TaskKind.FRIENDS), ids, rows, pool, friends)


def _geometry_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    pool = [restrict(p, p.artists) for p in sources.listeners if p.artists]
    halves = split_half(split.test, split.number)
    yield Geometry(TaskSpec(TaskKind.GEOMETRY), _ids(pool), pool, halves)


def _feature_tasks(sources: Sources, split: EvaluationSplit) -> Iterator[Task]:
    playlists = sources.others.get("tidytuesday", ())
    able = [p for p in playlists if len(p.artists) >= MIN_KNOWN_ARTISTS]
    yield from side_feature_tasks("tidytuesday", able, AUDIO_FEATURES, split.number)
    yield from side_feature_tasks("hetrec", split.test, TAG_FEATURES, split.number, sources.tags)


def _coverage_tasks(
    sources: Sources, split: EvaluationSplit, calibration: QueriedGroups | None = None
) -> Iterator[Task]:
    """Yield the shares known in each source; and the confidence, by the model's curve if none."""
    spec = TaskSpec(TaskKind.COVERAGE)
    groups = groups_of(split)
    by_origin = groups | {
        origin: [p for p in split.test_lists if p.origin == origin]
        for origin in sorted({p.origin for p in split.test_lists})
    }
    for name, listeners in by_origin.items():
        yield KnownShares(replace(spec, dataset=name), _ids(listeners), listeners)
    measured = QueriedGroups(groups, split.number)
    for name, listeners in groups.items():
        task = replace(spec, dataset=name, condition="confidence")
        yield ConfidenceTask(task, query_ids(listeners), name, measured, calibration)


def _coverage_trial(sources: Sources, split: EvaluationSplit) -> Trial:
    """Fit without validation and test listeners: the curve on the first, measured on the second.

    If `split` itself is for validation, both are the validation listeners.
    """
    seed = split.training.seed
    validation = hold_out(sources, split.number, part="validation", seed=seed)
    calibration = QueriedGroups(groups_of(validation), split.number)
    tasks = tuple(_coverage_tasks(sources, split, calibration))
    return Trial(validation.training, tasks, METHOD.label)


def _unseen_trials(split: EvaluationSplit) -> list[Trial]:
    """Hide a share of the artists from training, with and without content, and query by them."""
    training = split.training

    def is_hidden(key: str) -> bool:
        return _hash_share(f"unseen:{split.number}:{key}") < HIDDEN_SHARE

    def without_hidden(profiles: Sequence[Profile]) -> tuple[Profile, ...]:
        left = (restrict(p, [k for k in p.artists if not is_hidden(k)]) for p in profiles)
        return tuple(p for p in left if p.artists)

    reduced = replace(
        training,
        listeners=without_hidden(training.listeners),
        playlists=without_hidden(training.playlists),
        charts=without_hidden(training.charts),
    )
    able, queries, candidates = [], [], []
    for profile in split.test:
        hidden = [key for key in profile.artists if is_hidden(key)]
        if MIN_HIDDEN <= len(hidden) <= len(profile.artists) - MIN_HIDDEN:
            able.append(profile)
            queries.append(restrict(profile, hidden, id=f"{profile.id}/query"))
            rest = profile.artists.keys() - set(hidden)
            candidates.append(restrict(profile, rest, id=f"{profile.id}/candidate"))
    with_content = TaskSpec(TaskKind.UNSEEN)
    no_content = replace(with_content, condition="no content")
    return [
        Trial(fit_on, (Retrieval(spec, _ids(able), queries, candidates),))
        for spec, fit_on in (
            (with_content, reduced),
            (no_content, replace(reduced, tags=(), content=())),
        )
    ]


def _discovery_trial(sources: Sources, split: EvaluationSplit) -> Trial:
    """Hide a tenth of every listener's artists: the last one for the test, else the one before.

    For validation the last tenth stays out of training, too. A listener's tags for hidden artists
    are left out.
    """
    known, hidden = [], []
    removed: set[tuple[str, str]] = set()
    for profile in sources.listeners:
        if len(profile.artists) < MIN_TO_DISCOVER:
            continue
        keys = shuffled_artists(profile, split.number, "discover")
        tenth = len(keys) // 10
        rest, before, last = keys[: -2 * tenth], keys[-2 * tenth : -tenth], keys[-tenth:]
        sought, left = (last, rest + before) if split.part == "test" else (before, rest)
        known.append(restrict(profile, left))
        hidden.append(frozenset(sought))
        removed.update((profile.id, key) for key in profile.artists.keys() - set(left))
    ids = _ids(known)
    listeners = set(ids)
    tags = tuple(t for t in sources.tags if t[0] in listeners and (t[0], t[1]) not in removed)
    training = replace(split.training, listeners=tuple(known), tags=tags)
    return Trial(training, (Discovery(TaskSpec(TaskKind.DISCOVER), ids, known, hidden),))


def _ids(profiles: Sequence[Profile]) -> tuple[str, ...]:
    return tuple(profile.id for profile in profiles)


def _hash_share(text: str) -> float:
    """Return a number 0..1 drawn by hash."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
