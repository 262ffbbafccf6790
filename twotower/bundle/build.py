"""Rebuilds all that ships from raw data: the model, the invented listeners, the map.

The order is fixed and every draw has a seed, so the same data and versions give the same files.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from twotower.bundle import shipped
from twotower.bundle.shipped import Shipped, pair_similarity
from twotower.bundle.synthetic import Shape, invent, most_shared
from twotower.core.domain import Profile
from twotower.model import als
from twotower.model.embedder import Embedder
from twotower.model.pipeline import FEWEST_ARTISTS, fit
from twotower.model.play_matrix import play_matrix
from twotower.model.training import TrainConfig
from twotower.retrieval.similarity import ListenerBatch
from twotower.sources.datasets.public import Sources, read_sources, shipped_training

LISTENERS = 5000
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Built:
    embedder: Embedder
    community: Shipped


def build_assets(
    data: Path,
    assets: Path,
    *,
    seed: int = 0,
    listeners: int = LISTENERS,
    progress: Progress | None = None,
) -> Built:
    """Train the default model on `data`, invent its community, and write both under `assets`."""
    tell = progress or (lambda share, text: None)
    tell(0.0, "reading the data sets")
    sources = read_sources(data)
    profiles = shipped_training(sources)
    resume = assets / ".training.safetensors"
    embedder = fit(
        profiles,
        sources.content,
        sources.tags,
        config=TrainConfig(seed=seed),
        resume=resume,
        progress=lambda share, text: tell(0.02 + 0.58 * share, text),
    ).save(assets / "model")
    resume.unlink(missing_ok=True)
    tell(0.6, "inventing listeners")
    community = build_community(
        sources,
        embedder,
        assets,
        seed=seed,
        listeners=listeners,
        progress=lambda share, text: tell(0.6 + 0.4 * share, text),
    )
    return Built(embedder, community)


def build_community(
    sources: Sources,
    embedder: Embedder,
    assets: Path,
    *,
    seed: int = 0,
    listeners: int = LISTENERS,
    progress: Progress | None = None,
) -> Shipped:
    """The invented listeners of a model, their vectors and map, and how they compare to real."""
    tell = progress or (lambda share, text: None)
    real = [p for p in shipped_training(sources) if len(p.artists) >= FEWEST_ARTISTS]
    plays = play_matrix(real, embedder.catalogue.row_of).astype(np.float32)
    artists = embedder.items.vectors[1:].numpy()
    tastes = _tastes(plays, artists)
    people = invent(
        plays,
        tastes,
        artists,
        embedder.catalogue,
        count=listeners,
        seed=seed,
        progress=lambda share, text: tell(0.5 * share, text),
    )
    about = {
        "most shared with one real listener": round(
            most_shared(people, plays, embedder.catalogue), 3
        ),
        "real": asdict(_shape(real, embedder, seed=seed)),
        "invented": asdict(_shape(people, embedder, seed=seed)),
    }
    return shipped.build(
        assets,
        embedder,
        people,
        seed=seed,
        about=about,
        progress=lambda share, text: tell(0.5 + 0.5 * share, text),
    )


def _tastes(plays: sp.csr_matrix, artists: np.ndarray) -> np.ndarray:
    """(listeners, d) where each real listener stands among the artists, by fold-in."""
    weights = plays.copy()
    weights.data = np.log1p(weights.data)
    played = np.asarray(plays.sum(0)).ravel() > 0
    strength = float(np.square(artists[played]).sum() / artists.shape[1])
    vectors = torch.from_numpy(np.where(played[:, None], artists, 0).astype(np.float32))
    return als.fold_in(weights, vectors, reg=strength).numpy()


def _shape(profiles: Sequence[Profile], embedder: Embedder, *, seed: int) -> Shape:
    """Percentiles 5, 25, 50, 75, 95 of sizes, artists' popularity ranks and pair similarity."""
    cuts = (5, 25, 50, 75, 95)
    rows = [
        row
        for profile in profiles
        for key in profile.artists
        if (row := embedder.catalogue.row(key)) is not None
    ]

    def percentiles(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
        return tuple(round(float(v), 3) for v in np.percentile(values, cuts))

    return Shape(
        percentiles([len(p.artists) for p in profiles]),
        percentiles(rows),
        percentiles(pair_similarity(ListenerBatch.of(embedder, profiles), seed=seed)),
    )
