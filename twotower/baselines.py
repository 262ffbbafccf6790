"""Plain ways to say who is near: what the two towers have to beat.

Each `fit_*` takes a `Training` and gives a `Method`; so does whatever is compared with them.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from twotower.domain import Profile
from twotower.errors import MissingData

ALS_ALPHA, ALS_REGULARIZATION, ALS_ITERATIONS = 10.0, 200.0, 15
PLAYLIST_WEIGHT = 0.3  # of a playlist beside a listener


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
    tags: tuple[tuple[str, str, str, date | None], ...] = ()  # listener id, artist key, tag, when
    content: tuple[Any, ...] = ()  # ArtistContent
    seed: int = 0


Fit = Callable[[Training], Method]


def listens(profiles: Sequence[Profile], columns: Mapping[str, int]) -> sp.csr_matrix:
    """(listeners, artists) of log(1 + plays); artists without a column are left out."""
    rows, cols, plays = [], [], []
    for row, profile in enumerate(profiles):
        for key, artist in profile.artists.items():
            column = columns.get(key)
            if column is not None:
                rows.append(row)
                cols.append(column)
                plays.append(artist.plays)
    weights = np.log1p(np.asarray(plays, np.float32))
    return sp.csr_matrix(
        (weights, (rows, cols)), shape=(len(profiles), len(columns)), dtype=np.float32
    )


def _columns(profiles: Sequence[Profile]) -> dict[str, int]:
    keys = sorted({key for profile in profiles for key in profile.artists})
    return {key: column for column, key in enumerate(keys)}


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one; a row of zeros stays as it is."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _counts(profiles: Sequence[Profile]) -> Counter[str]:
    return Counter(key for profile in profiles for key in profile.artists)


def _idf(listeners: int, having: np.ndarray) -> np.ndarray:
    return np.log((1 + listeners) / (1 + having)).astype(np.float32)


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
        return (one @ other.T).toarray()


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
        return -np.abs(one[:, None] - other[None, :])

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
        return one @ other.T


def fit_svd(training: Training, *, k: int = 32, playlists: float = 0.0) -> Factored:
    """Truncated SVD of log plays x idf; `playlists` is the weight of a playlist, 0 without."""
    added = training.playlists if playlists else ()
    columns = _columns([*training.listeners, *added])
    matrix = listens(training.listeners, columns)
    idf = _idf(matrix.shape[0], np.asarray((matrix > 0).sum(axis=0)).ravel())
    if added:
        more = listens(added, columns)
        matrix = sp.vstack([matrix, more * playlists], format="csr")
        idf = _idf(matrix.shape[0], np.asarray((matrix > 0).sum(axis=0)).ravel())
    scale = sp.diags(idf)
    rank = min(k, min(matrix.shape))
    _, _, axes = randomized_svd(matrix @ scale, rank, random_state=training.seed)
    basis = np.asarray(scale @ axes.T, np.float32)  # (artists, k)
    name = f"SVD-{k}" + (" + playlists" if playlists else "")
    return Factored(name, columns, lambda rows: np.asarray(rows @ basis))


def fit_als(training: Training, *, k: int = 64, playlists: float = 0.0) -> Factored:
    """ALS on log plays by the library `implicit`; a profile is folded in exactly.

    `playlists` scales the confidence of a playlist's artists, 0 leaves playlists out.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits
    except ImportError as missing:
        raise MissingData("the ALS baseline needs `pip install -e .[dev]`") from missing

    added = training.playlists if playlists else ()
    columns = _columns([*training.listeners, *added])
    matrix = listens(training.listeners, columns)
    if added:
        matrix = sp.vstack([matrix, listens(added, columns) * playlists], format="csr")
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

    return Factored(f"ALS-{k}" + (" + playlists" if playlists else ""), columns, fold_in)


BASELINES: Mapping[str, Fit] = MappingProxyType(
    {
        "popularity": fit_popularity,
        "idf cosine": fit_idf_cosine,
        "SVD-32": fit_svd,
        "SVD-32 + playlists": partial(fit_svd, playlists=PLAYLIST_WEIGHT),
        "ALS-64": fit_als,
        "ALS-64 + playlists": partial(fit_als, playlists=PLAYLIST_WEIGHT),
    }
)
