"""Update of the map for a new model, aligned with the previous one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twotower.community import MemberSnapshot
from twotower.core.jobs import Progress, silent
from twotower.retrieval import projection

MAX_FITTED = 20_000  # listeners that the map is fitted on; the others are placed among them


@dataclass(frozen=True)
class MapUpdate:
    """Places on the new map; row i belongs to the i-th id of `update_map`."""

    places: np.ndarray  # (N, 2) float32
    moved: Mapping[str, float]  # median and 90th percentile, in standard deviations of the old map


def update_map(
    ids: Sequence[str],
    candidate: np.ndarray,
    before: MemberSnapshot,
    *,
    first: int,
    seed: int = 0,
    progress: Progress = silent,
) -> MapUpdate:
    """Place ids (N,) with vectors candidate (N, D), starting from their places in `before`.

    The map is fitted on the first `first` listeners and a random draw of the others, 20,000 in
    all. Listeners without an old place start among their nearest neighbours.
    """
    known = before.rows_of(ids)
    start = np.full((len(ids), 2), np.nan, np.float32)
    start[known >= 0] = before.places[known[known >= 0]]
    rest = np.random.default_rng([seed, 11]).permutation(np.arange(first, len(ids)))
    fitted = np.sort(np.concatenate([np.arange(first), rest[: max(0, MAX_FITTED - first)]]))
    has_place = np.isfinite(start).all(axis=1)
    places = np.full((len(ids), 2), np.nan, np.float32)
    if has_place.any():
        initial = start.copy()
        initial[~has_place] = projection.place_all(
            candidate[~has_place], candidate[has_place], start[has_place]
        )
        places[fitted] = projection.fit_map(
            candidate[fitted], seed=seed, start=initial[fitted], progress=progress
        )
    else:
        places[fitted] = projection.fit_map(candidate[fitted], seed=seed, progress=progress)
    left = np.isnan(places).any(axis=1)
    places[left] = projection.place_all(candidate[left], candidate[fitted], places[fitted])
    return MapUpdate(places, _moved(projection.drift(places, start)))


def _moved(drift: np.ndarray) -> dict[str, float]:
    if not len(drift):
        return {}
    median, p90 = np.percentile(drift, [50, 90])
    return {"listeners": len(drift), "median": float(median), "p90": float(p90)}
