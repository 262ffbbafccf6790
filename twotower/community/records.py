"""Records that go into a community and come out of it."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from twotower.core.domain import Listener, Profile


def new_id() -> str:
    """Return a random id of 16 hexadecimal digits, which says nothing about its owner."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One listener with everything that is stored: vectors, consent and access code."""

    listener: Listener
    user_vector: np.ndarray  # (D,) float32, unit
    candidate_vector: np.ndarray  # (D,) float32, unit
    findable: bool = True  # consent: others may find this listener
    training: bool = False  # consent: models may be trained on the profile
    map_version: str = ""  # of the map that listener.place is on
    profile: Profile | None = None  # for training; only with consent to it
    code_hash: str = ""  # of the owner's access code


@dataclass(frozen=True, slots=True, eq=False)
class ModelVectors:
    """A listener's vectors under one model, and the place on that model's map."""

    id: str
    user: np.ndarray  # (D,) float32, unit
    candidate: np.ndarray  # (D,) float32, unit
    place: tuple[float, float] | None = None
    map_version: str = ""


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A stored member as its owner sees it, found by the access code."""

    id: str
    listener: Listener  # as others see it
    findable: bool
    training: bool
    has_profile: bool
    created: str  # UTC, ISO
    updated: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """Record of a member who left: what was removed, and when. The digest covers every field."""

    id: str
    seq: int
    at: str  # UTC, ISO
    removed: Mapping[str, int]  # kind -> count
    content: str  # digest of all removed rows, which are stored nowhere
    was_training: bool
    community: str  # id of the community

    @property
    def digest(self) -> str:
        """SHA-256 of all fields, 64 hex digits; the community stores it."""
        fields = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(fields.encode()).hexdigest()
