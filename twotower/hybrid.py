"""ALS with content: artists few people play lean on their tags, genres, audio and name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twotower.domain import Profile
from twotower.factors import folded
from twotower.methods import Method, Training, listens, unit_rows
from twotower.model import FACTOR
from twotower.tables import build_tables, build_world


@dataclass(frozen=True)
class Hybrid:
    """Profiles folded into factors that were fitted before, with nothing else learned."""

    name: str
    columns: Mapping[str, int]
    artists: np.ndarray  # (artists, k)
    precision: np.ndarray  # (k, k) of a listener of whom nothing is known

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N) cosines."""
        one, other = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return np.asarray(one @ other.T)

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """(n, k) unit vectors, the same for both sides."""
        return unit_rows(folded(listens(profiles, self.columns), self.artists, self.precision))


def fit_hybrid(training: Training, *, playlists: bool = False) -> Method:
    """ALS and a ridge from content to its factors, both in closed form (`twotower.tables`).

    An artist with df listeners is (df y + 2 p) / (df + 2), y by ALS and p by content. The towers
    start from the same; what they learn beyond it is the difference.
    """
    profiles = [*training.listeners, *(training.playlists if playlists else ())]
    world = build_world(profiles, training.content, training.tags, seed=training.seed)
    table, _ = build_tables(world, np.zeros(0, np.int64), seed=training.seed)
    columns = {key: row for row, key in enumerate(world.keys)}
    name = "ALS + content" + (" + playlists" if playlists else "")
    return Hybrid(name, columns, np.ascontiguousarray(table.inputs[:, FACTOR]), table.prior)
