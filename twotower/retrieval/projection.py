"""The map of listeners: its fit, a place for who comes later, how far to trust it, and names.

Only `fit_map` needs umap, which is slow to import and is never used while people wait; places are
kept, the fitted reducer isn't.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from twotower.core.domain import Area
from twotower.core.errors import MissingData
from twotower.retrieval.topk import Stacked, top_k

NEIGHBOURS = 15  # that the map keeps together, that place a newcomer and that tell reliability
AREAS = (9, 36)  # at most, in each zoom level, from afar to near
_AT_ONCE = 2048  # queries between two reports of progress
_TELLING = 1.3  # times as much of a tag as everywhere, for it to name an area
_FEWEST = 5  # listeners in an area with a name
_GOING_ON = {"n_epochs": 200, "learning_rate": 0.3}  # of UMAP, from a map that is there

Progress = Callable[[float, str], None]  # share done, what is being done


def fit_map(
    vectors: np.ndarray,
    *,
    seed: int = 0,
    n_neighbors: int = NEIGHBOURS,
    min_dist: float = 0.1,
    start: np.ndarray | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Places (N, 2) float32 on a map that keeps cosine neighbours of vectors (N, D) together.

    Centred, with half of the listeners within 1 of the middle. The same seed and vectors give
    the same places. `n_neighbors` and `min_dist` are UMAP's. From the places `start` (N, 2) of a
    map before, all finite, it goes on, and what comes out is laid onto them.
    """
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors of shape {vectors.shape}: (N, D), finite, are needed")
    report = progress or _silent
    n = len(vectors)
    if start is not None and start.shape != (n, 2):
        raise ValueError(f"{len(start)} places to start from for {n} vectors")
    if n < 2 * NEIGHBOURS:  # too few for a graph of neighbours: the plane they differ most in
        places = _standardised(_main_plane(vectors))
        return places if start is None else laid_onto(places, start)
    report(0.0, "loading UMAP")
    try:
        import umap
    except ImportError as error:
        raise MissingData("a map is fitted with umap: pip install umap-learn") from error
    report(0.1, f"laying out {n} listeners")
    reducer = umap.UMAP(
        metric="cosine",
        n_neighbors=min(n_neighbors, n - 1),
        min_dist=min_dist,
        init="spectral" if start is None else np.array(start, np.float32),
        random_state=seed,
        n_jobs=1,  # what a seed needs
        **({} if start is None else _GOING_ON),
    )
    places = _standardised(reducer.fit_transform(np.asarray(vectors, np.float32)))
    report(1.0, "done")
    return places if start is None else laid_onto(places, start)


def laid_onto(places: np.ndarray, before: np.ndarray) -> np.ndarray:
    """places (N, 2) brought to the spread of `before`, and moved, turned or mirrored as a whole so
    as to be nearest to it.

    Only those with places on both (NaN without one) say how.
    """
    known = np.isfinite(places).all(axis=1) & np.isfinite(before).all(axis=1)
    if known.sum() < 2:
        return np.asarray(places, np.float32)
    here, there = places[known].astype(np.float64), before[known].astype(np.float64)
    middle, target = here.mean(axis=0), there.mean(axis=0)
    left, _, right = np.linalg.svd((here - middle).T @ (there - target))
    spread = np.square(here - middle).sum()
    scale = np.sqrt(np.square(there - target).sum() / spread) if spread > 0 else 1.0
    return np.asarray((places - middle) @ (scale * left @ right) + target, np.float32)


def drift(places: np.ndarray, before: np.ndarray) -> np.ndarray:
    """How far (K,) each of those who have places (N, 2) on both maps moved, in standard deviations
    of the one before."""
    known = np.isfinite(places).all(axis=1) & np.isfinite(before).all(axis=1)
    there = before[known].astype(np.float64)
    spread = np.sqrt(there.var(axis=0).sum()) if len(there) else 0.0
    moved = np.linalg.norm(places[known] - there, axis=1)
    return np.asarray(moved / (spread if spread > 0 else 1.0))


