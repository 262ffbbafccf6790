"""Rate limits of this server, for the visitor of the current session."""

import secrets
from functools import cache

import streamlit as st

from twotower.ui.state import visitor_state
from twotower.web.rate_limits import RateLimiter


@cache
def limits() -> RateLimiter:
    """Return the rate limiter of this server."""
    return RateLimiter()


def spend(action: str) -> None:
    """Count an attempt of this session and its address. Raises TooOften at the limit."""
    state = visitor_state()
    state.limit_id = state.limit_id or secrets.token_hex(8)
    address = st.context.ip_address
    limits().spend(
        action, session=state.limit_id, address=address if isinstance(address, str) else None
    )
