"""Fixture for the pages: a visitor beside a stand-in for Spotify."""

import pytest
from serving import serving
from spotify_standin import StandIn
from visiting import KNOWN, Visit

from twotower.ui import session


@pytest.fixture
def visit(planted, monkeypatch):
    monkeypatch.setattr(session, "load_matcher", lambda: planted)
    monkeypatch.setattr(session, "demos", planted.demos)
    spotify = StandIn()
    spotify.people["ada"].artists = list(KNOWN)
    with serving(spotify.app) as address:
        yield Visit(spotify, address, monkeypatch)
