"""Fixtures for the tests of the pages."""

import pytest
from streamlit.testing.v1 import AppTest
from world import INDEX, PlantedMatcher

from twotower.ui import session


@pytest.fixture(scope="session")
def planted() -> PlantedMatcher:
    return PlantedMatcher()


@pytest.fixture
def app(planted, monkeypatch) -> AppTest:
    """The app on the planted world, on its start page."""
    monkeypatch.setattr(session, "load_matcher", lambda: planted)
    return AppTest.from_file(str(INDEX), default_timeout=20).run()
