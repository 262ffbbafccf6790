"""Evaluation data: the split into training and test listeners, and parts of profiles.

Everything is drawn by hash, so it is the same in each run and on each machine.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from twotower.core.domain import Profile
from twotower.core.names import artist_key, hashed_id
from twotower.sources.datasets.modern import divide_lists, unlike
from twotower.sources.datasets.parts import TEST_DIGITS, VALIDATION_DIGITS, is_test_playlist
from twotower.sources.datasets.public import Sources, Training

TEST_LISTENERS, VALIDATION_LISTENERS = 378, 303  # of each split
MIN_ARTISTS = 4  # of a listener who can be split in half

Part = Literal["test", "validation"]


@dataclass(frozen=True)
class ListenerSplit:
    """Three disjoint groups of listeners, in hash order."""

    number: int
    test: tuple[Profile, ...]
    validation: tuple[Profile, ...]
    training: tuple[Profile, ...]


@dataclass(frozen=True)
class EvaluationSplit:
    """One split: the data that a method is fitted on, and the listeners it is evaluated on."""

    number: int
    part: Part
    training: Training
    test: tuple[Profile, ...]
    test_playlists: tuple[Profile, ...]
    test_lists: tuple[Profile, ...]  # of 2018 to 2026
    known: frozenset[str]  # artist keys; listeners with too few of them are not evaluated


def split_listeners(
    profiles: Iterable[Profile],
    number: int,
    *,
    test: int = TEST_LISTENERS,
    validation: int = VALIDATION_LISTENERS,
) -> ListenerSplit:
    """Order the listeners with at least MIN_ARTISTS artists by sha256("number:id"), and cut."""
    able = [profile for profile in profiles if len(profile.artists) >= MIN_ARTISTS]
    able.sort(key=lambda p: hashlib.sha256(f"{number}:{p.id}".encode()).hexdigest())
    end = test + validation
    return ListenerSplit(number, tuple(able[:test]), tuple(able[test:end]), tuple(able[end:]))


def hold_out(
    sources: Sources, number: int, *, part: Part = "test", seed: int = 0
) -> EvaluationSplit:
    """Return split `number`, with the test listeners held out from all others.

    With part "validation" the validation listeners are held out; the test listeners and playlists
    are then in neither part.
    """
    split = split_listeners(sources.listeners, number)
    if part == "test":
        test, training = split.test, split.validation + split.training
        test_digits = hidden_digits = TEST_DIGITS
    else:
        test, training = split.validation, split.training
        test_digits, hidden_digits = VALIDATION_DIGITS, TEST_DIGITS + VALIDATION_DIGITS
    hidden_ids = {p.id for p in sources.playlists if is_test_playlist(p, hidden_digits)}
    playlists = [p for p in sources.playlists if p.id not in hidden_ids]
    lists = divide_lists(sources.lists, part)
    return EvaluationSplit(
        number,
        part,
        _training(sources, training, [*playlists, *lists.training], seed),
        test,
        tuple(p for p in sources.playlists if is_test_playlist(p, test_digits)),
        lists.held_out,
        _artist_keys(training),
    )


def hold_out_unseen(
    sources: Sources,
    trained_on: Collection[str],
    *,
    known: Collection[str] | None = None,
    seed: int = 0,
) -> tuple[Sources, EvaluationSplit]:
    """Return the other data sets without training listeners, and a split for a stored model.

    trained_on  `hashed_id` of each profile the model was trained on; the others are its test
    known       artist keys of the model; without it, those of its training listeners
    """
    hashes = frozenset(trained_on)

    def partition(profiles: Sequence[Profile]) -> tuple[list[Profile], list[Profile]]:
        seen = [hashed_id(profile) in hashes for profile in profiles]
        pairs = list(zip(profiles, seen, strict=True))
        return [p for p, was in pairs if was], [p for p, was in pairs if not was]

    listeners, test = partition(sources.listeners)
    playlists, unseen_playlists = partition(sources.playlists)
    lists, _ = partition(sources.lists)
    _, unseen_lists = partition(divide_lists(sources.lists).held_out)
    split = EvaluationSplit(
        0,
        "test",
        _training(sources, listeners, [*playlists, *lists], seed),
        tuple(p for p in test if len(p.artists) >= MIN_ARTISTS),
        tuple(p for p in unseen_playlists if is_test_playlist(p, TEST_DIGITS)),
        unlike(unseen_lists, lists),
        _artist_keys(listeners) if known is None else frozenset(known),
    )
    others = {name: tuple(partition(profiles)[1]) for name, profiles in sources.others.items()}
    return replace(sources, others=others), split


def _artist_keys(profiles: Sequence[Profile]) -> frozenset[str]:
    return frozenset(key for profile in profiles for key in profile.artists)


def _training(
    sources: Sources, listeners: Sequence[Profile], playlists: Sequence[Profile], seed: int
) -> Training:
    """Training data of these profiles, with the tags of these listeners only."""
    ids = {listener.id for listener in listeners}
    tags = tuple(tagging for tagging in sources.tags if tagging[0] in ids)
    return Training(tuple(listeners), tuple(playlists), tags, sources.content, seed, sources.charts)


def restrict(profile: Profile, keys: Collection[str], *, id: str | None = None) -> Profile:
    """Return the profile with these artists only, under another id if one is given.

    Genres, audio, playlists, name and dates are left out: they would reveal the hidden artists.
    """
    wanted = set(keys)
    return Profile(
        id=profile.id if id is None else id,
        artists={key: artist for key, artist in profile.artists.items() if key in wanted},
        tracks=tuple(t for t in profile.tracks if artist_key(t.artist) in wanted),
        origin=profile.origin,
    )


def shuffled_artists(profile: Profile, seed: int, purpose: str) -> list[str]:
    """Return the artist keys in an order drawn from source, id, seed and purpose alone."""
    text = f"{purpose}:{seed}:{profile.origin}:{profile.id}"
    drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    keys = sorted(profile.artists)
    return [keys[i] for i in np.random.default_rng(drawn).permutation(len(keys))]


def split_half(profiles: Sequence[Profile], seed: int) -> tuple[list[Profile], list[Profile]]:
    """Return (queries, candidates): two random disjoint halves of each listener's artists.

    Row i of both is the same listener, under different ids. A query has n // 2 artists.
    """
    queries, candidates = [], []
    for profile in profiles:
        keys = shuffled_artists(profile, seed, "halves")
        middle = len(keys) // 2
        queries.append(restrict(profile, keys[:middle], id=f"{profile.id}/query"))
        candidates.append(restrict(profile, keys[middle:], id=f"{profile.id}/candidate"))
    return queries, candidates


def cut_random(profiles: Sequence[Profile], artists: int, seed: int) -> list[Profile]:
    """Cut each profile to at most `artists` random ones; a smaller cut is part of a larger one."""
    return [restrict(p, shuffled_artists(p, seed, "cut")[:artists]) for p in profiles]


def cut_to_most_played(profiles: Sequence[Profile], artists: int) -> list[Profile]:
    """Cut each profile to at most its `artists` most played ones, ties by key."""
    cut = []
    for profile in profiles:
        keys = sorted(profile.artists, key=lambda key: (-profile.artists[key].plays, key))
        cut.append(restrict(profile, keys[:artists]))
    return cut


def without_plays(profiles: Sequence[Profile]) -> list[Profile]:
    """Set the plays of each artist to one, and remove the tracks."""
    return [
        replace(p, artists={k: replace(a, plays=1.0) for k, a in p.artists.items()}, tracks=())
        for p in profiles
    ]


def keep_artists(
    profiles: Sequence[Profile], keys: Collection[str], *, at_least: int
) -> list[Profile]:
    """Reduce the profiles to these artists; drop profiles with fewer than `at_least` of them."""
    wanted = set(keys)
    return [
        restrict(profile, wanted)
        for profile in profiles
        if sum(key in wanted for key in profile.artists) >= at_least
    ]


def most_common_artists(profiles: Iterable[Profile], count: int) -> tuple[str, ...]:
    """Return the artist keys that most profiles have, most first, ties by key."""
    listeners = Counter(key for profile in profiles for key in profile.artists)
    return tuple(sorted(listeners, key=lambda key: (-listeners[key], key))[:count])
