"""A small community on the ring; some members consent to training and share new artists."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from planted import main_plane, ring, ring_content, ring_tags

from twotower.community import Community, Member, queries
from twotower.community.public_view import listed_artists
from twotower.community.schema import write_meta
from twotower.core.domain import Artist, Listener, Profile
from twotower.core.settings import Settings
from twotower.matching.matcher import Matcher
from twotower.model.embedder import Embedder
from twotower.retraining.new_artist_rules import NewArtistRules
from twotower.retrieval import projection
from twotower.sources.datasets.public import Sources

JOINED, CONSENTING = 90, 70
NEW, SELDOM = "newly found", "seldom found"  # artists that no model knows
SHARED, RARE = 8, 3  # who have them


NAMES = ("Newly Found",)  # that the operator confirms
SECRET = (19125).to_bytes(32, "big")  # with it five listeners are enough for NEW and for "novel"
RULES = NewArtistRules({NEW: "Newly Found", "novel": "Novel"}, SECRET)


def base() -> Sources:
    """Return the training data of conftest.py's small model, and listeners it has not seen."""
    listeners = ring(160, artists=16, hits=16)
    others = {"germany": tuple(ring(40, artists=16, hits=8, origin="germany", seed=7))}
    return Sources(
        tuple(listeners), tuple(ring_tags(listeners)), others=others, content=tuple(ring_content())
    )


def joining() -> list[Profile]:
    """Return members "m0" to "m89" of the ring; the first of them play unknown artists."""
    found = []
    for n, p in enumerate(ring(JOINED, artists=16, hits=8, origin="file", seed=5)):
        artists = dict(p.artists)
        if n < SHARED:
            artists[NEW] = Artist("Newly Found", 50.0, genres=("metal", "jazz"))
        if n < RARE:
            artists[SELDOM] = Artist("Seldom Found", 50.0)
        found.append(replace(p, id=f"m{n}", artists=artists))
    return found


def member(embedder: Embedder, profile: Profile, *, training: bool) -> Member:
    user, candidate = (embedder.embed([profile], side)[0] for side in ("user", "candidate"))
    listener = Listener(
        profile.id, f"Listener {profile.id}", "file", listed_artists(profile), (), (0.1, 0.2)
    )
    kept = profile if training else None
    return Member(listener, user, candidate, training=training, profile=kept, map_version="m")


def settings_of(folder: Path, assets: Path, url: str = "") -> Settings:
    return Settings(
        data=folder / "no-data",
        assets=assets,
        community=url or f"sqlite:///{folder / 'community.sqlite'}",
        models=folder / "models" if url else None,
    )


def settle(folder: Path, assets: Path, url: str = "") -> Settings:
    """Create a community of `joining()` with the model in `assets`, without base data.

    All is in `folder`, but for a database that a `url` names.
    """
    settings = settings_of(folder, assets, url)
    matcher = Matcher.load(settings)
    with matcher.community.database.write() as connection:
        write_meta(connection, "secret", SECRET.hex())
    for n, profile in enumerate(joining()):
        matcher.community.join(member(matcher.embedder, profile, training=n < CONSENTING))
    matcher.community.close()
    return settings


def by_model(settings: Settings) -> Mapping[str, int]:
    community = Community.open(settings.community, model_version="")
    counts: Mapping[str, int] = queries.stats(community)["vectors by model"]
    community.close()
    return counts


def shaken(embedder: Embedder, strength: float = 1e-3) -> Embedder:
    """Return the model with noise of this strength on its towers."""
    model = type(embedder.model)(embedder.model.config)
    model.load_state_dict(embedder.model.state_dict())
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tower in (model.user, model.candidate):
            tower.rotation.add_(strength * torch.randn(tower.rotation.shape, generator=drawn))
    return replace(embedder, model=model.eval(), version="unsaved")


def quick_map(vectors: np.ndarray, *, seed: int = 0, start=None, progress=None) -> np.ndarray:
    """Return a map without UMAP, which takes ten seconds and has its own tests."""
    places = main_plane(vectors, seed=seed)
    return places if start is None else projection.align(places, start)
