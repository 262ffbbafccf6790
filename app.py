"""The server: `streamlit run app.py`."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import streamlit as st

from twotower.ui import components, ended_sessions, model_cache
from twotower.web import downloads, oauth
from twotower.web.upload_memory import keep_uploads_in_memory

keep_uploads_in_memory(st.get_option("server.maxUploadSize"))


@asynccontextmanager
async def load_early(_: st.App) -> AsyncIterator[None]:
    """Load the model in the background while the first visitor sees the start page."""
    threading.Thread(target=model_cache.warm_up, name="warm-up", daemon=True).start()
    cleanups = (
        asyncio.create_task(oauth.remove_expired_forever(oauth.session_store())),
        asyncio.create_task(ended_sessions.close_ended_forever()),
    )
    yield
    for cleanup in cleanups:
        cleanup.cancel()


app = st.App(
    "pages/index.py",
    routes=[*oauth.routes(oauth.session_store()), *downloads.routes()],
    middleware=oauth.middleware(
        allowed_hosts=partial(st.get_option, "server.allowedHosts"),
        allowed_origins=partial(st.get_option, "server.corsAllowedOrigins"),
        uploaded_bytes=ended_sessions.uploaded_bytes,
        max_upload_mb=partial(st.get_option, "server.maxUploadSize"),
    ),
    lifespan=load_early,
    on_script_error=components.on_script_error,
)
