"""Attribution of the overlap part and the item-item part of a similarity to artists, exactly."""

from collections.abc import Collection, Mapping

import numpy as np
import scipy.sparse as sp

from twotower.retrieval.similarity import (
    TINY,
    W_ITEM_ITEM,
    W_OVERLAP,
    PlayRowReader,
    PlayRows,
)


def split_overlap(
    reader: PlayRowReader, keys: Collection[str], one: PlayRows, other: PlayRows
) -> dict[str, float]:
    """Return artist key -> share of the weighted overlap part of a similarity.

    keys        the artists of `one`
    one, other  a row each

    The part is the root of a sum over artists. Each artist's share is in proportion to its term.
    """
    terms = _by_column(one.tfidf.multiply(other.tfidf))
    total = sum(terms.values())
    scale = W_OVERLAP * min(total, 1.0) ** 0.5 / max(total, TINY)
    return _by_key(reader, keys, {column: scale * term for column, term in terms.items()})


def split_item_item(
    reader: PlayRowReader, keys: Collection[str], one: PlayRows, other: PlayRows
) -> dict[str, float]:
    """Return artist key -> share of the weighted item-item part, over the artists of `one`.

    An artist of `one` counts for the artists of `other` that it predicts, and for those that
    predict it.
    """
    weights = one.item_item
    predicted = other.plays @ weights.transposed / max(float(one.item_item_norm[0]), TINY)
    predicting = other.plays @ weights.matrix / max(float(other.item_item_norm[0]), TINY)
    terms = _by_column(one.plays.multiply(predicted + predicting))
    scaled = {column: W_ITEM_ITEM / 2 * term for column, term in terms.items()}
    return _by_key(reader, keys, scaled)


def _by_column(row: sp.spmatrix) -> dict[int, float]:
    """Return column -> value of the non-zero entries of one sparse row."""
    entries = sp.coo_matrix(row)
    terms: dict[int, float] = {}
    for column, value in zip(entries.col.tolist(), entries.data.astype(float), strict=True):
        terms[column] = terms.get(column, 0.0) + value
    return terms


def _by_key(
    reader: PlayRowReader, keys: Collection[str], terms: Mapping[int, float]
) -> dict[str, float]:
    """Return artist key -> term of its column; artists in the same column share it equally."""
    columns = {key: reader.column(key) for key in keys}
    sharing = np.unique([*columns.values()], return_counts=True)
    count = dict(zip(*(each.tolist() for each in sharing), strict=True))
    return {
        key: terms[column] / count[column] for key, column in columns.items() if column in terms
    }
