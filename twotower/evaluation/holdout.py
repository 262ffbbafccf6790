"""What the checks are made of: the public data, and who of it is held out for which split."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.evaluation.methods.base import Training
from twotower.evaluation.splits import LEAST_ARTISTS, hashed_id, in_part, split_listeners
from twotower.sources.datasets.readers import (
    ArtistContent,
    Tagging,
    data_hashes,
    read_content,
    read_dataset,
    read_friends,
    read_tags,
)

OTHERS = ("germany", "audioscrobbler", "tidytuesday")
LEAST_IN_PLAYLIST = 10
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
    friends: tuple[tuple[str, str], ...] = ()  # HetRec; pairs of ids, each once; never trained on
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
    try:
        friends = tuple(read_friends(data))
    except MissingData:
        missing.append("friends")
        friends = ()
    return Sources(
        listeners,
        tuple(read_tags(data)),
        playlists,
        others,
        content,
        friends,
        data_hashes(data),
        tuple(missing),
    )


@dataclass(frozen=True)
class Held:
    """One split: what a method is fitted on, and whom it is asked about."""

    number: int
    part: Part
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
    fitted = _training(sources, training, seen, seed)
    return Held(number, part, fitted, test, asked, _artists(training))


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
        "test",
        _training(sources, listeners, playlists, seed),
        tuple(p for p in test if len(p.artists) >= LEAST_ARTISTS),
        tuple(p for p in others if _is_test_playlist(p, TEST_DIGITS)),
        _artists(listeners) if known is None else frozenset(known),
    )
    left = {name: tuple(parted(profiles)[1]) for name, profiles in sources.others.items()}
    return replace(sources, others=left), held
