"""The checks: whom a method is fitted on, and what it is then asked; the same for every method.

A check hides part of what is known of listeners that no method was fitted on, and asks for it back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from twotower.baselines import Method, Training
from twotower.datasets import (
    ArtistContent,
    Tagging,
    data_hashes,
    read_content,
    read_dataset,
    read_tags,
)
from twotower.domain import Profile
from twotower.errors import MissingData
from twotower.metrics import overlaps, ranks_of_positives, top_columns
from twotower.splits import (
    LEAST_ARTISTS,
    cut_random,
    cut_to_most_played,
    halves,
    hashed_id,
    in_part,
    keep_artists,
    most_common_artists,
    restrict,
    split_listeners,
)

CHECKS = ("halves", "halves-head", "halves-other", "halves-playlists", "cold")
OTHERS = ("germany", "audioscrobbler", "tidytuesday")
HEAD = 1000  # artists left in halves-head
LEAST_LEFT = 8  # artists of a listener in halves-head and halves-other
LEAST_IN_PLAYLIST = 10
MOST_PLAYED = 50
COLD = (3, 5, 10, 20)
LISTED = 10  # length of the lists that overlap@10 compares
TEST_DIGITS, VALIDATION_DIGITS = "012", "3"  # last hex digit of a playlist's hash

Part = Literal["test", "validation"]


@dataclass(frozen=True)
class Sources:
    """The public data that checks and methods are made of."""

    listeners: tuple[Profile, ...]  # HetRec
    tags: tuple[Tagging, ...] = ()  # HetRec
    playlists: tuple[Profile, ...] = ()  # mpd; a withheld one never in a test
    others: Mapping[str, tuple[Profile, ...]] = field(default_factory=dict)  # by data set
    content: tuple[ArtistContent, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)  # sha256 by file
    missing: tuple[str, ...] = ()  # data sets that were not there


def read_sources(data: Path) -> Sources:
    """All sources under a data folder; only HetRec has to be there, others are told as missing."""
    missing: list[str] = []

    def there(name: str) -> tuple[Profile, ...]:
        try:
            return tuple(read_dataset(name, data))
        except MissingData:
            missing.append(name)
            return ()

    listeners = tuple(read_dataset("hetrec", data))
    others = {name: profiles for name in OTHERS if (profiles := there(name))}
    playlists = there("mpd")
    try:
        content = tuple(read_content(data))
    except MissingData:
        missing.append("artist content")
        content = ()
    tags = tuple(read_tags(data))
    hashes = data_hashes(data)
    return Sources(listeners, tags, playlists, others, content, hashes, tuple(missing))


@dataclass(frozen=True)
class Held:
    """One split: what a method is fitted on, and whom it is asked about."""

    number: int
    training: Training
    test: tuple[Profile, ...]
    test_playlists: tuple[Profile, ...]
    known: frozenset[str]  # artist keys; who has too few of them is not asked in halves-other


def hold_out(sources: Sources, number: int, *, part: Part = "test", seed: int = 0) -> Held:
    """Split `number`: the test listeners against all the rest or, for choosing, validation ones.

    With part "validation" nothing of the test is in training either, nor in a check.
    """
    split = split_listeners(sources.listeners, number)
    if part == "test":
        test, training, digits = split.test, split.validation + split.training, TEST_DIGITS
        hidden = digits
    else:
        test, training, digits = split.validation, split.training, VALIDATION_DIGITS
        hidden = TEST_DIGITS + VALIDATION_DIGITS
    asked = tuple(p for p in sources.playlists if _is_test_playlist(p, digits))
    away = {p.id for p in sources.playlists if _is_test_playlist(p, hidden)}
    seen = tuple(p for p in sources.playlists if p.id not in away)
    return Held(number, _training(sources, training, seen, seed), test, asked, _artists(training))


def shipped_training(sources: Sources) -> list[Profile]:
    """Whom the model that ships is trained on: all listeners, and the playlists of no test."""
    return [
        *sources.listeners,
        *(p for p in sources.playlists if not _is_test_playlist(p, TEST_DIGITS)),
    ]


def _artists(profiles: Sequence[Profile]) -> frozenset[str]:
    return frozenset(key for profile in profiles for key in profile.artists)


def _is_test_playlist(playlist: Profile, digits: str) -> bool:
    return (
        playlist.origin == "mpd"
        and len(playlist.artists) >= LEAST_IN_PLAYLIST
        and in_part(playlist.id, digits)
    )


def _training(
    sources: Sources, listeners: Sequence[Profile], playlists: Sequence[Profile], seed: int
) -> Training:
    """The training data of these people, and of tags only theirs."""
    ids = {listener.id for listener in listeners}
    tags = tuple(tagging for tagging in sources.tags if tagging[0] in ids)
    return Training(tuple(listeners), tuple(playlists), tags, sources.content, seed)


def hold_out_unseen(
    sources: Sources,
    trained_on: Collection[str],
    *,
    known: Collection[str] | None = None,
    seed: int = 0,
) -> tuple[Sources, Held]:
    """What a stored model was not trained on, to ask about; the rest, to fit baselines on.

    `trained_on` holds `hashed_id`s. The other sources come back without those that it has.
    """
    hashes = frozenset(trained_on)

    def parted(profiles: Sequence[Profile]) -> tuple[list[Profile], list[Profile]]:
        seen = [hashed_id(profile) in hashes for profile in profiles]
        pairs = list(zip(profiles, seen, strict=True))
        return [p for p, was in pairs if was], [p for p, was in pairs if not was]

    listeners, test = parted(sources.listeners)
    playlists, others = parted(sources.playlists)
    held = Held(
        0,
        _training(sources, listeners, playlists, seed),
        tuple(p for p in test if len(p.artists) >= LEAST_ARTISTS),
        tuple(p for p in others if _is_test_playlist(p, TEST_DIGITS)),
        _artists(listeners) if known is None else frozenset(known),
    )
    left = {name: tuple(parted(profiles)[1]) for name, profiles in sources.others.items()}
    return replace(sources, others=left), held


@dataclass(frozen=True)
class Retrieval:
    """Row i of the queries should find row i of the candidates; the rest of these are pool."""

    check: str
    ids: tuple[str, ...]  # of the listeners asked about
    queries: Sequence[Profile]
    candidates: Sequence[Profile]

    def measure(self, method: Method) -> dict[str, np.ndarray]:
        """metric -> (Q,) a value a listener."""
        scores = _scores(method, self.queries, self.candidates)
        ranks = ranks_of_positives(scores, np.arange(len(self.queries)))
        return {
            "MRR": 1.0 / ranks,
            "recall@1": (ranks <= 1).astype(float),
            "recall@10": (ranks <= 10).astype(float),
        }


@dataclass(frozen=True)
class Stability:
    """How much of the list of a whole profile is on the list of the same profile, cut."""

    check: str
    ids: tuple[str, ...]
    cut: Sequence[Profile]
    whole: Sequence[Profile]  # row i whole is row i cut, and all are the pool

    def measure(self, method: Method) -> dict[str, np.ndarray]:
        lists = []
        for queries in (self.cut, self.whole):
            scores = np.array(_scores(method, queries, self.whole), dtype=float)
            np.fill_diagonal(scores, -np.inf)
            lists.append(top_columns(scores, min(LISTED, len(self.whole) - 1)))
        return {f"overlap@{LISTED}": overlaps(*lists)}


Task = Retrieval | Stability


def _scores(
    method: Method, queries: Sequence[Profile], candidates: Sequence[Profile]
) -> np.ndarray:
    scores = method.scores(queries, candidates)
    if scores.shape != (len(queries), len(candidates)):
        raise ValueError(
            f"{method.name}: scores of shape {scores.shape} for {len(queries)} queries "
            f"and {len(candidates)} candidates"
        )
    return scores


def make_tasks(sources: Sources, held: Held, checks: Collection[str] = CHECKS) -> list[Task]:
    """The questions of these checks, the same for every method; those with no one to ask left out.

    The clean pool is the test listeners only. The full pool ("halves, full pool") adds every other
    listener of the source with a whole profile.
    """
    if unknown := set(checks) - set(CHECKS):
        raise ValueError(f"no check {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
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
    return [task for task in tasks if len(task.ids) > 1]


def _halves(
    check: str, profiles: Sequence[Profile], number: int, pool: Sequence[Profile] = ()
) -> Retrieval:
    queries, candidates = halves(profiles, number)
    return Retrieval(check, tuple(p.id for p in profiles), queries, [*candidates, *pool])


def _cold(profiles: Sequence[Profile], number: int) -> list[Task]:
    """The query half cut to k artists (or as many as it has), and the stability of the list."""
    ids = tuple(profile.id for profile in profiles)
    queries, candidates = halves(profiles, number)
    whole = [restrict(profile, profile.artists) for profile in profiles]
    tasks: list[Task] = []
    for k in COLD:
        tasks.append(Retrieval(f"cold-{k}", ids, cut_random(queries, k, number), candidates))
        tasks.append(Stability(f"cold-{k}", ids, cut_random(profiles, k, number), whole))
    return tasks
