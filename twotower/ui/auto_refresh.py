"""Pages that show at once who has joined and who has left, without anybody's touch."""

import threading
import time
from collections.abc import Callable

import streamlit as st

from twotower.core.domain import Neighbour
from twotower.core.errors import TwoTowerError
from twotower.ui import session

LOOK_S = 0.5  # between two looks of one page
SHARED_S = 0.2  # for which one look at the database does for all pages
MAP_S = 10.0  # at least, between two drawings of a map that nobody touches

Epoch = tuple[int, str | None]


class Pulse:
    """The community's last change, read once for all pages that ask at about the same time."""

    def __init__(
        self, *, shared_s: float = SHARED_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared_s, self._clock = shared_s, clock
        self._lock = threading.Lock()
        self._read_at = -float("inf")
        self._epoch: Epoch | None = None

    def now(self, read: Callable[[], Epoch]) -> Epoch | None:
        """The last change; that known before, where another thread reads or the reading fails."""
        if self._lock.acquire(blocking=False):
            try:
                if self._clock() - self._read_at >= self._shared_s:
                    self._read_at = self._clock()
                    self._epoch = read()
            except TwoTowerError:
                pass  # a page that is drawn says what is wrong; it stands as long as it can
            finally:
                self._lock.release()
        return self._epoch


_pulse = Pulse()


def _now() -> Epoch | None:
    return _pulse.now(session.matcher().revision)


def keep_list(drawn: tuple[Neighbour, ...], count: int) -> None:
    """Draw this page anew once the visitor's nearest `count` are others than those drawn."""
    st.session_state["live-seen"] = None
    st.session_state["live-list"] = drawn
    _watch_list(count)


@st.fragment(run_every=LOOK_S)
def _watch_list(count: int) -> None:
    now = _now()
    if now == st.session_state.get("live-seen"):
        return
    try:
        same = session.neighbours(count) == st.session_state.get("live-list")
    except TwoTowerError:
        return  # what is drawn stands; the next look tries again
    st.session_state["live-seen"] = now
    if not same:
        st.rerun()


def keep_map() -> None:
    """Draw this page anew some time after anybody has come or gone; called before the map is."""
    st.session_state["live-seen"] = _now()
    st.session_state["live-at"] = time.monotonic()
    _watch_map()


@st.fragment(run_every=2 * LOOK_S)
def _watch_map() -> None:
    drawn_s = time.monotonic() - st.session_state.get("live-at", 0.0)
    if drawn_s >= MAP_S and _now() != st.session_state.get("live-seen"):
        st.rerun()
