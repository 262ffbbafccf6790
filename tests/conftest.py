"""Fixtures for the tests of the pages, and a small trained model."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from learning import settle
from planted import main_plane, make_sources, ring, ring_content, ring_tags
from servers import postgres
from streamlit.testing.v1 import AppTest
from vectors import write
from world import INDEX, PlantedMatcher

from twotower.bundle import shipped
from twotower.community import Community
from twotower.core.settings import Settings
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit
from twotower.model.training import TrainConfig
from twotower.retrieval import projection
from twotower.ui import session


@pytest.fixture(scope="session")
def planted() -> PlantedMatcher:
    return PlantedMatcher()


@pytest.fixture
def app(planted, monkeypatch) -> AppTest:
    """The app on the planted world, on its start page."""
    monkeypatch.setattr(session, "load_matcher", lambda: planted)
    monkeypatch.setattr(session, "demos", planted.demos)
    return AppTest.from_file(str(INDEX), default_timeout=20).run()


@pytest.fixture(scope="session")
def trained() -> Embedder:
    """A model of 160 listeners on the ring, whom hits that tell nothing lead astray."""
    listeners = ring(160, artists=16, hits=16)
    return fit(listeners, ring_content(), ring_tags(listeners), config=TrainConfig(steps=120))


@pytest.fixture(scope="session")
def planted_assets(trained, tmp_path_factory) -> Path:
    """A folder with that model and 200 invented listeners of the ring, n in quarter n % 4."""
    folder = tmp_path_factory.mktemp("assets")
    embedder = trained.save(folder / "model")
    people = [
        replace(p, id=f"i{n}", name=f"Listener {n}")
        for n, p in enumerate(ring(200, artists=16, hits=8, origin="invented", seed=20))
    ]
    with pytest.MonkeyPatch.context() as patch:  # umap takes ten seconds, and has tests of its own
        patch.setattr(projection, "fit_map", main_plane)
        shipped.build(folder, embedder, people, seed=0)
    return folder


@pytest.fixture(scope="session")
def judged_assets(tmp_path_factory) -> Path:
    """A folder with the report and the half-vectors of quick methods on the planted groups."""
    folder = tmp_path_factory.mktemp("judged")
    write(folder, make_sources())
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator:
    """A PostgreSQL server."""
    with postgres() as (one,):
        yield one


@pytest.fixture
def community(url: str) -> Iterator[Community]:
    community = Community.open(url, model_version="1", wait_s=0.05)
    yield community
    community.close()


@pytest.fixture
def other(community: Community, url: str) -> Iterator[Community]:
    """The same community as another process has it."""
    other = Community.open(url, model_version="1", wait_s=0.05)
    yield other
    other.close()


@pytest.fixture(scope="session")
def settled(planted_assets, tmp_path_factory) -> Settings:
    return settle(tmp_path_factory.mktemp("settled"), planted_assets)


@pytest.fixture
def settings(settled, tmp_path) -> Settings:
    """Of a small community, some of whom help to train, which a test may change."""
    shutil.copy(settled.community.removeprefix("sqlite:///"), tmp_path / "community.sqlite")
    return replace(settled, community=f"sqlite:///{tmp_path / 'community.sqlite'}")
