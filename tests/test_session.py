"""Loading the one matcher that all visitors share."""

from types import SimpleNamespace

import pytest

from twotower import matching
from twotower.errors import MissingData
from twotower.ui import session


@pytest.fixture(autouse=True)
def nothing_loaded():
    session._load.cache_clear()
    session.load_matcher.clear()
    yield
    session._load.cache_clear()
    session.load_matcher.clear()


def test_a_warm_up_loads_what_the_first_visitor_gets(monkeypatch):
    loaded = []

    def load(settings):
        loaded.append(SimpleNamespace())
        return loaded[-1]

    monkeypatch.setattr(matching.Matcher, "load", load)
    session.warm_up()
    assert session.load_matcher() is loaded[0]
    assert session.load_matcher() is loaded[0]
    assert len(loaded) == 1


def test_a_failed_warm_up_is_tried_again_for_the_visitor(monkeypatch):
    def fail(settings):
        raise MissingData("no model here")

    monkeypatch.setattr(matching.Matcher, "load", fail)
    session.warm_up()
    with pytest.raises(MissingData, match="no model here"):
        session.load_matcher()
    monkeypatch.setattr(matching.Matcher, "load", lambda settings: "mended")
    assert session.load_matcher() == "mended"
