"""The timer that forgets a visitor soon after the page was closed."""

import weakref

import pytest
from coroutines import run_coroutine
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.script_data import ScriptData
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager
from world import profile_of

from twotower.core.jobs import Job
from twotower.ui.ended_sessions import EVERY_S, KEEP_S, EndedSessions
from twotower.ui.state import KEY, Member, VisitorState


class Client:
    """A page that is open."""


class Server:
    """Streamlit's own sessions and files, with a clock that a test moves."""

    def __init__(self) -> None:
        self.files = MemoryUploadedFileManager("/upload")
        self.manager = WebsocketSessionManager(
            MemorySessionStorage(), self.files, ScriptCache(), lambda: None
        )
        self.now = 0.0
        self.ended = EndedSessions(self.manager, clock=lambda: self.now)

    def visit(self, state: VisitorState) -> str:
        script = ScriptData(__file__, is_hello=False)
        id = self.manager.connect_session(Client(), script, {})
        self.manager.get_session_info(id).session.session_state[KEY] = state
        self.files.add_file(id, UploadedFileRec("file", "a.csv", "text/csv", b"music"))
        return id

    def look_after(self, seconds: float) -> int:
        self.now += seconds
        return self.ended.close_ended()


@pytest.fixture
def on_server():
    """on_server(test) runs a coroutine function with a server, on an event loop."""
    return lambda test: run_coroutine(test(Server()))


def test_a_closed_page_leaves_nothing_behind(on_server):
    job = Job(lambda job: job.pause(60, "waiting"))

    async def check(server: Server) -> None:
        state = VisitorState(profile=profile_of("Low"))
        state.upload.job, state.membership.member = job, Member("id", "MN-CODE")
        kept = weakref.ref(state)
        id = server.visit(state)
        server.manager.disconnect_session(id)
        del state
        assert server.look_after(0) == 0
        assert server.look_after(KEEP_S - 1) == 0 and server.files.file_storage
        assert server.look_after(1) == 1
        assert not server.files.file_storage and server.manager.list_sessions() == []
        assert kept() is None

    on_server(check)
    assert job.is_cancelled


def test_an_open_page_and_one_that_came_back_stay(on_server):
    async def check(server: Server) -> None:
        open_id, back_id = server.visit(VisitorState()), server.visit(VisitorState())
        server.manager.disconnect_session(back_id)
        assert server.look_after(0) == 0
        server.manager.connect_session(
            Client(), ScriptData(__file__, is_hello=False), {}, existing_session_id=back_id
        )
        assert server.look_after(10 * KEEP_S) == 0
        assert set(server.files.file_storage) == {open_id, back_id}
        for id in (open_id, back_id):
            server.manager.close_session(id)

    on_server(check)


def test_the_page_privacy_promises_what_the_timer_does(new_app):
    assert KEEP_S + EVERY_S <= 120
    app = new_app.switch_page("privacy.py").run()
    assert any("within 2 minutes after you close the page" in m.value for m in app.markdown)
