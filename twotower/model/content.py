"""Content of an artist as numbers: genres, audio attributes, name, listeners' tags.

Linear maps, fitted once and stored with the model, turn each into a few dense numbers. They work
the same for artists of the catalogue and for others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import AUDIO
from twotower.core.genres import is_genre, only_genres
from twotower.model.play_matrix import unit_sparse_rows

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import HashingVectorizer

GENRE_DIM, NAME_DIM, TAG_DIM = 32, 32, 64
NAME_BUCKETS = 4096
MIN_GENRE_ARTISTS = 5  # of a genre that gets a column
HOME_IDF = 2.0  # of a home country, beside genres: those have 3 to 10
MAX_Z = 3.0  # audio attributes are clipped to so many standard deviations
AUDIO_WIDTH = len(AUDIO) + 2  # nine attributes, popularity, a flag for "known"
GENRE_WIDTH = GENRE_DIM + 1  # and a flag for "known"
TAG_WIDTH = TAG_DIM + 1  # and the number of tags


@cache
def _hasher() -> "HashingVectorizer":
    """Return a counter of character 2- to 4-grams; the import takes a second, so it is late."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 4),
        n_features=NAME_BUCKETS,
        alternate_sign=False,
        norm=None,
    )


def _grams(names: Sequence[str]) -> sp.csr_matrix:
    """Return (n, NAME_BUCKETS) log1p counts; lone surrogates, which have no bytes, count as "?"."""
    grams = _hasher().transform([name.encode("utf-8", "replace").decode() for name in names])
    grams.data = np.log1p(grams.data)
    return grams


@dataclass(frozen=True)
class ContentSpace:
    """Fitted maps from genres, audio and names to numbers."""

    genre_words: tuple[str, ...]
    genre_idf: np.ndarray  # (words,)
    genre_basis: np.ndarray  # (words, GENRE_DIM)
    name_idf: np.ndarray  # (NAME_BUCKETS,)
    name_basis: np.ndarray  # (NAME_BUCKETS, NAME_DIM)
    audio_mean: np.ndarray  # (10,) nine attributes and popularity
    audio_std: np.ndarray  # (10,)

    @classmethod
    def fit(
        cls,
        genres: Sequence[Sequence[str]],
        names: Sequence[str],
        audio: np.ndarray,
        *,
        seed: int = 0,
    ) -> "ContentSpace":
        """Fit the maps; genres and names have one entry per artist, audio is (artists, 10).

        Unknown audio is NaN.
        """
        counted: dict[str, int] = {}
        for words in genres:
            for word in set(words):
                counted[word] = counted.get(word, 0) + 1
        kept = tuple(sorted(w for w, n in counted.items() if n >= MIN_GENRE_ARTISTS))
        idf = np.log((1 + len(genres)) / (1 + np.array([counted[w] for w in kept]))) + 1
        idf[[not is_genre(word) for word in kept]] = HOME_IDF
        space = cls(
            kept,
            idf.astype(np.float32),
            np.zeros((len(kept), GENRE_DIM), np.float32),
            np.ones(NAME_BUCKETS, np.float32),
            np.zeros((NAME_BUCKETS, NAME_DIM), np.float32),
            _finite(np.nanmean, audio, 0.0),
            np.maximum(_finite(np.nanstd, audio, 1.0), 1e-3),
        )
        genre_rows = space._genre_rows(genres)
        grams = _grams(names)
        seen = np.asarray((grams > 0).sum(0)).ravel()
        name_idf = (np.log((1 + len(names)) / (1 + seen)) + 1).astype(np.float32)
        name_rows = unit_sparse_rows(grams @ sp.diags(name_idf))
        return cls(
            kept,
            space.genre_idf,
            _genre_basis(genre_rows, kept, seed),
            name_idf,
            _basis(name_rows, NAME_DIM, seed),
            space.audio_mean,
            space.audio_std,
        )

    @cached_property
    def genre_row(self) -> Mapping[str, int]:
        """Genre word -> row of the basis."""
        return {word: row for row, word in enumerate(self.genre_words)}

    @cached_property
    def genre_set(self) -> frozenset[str]:
        """Genres that the maps know, without the words of countries: those never match a file."""
        return frozenset(only_genres(self.genre_words))

    def genres(self, genres: Sequence[Sequence[str] | Mapping[str, float]]) -> np.ndarray:
        """Return (n, GENRE_WIDTH): tf-idf in the fitted basis and a flag; zeros if unknown."""
        rows = self._genre_rows(genres)
        dense = (rows @ self.genre_basis) * np.sqrt(GENRE_DIM)
        known = (np.diff(rows.indptr) > 0).astype(np.float32)
        return np.column_stack([dense, known]).astype(np.float32)

    def names(self, names: Sequence[str]) -> np.ndarray:
        """Return (n, NAME_DIM): tf-idf of character 2- to 4-grams, in the fitted basis."""
        return np.asarray(
            unit_sparse_rows(_grams(names) @ sp.diags(self.name_idf))
            @ self.name_basis
            * np.sqrt(NAME_DIM),
            dtype=np.float32,
        )

    def audio(self, audio: np.ndarray) -> np.ndarray:
        """Return (n, AUDIO_WIDTH): clipped z-scores and a flag, of audio (n, 10) or NaN."""
        z = np.clip((audio - self.audio_mean) / self.audio_std, -MAX_Z, MAX_Z)
        known = np.isfinite(audio[:, : len(AUDIO)]).any(1)
        return np.column_stack([np.nan_to_num(z), known]).astype(np.float32)

    def _genre_rows(self, genres: Sequence[Sequence[str] | Mapping[str, float]]) -> sp.csr_matrix:
        row_of = self.genre_row
        indptr, indices, data = [0], [], []
        for words in genres:
            weights = words if isinstance(words, Mapping) else dict.fromkeys(words, 1.0)
            for word, weight in weights.items():
                row = row_of.get(word)
                if row is not None and weight > 0:
                    indices.append(row)
                    data.append(weight * self.genre_idf[row])
            indptr.append(len(indices))
        shape = (len(genres), max(1, len(self.genre_words)))
        matrix = sp.csr_matrix((data, indices, indptr), shape=shape, dtype=np.float32)
        return unit_sparse_rows(matrix) if self.genre_words else sp.csr_matrix((len(genres), 0))


