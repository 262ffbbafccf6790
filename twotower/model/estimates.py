"""Genres and audio attributes of every artist, for the catalogue.

Genres are those that a source gives. The genres of other artists, and all audio attributes, are
estimates: ridge regressions on the encoder's inputs, fitted on artists with published ones.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import AUDIO
from twotower.core.genres import is_genre
from twotower.model.als import ridge
from twotower.model.artist_features import ArtistFeatures, TrainingData
from twotower.model.catalogue import NO_GENRE
from twotower.model.towers import AUDIO as AUDIO_COLUMNS
from twotower.model.towers import FACTOR, GENRES, TAGS

GENRES_SHOWN = 4
MIN_ARTISTS = 5  # of a genre in the catalogue
MIN_ESTIMATED_ARTISTS = 25  # of a genre that is estimated
MIN_SCORE = 0.12  # of a genre, for an artist to get it
MIN_TAGGERS = 2  # listeners who give an artist the same tag
MIN_AUDIO_ARTISTS = 10  # with published attributes, to estimate those of the others
AUDIO_RIDGE, GENRE_RIDGE = 100.0, 30.0
AUDIO_BITS = 7  # of a value's binary fraction: an estimate isn't more exact, and it packs smaller
CHUNK = 4096  # artists scored at once


class ArtistGenres(NamedTuple):
    """Genre words, and those of each artist."""

    words: tuple[str, ...]
    ids: np.ndarray  # (artists, GENRES_SHOWN) int16, best first; NO_GENRE fills the rest
    are_stated: np.ndarray  # (artists,) bool: given by a source, not estimated


def estimate_audio(data: TrainingData, features: ArtistFeatures) -> np.ndarray:
    """Return (artists, 9) audio attributes in their own units, estimated from everything but audio.

    Returns (0, 9) if fewer than ten artists have published attributes.
    """
    targets = data.audio[:, : len(AUDIO)]
    known = np.isfinite(targets).all(1)
    if known.sum() < MIN_AUDIO_ARTISTS:
        return np.zeros((0, len(AUDIO)), np.float16)
    mean = targets[known].mean(0)
    weight = np.ones(int(known.sum()), np.float32)
    out = np.zeros(targets.shape, np.float32)
    for rows, inputs in _by_known_groups(_without_audio(features.inputs)):
        coefficients = ridge(inputs[known], targets[known] - mean, weight, AUDIO_RIDGE)
        out[rows] = inputs[rows] @ coefficients + mean
    low, high = np.percentile(targets[known], [0.5, 99.5], axis=0)
    return _rounded(np.clip(out, low, high)).astype(np.float16)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return the values rounded to AUDIO_BITS significant bits, an error of 0.4 % at most."""
    fraction, exponent = np.frexp(values)  # 0.5 <= fraction < 1
    return np.asarray(np.ldexp(np.round(fraction * 2**AUDIO_BITS) / 2**AUDIO_BITS, exponent))


def genres_of_artists(data: TrainingData, features: ArtistFeatures) -> ArtistGenres:
    """Return the genres that sources give, and estimates for artists without any.

    Countries among an artist's words are no genres. An artist with more than GENRES_SHOWN genres
    keeps those that fit its other properties best, rare ones first.
    """
    words, labels = _labels(data)
    out = np.full((len(data.keys), GENRES_SHOWN), NO_GENRE, np.int16)
    known = np.flatnonzero(labels.getnnz(1))
    are_stated = labels.getnnz(1) > 0
    if not words:
        return ArtistGenres((), out, are_stated)
    base = np.asarray(labels[known].mean(0), np.float32).ravel()
    rarity = np.clip(0.08 / np.maximum(base, 1e-6), 0.35, 1.0) ** 0.5  # rare genres first
    too_rare = labels.getnnz(0) < MIN_ESTIMATED_ARTISTS
    for artists, inputs in _by_known_groups(features.inputs):
        coefficients = _fit_genres(inputs[known], labels[known], base)
        for at in range(0, len(artists), CHUNK):
            rows = artists[at : at + CHUNK]
            score = inputs[rows] @ coefficients + base
            score[:, too_rare] = 0
            allowed = np.where(are_stated[rows, None], labels[rows].toarray(), score >= MIN_SCORE)
            score = np.where(allowed, score * rarity, -np.inf)
            best = np.argsort(-score, axis=1)[:, :GENRES_SHOWN]
            chosen = np.take_along_axis(allowed, best, 1) > 0
            out[rows, : best.shape[1]] = np.where(chosen, best, NO_GENRE)
    return ArtistGenres(words, out, are_stated)


def _fit_genres(inputs: np.ndarray, labels: sp.csr_matrix, base: np.ndarray) -> np.ndarray:
    """Return ridge coefficients (columns, words) of what labels (n, words) have beyond `base`."""
    left = inputs.T.astype(np.float64) @ inputs + GENRE_RIDGE * np.eye(inputs.shape[1])
    right = (labels.T @ inputs).T - inputs.sum(0)[:, None] * base[None, :]
    return np.asarray(np.linalg.solve(left, right), dtype=np.float32)


def _by_known_groups(inputs: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows of artists with the same known groups, and inputs to fit their estimate on.

    The inputs are those of all artists, with a constant and without the groups that these rows
    lack. Otherwise the fit would rely on genres and be useless for artists without genres; the
    same holds for tags.
    """
    has_genres, has_tags = (inputs[:, part.stop - 1] > 0 for part in (GENRES, TAGS))
    for genres, tags in product((True, False), repeat=2):
        rows = np.flatnonzero((has_genres == genres) & (has_tags == tags))
        if len(rows):
            visible = inputs.copy()
            if not genres:
                visible[:, GENRES] = 0
            if not tags:
                visible[:, TAGS] = 0
            yield rows, np.column_stack([visible, np.ones(len(inputs), np.float32)])


def _without_audio(inputs: np.ndarray) -> np.ndarray:
    """Return the inputs without audio, and with factors of length one: their length is fame."""
    out = inputs.copy()
    out[:, AUDIO_COLUMNS] = 0
    lengths = np.linalg.norm(out[:, FACTOR], axis=1, keepdims=True)
    out[:, FACTOR] /= np.maximum(lengths, 1e-6)
    return out


def _labels(data: TrainingData) -> tuple[tuple[str, ...], sp.csr_matrix]:
    """Return genre words, and (artists, words) 1 for each genre that a source gives an artist.

    A tag counts as a genre if two listeners gave it and it is the genre of some artist; without
    published genres, every such tag counts.
    """
    pairs = {(row, word) for row, words in enumerate(data.genres) for word in words}
    pairs = {(row, word) for row, word in pairs if is_genre(word)}
    if len(data.taggings):
        distinct = np.unique(data.taggings, axis=0)
        cells, count = np.unique(distinct[:, 1:], axis=0, return_counts=True)
        published = {word for _, word in pairs}
        for (row, tag), taggers in zip(cells.tolist(), count, strict=True):
            if taggers >= MIN_TAGGERS and (data.tags[tag] in published or not published):
                pairs.add((row, data.tags[tag]))
    counts: dict[str, int] = {}
    for _, word in pairs:
        counts[word] = counts.get(word, 0) + 1
    words = tuple(sorted(w for w, n in counts.items() if n >= MIN_ARTISTS))
    column = {word: at for at, word in enumerate(words)}
    cells = np.array(
        sorted((row, column[word]) for row, word in pairs if word in column), np.int64
    ).reshape(-1, 2)
    rows, columns = cells[:, 0], cells[:, 1]
    shape = (len(data.keys), len(words))
    return words, sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
