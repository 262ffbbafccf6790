"""Loading the matcher that all visitors share."""

from threading import Event, Thread
from types import SimpleNamespace

import pytest

from twotower.core.errors import MissingData
from twotower.matching import matcher
from twotower.ui import model_cache


@pytest.fixture(autouse=True)
def nothing_loaded():
    model_cache._load.cache_clear()
    model_cache.load_matcher.clear()
    yield
    model_cache._load.cache_clear()
    model_cache.load_matcher.clear()


def test_a_warm_up_loads_the_matcher_of_the_first_visitor(monkeypatch):
    loaded = []

    def load(settings):
        loaded.append(SimpleNamespace())
        return loaded[-1]

    monkeypatch.setattr(matcher.Matcher, "load", load)
    model_cache.warm_up()
    assert model_cache.load_matcher() is loaded[0]
    assert model_cache.load_matcher() is loaded[0]
    assert len(loaded) == 1


def test_a_failed_warm_up_is_repeated_for_the_visitor(monkeypatch):
    def fail(settings):
        raise MissingData("no model here")

    monkeypatch.setattr(matcher.Matcher, "load", fail)
    model_cache.warm_up()
    with pytest.raises(MissingData, match="no model here"):
        model_cache.load_matcher()
    monkeypatch.setattr(matcher.Matcher, "load", lambda settings: "mended")
    assert model_cache.load_matcher() == "mended"


class StandIn:
    """A stand-in for a matcher, current until another model is active."""

    def __init__(self, version: str, served: list[str]) -> None:
        self.version, self._served = version, served

    def is_current(self) -> bool:
        return self._served[-1] == self.version


def test_a_new_active_model_replaces_the_matcher_for_everyone(monkeypatch):
    served = ["first"]
    monkeypatch.setattr(matcher.Matcher, "load", lambda settings: StandIn(served[-1], served))
    before = model_cache.matcher()
    assert model_cache.matcher() is before
    served.append("second")
    after = model_cache.matcher()
    assert (before.version, after.version) == ("first", "second")
    assert model_cache.matcher() is after is model_cache.load_matcher()


def test_a_new_model_that_cannot_be_loaded_leaves_the_old_matcher(monkeypatch):
    served = ["first"]

    def load(settings):
        if served[-1] == "broken":
            raise MissingData("not in the folder")
        return StandIn(served[-1], served)

    monkeypatch.setattr(matcher.Matcher, "load", load)
    before = model_cache.matcher()
    served.append("broken")
    assert model_cache.matcher() is before
    served.append("mended")
    assert model_cache.matcher().version == "mended"


def test_others_keep_the_old_matcher_while_the_new_model_loads(monkeypatch):
    served, begun, may_end = ["first"], Event(), Event()

    def load(settings):
        if served[-1] == "second":
            begun.set()
            may_end.wait(20)
        return StandIn(served[-1], served)

    monkeypatch.setattr(matcher.Matcher, "load", load)
    before = model_cache.matcher()
    served.append("second")
    loading = Thread(target=model_cache.matcher)
    loading.start()
    assert begun.wait(20)
    assert model_cache.matcher() is before
    may_end.set()
    loading.join(20)
    assert model_cache.matcher().version == "second"
