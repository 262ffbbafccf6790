"""Artists to pick first: the most heard ones, of different tastes."""

from collections.abc import Sequence

import numpy as np

from twotower.core.domain import Profile
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import play_matrix, unit_rows

SUGGESTED = 8
MAX_ALIKE = 0.45  # cosine of the vectors of two suggested artists


def suggested_artists(
    profiles: Sequence[Profile], weights: np.ndarray, embedder: Embedder
) -> list[str]:
    """Return names of SUGGESTED artists that most of these profiles have, most heard first.

    weights  (n,) how much each profile counts

    An artist like one before is left out, so that the suggestions reach over tastes and regions.
    """
    has_artist = play_matrix(profiles, embedder.catalogue.row_of) > 0  # (n, artists)
    heard = np.asarray(has_artist.T @ weights).ravel()
    vectors = unit_rows(embedder.items.vectors[1:].numpy())  # row 0 is padding
    chosen: list[int] = []
    for row in np.argsort(-heard, kind="stable")[: np.count_nonzero(heard)].tolist():
        if len(chosen) == SUGGESTED:
            break
        if not chosen or (vectors[chosen] @ vectors[row]).max() < MAX_ALIKE:
            chosen.append(row)
    return [embedder.catalogue.names[row] for row in chosen]
