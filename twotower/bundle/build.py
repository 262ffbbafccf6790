"""Build the shipped assets from raw data: the model, the synthetic listeners, the map.

Every draw has a seed, so the same data and library versions give the same files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from twotower.bundle import shipped
from twotower.bundle.pruning import ArtistEvidence, rows_to_keep
from twotower.bundle.shapes import compare_shapes
from twotower.bundle.shipped import Shipped
from twotower.bundle.suggestions import suggested_artists
from twotower.bundle.synthetic import generate_listeners, largest_share, mixture
from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.core.jobs import Progress, silent
from twotower.model import als
from twotower.model.embedder import Embedder
from twotower.model.pipeline import FEWEST_ARTISTS, fit
from twotower.model.play_matrix import play_matrix
from twotower.model.train_config import TrainConfig
from twotower.sources.datasets.artist_mentions import content_sets_of
from twotower.sources.datasets.chart_listeners import Charts
from twotower.sources.datasets.charts import read_all_charts
from twotower.sources.datasets.modern import NOBODYS_TASTE
from twotower.sources.datasets.public import (
    Sources,
    read_sources,
    shipped_training,
)
from twotower.sources.datasets.source_weight import kind_of

LISTENERS = 10_000  # synthetic ones
TODAY = ("list", "chart")  # kinds of profiles that say who is heard today


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
    keep_model: bool = False,
    progress: Progress = silent,
) -> Built:
    """Train the default model on `data`, generate its community, and write both to `assets`.

    With `keep_model`, the model in `assets` gets a new community. An interrupted training is
    resumed. Raises MissingData without the public data sets, or without a model to keep.
    """
    progress(0.0, "reading the data sets")
    sources = read_sources(data)
    model = assets / "model"
    if keep_model:
        embedder = Embedder.load(model)
    else:
        resume = assets / ".training.safetensors"
        trained = fit(
            shipped_training(sources),
            sources.content,
            sources.tags,
            config=TrainConfig(seed=seed),
            resume=resume,
            progress=lambda share, message: progress(0.02 + 0.58 * share, message),
        )
        embedder = prune(trained, read_evidence(data, sources)).save(model)
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


def read_evidence(data: Path, sources: Sources) -> ArtistEvidence:
    """Return what decides which artists stay in the catalogue."""
    try:
        charts = Charts.of(read_all_charts(data))
    except MissingData:
        charts = None
    training = shipped_training(sources)
    return ArtistEvidence.of(training, sources.content, content_sets_of(data), charts)


def prune(embedder: Embedder, evidence: ArtistEvidence) -> Embedder:
    """Return the model with the catalogue that ships (`rows_to_keep`)."""
    kept = embedder.select(rows_to_keep(embedder.catalogue, evidence))
    about = {
        **embedder.about,
        "artists": len(kept.catalogue),
        "played artists": int((kept.catalogue.df > 0).sum()),
        "artists in training": len(embedder.catalogue),
    }
    return replace(kept, about=about)


@dataclass(frozen=True)
class _Real:
    """Profiles from which synthetic listeners are drawn, and others they must not resemble."""

    drawn: Sequence[Profile]
    weights: np.ndarray  # (drawn,) how often each is drawn, summing to one
    others: Sequence[Profile]  # held out for tests, or nobody's taste

    @classmethod
    def of(cls, sources: Sources) -> "_Real":
        profiles = [*sources.listeners, *sources.playlists, *sources.lists, *sources.charts]
        profiles = [p for p in profiles if len(p.artists) >= FEWEST_ARTISTS]
        training = {(p.origin, p.id) for p in shipped_training(sources)}
        is_drawn = [(p.origin, p.id) in training and p.origin != NOBODYS_TASTE for p in profiles]
        drawn = [p for p, yes in zip(profiles, is_drawn, strict=True) if yes]
        others = [p for p, yes in zip(profiles, is_drawn, strict=True) if not yes]
        return cls(drawn, mixture([kind_of(p.origin) for p in drawn]), others)


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
    real = _Real.of(sources)
    catalogue = embedder.catalogue
    plays, others = (
        play_matrix(profiles, catalogue.row_of).astype(np.float32)
        for profiles in (real.drawn, real.others)
    )
    artists = embedder.items.vectors[1:].numpy()  # (artists, d); row 0 is padding
    generated = generate_listeners(
        plays,
        _fold_in(plays, artists),
        artists,
        catalogue,
        weights=real.weights,
        others=others,
        count=listeners,
        seed=seed,
        progress=lambda share, message: progress(0.5 * share, message),
    )
    people = generated.profiles
    shared = largest_share(people, sp.vstack([plays, others], format="csr"), catalogue)
    about = {
        "most shared with one real listener": round(shared, 3),
        "suggestions": _suggestions(real, embedder),
        **compare_shapes(real.drawn, real.weights, generated, embedder, seed=seed),
    }
    return shipped.build(
        assets,
        embedder,
        people,
        seed=seed,
        about=about,
        progress=lambda share, message: progress(0.5 + 0.5 * share, message),
    )


def _suggestions(real: _Real, embedder: Embedder) -> list[str]:
    """Return artists to pick first, by lists of today and charts; by all without any of these."""
    weights = real.weights.copy()
    weights[[kind_of(p.origin) not in TODAY for p in real.drawn]] = 0
    return suggested_artists(real.drawn, weights if weights.any() else real.weights, embedder)


def _fold_in(plays: sp.csr_matrix, artists: np.ndarray) -> np.ndarray:
    """Return (listeners, d) positions of real listeners in the space of the artists, by ALS."""
    weights = plays.copy()
    weights.data = np.log1p(weights.data)
    played = np.asarray(plays.sum(0)).ravel() > 0
    strength = float(np.square(artists[played]).sum() / artists.shape[1])
    vectors = torch.from_numpy(np.where(played[:, None], artists, 0).astype(np.float32))
    return als.fold_in(weights, vectors, reg=strength).numpy()
