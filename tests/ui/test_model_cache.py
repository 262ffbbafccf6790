"""Loading the one matcher that all visitors share."""

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


def test_a_warm_up_loads_what_the_first_visitor_gets(monkeypatch):
    loaded = []

    def load(settings):
        loaded.append(SimpleNamespace())
        return loaded[-1]

    monkeypatch.setattr(matcher.Matcher, "load", load)
    model_cache.warm_up()
    assert model_cache.load_matcher() is loaded[0]
    assert model_cache.load_matcher() is loaded[0]
    assert len(loaded) == 1


def test_a_failed_warm_up_is_tried_again_for_the_visitor(monkeypatch):
    def fail(settings):
        raise MissingData("no model here")

    monkeypatch.setattr(matcher.Matcher, "load", fail)
    model_cache.warm_up()
    with pytest.raises(MissingData, match="no model here"):
        model_cache.load_matcher()
    monkeypatch.setattr(matcher.Matcher, "load", lambda settings: "mended")
    assert model_cache.load_matcher() == "mended"


class Served:
    """What stands for a matcher: of a model, and current until another is served."""

    def __init__(self, version: str, served: list[str]) -> None:
        self.version, self._served = version, served

    def is_current(self) -> bool:
        return self._served[-1] == self.version


def test_once_another_model_is_served_everyone_has_its_matcher(monkeypatch):
    served = ["first"]
    monkeypatch.setattr(matcher.Matcher, "load", lambda settings: Served(served[-1], served))
    before = model_cache.matcher()
    assert model_cache.matcher() is before
    served.append("second")
    after = model_cache.matcher()
    assert (before.version, after.version) == ("first", "second")
    assert model_cache.matcher() is after is model_cache.load_matcher()


def test_a_new_model_that_cannot_be_loaded_leaves_the_old_one_served(monkeypatch):
    served = ["first"]

    def load(settings):
        if served[-1] == "broken":
            raise MissingData("not in the folder")
        return Served(served[-1], served)

    monkeypatch.setattr(matcher.Matcher, "load", load)
    before = model_cache.matcher()
    served.append("broken")
    assert model_cache.matcher() is before
    served.append("mended")
    assert model_cache.matcher().version == "mended"


def test_while_one_loads_the_new_model_the_others_go_on_with_the_old(monkeypatch):
    served, begun, may_end = ["first"], Event(), Event()

    def load(settings):
        if served[-1] == "second":
            begun.set()
            may_end.wait(20)
        return Served(served[-1], served)

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
