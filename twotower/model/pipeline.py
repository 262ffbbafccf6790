"""From profiles to a usable model: training data, artist features, training, estimates.

    embedder = fit(profiles, content, taggings)

`prepare` and `fit_prepared` are the two halves of `fit`, so that several trainings can share the
artist features.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import SPOTIFY_WEB_API, Profile
from twotower.core.errors import BadProfile
from twotower.core.jobs import Progress, silent
from twotower.core.names import hashed_id
from twotower.model.artist_features import (
    Alignment,
    ArtistFeatures,
    CrossFit,
    TrainingData,
    build_training_data,
    listeners_per_artist,
)
from twotower.model.catalogue import Catalogue
from twotower.model.checkpoint import Record
from twotower.model.content import ContentSpace
from twotower.model.distributed import SINGLE_PROCESS, ProcessGroup
from twotower.model.ease import ItemItemWeights
from twotower.model.embedder import Embedder
from twotower.model.estimates import estimate_audio, genres_of_artists
from twotower.model.packed_profiles import with_min_artists
from twotower.model.towers import ModelConfig, TwoTower
from twotower.model.train_config import TrainConfig
from twotower.model.training import FEATURES_SHARE, cross_fit_together, train
from twotower.model.views import playlist_titles
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.tags import Tagging

FEWEST_ARTISTS = 4  # of a training profile
FEWEST_LISTENERS = 40  # for a training
LIST_WEIGHT = 0.6  # of a playlist or list, where a listener has 1, for the item-item weights


@dataclass(frozen=True)
class PreparedData:
    """Training data with artist features, which several trainings can share."""

    used: Sequence[Profile]  # profiles with enough artists
    data: TrainingData
    features: CrossFit


def fit(
    profiles: Sequence[Profile],
    content: Sequence[ArtistContent] = (),
    taggings: Sequence[Tagging] = (),
    *,
    config: TrainConfig | None = None,
    model_config: ModelConfig | None = None,
    estimates: bool = True,
    resume: Path | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
    on_record: Callable[[Record], None] | None = None,
    progress: Progress = silent,
) -> Embedder:
    """Train a model on all profiles with enough artists.

    `estimates` adds genres and audio attributes of artists to the catalogue; `resume` is a
    checkpoint file. Of several processes only the first is given profiles, and only its result is
    complete. Raises BadProfile as `prepare` does.
    """
    config = config or TrainConfig()
    began = time.perf_counter()
    prepared = prepare(
        profiles,
        content,
        taggings,
        config=config,
        group=group,
        folder=resume.parent if resume is not None else None,
        progress=lambda share, text: progress(FEATURES_SHARE * share, text),
    )
    rest = 1 - FEATURES_SHARE
    return fit_prepared(
        prepared,
        config=config,
        model_config=model_config,
        estimates=estimates and group.is_first,
        resume=resume,
        group=group,
        on_record=on_record,
        progress=lambda share, text: progress(FEATURES_SHARE + rest * share, text),
        began=began,
    )


def prepare(
    profiles: Sequence[Profile],
    content: Sequence[ArtistContent] = (),
    taggings: Sequence[Tagging] = (),
    *,
    config: TrainConfig | None = None,
    space: ContentSpace | None = None,
    align: Alignment | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
    folder: Path | None = None,
    progress: Progress = silent,
) -> PreparedData:
    """Build training data and artist features of the profiles with enough artists.

    To continue from a model, `space` and `align` bring new artists into its bases. Of several
    processes only the first is given profiles; the others receive the result through `folder`.

    Raises BadProfile if there are too few profiles, or if one came through Spotify's Web API:
    such profiles are never trained on.
    """
    config = config or TrainConfig()
    folder = folder or Path(tempfile.gettempdir())

    def build() -> tuple[Sequence[Profile], TrainingData]:
        used = _check(profiles)
        return used, build_training_data(used, content, taggings, seed=config.seed, space=space)

    used, data = group.broadcast_from_first(build, folder)
    features = cross_fit_together(
        data, config, align=align, group=group, folder=folder, progress=progress
    )
    return PreparedData(used, data, features)


def _check(profiles: Sequence[Profile]) -> Sequence[Profile]:
    """Return the profiles with enough artists. Raises BadProfile as `prepare` says."""
    refused = [p.id for p in profiles if SPOTIFY_WEB_API in p.origin.split("+")]
    if refused:
        raise BadProfile(
            f"{len(refused)} profiles came through Spotify's Web API (the first is "
            f"{refused[0]!r}). Spotify's policy forbids training on them: remove them"
        )
    used = with_min_artists(profiles, FEWEST_ARTISTS)
    if len(used) < FEWEST_LISTENERS:
        raise BadProfile(
            f"only {len(used)} of {len(profiles)} profiles have {FEWEST_ARTISTS} artists or more; "
            f"training needs {FEWEST_LISTENERS}"
        )
    return used


def fit_prepared(
    prepared: PreparedData,
    *,
    config: TrainConfig | None = None,
    model_config: ModelConfig | None = None,
    estimates: bool = False,
    start: TwoTower | None = None,
    resume: Path | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
    on_record: Callable[[Record], None] | None = None,
    progress: Progress = silent,
    began: float | None = None,
) -> Embedder:
    """Train a model on prepared data; `config` must have the folds and seed of `prepare`.

    With `start`, training continues from that model. `began` is the `time.perf_counter` from
    which the model's training time is counted.
    """
    config = config or TrainConfig()
    began = time.perf_counter() if began is None else began
    used, data = prepared.used, prepared.data
    model, features, records = train(
        data,
        titles=playlist_titles(data, used),
        model_config=model_config,
        config=config,
        features=prepared.features,
        start=start,
        resume=resume,
        group=group,
        on_record=on_record,
        progress=progress,
    )
    catalogue = _catalogue(data, features, estimates=estimates)
    about = {
        "profiles": dict(Counter(p.origin for p in used)),
        "listeners": round(float(data.source_weight[data.kind != "chart"].sum()), 1),
        "artists": len(data.keys),
        "played artists": int((catalogue.df > 0).sum()),
        "training": config.to_dict(),
        "seconds": round(time.perf_counter() - began),
        "records": [asdict(record) for record in records],
    }
    seen = sorted(hashed_id(p) for p in used)
    item_item = fit_item_item(data) if group.is_first else ItemItemWeights.empty(len(data.keys))
    return Embedder.from_training(
        model, features, catalogue, item_item, about=about, trained_on=seen
    )


def _catalogue(data: TrainingData, features: ArtistFeatures, *, estimates: bool) -> Catalogue:
    df = listeners_per_artist(data)
    if not estimates:
        return Catalogue(data.keys, data.names, df)
    genres, audio = genres_of_artists(data, features), estimate_audio(data, features)
    return Catalogue(data.keys, data.names, df, genres.words, genres.ids, audio, genres.are_stated)


def fit_item_item(data: TrainingData) -> ItemItemWeights:
    """Fit item-item weights on listeners and lists; lists count less, chart listeners nothing."""
    real = np.flatnonzero(data.kind != "chart")
    scale = np.where(data.kind == "listener", 1.0, LIST_WEIGHT) / data.source_weight
    return ItemItemWeights.fit(sp.csr_matrix(sp.diags(scale[real]) @ data.weights[real]))