@dataclass(frozen=True)
class TagSpace:
    """Tags with a column, and the basis of their counts."""

    tags: tuple[str, ...]
    idf: np.ndarray  # (tags,)
    basis: np.ndarray  # (tags, TAG_DIM)


def fit_tags(counts: sp.csr_matrix, tags: Sequence[str], *, seed: int = 0) -> TagSpace:
    """Fit the basis of tag counts (artists, tags)."""
    seen = np.asarray((counts > 0).sum(0)).ravel()
    idf = (np.log((1 + counts.shape[0]) / (1 + seen)) + 1).astype(np.float32)
    rows = counts.copy()
    rows.data = np.log1p(rows.data)
    return TagSpace(tuple(tags), idf, _basis(unit_sparse_rows(rows @ sp.diags(idf)), TAG_DIM, seed))


def read_tags(space: TagSpace, counts: sp.csr_matrix) -> np.ndarray:
    """Return (artists, TAG_WIDTH): tf-idf in the basis, and log1p(number of tags) / 2."""
    rows = counts.copy()
    rows.data = np.log1p(rows.data)
    dense = np.asarray(unit_sparse_rows(rows @ sp.diags(space.idf)) @ space.basis)
    number = np.log1p(np.asarray((counts > 0).sum(1)).ravel()) / 2
    return np.column_stack([dense * np.sqrt(TAG_DIM), number]).astype(np.float32)


def _genre_basis(rows: sp.csr_matrix, words: Sequence[str], seed: int) -> np.ndarray:
    """Return (words, GENRE_DIM): a basis of genres, in which a country is the mean of its artists.

    An artist at home in a country, of whom no genre is known, is thus placed at what the country's
    other artists play. rows (artists, words) are unit rows of tf-idf.
    """
    genre = np.array([is_genre(word) for word in words], bool)
    only_genres = unit_sparse_rows(sp.csr_matrix(rows @ sp.diags(genre.astype(np.float32))))
    basis = _basis(only_genres, GENRE_DIM, seed)
    placed = only_genres @ basis  # (artists, GENRE_DIM)
    described = np.diff(only_genres.indptr) > 0
    members = (rows[:, ~genre] > 0).multiply(described[:, None]).T.tocsr()  # (countries, artists)
    counts = np.maximum(np.asarray(members.sum(1)).ravel(), 1)
    basis[~genre] = (members @ placed) / counts[:, None]
    return basis


def _basis(rows: sp.csr_matrix, k: int, seed: int) -> np.ndarray:
    """Return (columns, k) right singular vectors, padded with zeros if there are fewer."""
    out = np.zeros((rows.shape[1], k), np.float32)
    rank = min(k, min(rows.shape) - 1)
    if rank > 0 and rows.nnz:
        from sklearn.utils.extmath import randomized_svd

        _, _, right = randomized_svd(rows, rank, random_state=seed)
        out[:, :rank] = right.T
    return out


def _finite(
    statistic: Callable[..., np.ndarray], audio: np.ndarray, otherwise: float
) -> np.ndarray:
    """Return a statistic of each column, `otherwise` for columns without a number."""
    known = np.isfinite(audio).any(0)
    out = np.full(audio.shape[1], otherwise, np.float32)
    if known.any():
        out[known] = statistic(audio[:, known], axis=0)
    return out
