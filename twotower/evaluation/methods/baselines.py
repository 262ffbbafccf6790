"""Plain ways to say who is near: what the two towers have to beat.

Each `fit_*` takes a `Training` and gives a `Method`; so does whatever is compared with them.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.evaluation.methods.als_content import fit_hybrid
from twotower.evaluation.methods.base import Fit, columns_of, remembered, summed, weighted_plays
from twotower.evaluation.methods.hub_corrections import corrected, scaled
from twotower.evaluation.methods.item_item import fit_ease, fit_item_knn
from twotower.model.play_matrix import log_play_matrix, unit_rows, unit_sparse_rows
from twotower.sources.datasets.public import Training

ALS_ALPHA, ALS_REGULARIZATION, ALS_ITERATIONS = 10.0, 200.0, 15
PLAYLIST_WEIGHT = 0.6  # of a playlist beside a listener
HYBRID_PLAYLIST_WEIGHT = 1.0  # the best at finding playlists; without any is the best at home


def _counts(profiles: Sequence[Profile]) -> Counter[str]:
    return Counter(key for profile in profiles for key in profile.artists)


def _idf(listeners: int, having: np.ndarray) -> np.ndarray:
    return np.asarray(np.log((1 + listeners) / (1 + having)), np.float32)


@dataclass(frozen=True)
class IdfCosine:
    """Cosine of log plays x idf: near are those who have the very same, rare artists."""

    name: str
    listeners: int
    counts: Mapping[str, int]  # artist key -> training listeners who have it

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        columns = columns_of([*queries, *candidates])
        having = np.array([self.counts.get(key, 0) for key in columns], np.float32)
        idf = sp.diags(_idf(self.listeners, having))
        one, other = (
            unit_sparse_rows(log_play_matrix(side, columns) @ idf) for side in (queries, candidates)
        )
        return np.asarray((one @ other.T).toarray())


def fit_idf_cosine(training: Training) -> IdfCosine:
    """Shares of listeners are counted on training listeners; an artist of none is the rarest."""
    return IdfCosine("idf cosine", len(training.listeners), _counts(training.listeners))


@dataclass(frozen=True)
class Popularity:
    """Near are those whose artists are equally well known on average: what size of name tells."""

    name: str
    counts: Mapping[str, int]

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        one, other = (np.array([self._mean(p) for p in side]) for side in (queries, candidates))
        return np.asarray(-np.abs(one[:, None] - other[None, :]))

    def _mean(self, profile: Profile) -> float:
        logs = [np.log1p(self.counts.get(key, 0)) for key in profile.artists]
        return float(np.mean(logs)) if logs else 0.0


def fit_popularity(training: Training) -> Popularity:
    return Popularity("popularity", _counts(training.listeners))


@dataclass(frozen=True)
class Factored:
    """Cosine of dense vectors made from a sparse row of log plays."""

    name: str
    columns: Mapping[str, int]
    embed: Callable[[sp.csr_matrix], np.ndarray]  # (n, artists) -> (n, k)

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        one, other = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return np.asarray(one @ other.T)

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """(n, k) unit vectors, the same for both sides."""
        return unit_rows(self.embed(log_play_matrix(profiles, self.columns)))


def _named(name: str, playlists: float) -> str:
    return f"{name} + playlists" if playlists else name


def fit_svd(training: Training, *, k: int = 32, playlists: float = 0.0) -> Factored:
    """Truncated SVD of log plays x idf; `playlists` scales a playlist's row, 0 leaves them out."""
    columns, matrix = weighted_plays(training, playlists)
    idf = sp.diags(_idf(matrix.shape[0], np.asarray((matrix > 0).sum(axis=0)).ravel()))
    rank = min(k, *matrix.shape)
    _, _, axes = randomized_svd(matrix @ idf, rank, random_state=training.seed)
    basis = np.asarray(idf @ axes.T, np.float32)  # (artists, rank)
    return Factored(_named(f"SVD-{k}", playlists), columns, lambda rows: np.asarray(rows @ basis))


def fit_als(training: Training, *, k: int = 64, playlists: float = 0.0) -> Factored:
    """ALS on log plays by the library `implicit`; a profile is folded in exactly.

    `playlists` scales the confidence of a playlist's artists, 0 leaves playlists out.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits
    except ImportError as missing:
        raise MissingData("the ALS baseline needs `pip install -e .[dev]`") from missing

    columns, matrix = weighted_plays(training, playlists)
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        model = AlternatingLeastSquares(
            factors=k,
            alpha=ALS_ALPHA,
            regularization=ALS_REGULARIZATION,
            iterations=ALS_ITERATIONS,
            num_threads=1,
            random_state=training.seed,
        )
        model.fit(matrix, show_progress=False)

    def fold_in(rows: sp.csr_matrix) -> np.ndarray:
        return np.asarray(model.recalculate_user(np.arange(rows.shape[0]), rows))

    return Factored(_named(f"ALS-{k}", playlists), columns, fold_in)


_svd = remembered(partial(fit_svd, k=64))
_ease, _als = remembered(fit_ease), remembered(fit_als)
_als_playlists = remembered(partial(fit_als, playlists=PLAYLIST_WEIGHT))
_hybrid = remembered(fit_hybrid)
_hybrid_playlists = remembered(partial(fit_hybrid, playlists=HYBRID_PLAYLIST_WEIGHT))
_hybrid_ease = summed(_hybrid, _ease, 0.25, "ALS + content + EASE")
_hybrid_ease_playlists = summed(
    _hybrid_playlists,
    remembered(partial(fit_ease, playlists=PLAYLIST_WEIGHT)),
    0.5,
    "ALS + content + EASE + playlists",
)

BASELINES: Mapping[str, Fit] = MappingProxyType(
    {
        "popularity": fit_popularity,
        "idf cosine": fit_idf_cosine,
        "idf cosine + MP": corrected(fit_idf_cosine),
        "SVD-32": fit_svd,
        "SVD-64": _svd,
        "SVD-64 + LS": scaled(_svd),
        "SVD-64 + playlists": partial(fit_svd, k=64, playlists=PLAYLIST_WEIGHT),
        "ItemKNN": fit_item_knn,
        "EASE": _ease,
        "EASE + LS": scaled(_ease),
        "ALS-64": _als,
        "ALS-64 + LS": scaled(_als),
        "ALS-64 + playlists": _als_playlists,
        "ALS-64 + playlists + LS": scaled(_als_playlists),
        "ALS + content": _hybrid,
        "ALS + content + LS": scaled(_hybrid),
        "ALS + content + EASE + LS": scaled(_hybrid_ease),
        "ALS + content + playlists": _hybrid_playlists,
        "ALS + content + playlists + LS": scaled(_hybrid_playlists),
        "ALS + content + EASE + playlists + LS": scaled(_hybrid_ease_playlists),
    }
)
