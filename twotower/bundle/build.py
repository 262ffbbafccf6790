"""Build the shipped assets from raw data: the model, the synthetic listeners, the map.

Every draw has a seed, so the same data and library versions give the same files.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from twotower.bundle import shipped
from twotower.bundle.shipped import Shipped, pair_similarity
from twotower.bundle.synthetic import Shape, generate_listeners, largest_share
from twotower.core.domain import Profile
from twotower.core.jobs import Progress, silent
from twotower.model import als
from twotower.model.embedder import Embedder
from twotower.model.pipeline import FEWEST_ARTISTS, fit
from twotower.model.play_matrix import play_matrix
from twotower.model.train_config import TrainConfig
from twotower.retrieval.similarity import ListenerBatch
from twotower.sources.datasets.public import Sources, read_sources, shipped_training

LISTENERS = 5000  # synthetic ones
PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Built:
    """The shipped model and its community."""

    embedder: Embedder
    community: Shipped


def build_assets(
    data: Path,
    assets: Path,
    *,
    seed: int = 0,
    listeners: int = LISTENERS,
    progress: Progress = silent,
) -> Built:
    """Train the default model on `data`, generate its community, and write both to `assets`.

    An interrupted training is resumed. Raises MissingData without the public data sets.
    """
    progress(0.0, "reading the data sets")
    sources = read_sources(data)
    resume = assets / ".training.safetensors"
    embedder = fit(
        shipped_training(sources),
        sources.content,
        sources.tags,
        config=TrainConfig(seed=seed),
        resume=resume,
        progress=lambda share, message: progress(0.02 + 0.58 * share, message),
    ).save(assets / "model")
    resume.unlink(missing_ok=True)
    progress(0.6, "generating listeners")
    community = build_community(
        sources,
        embedder,
        assets,
        seed=seed,
        listeners=listeners,
        progress=lambda share, message: progress(0.6 + 0.4 * share, message),
    )
    return Built(embedder, community)


def build_community(
    sources: Sources,
    embedder: Embedder,
    assets: Path,
    *,
    seed: int = 0,
    listeners: int = LISTENERS,
    progress: Progress = silent,
) -> Shipped:
    """Write the synthetic listeners of a model, with vectors, map and a comparison to real ones."""
    real = [p for p in shipped_training(sources) if len(p.artists) >= FEWEST_ARTISTS]
    plays = play_matrix(real, embedder.catalogue.row_of).astype(np.float32)
    artists = embedder.items.vectors[1:].numpy()  # (artists, d); row 0 is padding
    people = generate_listeners(
        plays,
        _fold_in(plays, artists),
        artists,
        embedder.catalogue,
        count=listeners,
        seed=seed,
        progress=lambda share, message: progress(0.5 * share, message),
    )
    shared = largest_share(people, plays, embedder.catalogue)
    about = {
        "most shared with one real listener": round(shared, 3),
        "real": asdict(_shape(real, embedder, seed=seed)),
        "invented": asdict(_shape(people, embedder, seed=seed)),
    }
    return shipped.build(
        assets,
        embedder,
        people,
        seed=seed,
        about=about,
        progress=lambda share, message: progress(0.5 + 0.5 * share, message),
    )


def _fold_in(plays: sp.csr_matrix, artists: np.ndarray) -> np.ndarray:
    """Return (listeners, d) positions of real listeners in the space of the artists, by ALS."""
    weights = plays.copy()
    weights.data = np.log1p(weights.data)
    played = np.asarray(plays.sum(0)).ravel() > 0
    strength = float(np.square(artists[played]).sum() / artists.shape[1])
    vectors = torch.from_numpy(np.where(played[:, None], artists, 0).astype(np.float32))
    return als.fold_in(weights, vectors, reg=strength).numpy()


def _shape(profiles: Sequence[Profile], embedder: Embedder, *, seed: int) -> Shape:
    """Return percentiles of profile sizes, popularity ranks and pair similarity."""
    rows = [
        row
        for profile in profiles
        for key in profile.artists
        if (row := embedder.catalogue.row(key)) is not None
    ]

    def percentiles(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
        return tuple(round(float(v), 3) for v in np.percentile(values, PERCENTILES))

    return Shape(
        percentiles([len(p.artists) for p in profiles]),
        percentiles(rows),
        percentiles(pair_similarity(ListenerBatch.of(embedder, profiles), seed=seed)),
    )
