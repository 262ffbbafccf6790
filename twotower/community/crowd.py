"""What goes into a community and what comes out of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np

from twotower.domain import Listener, Profile

INVENTED = "invented"  # origin of the listeners that ship


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
class Placed:
    """The vectors that one model gives a listener, and the place on its map."""

    id: str
    user: np.ndarray  # (D,) float32, unit
    candidate: np.ndarray  # (D,) float32, unit
    place: tuple[float, float] | None = None
    map_version: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """What the owner of a row is told of it."""

    id: str
    listener: Listener  # as others see it
    findable: bool
    training: bool
    has_profile: bool
    created: str  # UTC, ISO
    updated: str


@dataclass(frozen=True, slots=True)
class Removal:
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


@dataclass(frozen=True, eq=False)
class Crowd:
    """Everyone who can be found, as arrays in step with one another; row i is ids[i].

    In the order in which the rows last changed. The arrays can't be written to.
    """

    seq: int  # the last change that is in it
    ids: tuple[str, ...]
    names: tuple[str, ...]
    user: np.ndarray  # (N, D) float32, unit
    candidate: np.ndarray  # (N, D) float32, unit
    places: np.ndarray  # (N, 2) float32, NaN for one without a place
    invented: np.ndarray  # (N,) bool

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self.ids)}

    def row_of(self, id: str) -> int | None:
        return self._rows.get(id)

    def without(self, gone: set[str], new: "Crowd") -> "Crowd":
        """This one less the rows of `gone`, then `new`; each array is copied once."""
        ends = [row for row, id in enumerate(self.ids) if id in gone]
        parts = [
            slice(first, last)
            for first, last in zip([0, *(row + 1 for row in ends)], [*ends, len(self)], strict=True)
            if first < last
        ]

        def put(name: str) -> np.ndarray:
            old = getattr(self, name)
            return np.concatenate([*(old[part] for part in parts), getattr(new, name)])

        return replace(
            new,
            ids=tuple(chain(*(self.ids[part] for part in parts), new.ids)),
            names=tuple(chain(*(self.names[part] for part in parts), new.names)),
            user=put("user"),
            candidate=put("candidate"),
            places=put("places"),
            invented=put("invented"),
        )

    def locked(self) -> "Crowd":
        for array in (self.user, self.candidate, self.places, self.invented):
            array.flags.writeable = False
        return self
