"""The model and the community: loaded once a server, shared by all visitors."""

import gc
import logging
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import streamlit as st

from twotower.core.errors import TwoTowerError
from twotower.core.settings import Settings
from twotower.ui import components

if TYPE_CHECKING:
    from twotower.matching.matcher import Matcher

_loading = Lock()
_replacing = Lock()
_next: "list[Matcher]" = []  # at most one: the matcher that replaces the current one
logger = logging.getLogger(__name__)


@st.cache_resource(show_spinner="Loading the model and the community …")
def load_matcher() -> "Matcher":
    """Return the matcher of this server; load it if necessary."""
    with _loading:  # a warm-up may be loading it
        return _load()


def warm_up() -> None:
    """Load the matcher before the first visitor needs it; that visitor sees what goes wrong."""
    with _loading, suppress(TwoTowerError):
        _load()


@cache
def _load() -> "Matcher":
    if _next:
        return _next.pop()
    from twotower.matching.matcher import Matcher  # torch is slow to import; the page shows first

    matcher = Matcher.load(Settings.from_env())
    gc.collect()
    gc.freeze()  # later collections skip the model
    return matcher


def matcher() -> "Matcher":
    """Return the matcher of the active model; if that fails, show the error and end the page."""
    try:
        current = load_matcher()
    except TwoTowerError as error:
        components.show_failure(error)
        st.stop()
    return current if current.is_current() else _replaced(current)


def _replaced(old: "Matcher") -> "Matcher":
    """Return the new model's matcher; `old` while another session loads it, or if that fails."""
    if not _replacing.acquire(blocking=False):
        return old
    try:
        current = load_matcher()
        if current is not old:  # another session has replaced it meanwhile
            return current
        from twotower.matching.matcher import Matcher

        fresh = Matcher.load(Settings.from_env())
        with _loading:
            _next.append(fresh)
            _load.cache_clear()
            load_matcher.clear()
            _load()
        return load_matcher()
    except TwoTowerError as error:
        logger.warning("The new model can't be loaded; the previous one stays active: %s", error)
        return old
    finally:
        _replacing.release()
