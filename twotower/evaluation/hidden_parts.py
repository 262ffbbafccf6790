"""Variants of a query with few artists, or with a part of them that the model doesn't know.

A coherent part is a kind of music: the artists nearest to one of the query's own. This is what a
model misses that never saw the music of a country or a decade.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from twotower.core.domain import Profile
from twotower.evaluation.data import restrict, shuffled_artists
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import unit_rows

FEW = (2, 4, 8)  # artists left in a cut query
HIDDEN_SHARES = (0.4, 0.7, 0.9)  # of the query's artists
UNKNOWN = "\N{REPLACEMENT CHARACTER} "  # in front of a key, makes an artist unknown to any model

Way = Literal["whole", "few", "random", "coherent"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to lessen what is known of a query."""

    way: Way
    artists: int  # left if the way is "few", else hidden

    @property
    def label(self) -> str:
        return f"{self.way} {self.artists}"


def variants_of(artists: int) -> Iterator[Variant]:
    """Yield the variants of a query with so many artists; at least one artist stays known."""
    yield Variant("whole", 0)
    for few in FEW:
        if few < artists:
            yield Variant("few", few)
    for count in sorted({round(share * artists) for share in HIDDEN_SHARES}):
        if 0 < count < artists:
            yield Variant("random", count)
            yield Variant("coherent", count)


def apply_variant(query: Profile, variant: Variant, embedder: Embedder, seed: int) -> Profile:
    """Return the query with few artists, or with some of them unknown to the model.

    Plays are unchanged, so the share of the plays that is known falls.
    """
    if variant.way == "whole":
        return query
    if variant.way == "coherent":
        order = _nearest_to_one(query, embedder, seed)
    else:
        order = shuffled_artists(query, seed, variant.way)
    chosen = order[: variant.artists]
    if variant.way == "few":
        return restrict(query, chosen)
    return _hide(query, frozenset(chosen))


def _nearest_to_one(query: Profile, embedder: Embedder, seed: int) -> list[str]:
    """Return the artists by the cosine to one of them, nearest first, then those not known."""
    keys = shuffled_artists(query, seed, "coherent")
    known = [key for key in keys if embedder.catalogue.row(key) is not None]
    if not known:
        return keys
    rows = [1 + embedder.catalogue.row_of[key] for key in known]  # row 0 of the items is padding
    vectors = unit_rows(embedder.items.vectors[rows].numpy())
    order = np.argsort(-(vectors @ vectors[0]), kind="stable")
    unknown = set(keys) - set(known)
    return [known[at] for at in order] + [key for key in keys if key in unknown]


def _hide(query: Profile, hidden: frozenset[str]) -> Profile:
    """Return the query with these artists under keys that no catalogue has, and without genres."""
    artists = {
        UNKNOWN + key if key in hidden else key: replace(artist, genres=())
        if key in hidden
        else artist
        for key, artist in query.artists.items()
    }
    return replace(query, artists=artists, tracks=())
