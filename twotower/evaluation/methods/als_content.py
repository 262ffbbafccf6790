"""ALS with content: the factors of rarely played artists lean on tags, genres, audio and name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Profile
from twotower.evaluation.specs import MethodSpec
from twotower.model import artist_features
from twotower.model.als import fold_in_numpy
from twotower.model.artist_features import build_training_data, cross_fit, listeners_per_artist
from twotower.model.play_matrix import log_play_matrix, unit_rows
from twotower.model.towers import FACTOR
from twotower.sources.datasets.public import Training

PRIOR_LISTENERS = 5.0  # listeners that the content of an artist counts for


@dataclass(frozen=True)
class AlsContent:
    """Profiles folded into fixed artist factors."""

    name: str
    columns: Mapping[str, int]
    artists: np.ndarray  # (artists, k)
    precision: np.ndarray  # (k, k) of a listener without artists

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return cosines (Q, N)."""
        one, other = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return np.asarray(one @ other.T)

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """Return unit vectors (n, k), the same for queries and candidates."""
        return unit_rows(
            fold_in_numpy(log_play_matrix(profiles, self.columns), self.artists, self.precision)
        )


def fit_als_content(
    training: Training, *, playlists: float = 0.0, prior: float = PRIOR_LISTENERS
) -> AlsContent:
    """Fit ALS, and a ridge regression from content to its factors, both in closed form.

    An artist with df listeners becomes (df y + prior p) / (df + prior), y by ALS and p by content.
    The inputs of the towers are computed in the same way (model/artist_features.py). `playlists`
    is the weight of a playlist's row; 0 leaves playlists out.
    """
    added = training.playlists if playlists else ()
    profiles = [*training.listeners, *added]
    data = build_training_data(profiles, training.content, training.tags, seed=training.seed)
    counts = np.repeat([1.0, playlists], [len(training.listeners), len(added)]).astype(np.float32)
    weights = sp.diags(counts / data.source_weight) @ data.weights
    data = replace(data, weights=sp.csr_matrix(weights), source_weight=counts)
    features = cross_fit(data, np.zeros(0, np.int64), seed=training.seed).whole
    df = listeners_per_artist(data)[:, None]
    ready = features.inputs[:, FACTOR]  # with the prior of artist_features; replaced by this one
    artists = ready * (df + artist_features.PRIOR_LISTENERS)
    artists += (prior - artist_features.PRIOR_LISTENERS) * features.by_content
    artists /= df + prior
    columns = {key: row for row, key in enumerate(data.keys)}
    name = MethodSpec("ALS + content", playlists=playlists > 0).label
    return AlsContent(name, columns, artists.astype(np.float32), features.prior)
