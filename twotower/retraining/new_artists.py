"""Changes of a model's artists without training: remove some, add new ones."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch

from twotower.core.domain import Profile
from twotower.model.als import ridge
from twotower.model.artist_features import PRIOR_LISTENERS, RIDGE_CAP
from twotower.model.batches import content_block
from twotower.model.catalogue import NO_GENRE, Catalogue
from twotower.model.ease import ItemItemWeights
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import play_matrix
from twotower.model.stored_items import round_items
from twotower.model.towers import DF, FACTOR, Items
from twotower.sources.datasets.artist_content import ArtistContent

RIDGE_ALPHA = 10.0  # from the mean of an artist's listeners to the artist's vector
MIN_LISTENERS = 2  # of an artist on which the ridge is fitted


def keep_artists(embedder: Embedder, allowed: Collection[str]) -> Embedder:
    """Return the model with only the allowed artists in its catalogue, items and weights."""
    old = embedder.catalogue
    rows = np.array([at for at, key in enumerate(old.keys) if key in allowed], np.int64)
    if len(rows) == len(old):
        return embedder
    return embedder.select(rows)


def add_artists(
    embedder: Embedder, artists: Sequence[ArtistContent], profiles: Sequence[Profile]
) -> Embedder:
    """Return the model with new artists at the catalogue's end; known ones are skipped.

    A new artist's vector follows from its listeners in `profiles`, by a ridge fitted on the known
    artists, and from its genres and name.
    """
    new = tuple(each for each in artists if embedder.catalogue.row(each.key) is None)
    if not new:
        return embedder
    keys = [*embedder.catalogue.keys, *(each.key for each in new)]
    known = len(embedder.catalogue)
    plays = play_matrix(profiles, {key: row for row, key in enumerate(keys)})
    weights = plays.log1p().astype(np.float32)  # (listeners, artists)
    vectors = embedder.items.vectors[1:].numpy()  # (known, D)
    df = np.asarray(weights.getnnz(0), np.float32)  # (artists,)
    fitted = np.flatnonzero(
        (df[:known] >= MIN_LISTENERS) & (embedder.catalogue.df >= MIN_LISTENERS)
    )
    means = listener_means(weights, vectors)
    inputs = np.concatenate([means, np.ones((len(keys), 1), np.float32)], 1)  # (artists, D + 1)
    weight = np.minimum(df[fitted], RIDGE_CAP)
    to_vector = ridge(inputs[fitted], vectors[fitted], weight, RIDGE_ALPHA)  # (D + 1, D)
    return _extended(embedder, new, inputs[known:] @ to_vector, df[known:])


def listener_means(weights: sp.csr_matrix, vectors: np.ndarray) -> np.ndarray:
    """Return (artists, D): the mean of each artist's listeners, computed without that artist.

    A listener is the weighted mean of the known artists that they play. weights (listeners,
    artists); vectors (known, D) belong to the first columns.
    """
    known = len(vectors)
    sums = weights[:, :known] @ vectors  # (listeners, D)
    totals = np.asarray(weights[:, :known].sum(1)).ravel()
    means = np.zeros((weights.shape[1], vectors.shape[1]), np.float32)
    by_artist = weights.T.tocsr()
    for artist in np.flatnonzero(np.diff(by_artist.indptr)):
        span = slice(by_artist.indptr[artist], by_artist.indptr[artist + 1])
        listeners, weight = by_artist.indices[span], by_artist.data[span]
        if artist >= known:
            weight, own = np.zeros_like(weight), np.zeros(vectors.shape[1], np.float32)
        else:
            own = vectors[artist]
        others = sums[listeners] - weight[:, None] * own
        total = np.maximum(totals[listeners] - weight, 1e-3)
        means[artist] = (others / total[:, None]).mean(0)
    return means


def _extended(
    embedder: Embedder, new: Sequence[ArtistContent], by_listeners: np.ndarray, df: np.ndarray
) -> Embedder:
    """Return the model with new artists.

    by_listeners (n, D) are their vectors according to their listeners, df (n,) how many those are.
    """
    items = embedder.items
    more = _encode(embedder, new, by_listeners, df)
    pairs = (
        (items.vectors, more.vectors),
        (items.log_precision, more.log_precision),
        (items.df, more.df),
    )
    joined = round_items(Items(*(torch.cat(pair) for pair in pairs)))
    catalogue = _extended_catalogue(embedder.catalogue, new, df)
    old = embedder.item_item
    item_item = ItemItemWeights(len(catalogue), old.artists, old.others, old.weights)
    return replace(embedder, catalogue=catalogue, items=joined, item_item=item_item)


@torch.inference_mode()
def _encode(
    embedder: Embedder, new: Sequence[ArtistContent], by_listeners: np.ndarray, df: np.ndarray
) -> Items:
    """Return the new artists as items: the more listeners, the less their content counts."""
    space, encoder = embedder.content.space, embedder.model.encoder
    block = content_block(space, genres=[each.genres for each in new])
    block[:, -space.name_basis.shape[1] :] = space.names([each.name for each in new])
    inputs = embedder.content.inputs(block)
    by_content = encoder(torch.from_numpy(inputs)).vectors.numpy()
    share = (df / (df + PRIOR_LISTENERS))[:, None]
    vectors = share * by_listeners + (1 - share) * by_content
    inputs[:, FACTOR] = vectors
    inputs[:, DF] = np.column_stack([np.log1p(df) / 2, df > 0, df < 2])
    gates = encoder(torch.from_numpy(inputs)).log_precision
    return Items(
        torch.from_numpy(vectors.astype(np.float32)), gates, torch.from_numpy(inputs[:, DF])
    )


def _extended_catalogue(
    catalogue: Catalogue, new: Sequence[ArtistContent], df: np.ndarray
) -> Catalogue:
    word_row = {word: at for at, word in enumerate(catalogue.genre_words)}
    genres = np.full((len(new), catalogue.genre_ids.shape[1]), NO_GENRE, np.int16)
    for row, each in enumerate(new):
        rows = [word_row[word] for word in each.genres if word in word_row][: genres.shape[1]]
        genres[row, : len(rows)] = rows
    audio = np.full((len(new), catalogue.audio.shape[1]), np.nan, np.float16)
    return Catalogue(
        (*catalogue.keys, *(each.key for each in new)),
        (*catalogue.names, *(each.name for each in new)),
        np.concatenate([catalogue.df, df]),
        catalogue.genre_words,
        _append_rows(catalogue.genre_ids, genres),
        _append_rows(catalogue.audio, audio),
        _append_rows(catalogue.stated_genres, (genres != NO_GENRE).any(axis=1)),
    )


def _append_rows(array: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Append rows; an empty array, of a catalogue without these estimates, stays empty."""
    return np.concatenate([array, more]) if len(array) else array
