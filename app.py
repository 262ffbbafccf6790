"""Serves the app: `streamlit run app.py`."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from twotower.ui import components, session
from twotower.web import oauth


@asynccontextmanager
async def loading(_: st.App) -> AsyncIterator[None]:
    """Load the model while the first visitor still looks at the start page."""
    threading.Thread(target=session.warm_up, name="warm-up", daemon=True).start()
    tidying = asyncio.create_task(oauth.remove_expired_forever(oauth.session_store()))
    yield
    tidying.cancel()


app = st.App(
    "pages/index.py",
    routes=oauth.routes(oauth.session_store()),
    middleware=oauth.middleware(),
    lifespan=loading,
    on_script_error=components.on_script_error,
)
