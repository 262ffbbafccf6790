"""Switch of the community to a new model: embed everyone, update the map, activate."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from twotower.bundle import shipped
from twotower.bundle.shipped import Shipped
from twotower.community import Community, ModelVectors, queries
from twotower.community.model_registry import BATCH, embed_missing
from twotower.community.rows import batched
from twotower.core.domain import Profile
from twotower.core.errors import CommunityError
from twotower.core.jobs import Progress
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import unit_rows
from twotower.retraining.map_update import update_map
from twotower.retraining.state import CurrentState, Stopwatch

TRIES = 5  # to activate a model while others join
# Facts about the synthetic listeners that depend on the model and are computed again.
_MODEL_FACTS = {"seed", "listeners", "map reliability", "genres", "recorded"}


@dataclass(frozen=True)
class Switched:
    """Result of a switch."""

    embedded: int  # listeners
    moved: Mapping[str, float]  # on the map, in standard deviations


@dataclass(frozen=True)
class _Vectors:
    """Everyone's vectors under the new model; the synthetic listeners come first."""

    ids: list[str]
    user: np.ndarray  # (N, D) float32
    candidate: np.ndarray  # (N, D) float32
    synthetic: int  # how many are synthetic


def switch_model(
    current: CurrentState,
    new: Embedder,
    synthetic: Sequence[Profile],
    *,
    about: Mapping[str, Any],
    stopwatch: Stopwatch,
    seed: int,
    progress: Progress,
) -> Switched:
    """Make `new`, saved in the registry's work folder, the community's model.

    `about` is stored with the model. Until the last step the current model stays active.
    """
    snapshot = current.community.snapshot()
    progress(0.8, "embedding everyone")
    with stopwatch.measure("embedding"):
        vectors = _embed_everyone(current.community, new, synthetic)
    with stopwatch.measure("map"):
        findable = snapshot.rows_of(vectors.ids) >= 0
        findable[: vectors.synthetic] = True
        rows = np.flatnonzero(findable)
        update = update_map(
            [vectors.ids[row] for row in rows],
            vectors.candidate[rows],
            snapshot,
            first=vectors.synthetic,
            seed=seed,
            progress=lambda share, message: progress(0.85 + 0.1 * share, message),
        )
        places = np.full((len(vectors.ids), 2), np.nan, np.float32)
        places[rows] = update.places
        bundle = _build_bundle(current, new, synthetic, vectors, places, seed)
    with stopwatch.measure("switching"):
        progress(0.96, "storing the vectors")
        results = {
            "moved": update.moved,
            "embedded": len(vectors.ids),
            "seconds": dict(stopwatch.seconds),
        }
        _finish_model(current, new, {**about, **results})
        _store(current, new, bundle, vectors, places, since=snapshot.seq)
    current.remove_outdated(new.version, current.name)
    return Switched(len(vectors.ids), update.moved)


def activate(community: Community, embedder: Embedder, name: str | None, map_version: str) -> None:
    """Embed and place members who joined or changed since, then activate the model."""
    for tries_left in reversed(range(TRIES)):
        embed_missing(community, embedder, placed=True, map_version=map_version)
        try:
            community.activate(name, model_version=embedder.version)
            return
        except CommunityError:
            missing = queries.profiles_without_vectors(community, embedder.version)
            if not tries_left or next(missing, None) is None:
                raise


def _embed_everyone(community: Community, new: Embedder, synthetic: Sequence[Profile]) -> _Vectors:
    own = {p.id for p in synthetic}
    others = (
        (id, profile)
        for id, profile in queries.profiles_without_vectors(community, new.version)
        if id not in own
    )
    ids, user, candidate = _embed(new, chain(((p.id, p) for p in synthetic), others))
    return _Vectors(ids, user, candidate, len(synthetic))


def _embed(
    embedder: Embedder, profiles: Iterable[tuple[str, Profile]]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return ids, and user and candidate vectors (N, D)."""
    ids: list[str] = []
    user, candidate = [], []
    for batch in batched(profiles, BATCH):
        part = [profile for _, profile in batch]
        ids += [id for id, _ in batch]
        user.append(embedder.embed(part, "user"))
        candidate.append(embedder.embed(part, "candidate"))
    return ids, np.concatenate(user), np.concatenate(candidate)


def _build_bundle(
    current: CurrentState,
    new: Embedder,
    synthetic: Sequence[Profile],
    vectors: _Vectors,
    places: np.ndarray,
    seed: int,
) -> Shipped:
    """Write the synthetic listeners under the new model; use their stored vectors from here on."""
    about = {key: value for key, value in current.shipped.about.items() if key not in _MODEL_FACTS}
    bundle = shipped.build(
        current.registry.work,
        new,
        synthetic,
        seed=seed,
        places=places[: vectors.synthetic],
        about=about,
    )
    stored = bundle.vectors  # in half precision
    vectors.user[: vectors.synthetic] = unit_rows(stored["user"])
    vectors.candidate[: vectors.synthetic] = unit_rows(stored["candidate"])
    return bundle


def _finish_model(current: CurrentState, new: Embedder, about: Mapping[str, Any]) -> None:
    """Give the model in the work folder its name in the registry."""
    lineage = {
        "before": current.name,
        "of": current.embedder.version,
        "community": current.community.id,
    }
    current.registry.finish(new.version, {**about, **lineage})


def _store(
    current: CurrentState,
    new: Embedder,
    bundle: Shipped,
    vectors: _Vectors,
    places: np.ndarray,
    *,
    since: int,
) -> None:
    """Store everyone's vectors beside the current ones, then activate the model."""
    community = current.community.with_model(new.version)
    map_version = bundle.digest[:12]
    rows = (
        ModelVectors(id, vectors.user[at], vectors.candidate[at], _place(places[at]), map_version)
        for at, id in enumerate(vectors.ids)
    )
    community.put_vectors(new.version, rows, since=since)
    activate(community, new, new.version, map_version)


def _place(place: np.ndarray) -> tuple[float, float] | None:
    return (float(place[0]), float(place[1])) if np.isfinite(place).all() else None
