"""Baselines that the two towers have to beat.

Each `fit_*` takes a `Training` and returns a `Scorer`. `BASELINES` lists them by label.
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
from twotower.evaluation.methods.als_content import fit_als_content
from twotower.evaluation.methods.base import Fit, columns_of, memoised, summed, weighted_plays
from twotower.evaluation.methods.hub_corrections import corrected, scaled
from twotower.evaluation.methods.item_item import fit_ease, fit_item_knn
from twotower.evaluation.specs import MethodSpec
from twotower.model.play_matrix import log_play_matrix, unit_rows, unit_sparse_rows
from twotower.sources.datasets.public import Training

ALS_ALPHA, ALS_REGULARIZATION, ALS_ITERATIONS = 10.0, 200.0, 15
PLAYLIST_WEIGHT = 1.0  # of the row of a playlist or list; a listener's has 1
ITEM_PLAYLIST_WEIGHT = 0.6  # the same in item-item methods


def _document_frequencies(training: Training, playlists: float) -> dict[str, float]:
    """Return artist key -> listeners, plus playlists times a weight."""
    df: dict[str, float] = dict(Counter(key for p in training.listeners for key in p.artists))
    for profile in training.playlists if playlists else ():
        for key in profile.artists:
            df[key] = df.get(key, 0.0) + playlists
    return df


def _idf(listeners: float, df: np.ndarray) -> np.ndarray:
    return np.asarray(np.log((1 + listeners) / (1 + df)), np.float32)


@dataclass(frozen=True)
class IdfCosine:
    """Cosine of log plays x idf: artist overlap, in which rare artists count more."""

    name: str
    listeners: float
    counts: Mapping[str, float]  # artist key -> training listeners

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return cosines (Q, N)."""
        columns = columns_of([*queries, *candidates])
        df = np.array([self.counts.get(key, 0) for key in columns], np.float32)
        idf = sp.diags(_idf(self.listeners, df))
        one, other = (
            unit_sparse_rows(log_play_matrix(side, columns) @ idf) for side in (queries, candidates)
        )
        return np.asarray((one @ other.T).toarray())


def fit_idf_cosine(training: Training, *, playlists: float = 0.0) -> IdfCosine:
    """Count the training listeners of each artist; an unknown artist is the rarest.

    `playlists` is the weight of a playlist; 0 leaves playlists out.
    """
    name = MethodSpec("idf cosine", playlists=playlists > 0).label
    listeners = len(training.listeners) + playlists * len(training.playlists)
    return IdfCosine(name, listeners, _document_frequencies(training, playlists))


@dataclass(frozen=True)
class Popularity:
    """Minus the difference of the mean log popularity of two listeners' artists."""

    name: str
    counts: Mapping[str, float]  # artist key -> training listeners

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return scores (Q, N)."""
        one, other = (np.array([self._mean(p) for p in side]) for side in (queries, candidates))
        return np.asarray(-np.abs(one[:, None] - other[None, :]))

    def _mean(self, profile: Profile) -> float:
        logs = [np.log1p(self.counts.get(key, 0)) for key in profile.artists]
        return float(np.mean(logs)) if logs else 0.0


def fit_popularity(training: Training, *, playlists: float = 0.0) -> Popularity:
    """Count the training listeners of each artist.

    `playlists` is the weight of a playlist; 0 leaves playlists out.
    """
    name = MethodSpec("popularity", playlists=playlists > 0).label
    return Popularity(name, _document_frequencies(training, playlists))


@dataclass(frozen=True)
class MatrixFactors:
    """Cosine of dense vectors made from a sparse row of log plays."""

    name: str
    columns: Mapping[str, int]
    embed: Callable[[sp.csr_matrix], np.ndarray]  # (n, artists) -> (n, k)

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return cosines (Q, N)."""
        one, other = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return np.asarray(one @ other.T)

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """Return unit vectors (n, k), the same for queries and candidates."""
        return unit_rows(self.embed(log_play_matrix(profiles, self.columns)))


