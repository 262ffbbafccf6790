"""Fixtures for the tests of the pages, and a small trained model."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy and torch load; child processes inherit it

import hypothesis
import pytest
from learning import settings_of, settle
from planted import main_plane, make_lists, make_sources, ring, ring_content, ring_tags
from rounds import ALL, rounds
from servers import postgres
from sharing import made_once
from streamlit.testing.v1 import AppTest
from vectors import write
from world import INDEX, PlantedMatcher

from twotower.bundle import shipped
from twotower.community import Community
from twotower.community.connection import Database
from twotower.core.settings import Settings
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit
from twotower.model.train_config import TrainConfig
from twotower.retrieval import projection
from twotower.ui import model_cache, visitor

hypothesis.settings.register_profile("short", max_examples=25, deadline=None, derandomize=True)
hypothesis.settings.register_profile("all", max_examples=200, deadline=None, derandomize=True)
hypothesis.settings.load_profile(rounds("short", "all"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that only `make test-all` runs."""
    left_out = [] if ALL else [item for item in items if item.get_closest_marker("all_rounds")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def planted() -> PlantedMatcher:
    return PlantedMatcher()


@pytest.fixture
def new_app(planted, monkeypatch) -> AppTest:
    """The app on the planted world, before its first run."""
    monkeypatch.setattr(model_cache, "load_matcher", lambda: planted)
    monkeypatch.setattr(visitor, "demos", planted.demos)
    return AppTest.from_file(str(INDEX), default_timeout=20)


@pytest.fixture
def app(new_app) -> AppTest:
    """The same, on its start page."""
    return new_app.run()


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Embedder:
    """A model of 160 listeners on the ring, who also play hits that say nothing about taste."""

    def train(folder: Path) -> None:
        listeners = ring(160, artists=16, hits=16)
        config = TrainConfig(steps=120)
        fit(listeners, ring_content(), ring_tags(listeners), config=config).save(folder / "model")

    return Embedder.load(made_once(tmp_path_factory, "trained", train) / "model")


@pytest.fixture(scope="session")
def planted_assets(trained, tmp_path_factory) -> Path:
    """A folder with that model and 200 synthetic listeners of the ring, n in quarter n % 4."""

    def build(folder: Path) -> None:
        embedder = trained.save(folder / "model")
        people = [
            replace(p, id=f"i{n}", name=f"Listener {n}")
            for n, p in enumerate(ring(200, artists=16, hits=8, origin="invented", seed=20))
        ]
        with pytest.MonkeyPatch.context() as patch:  # umap takes ten seconds, and has its own tests
            patch.setattr(projection, "fit_map", main_plane)
            shipped.build(folder, embedder, people, seed=0)

    return made_once(tmp_path_factory, "planted_assets", build)


@pytest.fixture(scope="session")
def judged_assets(tmp_path_factory) -> Path:
    """A folder with the report and the half-vectors of quick methods on the planted groups."""
    return made_once(
        tmp_path_factory, "judged", lambda folder: write(folder, make_sources(make_lists()))
    )


@pytest.fixture(scope="session")
def server() -> Iterator:
    """A PostgreSQL server."""
    with postgres() as (one,):
        yield one


@pytest.fixture(autouse=True)
def _close_databases(monkeypatch) -> Iterator[None]:
    """Close every database that a test opened, before garbage collection warns in another test."""
    opened: list[Database] = []
    open_database = Database.open

    def open_and_note(*args: object, **options: object) -> Database:
        opened.append(open_database(*args, **options))
        return opened[-1]

    monkeypatch.setattr(Database, "open", open_and_note)
    yield
    for database in opened:
        database.close()


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
    folder = made_once(tmp_path_factory, "settled", lambda path: settle(path, planted_assets))
    return settings_of(folder, planted_assets)


@pytest.fixture
def settings(settled, tmp_path) -> Settings:
    """Settings of a small community that a test may change; some members help to train."""
    shutil.copy(settled.community.removeprefix("sqlite:///"), tmp_path / "community.sqlite")
    return replace(settled, community=f"sqlite:///{tmp_path / 'community.sqlite'}")
