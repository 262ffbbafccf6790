"""One read of the community serves all open pages."""

import threading

from streamlit.testing.v1 import AppTest

from twotower.core.errors import CommunityError
from twotower.ui import auto_refresh, visitor
from twotower.ui.auto_refresh import RevisionReader


class Store:
    """A community that counts its reads and may be unreachable."""

    def __init__(self) -> None:
        self.value, self.reads, self.is_away = (1, None), 0, False
        self.now = 0.0

    def read(self) -> tuple[int, str | None]:
        self.reads += 1
        if self.is_away:
            raise CommunityError("away")
        return self.value


def reader(store: Store) -> RevisionReader:
    return RevisionReader(shared_s=0.2, clock=lambda: store.now)


def test_many_pages_at_once_read_the_community_once():
    store = Store()
    shared = reader(store)
    assert {shared.revision(store.read) for _ in range(50)} == {(1, None)}
    assert store.reads == 1


def test_a_change_shows_as_soon_as_the_last_read_is_old():
    store = Store()
    shared = reader(store)
    shared.revision(store.read)
    store.value, store.now = (2, None), 0.1
    assert shared.revision(store.read) == (1, None)
    store.now = 0.2
    assert shared.revision(store.read) == (2, None)


def test_an_unreachable_community_leaves_the_pages_as_they_are():
    store = Store()
    shared = reader(store)
    shared.revision(store.read)
    store.is_away, store.now = True, 1.0
    assert shared.revision(store.read) == (1, None)
    store.is_away, store.value, store.now = False, (3, None), 2.0
    assert shared.revision(store.read) == (3, None)


def test_nobody_waits_for_another_reader():
    store, reading, go_on = Store(), threading.Event(), threading.Event()
    shared = reader(store)

    def slow() -> tuple[int, str | None]:
        reading.set()
        go_on.wait(20)
        return store.read()

    thread = threading.Thread(target=shared.revision, args=(slow,))
    thread.start()
    assert reading.wait(20)
    assert shared.revision(store.read) is None
    go_on.set()
    thread.join(20)
    assert shared.revision(store.read) == (1, None)


def drawn_list() -> None:
    import streamlit as st

    from twotower.ui import auto_refresh

    st.markdown("drawn")
    auto_refresh.rerun_when_list_changes((), 5)


def test_a_list_stays_when_the_community_is_unreachable_during_the_comparison(monkeypatch):
    class Going(Store):
        def snapshot(self) -> None:
            self.reads += 1
            raise CommunityError("away")

    store = Going()
    monkeypatch.setattr(auto_refresh, "_revision", store.read)
    monkeypatch.setattr(visitor, "matcher", lambda: store)
    monkeypatch.setattr(visitor, "portrait", object)
    app = AppTest.from_function(drawn_list).run()
    assert not app.exception and [each.value for each in app.markdown] == ["drawn"]
    reads = store.reads
    app.run()
    assert store.reads > reads
