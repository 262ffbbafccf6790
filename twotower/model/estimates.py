"""What the model thinks an artist sounds like: genres and audio attributes, learned, not looked up.

Both are closed-form ridges from the encoder's inputs, fitted on the artists for which published
tables say it, and applied to all. What ships is their outcome, marked as an estimate.
"""

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import AUDIO
from twotower.model.als import ridge
from twotower.model.artist_features import Table, World
from twotower.model.catalogue import NO_GENRE
from twotower.model.towers import AUDIO as AUDIO_COLUMNS
from twotower.model.towers import FACTOR, GENRES, TAGS

GENRES_SHOWN = 4
LEAST_ARTISTS = 25  # a genre word needs so many artists to be shown
LEAST_SCORE = 0.12


def estimate_audio(world: World, table: Table) -> np.ndarray:
    """(artists, 9) audio attributes in their own units and ranges, from everything but audio.

    Without published attributes of ten artists there is nothing to go by, and (0, 9) comes back.
    """
    targets = world.audio[:, : len(AUDIO)]
    known = np.isfinite(targets).all(1)
    if known.sum() < 10:
        return np.zeros((0, len(AUDIO)), np.float16)
    mean = targets[known].mean(0)
    weight = np.ones(int(known.sum()), np.float32)
    out = np.zeros(targets.shape, np.float32)
    for alike, inputs in _alike(_without_audio(table.inputs)):
        coefficients = ridge(inputs[known], targets[known] - mean, weight, 100.0)
        out[alike] = inputs[alike] @ coefficients + mean
    low, high = np.percentile(targets[known], [0.5, 99.5], axis=0)
    return np.asarray(np.clip(out, low, high), dtype=np.float16)


def estimate_genres(world: World, table: Table) -> tuple[tuple[str, ...], np.ndarray]:
    """(genre words, (artists, GENRES_SHOWN) rows of them, the surest first, NO_GENRE beyond)."""
    words, targets, known = _labels(world)
    out = np.full((len(world.keys), GENRES_SHOWN), NO_GENRE, np.int16)
    if not words:
        return (), out
    base = np.asarray(targets[known].mean(0)).ravel()
    rarity = np.clip(0.08 / np.maximum(base, 1e-6), 0.35, 1.0) ** 0.5  # a telling word first
    for alike, inputs in _alike(table.inputs):
        fitted = inputs[known]
        left = fitted.T.astype(np.float64) @ fitted + 30.0 * np.eye(fitted.shape[1])
        right = (targets[known].T @ fitted).T - fitted.sum(0)[:, None] * base[None, :]
        coefficients = np.linalg.solve(left, right).astype(np.float32)
        for at in range(0, len(alike), 8192):
            rows = alike[at : at + 8192]
            score = inputs[rows] @ coefficients + base
            best = np.argsort(-score * rarity, axis=1)[:, :GENRES_SHOWN]
            sure = np.take_along_axis(score, best, 1) >= LEAST_SCORE
            out[rows, : best.shape[1]] = np.where(sure, best, NO_GENRE)
    return words, out


def _alike(inputs: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows of artists of whom the same is told, all inputs and a constant without the rest).

    An artist without genres is judged by what can be learned from the others when their genres are
    hidden, and so with tags: else those would carry all the weight, and say nothing here.
    """
    told = [inputs[:, part.stop - 1] > 0 for part in (GENRES, TAGS)]  # flag; number of tags
    for genres, tags in product((True, False), repeat=2):
        rows = np.flatnonzero((told[0] == genres) & (told[1] == tags))
        if len(rows):
            shown = inputs.copy()
            if not genres:
                shown[:, GENRES] = 0
            if not tags:
                shown[:, TAGS] = 0
            yield rows, np.column_stack([shown, np.ones(len(inputs), np.float32)])


def _without_audio(inputs: np.ndarray) -> np.ndarray:
    """The inputs without audio, and without size of fame."""
    out = inputs.copy()
    out[:, AUDIO_COLUMNS] = 0
    lengths = np.linalg.norm(out[:, FACTOR], axis=1, keepdims=True)
    out[:, FACTOR] /= np.maximum(lengths, 1e-6)
    return out


def _labels(world: World) -> tuple[tuple[str, ...], sp.csr_matrix, np.ndarray]:
    """(words, (artists, words) 0 or 1, artists with at least one): genres, and tags of several."""
    pairs = {(row, word) for row, words in enumerate(world.genres) for word in words}
    if len(world.taggings):
        said = np.unique(world.taggings, axis=0)
        cells, count = np.unique(said[:, 1:], axis=0, return_counts=True)
        listed = {word for _, word in pairs}
        for (row, tag), voices in zip(cells.tolist(), count, strict=True):
            if voices >= 2 and (world.tags[tag] in listed or not listed):
                pairs.add((row, world.tags[tag]))
    counts: dict[str, int] = {}
    for _, word in pairs:
        counts[word] = counts.get(word, 0) + 1
    words = tuple(sorted(w for w, n in counts.items() if n >= LEAST_ARTISTS))
    column = {word: at for at, word in enumerate(words)}
    kept = [(row, column[word]) for row, word in pairs if word in column]
    rows, columns = _columns(kept)
    shape = (len(world.keys), len(words))
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    return words, matrix, np.flatnonzero(matrix.getnnz(1))


def _columns(pairs: Iterable[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
