"""A visitor of the app and a stand-in for Spotify."""

from collections.abc import Sequence

import pytest
from spotify_standin import CLIENT_ID, StandIn
from streamlit.testing.v1 import AppTest
from world import INDEX

from twotower.sources.spotify.api import READ_SCOPES, Registration, Token
from twotower.ui import spotify_session
from twotower.web import oauth
from twotower.web.oauth_sessions import Session, SessionStore

PATIENCE_S = 20
KNOWN = ["Amara Jazz", "Ammoth Jazz", "Amara Folk"]


def words(app) -> str:
    shown = (*app.markdown, *app.info, *app.warning, *app.error, *app.success, *app.subheader)
    return "\n".join(each.value for each in shown)


class Visit:
    """A visitor of the app, on the planted world, and a stand-in for Spotify."""

    def __init__(self, spotify: StandIn, address: str, patch: pytest.MonkeyPatch) -> None:
        self.spotify = spotify
        self.store = SessionStore(
            Registration(CLIENT_ID, "http://127.0.0.1:8501/callback", address, f"{address}/v1")
        )
        self.cookie: str | None = None
        self.browser = "this-browser"
        patch.setattr(oauth, "session_store", lambda: self.store)
        patch.setattr(spotify_session, "_cookie", self.sent)

    def sent(self, name: str) -> str | None:
        """The cookie that the browser sends."""
        return self.cookie if name == self.store.session_cookie else self.browser

    def sign_in(self, who: str = "ada", scopes: Sequence[str] = READ_SCOPES) -> Session:
        token = Token(self.spotify.token_for(who, scopes), "", 4e9, frozenset(scopes))
        self.cookie, session = self.store.open_session(token)
        return session

    def tab(self, **query: str) -> AppTest:
        app = AppTest.from_file(str(INDEX), default_timeout=20)
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    def read(self, app: AppTest) -> AppTest:
        self.store.find_session(self.cookie).get(spotify_session.READING).join(PATIENCE_S)
        return app.run()
