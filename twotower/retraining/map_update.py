"""Everyone's vectors and places under a new model, before any of it is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twotower.community import MemberSnapshot
from twotower.retrieval import projection
from twotower.retrieval.projection import Progress

MOST_LAID = 20_000  # listeners that a map is fitted on; the others are placed among them


@dataclass(frozen=True)
class Laid:
    """A map that came from the one before; rows are the listeners that were asked for."""

    places: np.ndarray  # (N, 2) float32
    moved: Mapping[str, float]  # how far, in standard deviations of the map before


def laid_out(
    ids: Sequence[str],
    candidate: np.ndarray,
    before: MemberSnapshot,
    *,
    first: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Laid:
    """Places of ids (N,) with vectors candidate (N, D), from the places of the snapshot before.

    The `first` of them, and of the others as many as a map is fitted on, are laid out anew from
    where they were; who is new begins among the nearest.
    """
    known = before.rows_of(ids)
    start = np.full((len(ids), 2), np.nan, np.float32)
    start[known >= 0] = before.places[known[known >= 0]]
    rest = np.random.default_rng([seed, 11]).permutation(np.arange(first, len(ids)))
    chosen = np.sort(np.concatenate([np.arange(first), rest[: max(0, MOST_LAID - first)]]))
    there = np.isfinite(start).all(axis=1)
    places = np.full((len(ids), 2), np.nan, np.float32)
    if there.any():
        begin = start.copy()
        begin[~there] = projection.place_all(candidate[~there], candidate[there], start[there])
        places[chosen] = projection.fit_map(
            candidate[chosen], seed=seed, start=begin[chosen], progress=progress
        )
    else:
        places[chosen] = projection.fit_map(candidate[chosen], seed=seed, progress=progress)
    left = np.isnan(places).any(axis=1)
    places[left] = projection.place_all(candidate[left], candidate[chosen], places[chosen])
    return Laid(places, _told(projection.drift(places, start)))


def _told(moved: np.ndarray) -> dict[str, float]:
    if not len(moved):
        return {}
    median, p90 = np.percentile(moved, [50, 90])
    return {"listeners": len(moved), "median": float(median), "p90": float(p90)}
