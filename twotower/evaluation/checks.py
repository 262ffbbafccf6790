"""The checks: what a method is fitted on, and what it is then asked; the same for every method.

A check hides part of what is known of listeners that no method was fitted on, and asks for it back.
docs/evaluation.md says in plain words what each asks.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twotower.core.domain import Profile
from twotower.evaluation.groups import WITH_AUDIO, WITH_TAGS, group_tasks
from twotower.evaluation.holdout import (
    Held,
    Part,
    hold_out,
    hold_out_unseen,
)
from twotower.evaluation.splits import (
    cut_random,
    cut_to_most_played,
    halves,
    keep_artists,
    most_common_artists,
    restrict,
    shuffled_artists,
    without_plays,
)
from twotower.evaluation.tasks import Discovery, Friends, Geometry, Retrieval, Stability, Task
from twotower.sources.datasets.public import Sources, Training

__all__ = [
    "ALL_CHECKS",
    "CHECKS",
    "Held",
    "Part",
    "Retrieval",
    "Stability",
    "Task",
    "Trial",
    "hold_out",
    "hold_out_unseen",
    "make_tasks",
    "make_trials",
]

CHECKS = (
    "halves",
    "halves-head",
    "halves-other",
    "halves-playlists",
    "cold",
    "friends",
    "geometry",
)
SIDES = "sides"  # what is told of one side only: on request
REFITTED = ("unseen", "discover")  # ask a method that was fitted on less: on request only
ALL_CHECKS = (*CHECKS, "groups", SIDES, *REFITTED)
HEAD = 1000  # artists left in halves-head
LEAST_LEFT = 8  # artists of a listener in halves-head and halves-other
MOST_PLAYED = 50
COLD = (3, 5, 10, 20)
HIDDEN = 0.3  # share of artists whose identity is hidden in unseen
LEAST_HIDDEN = 3  # artists of a listener on each side in unseen
LEAST_TENTHS = 10  # artists of a listener in discover


@dataclass(frozen=True)
class Trial:
    """One fit and what is asked of it."""

    training: Training
    tasks: tuple[Task, ...]


def make_trials(
    sources: Sources, held: Held, checks: Collection[str] = CHECKS
) -> tuple[Trial, ...]:
    """All that these checks ask of a split, the same for every method.

    Most checks share one fit; unseen and discover each need fits on less than that.
    """
    trials = [Trial(held.training, tuple(make_tasks(sources, held, checks)))]
    if "unseen" in checks:
        trials.extend(_unseen(held))
    if "discover" in checks:
        trials.append(_discover(sources, held))
    return tuple(
        Trial(trial.training, tasks)
        for trial in trials
        if (tasks := tuple(task for task in trial.tasks if len(task.ids) > 1))
    )


def make_tasks(sources: Sources, held: Held, checks: Collection[str] = CHECKS) -> list[Task]:
    """The questions of these checks to a method fitted on `held`, the same for every method.

    Those with no one to ask are left out, and so are the checks that need another fit. The clean
    pool is the test listeners only. The full pool ("halves, full pool") adds every other listener
    of the source with a whole profile. ValueError for a check that there is none of.
    """
    if unknown := set(checks) - set(ALL_CHECKS):
        raise ValueError(
            f"no check {', '.join(sorted(unknown))}; there are {', '.join(ALL_CHECKS)}"
        )
    tasks: list[Task] = []
    test, number = held.test, held.number
    if "halves" in checks:
        tasks.append(_halves("halves", test, number))
        asked = {listener.id for listener in test}
        pool = [restrict(p, p.artists) for p in sources.listeners if p.id not in asked]
        tasks.append(_halves("halves, full pool", test, number, pool))
    if "halves-head" in checks:
        head = most_common_artists(held.training.listeners, HEAD)
        left = keep_artists(test, head, at_least=LEAST_LEFT)
        tasks.append(_halves("halves-head", left, number))
    if "halves-other" in checks:
        for name, profiles in sources.others.items():
            asked_others = [p for p in profiles if len(held.known & p.artists.keys()) >= LEAST_LEFT]
            cut = cut_to_most_played(asked_others, MOST_PLAYED)
            tasks.append(_halves(f"halves-other, {name}", asked_others, number))
            tasks.append(_halves(f"halves-other, {name}, cut to {MOST_PLAYED}", cut, number))
    if "halves-playlists" in checks:
        tasks.append(_halves("halves-playlists", held.test_playlists, number))
    if "cold" in checks:
        tasks.extend(_cold(test, number))
    if SIDES in checks:
        tasks.extend(_sides(test, number))
    if "friends" in checks:
        tasks.append(_friends(sources, held.part == "validation"))
    if "geometry" in checks:
        pool = [restrict(p, p.artists) for p in sources.listeners if p.artists]
        tasks.append(Geometry("geometry", _ids(pool), pool, halves(test, number)))
    if "groups" in checks:
        songs = [p for p in sources.others.get("tidytuesday", ()) if len(p.artists) >= LEAST_LEFT]
        tasks.extend(group_tasks("tidytuesday", songs, WITH_AUDIO, number))
        tasks.extend(group_tasks("hetrec", test, WITH_TAGS, number, sources.tags))
    return [task for task in tasks if len(task.ids) > 1]


def _halves(
    check: str, profiles: Sequence[Profile], number: int, pool: Sequence[Profile] = ()
) -> Retrieval:
    queries, candidates = halves(profiles, number)
    return Retrieval(check, _ids(profiles), queries, [*candidates, *pool])


def _cold(profiles: Sequence[Profile], number: int) -> list[Task]:
    """The query half cut to k artists (or as many as it has), and the stability of the list."""
    ids = _ids(profiles)
    queries, candidates = halves(profiles, number)
    whole = [restrict(profile, profile.artists) for profile in profiles]
    tasks: list[Task] = []
    for k in COLD:
        tasks.append(Retrieval(f"cold-{k}", ids, cut_random(queries, k, number), candidates))
        tasks.append(Stability(f"cold-{k}", ids, cut_random(profiles, k, number), whole))
    return tasks


def _sides(profiles: Sequence[Profile], number: int) -> list[Task]:
    """Halves again, when only one of the two sides tells how much is played."""
    ids = _ids(profiles)
    queries, candidates = halves(profiles, number)
    return [
        Retrieval("sides, no plays in the query", ids, without_plays(queries), candidates),
        Retrieval("sides, no plays in the candidate", ids, queries, without_plays(candidates)),
    ]


def _ids(profiles: Sequence[Profile]) -> tuple[str, ...]:
    return tuple(profile.id for profile in profiles)


def _share(text: str) -> float:
    """A number 0..1 drawn by hash."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def _friends(sources: Sources, choosing: bool) -> Friends:
    """All listeners that a friendship names are the pool; one half of them, by hash, is asked.

    The other half is there for choosing between designs.
    """
    named = {id for pair in sources.friends for id in pair}
    pool = [restrict(p, p.artists) for p in sources.listeners if p.id in named and p.artists]
    row = {profile.id: row for row, profile in enumerate(pool)}
    friends = np.zeros((len(pool), len(pool)), bool)
    for a, b in sources.friends:
        if a in row and b in row:
            friends[row[a], row[b]] = friends[row[b], row[a]] = True
    able = friends.any(axis=1) & ((~friends).sum(axis=1) > 1)  # oneself is no other
    half = np.array([(_share(f"friends:{p.id}") < 0.5) == choosing for p in pool], bool)
    asked = np.flatnonzero(able & half)
    ids = tuple(pool[at].id for at in asked)
    return Friends("friends", ids, asked, pool, friends)


