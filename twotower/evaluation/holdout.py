"""What the checks are made of: the public data, and who of it is held out for which split."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from twotower.core.domain import Profile
from twotower.core.names import hashed_id
from twotower.evaluation.splits import LEAST_ARTISTS, split_listeners
from twotower.sources.datasets.public import (
    TEST_DIGITS,
    VALIDATION_DIGITS,
    Sources,
    Training,
    is_test_playlist,
)

Part = Literal["test", "validation"]


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
    asked = tuple(p for p in sources.playlists if is_test_playlist(p, digits))
    away = {p.id for p in sources.playlists if is_test_playlist(p, hidden)}
    seen = tuple(p for p in sources.playlists if p.id not in away)
    fitted = _training(sources, training, seen, seed)
    return Held(number, part, fitted, test, asked, _artists(training))


def _artists(profiles: Sequence[Profile]) -> frozenset[str]:
    return frozenset(key for profile in profiles for key in profile.artists)


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
        tuple(p for p in others if is_test_playlist(p, TEST_DIGITS)),
        _artists(listeners) if known is None else frozenset(known),
    )
    left = {name: tuple(parted(profiles)[1]) for name, profiles in sources.others.items()}
    return replace(sources, others=left), held
