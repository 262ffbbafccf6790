"""Fixture for the pages: a visitor, and a stand-in for Spotify."""

import pytest
from serving import serving
from spotify_standin import StandIn
from visiting import KNOWN, Visit

from twotower.ui import model_cache, visitor


@pytest.fixture
def visit(planted, monkeypatch):
    monkeypatch.setattr(model_cache, "load_matcher", lambda: planted)
    monkeypatch.setattr(visitor, "demos", planted.demos)
    spotify = StandIn()
    spotify.people["ada"].artists = list(KNOWN)
    with serving(spotify.app) as address:
        yield Visit(spotify, address, monkeypatch)
