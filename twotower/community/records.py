"""What goes into a community and what comes out of it."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from twotower.core.domain import Listener, Profile


def new_id() -> str:
    """A random id that tells nothing, 16 hexadecimal digits."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One listener with what only the program sees: vectors and what the owner said yes to."""

    listener: Listener
    user_vector: np.ndarray  # (D,) float32, unit
    candidate_vector: np.ndarray  # (D,) float32, unit
    findable: bool = True  # may be found by others
    training: bool = False  # may be learned from
    map_version: str = ""  # of the map that listener.place is on
    profile: Profile | None = None  # to learn from; only of one who said yes to that
    code_hash: str = ""  # by which the owner is known again


@dataclass(frozen=True, slots=True, eq=False)
class ModelVectors:
    """The vectors that one model gives a listener, and the place on its map."""

    id: str
    user: np.ndarray  # (D,) float32, unit
    candidate: np.ndarray  # (D,) float32, unit
    place: tuple[float, float] | None = None
    map_version: str = ""


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """What the owner of a row is told of it."""

    id: str
    listener: Listener  # as others see it
    findable: bool
    training: bool
    has_profile: bool
    created: str  # UTC, ISO
    updated: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was removed when one left."""

    id: str
    seq: int
    at: str  # UTC, ISO
    removed: Mapping[str, int]  # of what, how many
    content: str  # digest of all that was removed, which is kept nowhere
    was_training: bool
    community: str  # the community's own id

    @property
    def digest(self) -> str:
        """SHA-256 of all the rest, as the community keeps it."""
        told = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()