def place(neighbour_places: np.ndarray) -> np.ndarray:
    """Where a newcomer goes (2,): the median of the places (K, 2) of its nearest neighbours.

    A mean would fall between islands. Neighbours without a place (NaN) don't count; with none
    that has one, NaN.
    """
    known = neighbour_places[np.isfinite(neighbour_places).all(axis=1)]
    if len(known) == 0:
        return np.full(2, np.nan, np.float32)
    return np.asarray(np.median(known, axis=0), np.float32)


def place_all(
    vectors: np.ndarray,
    known_vectors: np.ndarray | Stacked,
    known_places: np.ndarray,
    *,
    k: int = NEIGHBOURS,
    progress: Progress | None = None,
) -> np.ndarray:
    """Places (M, 2) float32 of vectors (M, D) among known_vectors (N, D) at known_places (N, 2).

    All vectors are unit.
    """
    if len(known_vectors) != len(known_places):
        raise ValueError(f"{len(known_vectors)} vectors for {len(known_places)} places")
    placed = np.isfinite(known_places).all(axis=1)
    places = np.full((len(vectors), 2), np.nan, np.float32)
    for part in _parts(len(vectors), "placing listeners", progress):
        rows, _ = top_k(known_vectors, vectors[part], k, mask=placed)  # (q, K)
        if rows.shape[1]:
            places[part] = np.median(known_places[rows], axis=1)
    return places


def reliability(
    vectors: np.ndarray,
    places: np.ndarray,
    *,
    k: int = NEIGHBOURS,
    progress: Progress | None = None,
) -> np.ndarray:
    """Share (N,), 0..1, of each listener's k cosine neighbours that are among its k on the map.

    vectors (N, D) unit, places (N, 2). Listeners without a place (NaN) are left out and get NaN;
    with fewer than k others, all others count.
    """
    if len(vectors) != len(places):
        raise ValueError(f"{len(vectors)} vectors for {len(places)} places")
    placed = np.flatnonzero(np.isfinite(places).all(axis=1))
    shares = np.full(len(vectors), np.nan, np.float32)
    k = min(k, len(placed) - 1)
    if k < 1:
        return shares
    there, here = np.ascontiguousarray(vectors[placed]), places[placed]
    tree = cKDTree(here)
    for part in _parts(len(placed), "comparing map and neighbours", progress):
        own = np.arange(part.start, part.stop)
        true = _without_own(top_k(there, there[part], k + 1)[0], own)
        near = _without_own(tree.query(here[part], k + 1)[1], own)
        kept = (true[:, :, None] == near[:, None, :]).any(axis=2)  # (q, k)
        shares[placed[part]] = kept.mean(axis=1)
    return shares


def areas(
    places: np.ndarray,
    tags: Sequence[Mapping[str, float]],
    *,
    levels: Sequence[int] = AREAS,
    seed: int = 0,
) -> tuple[Area, ...]:
    """Parts of the map, named by the tags that set their listeners apart, largest first by level.

    places  (N, 2), NaN for a listener without a place, who is left out
    tags    a mapping for each listener: tag -> weight, in any unit
    levels  for each zoom level at most how many areas

    A part in which nothing stands out has no name and isn't given; no two areas of all levels
    have the same words.
    """
    if len(places) != len(tags):
        raise ValueError(f"{len(places)} places for {len(tags)} listeners' tags")
    placed = np.flatnonzero(np.isfinite(places).all(axis=1))
    words, shares = _tag_shares([tags[row] for row in placed.tolist()])  # (P, T)
    if len(placed) < _FEWEST or not words:
        return ()
    points = places[placed].astype(np.float64)
    everywhere = np.asarray(shares.mean(axis=0)).ravel()  # (T,)
    named: set[frozenset[str]] = set()
    found: list[Area] = []
    for level, count in enumerate(levels):
        clusters = _clusters(points, count, seed)
        sizes = np.bincount(clusters)
        for cluster in sorted(range(len(sizes)), key=lambda each: (-sizes[each], each)):
            inside = np.flatnonzero(clusters == cluster)
            if len(inside) < _FEWEST:
                continue
            telling = _telling(shares[inside], everywhere, words)
            name = _unused(telling, named)
            if not name:
                continue
            named.add(frozenset(name))
            x, y = np.median(points[inside], axis=0)
            found.append(Area(" · ".join(name), float(x), float(y), len(inside), level))
    return tuple(found)


