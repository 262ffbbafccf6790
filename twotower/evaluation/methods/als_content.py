"""ALS with content: artists few people play lean on their tags, genres, audio and name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Profile
from twotower.evaluation.methods.base import Method
from twotower.model import artist_features
from twotower.model.als import folded
from twotower.model.artist_features import build_tables, build_world, listeners_of_artists
from twotower.model.play_matrix import log_play_matrix, unit_rows
from twotower.model.towers import FACTOR
from twotower.sources.datasets.public import Training

PRIOR_LISTENERS = 5.0  # how many listeners content counts for beside the real ones


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
        return unit_rows(
            folded(log_play_matrix(profiles, self.columns), self.artists, self.precision)
        )


def fit_hybrid(
    training: Training, *, playlists: float = 0.0, prior: float = PRIOR_LISTENERS
) -> Method:
    """ALS and a ridge from content to its factors, both in closed form (artist_features.py).

    An artist with df listeners is (df y + prior p) / (df + prior), y by ALS and p by content. The
    towers start from much the same; what they learn beyond it is the difference. `playlists` is
    what a playlist counts beside a listener, 0 leaves them out.
    """
    added = training.playlists if playlists else ()
    profiles = [*training.listeners, *added]
    world = build_world(profiles, training.content, training.tags, seed=training.seed)
    counts = np.repeat([1.0, playlists], [len(training.listeners), len(added)]).astype(np.float32)
    weights = sp.diags(counts / world.source_weight) @ world.weights
    world = replace(world, weights=sp.csr_matrix(weights), source_weight=counts)
    table, _ = build_tables(world, np.zeros(0, np.int64), seed=training.seed)
    df = listeners_of_artists(world)[:, None]
    ready = table.inputs[:, FACTOR]  # with the prior of the tables; moved to this one
    artists = ready * (df + artist_features.PRIOR_LISTENERS)
    artists += (prior - artist_features.PRIOR_LISTENERS) * table.by_content
    artists /= df + prior
    columns = {key: row for row, key in enumerate(world.keys)}
    name = "ALS + content" + (" + playlists" if playlists else "")
    return Hybrid(name, columns, artists.astype(np.float32), table.prior)
