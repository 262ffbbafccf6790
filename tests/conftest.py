"""Fixtures for the tests of the pages, and a small trained model."""

import pytest
from planted import ring, ring_content, ring_tags
from streamlit.testing.v1 import AppTest
from world import INDEX, PlantedMatcher

from twotower.embedder import Embedder
from twotower.fit import fit
from twotower.training import TrainConfig
from twotower.ui import session


@pytest.fixture(scope="session")
def planted() -> PlantedMatcher:
    return PlantedMatcher()


@pytest.fixture
def app(planted, monkeypatch) -> AppTest:
    """The app on the planted world, on its start page."""
    monkeypatch.setattr(session, "load_matcher", lambda: planted)
    return AppTest.from_file(str(INDEX), default_timeout=20).run()


@pytest.fixture(scope="session")
def trained() -> Embedder:
    """A model of 160 listeners on the ring, whom hits that tell nothing lead astray."""
    listeners = ring(160, artists=16, hits=16)
    return fit(listeners, ring_content(), ring_tags(listeners), config=TrainConfig(steps=120))