def _tag_shares(tags: Iterable[Mapping[str, float]]) -> tuple[list[str], csr_matrix]:
    """The tags, and each listener's share of each (P, T), 1 in all if they have any."""
    columns: dict[str, int] = {}
    ends, places, values = [0], [], []
    for weights in tags:
        whole = sum(weight for weight in weights.values() if weight > 0)
        for tag, weight in weights.items():
            if weight > 0:
                places.append(columns.setdefault(tag, len(columns)))
                values.append(weight / whole)
        ends.append(len(places))
    shape = (len(ends) - 1, len(columns))
    return list(columns), csr_matrix((values, places, ends), shape=shape, dtype=np.float64)


def _clusters(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A cluster (P,) for each point: convex parts of the map, alike in extent."""
    from sklearn.cluster import KMeans  # takes a second to import, and no page waits for areas

    count = min(count, len(np.unique(points, axis=0)))
    with threadpool_limits(1):  # sums of several threads differ from run to run
        fitted = KMeans(count, n_init=4, random_state=seed).fit(points)
    labels: np.ndarray = fitted.labels_
    return labels


def _telling(shares: csr_matrix, everywhere: np.ndarray, words: list[str]) -> dict[str, float]:
    """The tags that an area's listeners (rows of `shares`) have more of, best first, with how much.

    The measure is each tag's part of the divergence of the area from everywhere: a tag counts
    that is both frequent here and rarer elsewhere.
    """
    here = np.asarray(shares.mean(axis=0)).ravel()
    listeners = shares.getnnz(axis=0)
    enough = (here > _TELLING * everywhere) & (listeners >= max(3, 0.1 * shares.shape[0]))
    columns = np.flatnonzero(enough)
    gain = here[columns] * np.log(here[columns] / everywhere[columns])
    best: dict[str, float] = {}
    seen: set[str] = set()
    for place in sorted(range(len(columns)), key=lambda each: (-gain[each], words[columns[each]])):
        tag = words[columns[place]]
        letters = re.sub(r"[\W_]+", "", tag.casefold())  # "hip hop" and "hip-hop" are one
        if letters not in seen:
            seen.add(letters)
            best[tag] = float(gain[place])
    return best


def _unused(telling: Mapping[str, float], named: set[frozenset[str]]) -> tuple[str, ...]:
    """The strongest pair of tags that names no area yet, or one tag, or ()."""
    first = list(telling)[:6]
    pairs = sorted(combinations(first, 2), key=lambda pair: -telling[pair[0]] - telling[pair[1]])
    for name in [*pairs, *((tag,) for tag in first)]:
        if frozenset(name) not in named:
            return name
    return ()


def _without_own(rows: np.ndarray, own: np.ndarray) -> np.ndarray:
    """rows (Q, K + 1) without own (Q,) in each, or without the last where it isn't among them."""
    others = rows != own[:, None]
    others[others.all(axis=1), -1] = False
    rest: np.ndarray = rows[others].reshape(len(rows), -1)
    return rest


def _parts(n: int, doing: str, progress: Progress | None) -> Iterable[slice]:
    for start in range(0, n, _AT_ONCE):
        (progress or _silent)(start / n, doing)
        yield slice(start, min(start + _AT_ONCE, n))
    (progress or _silent)(1.0, doing)


def _silent(share: float, doing: str) -> None: ...


def _main_plane(vectors: np.ndarray) -> np.ndarray:
    """vectors (N, D) in the plane (N, 2) of their largest spread."""
    centred = vectors - vectors.mean(axis=0) if len(vectors) else vectors
    _, _, axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    flat = np.zeros((len(vectors), 2))
    flat[:, : min(2, len(axes))] = centred @ axes[:2].T
    return flat


def _standardised(places: np.ndarray) -> np.ndarray:
    if len(places) == 0:
        return np.zeros((0, 2), np.float32)
    centred = places.astype(np.float64) - places.mean(axis=0)
    radius = np.median(np.linalg.norm(centred, axis=1))
    return np.asarray(centred / (radius if radius > 0 else 1.0), np.float32)
