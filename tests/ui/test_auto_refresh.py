"""The one look at the community that all open pages share."""

import threading

from streamlit.testing.v1 import AppTest

from twotower.core.errors import CommunityError
from twotower.ui import auto_refresh, session
from twotower.ui.auto_refresh import Pulse


class Store:
    """A community that counts how often it is asked, and may be away."""

    def __init__(self) -> None:
        self.epoch, self.asked, self.away = (1, None), 0, False
        self.now = 0.0

    def read(self) -> tuple[int, str | None]:
        self.asked += 1
        if self.away:
            raise CommunityError("away")
        return self.epoch


def pulse(store: Store) -> Pulse:
    return Pulse(shared_s=0.2, clock=lambda: store.now)


def test_many_pages_at_once_ask_the_community_once():
    store = Store()
    made = pulse(store)
    assert {made.now(store.read) for _ in range(50)} == {(1, None)}
    assert store.asked == 1


def test_a_change_is_seen_as_soon_as_the_last_look_is_old():
    store = Store()
    made = pulse(store)
    made.now(store.read)
    store.epoch, store.now = (2, None), 0.1
    assert made.now(store.read) == (1, None)
    store.now = 0.2
    assert made.now(store.read) == (2, None)


def test_a_community_that_is_away_leaves_the_pages_as_they_are():
    store = Store()
    made = pulse(store)
    made.now(store.read)
    store.away, store.now = True, 1.0
    assert made.now(store.read) == (1, None)
    store.away, store.epoch, store.now = False, (3, None), 2.0
    assert made.now(store.read) == (3, None)


def test_nobody_waits_for_who_is_reading():
    store, reading, go_on = Store(), threading.Event(), threading.Event()
    made = pulse(store)

    def slow() -> tuple[int, str | None]:
        reading.set()
        go_on.wait(20)
        return store.read()

    thread = threading.Thread(target=made.now, args=(slow,))
    thread.start()
    assert reading.wait(20)
    assert made.now(store.read) is None
    go_on.set()
    thread.join(20)
    assert made.now(store.read) == (1, None)


def drawn_list() -> None:
    import streamlit as st

    from twotower.ui import auto_refresh

    st.markdown("drawn")
    auto_refresh.keep_list((), 5)


def test_a_list_stands_where_the_community_goes_away_while_it_is_compared(monkeypatch):
    class Going(Store):
        def snapshot(self) -> None:
            self.asked += 1
            raise CommunityError("away")

    store = Going()
    monkeypatch.setattr(auto_refresh, "_now", store.read)
    monkeypatch.setattr(session, "matcher", lambda: store)
    monkeypatch.setattr(session, "portrait", object)
    app = AppTest.from_function(drawn_list).run()
    assert not app.exception and [each.value for each in app.markdown] == ["drawn"]
    asked = store.asked
    app.run()
    assert store.asked > asked
