"""Map of listeners: fit it with UMAP, place newcomers, measure its reliability.

    places = fit_map(vectors)  # (N, 2), NaN for nobody
    x, y = place(places[nearest])

Only `fit_map` needs UMAP, which is slow to import: no page waits for it. Places are stored, the
fitted reducer isn't.
"""

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from twotower.core.errors import MissingData
from twotower.core.jobs import Progress, silent
from twotower.retrieval.topk import Stacked, top_k

NEIGHBOURS = 15  # for the map's graph, the place of a newcomer, and reliability
_CHUNK = 2048  # queries between two reports of progress
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
