"""Fixtures for the tests of the pages."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from world import PlantedMatcher

from twotower.ui import session

INDEX = Path(__file__).resolve().parents[1] / "pages" / "index.py"


@pytest.fixture(scope="session")
def planted() -> PlantedMatcher:
    return PlantedMatcher()


@pytest.fixture
def app(planted, monkeypatch) -> AppTest:
    """The app on the planted world, on its start page."""
    monkeypatch.setattr(session, "load_matcher", lambda: planted)
    return AppTest.from_file(str(INDEX), default_timeout=20).run()
