"""Members of a community whose vectors follow from their ids."""

from dataclasses import replace

import numpy as np

from twotower.community import Member, MemberSnapshot
from twotower.core.domain import Listener

DIM = 8


def member(id: str, *, origin: str = "file", seed: int | None = None, **changes) -> Member:
    """One listener whose vectors follow from its id, or from `seed`."""
    rng = np.random.default_rng(seed if seed is not None else list(id.encode()))
    vectors = rng.standard_normal((2, DIM)).astype(np.float32)
    user, candidate = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    listener = Listener(
        id=id,
        name=f"{id} by night",
        origin=origin,
        artists=(("Sigur Rós", 12.0), ("Low", 3.5)),
        genres=("slowcore", "post-rock"),
        place=(0.5, -1.25),
    )
    return replace(Member(listener, user, candidate, map_version="m1"), **changes)


def invented(count: int, *, seed: int = 0) -> list[Member]:
    return [member(f"made{n}", origin="invented", seed=seed + n) for n in range(count)]


def people(snapshot: MemberSnapshot) -> dict[str, tuple]:
    """Everything a snapshot holds, by id, to compare."""
    return {
        id: (
            snapshot.user[row].tobytes(),
            snapshot.candidate[row].tobytes(),
            snapshot.places[row].tobytes(),
            bool(snapshot.synthetic[row]),
        )
        for row, id in enumerate(snapshot.ids)
    }
