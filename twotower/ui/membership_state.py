"""Whether this session's visitor has joined the community, and what they do about it.

The code is in the session's memory until the page is closed, so that a change needs no typing; a
reload knows nothing, and the code opens it again.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import streamlit as st

from twotower.community import Deletion, MemberRecord, membership
from twotower.community.membership import JoinRequest
from twotower.core.errors import TwoTowerError, UnknownCode
from twotower.ui import session
from twotower.web.rate_limits import CHANGE, CODE, JOIN, LEAVE, RateLimiter


@dataclass(frozen=True, slots=True)
class Mine:
    """The visitor's own membership."""

    id: str
    code: str
    unseen: bool = False  # whether the code has yet to be kept by its owner


@cache
def limits() -> RateLimiter:
    """The one memory of this server of who has tried how often."""
    return RateLimiter()


def mine() -> Mine | None:
    found: Mine | None = st.session_state.get("member")
    return found


def owned() -> MemberRecord | None:
    """What is stored of the visitor, as of now; who has left elsewhere is a member no longer."""
    now = mine()
    if now is None:
        return None
    found = membership.find(session.matcher(), now.code)
    if found is None:
        _let_go()
        st.session_state["member-problem"] = (
            "This membership has ended: it was left from another page. Nothing of it is stored."
        )
    return found


def problem() -> str:
    """What went wrong last, once."""
    return str(st.session_state.pop("member-problem", ""))


def done() -> str:
    """What was done last, once."""
    return str(st.session_state.pop("member-done", ""))


def receipt() -> Deletion | None:
    found: Deletion | None = st.session_state.get("member-receipt")
    return found


def join(request: JoinRequest) -> None:
    def act() -> None:
        seen = session.portrait()
        if seen is not None:
            made = membership.join(session.matcher(), seen, request)
            st.session_state["member"] = Mine(made.id, made.code, unseen=True)
            st.session_state.pop("member-receipt", None)

    _attempt(JOIN, act)


def keep_code() -> None:
    """The owner says that the code is kept: from now on it isn't shown."""
    now = mine()
    if now is not None:
        st.session_state["member"] = Mine(now.id, now.code)


def open_with(code: str) -> None:
    """Take up a membership with its code."""

    def act() -> None:
        found = membership.find(session.matcher(), code)
        if found is None:
            raise UnknownCode(membership.NOBODY)
        st.session_state["member"] = Mine(found.id, code)
        st.session_state.pop("member-receipt", None)

    _attempt(CODE, act)


def change(request: JoinRequest, *, today: bool) -> None:
    """Change what is stored: with today's music, or only the choices."""

    def act() -> None:
        now = mine()
        if now is not None:
            seen = session.portrait() if today else None
            membership.update(session.matcher(), now.code, seen, request)
            st.session_state["member-done"] = "Changed, and so it is for everyone from now on."

    _attempt(CHANGE, act)


def leave() -> None:
    def act() -> None:
        now = mine()
        if now is not None:
            st.session_state["member-receipt"] = membership.leave(session.matcher(), now.code)
            _let_go()

    _attempt(LEAVE, act)


def close() -> None:
    """Forget the code in this session; what is stored stays."""
    _let_go()


def held() -> dict[str, Any]:
    now = mine()
    return {} if now is None else dict(membership.held(session.matcher(), now.code))


def _let_go() -> None:
    for name in ("member", "leave-asked"):
        st.session_state.pop(name, None)


def _attempt(kind: str, act: Callable[[], None]) -> None:
    """Do it, if it isn't done too often; what goes wrong is for the page to say."""
    visitor = st.session_state.setdefault("visitor", secrets.token_hex(8))
    address = st.context.ip_address
    try:
        limits().spend(kind, session=visitor, address=address if isinstance(address, str) else None)
        act()
    except TwoTowerError as error:
        st.session_state["member-problem"] = str(error)
