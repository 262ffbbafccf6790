"""Plain ways to say who is near: what the two towers have to beat.

Each `fit_*` takes a `Training` and gives a `Method`; so does whatever is compared with them.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from twotower.datasets import ArtistContent, Tagging
from twotower.domain import Profile
from twotower.errors import MissingData

ALS_ALPHA, ALS_REGULARIZATION, ALS_ITERATIONS = 10.0, 200.0, 15
MEAN_WEIGHT, LEAST_WEIGHT = 5.0, 0.3  # of the artists of one listener
PLAYLIST_WEIGHT = 0.6  # of a playlist beside a listener


class Method(Protocol):
    """Something fitted that says how near people are."""

    @property
    def name(self) -> str: ...

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N), larger is nearer."""
        ...


@dataclass(frozen=True)
class Training:
    """All that a method may see; nothing in it comes from a listener of the test."""

    listeners: tuple[Profile, ...]
    playlists: tuple[Profile, ...] = ()  # each as a listener of another kind
    tags: tuple[Tagging, ...] = ()  # those that the listeners gave
    content: tuple[ArtistContent, ...] = ()
    seed: int = 0


Fit = Callable[[Training], Method]


def listens(profiles: Sequence[Profile], columns: Mapping[str, int]) -> sp.csr_matrix:
    """(listeners, artists) of log(1 + plays), moved to the same mean for each listener.

    So a playlist, a year and a decade of listening weigh the same. Artists without a column are
    left out, after the mean was taken.
    """
    rows, cols, weights = [], [], []
    for row, profile in enumerate(profiles):
        logs = np.log1p([artist.plays for artist in profile.artists.values()])
        if len(logs):
            logs = np.maximum(logs - logs.mean() + MEAN_WEIGHT, LEAST_WEIGHT)
        for key, weight in zip(profile.artists, logs.tolist(), strict=True):
            column = columns.get(key)
            if column is not None:
                rows.append(row)
                cols.append(column)
                weights.append(weight)
    values = np.asarray(weights, np.float32)
    return sp.csr_matrix(
        (values, (rows, cols)), shape=(len(profiles), len(columns)), dtype=np.float32
    )


def _columns(profiles: Sequence[Profile]) -> dict[str, int]:
    keys = sorted({key for profile in profiles for key in profile.artists})
    return {key: column for column, key in enumerate(keys)}


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one; a row of zeros stays as it is."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12))


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
        columns = _columns([*queries, *candidates])
        having = np.array([self.counts.get(key, 0) for key in columns], np.float32)
        idf = sp.diags(_idf(self.listeners, having))
        one, other = (_unit_sparse(listens(side, columns) @ idf) for side in (queries, candidates))
        return np.asarray((one @ other.T).toarray())


def _unit_sparse(rows: sp.csr_matrix) -> sp.csr_matrix:
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return sp.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32)) @ rows


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
        one, other = (
            _unit(self.embed(listens(side, self.columns))) for side in (queries, candidates)
        )
        return np.asarray(one @ other.T)


def _with_playlists(training: Training, weight: float) -> tuple[dict[str, int], sp.csr_matrix]:
    """Columns and weights of all listeners, then of playlists if their weight is above 0."""
    added = training.playlists if weight else ()
    columns = _columns([*training.listeners, *added])
    both = [listens(training.listeners, columns), listens(added, columns) * weight]
    return columns, sp.vstack(both, format="csr", dtype=np.float32)


def _named(name: str, playlists: float) -> str:
    return f"{name} + playlists" if playlists else name


def fit_svd(training: Training, *, k: int = 32, playlists: float = 0.0) -> Factored:
    """Truncated SVD of log plays x idf; `playlists` scales a playlist's row, 0 leaves them out."""
    columns, matrix = _with_playlists(training, playlists)
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

    columns, matrix = _with_playlists(training, playlists)
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


BASELINES: Mapping[str, Fit] = MappingProxyType(
    {
        "popularity": fit_popularity,
        "idf cosine": fit_idf_cosine,
        "SVD-32": fit_svd,
        "SVD-64": partial(fit_svd, k=64),
        "SVD-64 + playlists": partial(fit_svd, k=64, playlists=PLAYLIST_WEIGHT),
        "ALS-64": fit_als,
        "ALS-64 + playlists": partial(fit_als, playlists=PLAYLIST_WEIGHT),
    }
)
