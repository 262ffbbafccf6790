"""Map of listeners: fit it with UMAP, place newcomers, measure its reliability, name its areas.

    places = fit_map(vectors)  # (N, 2), NaN for nobody
    x, y = place(places[nearest])

Only `fit_map` needs UMAP, which is slow to import: no page waits for it. Places are stored, the
fitted reducer isn't.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from twotower.core.domain import Area
from twotower.core.errors import MissingData
from twotower.core.jobs import Progress, silent
from twotower.retrieval.topk import Stacked, top_k

NEIGHBOURS = 15  # for the map's graph, the place of a newcomer, and reliability
AREAS = (9, 36)  # most areas per zoom level, far to near
_CHUNK = 2048  # queries between two reports of progress
_DISTINCTIVE = 1.3  # a tag's share in an area, over its share everywhere, to name the area
_MIN_TAG_LISTENERS, _MIN_TAG_SHARE = 3, 0.1  # of an area, with a tag that names it
_MIN_LISTENERS = 5  # in a named area
_NAME_TAGS = 6  # strongest tags from which a name is made
_CONTINUE = {"n_epochs": 200, "learning_rate": 0.3}  # UMAP settings to continue from a map


def fit_map(
    vectors: np.ndarray,
    *,
    seed: int = 0,
    n_neighbors: int = NEIGHBOURS,
    min_dist: float = 0.1,
    start: np.ndarray | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """Fit a map: places (N, 2) float32 that keep cosine neighbours of vectors (N, D) together.

    The map is centred, with half of the listeners within 1 of the middle; it depends on vectors
    and seed alone. `n_neighbors` and `min_dist` are UMAP's. With `start` (N, 2), the finite places
    of a previous map, the fit continues from it and the result is aligned to it.

    Raises ValueError if vectors aren't finite or shapes don't fit, MissingData without UMAP.
    """
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors of shape {vectors.shape} are not (N, D) and finite")
    n = len(vectors)
    if start is not None and start.shape != (n, 2):
        raise ValueError(f"{len(start)} places to start from for {n} vectors")
    if n < 2 * NEIGHBOURS:  # too few for a graph of neighbours
        places = _standardise(_main_plane(vectors))
        return places if start is None else align(places, start)
    progress(0.0, "loading UMAP")
    try:
        import umap
    except ImportError as error:
        raise MissingData("fitting a map needs UMAP: pip install umap-learn") from error
    progress(0.1, f"fitting a map of {n} listeners")
    reducer = umap.UMAP(
        metric="cosine",
        n_neighbors=min(n_neighbors, n - 1),
        min_dist=min_dist,
        init="spectral" if start is None else np.array(start, np.float32),
        random_state=seed,
        n_jobs=1,  # a seed has no effect on several threads
        **({} if start is None else _CONTINUE),
    )
    places = _standardise(reducer.fit_transform(np.asarray(vectors, np.float32)))
    progress(1.0, "done")
    return places if start is None else align(places, start)


def align(places: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Scale, shift, rotate or mirror places (N, 2) as a whole, to be closest to `before` (N, 2).

    Only listeners with a place on both maps count; NaN is no place.
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
    """Return (K,) the distance that each listener with a place on both maps has moved.

    places, before  (N, 2), NaN for no place

    The unit is the standard deviation of the map before.
    """
    known = np.isfinite(places).all(axis=1) & np.isfinite(before).all(axis=1)
    there = before[known].astype(np.float64)
    spread = np.sqrt(there.var(axis=0).sum()) if len(there) else 0.0
    moved = np.linalg.norm(places[known] - there, axis=1)
    return np.asarray(moved / (spread if spread > 0 else 1.0))


def place(neighbour_places: np.ndarray) -> np.ndarray:
    """Return a newcomer's place (2,): the median of the places (K, 2) of its nearest neighbours.

    A mean would fall between islands. Neighbours without a place (NaN) don't count; NaN comes back
    if none has a place.
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
    progress: Progress = silent,
) -> np.ndarray:
    """Return places (M, 2) float32 of newcomers: unit vectors (M, D).

    known_vectors  (N, D) unit vectors of the listeners on the map
    known_places   (N, 2) their places, NaN for no place
    """
    if len(known_vectors) != len(known_places):
        raise ValueError(f"{len(known_vectors)} vectors for {len(known_places)} places")
    placed = np.isfinite(known_places).all(axis=1)
    places = np.full((len(vectors), 2), np.nan, np.float32)
    for part in _chunks(len(vectors), "placing listeners", progress):
        rows, _ = top_k(known_vectors, vectors[part], k, mask=placed)  # (q, K)
        if rows.shape[1]:
            places[part] = np.median(known_places[rows], axis=1)
    return places


def reliability(
    vectors: np.ndarray,
    places: np.ndarray,
    *,
    k: int = NEIGHBOURS,
    progress: Progress = silent,
) -> np.ndarray:
    """Return (N,) the share, 0..1, of each listener's k neighbours that are its k on the map, too.

    vectors (N, D) unit, places (N, 2). Listeners without a place (NaN) get NaN and don't count as
    neighbours. If there are fewer than k others, k is their number.
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
    for part in _chunks(len(placed), "comparing map and neighbours", progress):
        own = np.arange(part.start, part.stop)
        true = _drop_self(top_k(there, there[part], k + 1)[0], own)
        near = _drop_self(tree.query(here[part], k + 1)[1], own)
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
    found: list[Area] = []
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
            found.append(Area(" · ".join(name), float(x), float(y), len(inside), level))
    return tuple(found)


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


def _drop_self(rows: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return rows (Q, K) from (Q, K + 1): each without its own (Q,), or else without its last."""
    others = rows != own[:, None]
    others[others.all(axis=1), -1] = False
    rest: np.ndarray = rows[others].reshape(len(rows), -1)
    return rest


def _chunks(n: int, message: str, progress: Progress) -> Iterator[slice]:
    for start in range(0, n, _CHUNK):
        progress(start / n, message)
        yield slice(start, min(start + _CHUNK, n))
    progress(1.0, message)


def _main_plane(vectors: np.ndarray) -> np.ndarray:
    """Project vectors (N, D) onto the plane (N, 2) of their largest variance."""
    centred = vectors - vectors.mean(axis=0) if len(vectors) else vectors
    _, _, axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    flat = np.zeros((len(vectors), 2))
    flat[:, : min(2, len(axes))] = centred @ axes[:2].T
    return flat


def _standardise(places: np.ndarray) -> np.ndarray:
    """Centre the places, with half of them within 1 of the middle."""
    if len(places) == 0:
        return np.zeros((0, 2), np.float32)
    centred = places.astype(np.float64) - places.mean(axis=0)
    radius = np.median(np.linalg.norm(centred, axis=1))
    return np.asarray(centred / (radius if radius > 0 else 1.0), np.float32)
