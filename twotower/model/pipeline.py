"""From profiles to a model that can be used: world, tables, training and estimates in one call."""

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
from twotower.core.names import hashed_id
from twotower.model.artist_features import Onto, Progress, World, build_world, listeners_of_artists
from twotower.model.catalogue import Catalogue
from twotower.model.content import ContentSpace
from twotower.model.distributed import ALONE, Ranks
from twotower.model.ease import ItemItemWeights
from twotower.model.embedder import Embedder
from twotower.model.estimates import estimate_audio, estimate_genres
from twotower.model.packed_profiles import with_at_least
from twotower.model.towers import ModelConfig, TwoTower
from twotower.model.training import (
    TABLES,
    Record,
    Tables,
    TrainConfig,
    playlist_titles,
    tables_for,
    train,
)
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.tags import Tagging

FEWEST_ARTISTS = 4  # in a profile that is trained on
FEWEST_LISTENERS = 40  # to train on
PLAYLIST_WEIGHT = 0.6  # of a playlist item_item a listener, for the companions of an artist


@dataclass(frozen=True)
class Prepared:
    """Listeners and artists as training reads them; trainings that differ elsewhere share it."""

    used: Sequence[Profile]
    world: World
    tables: Tables


def prepare(
    profiles: Sequence[Profile],
    content: Sequence[ArtistContent] = (),
    taggings: Sequence[Tagging] = (),
    *,
    config: TrainConfig | None = None,
    space: ContentSpace | None = None,
    onto: Onto | None = None,
    ranks: Ranks = ALONE,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """What `fit` does first, with those `profiles` that have enough artists.

    To go on with a model, `space` and `onto` bring what is new into the bases that it knows.

    BadProfile where there are too few, or where one came through Spotify's Web API: such profiles
    are never trained on. Of several `ranks` only the first is given something; through `folder` it
    lets the others have it.
    """
    config = config or TrainConfig()
    folder = folder or Path(tempfile.gettempdir())

    def read() -> tuple[Sequence[Profile], World]:
        used = _usable(profiles)
        return used, build_world(used, content, taggings, seed=config.seed, space=space)

    used, world = ranks.of_first(read, folder)
    tables = tables_for(world, config, onto=onto, ranks=ranks, folder=folder, progress=progress)
    return Prepared(used, world, tables)


def _usable(profiles: Sequence[Profile]) -> Sequence[Profile]:
    refused = [p.id for p in profiles if p.origin == SPOTIFY_WEB_API]
    if refused:
        raise BadProfile(
            f"{len(refused)} profiles came through Spotify's Web API (the first is "
            f"{refused[0]!r}): Spotify's policy forbids training on them, take them out"
        )
    used = with_at_least(profiles, FEWEST_ARTISTS)
    if len(used) < FEWEST_LISTENERS:
        raise BadProfile(
            f"only {len(used)} of {len(profiles)} profiles have {FEWEST_ARTISTS} artists or more; "
            f"training needs {FEWEST_LISTENERS}"
        )
    return used


def fit(
    profiles: Sequence[Profile],
    content: Sequence[ArtistContent] = (),
    taggings: Sequence[Tagging] = (),
    *,
    config: TrainConfig | None = None,
    model_config: ModelConfig | None = None,
    estimates: bool = True,
    resume: Path | None = None,
    ranks: Ranks = ALONE,
    on_record: Callable[[Record], None] | None = None,
    progress: Progress | None = None,
) -> Embedder:
    """A trained model of all `profiles` with enough artists; `estimates` may be left out for tests.

    BadProfile as `prepare` raises it. Of several `ranks` the first is given the profiles; the
    others give a model without estimates and companions, to be thrown away.
    """
    config, tell = config or TrainConfig(), progress or (lambda share, text: None)
    began = time.perf_counter()
    prepared = prepare(
        profiles,
        content,
        taggings,
        config=config,
        ranks=ranks,
        folder=resume.parent if resume is not None else None,
        progress=lambda share, text: tell(TABLES * share, text),
    )
    return fit_prepared(
        prepared,
        config=config,
        model_config=model_config,
        estimates=estimates and ranks.first,
        resume=resume,
        ranks=ranks,
        on_record=on_record,
        progress=lambda share, text: tell(TABLES + (1 - TABLES) * share, text),
        began=began,
    )


def fit_prepared(
    prepared: Prepared,
    *,
    config: TrainConfig | None = None,
    model_config: ModelConfig | None = None,
    estimates: bool = False,
    start: TwoTower | None = None,
    resume: Path | None = None,
    ranks: Ranks = ALONE,
    on_record: Callable[[Record], None] | None = None,
    progress: Progress | None = None,
    began: float | None = None,
) -> Embedder:
    """The training itself; folds and seed of `config` are those that were prepared with.

    From `start` it goes on, in place of beginning anew.
    """
    config = config or TrainConfig()
    began = time.perf_counter() if began is None else began
    used, world = prepared.used, prepared.world
    model, table, history = train(
        world,
        titles=playlist_titles(world, used),
        model_config=model_config,
        config=config,
        tables=prepared.tables,
        start=start,
        resume=resume,
        ranks=ranks,
        on_record=on_record,
        progress=progress,
    )
    words: tuple[str, ...] = ()
    catalogue = Catalogue(world.keys, world.names, listeners_of_artists(world))
    if estimates:
        words, genre_ids = estimate_genres(world, table)
        audio = estimate_audio(world, table)
        catalogue = Catalogue(world.keys, world.names, catalogue.df, words, genre_ids, audio)
    about = {
        "profiles": dict(Counter(p.origin for p in used)),
        "listeners": round(float(world.source_weight.sum()), 1),
        "artists": len(world.keys),
        "played artists": int((catalogue.df > 0).sum()),
        "training": asdict(config),
        "seconds": round(time.perf_counter() - began),
        "records": [asdict(record) for record in history.records],
    }
    seen = sorted(hashed_id(p) for p in used)
    item_item = fit_item_item(world) if ranks.first else ItemItemWeights.empty(len(world.keys))
    return Embedder.from_training(model, table, catalogue, item_item, about=about, trained_on=seen)


def fit_item_item(world: World) -> ItemItemWeights:
    """Fit item-item weights on the listeners of a training; playlists count less."""
    lighter = world.source_weight < 1
    scale = np.where(lighter, PLAYLIST_WEIGHT, 1.0) / world.source_weight
    return ItemItemWeights.fit(sp.csr_matrix(sp.diags(scale) @ world.weights))