def fit_svd(training: Training, *, k: int = 32, playlists: float = 0.0) -> MatrixFactors:
    """Fit a truncated SVD of log plays x idf.

    `playlists` is the weight of a playlist's row; 0 leaves playlists out.
    """
    columns, matrix = weighted_plays(training, playlists)
    idf = sp.diags(_idf(matrix.shape[0], np.asarray((matrix > 0).sum(axis=0)).ravel()))
    rank = min(k, *matrix.shape)
    _, _, axes = randomized_svd(matrix @ idf, rank, random_state=training.seed)
    basis = np.asarray(idf @ axes.T, np.float32)  # (artists, rank)
    name = MethodSpec(f"SVD-{k}", playlists=playlists > 0).label
    return MatrixFactors(name, columns, lambda rows: np.asarray(rows @ basis))


def fit_als(training: Training, *, k: int = 64, playlists: float = 0.0) -> MatrixFactors:
    """Fit ALS on log plays with the library `implicit`; profiles are folded in exactly.

    `playlists` is the weight of a playlist's row; 0 leaves playlists out. Raises MissingData if
    `implicit` is not installed.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits
    except ImportError as missing:
        raise MissingData(
            "the ALS baseline needs the library implicit: pip install -e .[dev]"
        ) from missing

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

    name = MethodSpec(f"ALS-{k}", playlists=playlists > 0).label
    return MatrixFactors(name, columns, fold_in)


_svd = memoised(partial(fit_svd, k=64))
_ease, _als = memoised(fit_ease), memoised(fit_als)
_idf_playlists = partial(fit_idf_cosine, playlists=PLAYLIST_WEIGHT)
_knn_playlists = memoised(partial(fit_item_knn, playlists=ITEM_PLAYLIST_WEIGHT))
_ease_playlists = memoised(partial(fit_ease, playlists=ITEM_PLAYLIST_WEIGHT))
_als_playlists = memoised(partial(fit_als, playlists=PLAYLIST_WEIGHT))
_als_content = memoised(fit_als_content)
_als_content_playlists = memoised(partial(fit_als_content, playlists=PLAYLIST_WEIGHT))
_als_content_ease = summed(_als_content, _ease, 0.25, "ALS + content + EASE")
_als_content_ease_playlists = summed(
    _als_content_playlists, _ease_playlists, 0.5, "ALS + content + EASE + playlists"
)

BASELINES: Mapping[str, Fit] = MappingProxyType(
    {
        "popularity": fit_popularity,
        "popularity + playlists": partial(fit_popularity, playlists=PLAYLIST_WEIGHT),
        "idf cosine": fit_idf_cosine,
        "idf cosine + MP": corrected(fit_idf_cosine),
        "idf cosine + playlists": _idf_playlists,
        "idf cosine + playlists + MP": corrected(_idf_playlists),
        "SVD-32": fit_svd,
        "SVD-64": _svd,
        "SVD-64 + LS": scaled(_svd),
        "SVD-64 + playlists": partial(fit_svd, k=64, playlists=PLAYLIST_WEIGHT),
        "ItemKNN": fit_item_knn,
        "ItemKNN + playlists": _knn_playlists,
        "ItemKNN + playlists + LS": scaled(_knn_playlists),
        "EASE": _ease,
        "EASE + LS": scaled(_ease),
        "EASE + playlists": _ease_playlists,
        "EASE + playlists + LS": scaled(_ease_playlists),
        "ALS-64": _als,
        "ALS-64 + LS": scaled(_als),
        "ALS-64 + playlists": _als_playlists,
        "ALS-64 + playlists + LS": scaled(_als_playlists),
        "ALS + content": _als_content,
        "ALS + content + LS": scaled(_als_content),
        "ALS + content + EASE + LS": scaled(_als_content_ease),
        "ALS + content + playlists": _als_content_playlists,
        "ALS + content + playlists + LS": scaled(_als_content_playlists),
        "ALS + content + EASE + playlists + LS": scaled(_als_content_ease_playlists),
    }
)
