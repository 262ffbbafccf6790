"""Sessions whose page was closed: everything of theirs is forgotten within minutes.

Streamlit keeps such a session, so that a page whose connection broke can go on. It forgets it when
another visitor leaves, which may be never. Here a timer does it.
"""

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.runtime import get_instance

from twotower.ui.state import KEY, VisitorState

KEEP_S = 90.0  # after the page was closed; Streamlit must keep sessions for longer
EVERY_S = 15.0  # between two looks


class EndedSessions:
    """Close the sessions of Streamlit's session manager that have had no page for `keep_s`.

    `clock` returns seconds and never goes back. Call it in the thread of the event loop.
    """

    def __init__(
        self,
        manager: Any,
        *,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._manager, self._keep_s, self._clock = manager, keep_s, clock
        self._ended_at: dict[str, float] = {}  # when a session was first seen without a page

    def close_ended(self) -> int:
        """Close them, stop their jobs and free their memory; return how many they were."""
        now, manager = self._clock(), self._manager
        ended = {
            each.session.id: each.session
            for each in manager.list_sessions()
            if not manager.is_active_session(each.session.id)
        }
        self._ended_at = {id: self._ended_at.get(id, now) for id in ended}
        due = [id for id, since in self._ended_at.items() if now - since >= self._keep_s]
        for id in due:
            state = ended[id].session_state
            visitor = state.filtered_state.get(KEY)
            if isinstance(visitor, VisitorState):
                visitor.end()
            manager.close_session(id)
            state.clear()
            del self._ended_at[id]
        ended.clear()
        if due:
            gc.collect()  # sessions are in reference cycles, with all that was in them
        return len(due)


def uploaded_bytes() -> dict[str, int]:
    """Return the bytes of the uploaded files that the server has, by session."""
    storage: dict[str, dict[str, Any]] = getattr(
        get_instance().uploaded_file_mgr, "file_storage", {}
    )
    return {
        session: sum(len(file.data) for file in list(files.values()))
        for session, files in list(storage.items())
    }


async def close_ended_forever(*, every_s: float = EVERY_S) -> None:
    """Close ended sessions every `every_s` seconds until cancelled."""
    keep_s = min(KEEP_S, st.get_option("server.disconnectedSessionTTL") - 2 * every_s)
    sessions = EndedSessions(get_instance()._session_mgr, keep_s=keep_s)
    while True:
        await asyncio.sleep(every_s)
        sessions.close_ended()