def _unseen(held: Held) -> list[Trial]:
    """Listeners asked for by artists that nobody in training plays, with and without content."""
    training = held.training

    def is_hidden(key: str) -> bool:
        return _share(f"unseen:{held.number}:{key}") < HIDDEN

    def others(profiles: Sequence[Profile]) -> tuple[Profile, ...]:
        left = (restrict(p, [k for k in p.artists if not is_hidden(k)], id=p.id) for p in profiles)
        return tuple(p for p in left if p.artists)

    known = replace(
        training, listeners=others(training.listeners), playlists=others(training.playlists)
    )
    asked, queries, candidates = [], [], []
    for profile in held.test:
        hidden = [key for key in profile.artists if is_hidden(key)]
        if LEAST_HIDDEN <= len(hidden) <= len(profile.artists) - LEAST_HIDDEN:
            asked.append(profile)
            queries.append(restrict(profile, hidden, id=f"{profile.id}/query"))
            rest = profile.artists.keys() - set(hidden)
            candidates.append(restrict(profile, rest, id=f"{profile.id}/candidate"))
    return [
        Trial(fitted, (Retrieval(check, _ids(asked), queries, candidates),))
        for check, fitted in (
            ("unseen", known),
            ("unseen, no content", replace(known, tags=(), content=())),
        )
    ]


def _discover(sources: Sources, held: Held) -> Trial:
    """A tenth of every listener's artists is taken out: the last for the test, else the one before.

    For choosing, the last tenth stays out of training too. A tag that a listener gave to an artist
    taken out is left out with it.
    """
    known, hidden = [], []
    taken: set[tuple[str, str]] = set()
    for profile in sources.listeners:
        if len(profile.artists) < LEAST_TENTHS:
            continue
        keys = shuffled_artists(profile, held.number, "discover")
        tenth = len(keys) // 10
        left, before, last = keys[: -2 * tenth], keys[-2 * tenth : -tenth], keys[-tenth:]
        asked, kept = (last, left + before) if held.part == "test" else (before, left)
        known.append(restrict(profile, kept))
        hidden.append(frozenset(asked))
        taken.update((profile.id, key) for key in profile.artists.keys() - set(kept))
    ids = _ids(known)
    everyone = set(ids)
    tags = tuple(t for t in sources.tags if t[0] in everyone and (t[0], t[1]) not in taken)
    training = replace(held.training, listeners=tuple(known), tags=tags)
    return Trial(training, (Discovery("discover", ids, known, hidden),))
