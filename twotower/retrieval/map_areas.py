"""Named areas of the map: clusters, and the genres that set their listeners apart."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from twotower.core.domain import Area

_MIN_TAG_LISTENERS, _MIN_TAG_SHARE = 3, 0.1  # of an area, with a tag that names it
AREAS = (9, 36)  # most areas per zoom level, far to near
_DISTINCTIVE = 1.3  # a tag's share in an area, over its share everywhere, to name the area
_MIN_LISTENERS = 5  # in a named area
_NAME_TAGS = 6  # strongest tags from which a name is made


def areas(
    places: np.ndarray,
    tags: Sequence[Mapping[str, float]],
    *,
    levels: Sequence[int] = AREAS,
    seed: int = 0,
) -> tuple[Area, ...]:
    """Return the named areas of the map, largest first within each zoom level.

    places  (N, 2), NaN for a listener without a place, who is left out
    tags    a mapping for each listener: tag -> weight, in any unit
    levels  most areas of each zoom level

    An area is named by the tags that its listeners have more of than others. Areas without such a
    tag are left out, and no two areas have the same name.
    """
    if len(places) != len(tags):
        raise ValueError(f"{len(places)} places for {len(tags)} listeners' tags")
    placed = np.flatnonzero(np.isfinite(places).all(axis=1))
    words, shares = _tag_shares([tags[row] for row in placed.tolist()])  # (P, T)
    if len(placed) < _MIN_LISTENERS or not words:
        return ()
    points = places[placed].astype(np.float64)
    everywhere = np.asarray(shares.mean(axis=0)).ravel()  # (T,)
    named: set[frozenset[str]] = set()
    areas: list[Area] = []
    for level, count in enumerate(levels):
        clusters = _clusters(points, count, seed)
        sizes = np.bincount(clusters)
        for cluster in sorted(range(len(sizes)), key=lambda each: (-sizes[each], each)):
            inside = np.flatnonzero(clusters == cluster)
            if len(inside) < _MIN_LISTENERS:
                continue
            gain = _distinctive_tags(shares[inside], everywhere, words)
            name = _choose_name(gain, named)
            if not name:
                continue
            named.add(frozenset(name))
            x, y = np.median(points[inside], axis=0)
            areas.append(Area(" · ".join(name), float(x), float(y), len(inside), level))
    return tuple(areas)


def _tag_shares(tags: Iterable[Mapping[str, float]]) -> tuple[list[str], csr_matrix]:
    """Return the tags, and each listener's share of each (P, T); a listener's shares sum to 1."""
    columns: dict[str, int] = {}
    ends, indices, values = [0], [], []
    for weights in tags:
        whole = sum(weight for weight in weights.values() if weight > 0)
        for tag, weight in weights.items():
            if weight > 0:
                indices.append(columns.setdefault(tag, len(columns)))
                values.append(weight / whole)
        ends.append(len(indices))
    shape = (len(ends) - 1, len(columns))
    return list(columns), csr_matrix((values, indices, ends), shape=shape, dtype=np.float64)


def _clusters(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the cluster (P,) of each point: convex parts of the map of similar extent."""
    from sklearn.cluster import KMeans  # takes a second to import

    count = min(count, len(np.unique(points, axis=0)))
    with threadpool_limits(1):  # sums of several threads differ from run to run
        fitted = KMeans(count, n_init=4, random_state=seed).fit(points)
    labels: np.ndarray = fitted.labels_
    return labels


def _distinctive_tags(
    shares: csr_matrix, everywhere: np.ndarray, words: list[str]
) -> dict[str, float]:
    """Return the tags that an area's listeners (rows of `shares`) have more of -> gain, best first.

    The gain is the tag's part of the Kullback-Leibler divergence of the area from the whole map: it
    is high for tags that are frequent here and rarer elsewhere.
    """
    here = np.asarray(shares.mean(axis=0)).ravel()
    listeners = shares.getnnz(axis=0)
    least = max(_MIN_TAG_LISTENERS, _MIN_TAG_SHARE * shares.shape[0])
    enough = (here > _DISTINCTIVE * everywhere) & (listeners >= least)
    columns = np.flatnonzero(enough)
    gain = here[columns] * np.log(here[columns] / everywhere[columns])
    best: dict[str, float] = {}
    seen: set[str] = set()
    for at in sorted(range(len(columns)), key=lambda each: (-gain[each], words[columns[each]])):
        tag = words[columns[at]]
        letters = re.sub(r"[\W_]+", "", tag.casefold())  # "hip hop" and "hip-hop" are one
        if letters not in seen:
            seen.add(letters)
            best[tag] = float(gain[at])
    return best


def _choose_name(gain: Mapping[str, float], named: set[frozenset[str]]) -> tuple[str, ...]:
    """Return the strongest pair of tags that names no area yet, else one tag, else ()."""
    first = list(gain)[:_NAME_TAGS]
    pairs = sorted(combinations(first, 2), key=lambda pair: -gain[pair[0]] - gain[pair[1]])
    for name in [*pairs, *((tag,) for tag in first)]:
        if frozenset(name) not in named:
            return name
    return ()
