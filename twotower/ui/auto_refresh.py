"""Pages that update themselves when somebody joins or leaves the community."""

import threading
import time
from collections.abc import Callable

import streamlit as st

from twotower.core.domain import Neighbour
from twotower.core.errors import TwoTowerError
from twotower.ui import visitor
from twotower.ui.model_cache import matcher
from twotower.ui.state import visitor_state

CHECK_S = 0.5  # between two checks of one page
SHARED_S = 0.2  # one read of the database serves all pages for so long
MAP_S = 10.0  # at least, between two updates of a map

Revision = tuple[int, str | None]  # last change of the community, active model


class RevisionReader:
    """The community's last change, read once for all pages that need it at about the same time."""

    def __init__(
        self, *, shared_s: float = SHARED_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared_s, self._clock = shared_s, clock
        self._lock = threading.Lock()
        self._read_at = -float("inf")
        self._revision: Revision | None = None

    def revision(self, read: Callable[[], Revision]) -> Revision | None:
        """Return the last change; the previous result if another thread reads or `read` fails."""
        if self._lock.acquire(blocking=False):
            try:
                if self._clock() - self._read_at >= self._shared_s:
                    self._read_at = self._clock()
                    self._revision = read()
            except TwoTowerError:
                pass  # the page stays as it is; the visitor's next action shows the error
            finally:
                self._lock.release()
        return self._revision


_reader = RevisionReader()


def _revision() -> Revision | None:
    return _reader.revision(matcher().revision)


def rerun_when_list_changes(shown: tuple[Neighbour, ...], count: int) -> None:
    """Rerun the page when the visitor's top `count` changes."""
    refresh = visitor_state().refresh
    refresh.revision, refresh.neighbours = None, shown
    _watch_list(count)


@st.fragment(run_every=CHECK_S)
def _watch_list(count: int) -> None:
    refresh, revision = visitor_state().refresh, _revision()
    if revision == refresh.revision:
        return
    try:
        is_same = visitor.neighbours(count) == refresh.neighbours
    except TwoTowerError:
        return  # the page stays; the next check tries again
    refresh.revision = revision
    if not is_same:
        st.rerun()


def rerun_when_map_changes() -> None:
    """Rerun the page some seconds after anybody joined or left. Call it before drawing the map."""
    refresh = visitor_state().refresh
    refresh.revision, refresh.drawn_at_s = _revision(), time.monotonic()
    _watch_map()


@st.fragment(run_every=2 * CHECK_S)
def _watch_map() -> None:
    refresh = visitor_state().refresh
    if time.monotonic() - refresh.drawn_at_s >= MAP_S and _revision() != refresh.revision:
        st.rerun()
