"""The visitor's own membership: join, open, change, leave.

The access code is in the session's memory until the page is closed, so that changes need no typing.
A reload forgets it; the code opens the membership again.
"""

from collections.abc import Callable

from twotower.community import MemberRecord
from twotower.community.access_codes import UNKNOWN_CODE, new_code
from twotower.community.membership import JoinRequest
from twotower.core.errors import TwoTowerError, UnknownCode
from twotower.ui import rate_limiting, visitor
from twotower.ui.model_cache import matcher
from twotower.ui.state import Member, MembershipState, PendingJoin, visitor_state
from twotower.web.downloads import OFFERED, Download
from twotower.web.rate_limits import CHANGE, CODE, JOIN, LEAVE


def _state() -> MembershipState:
    return visitor_state().membership


def stored_record() -> MemberRecord | None:
    """Return what is stored of the visitor now; forget a membership that ended elsewhere."""
    state = _state()
    if state.member is None:
        return None
    record = matcher().membership.find(state.member.code)
    if record is None:
        close()
        state.problem = "You left from another page. Nothing of yours is stored any more."
    return record


def offer_download(key: str, name: str, media_type: str, make: Callable[[], str]) -> Download:
    """Return the download that the page offers under `key`, the same each time the page runs."""
    offered = _state().downloads
    if key not in offered:
        offered[key] = OFFERED.offer(Download(name, media_type, make))
    return offered[key]


def prepare_join(request: JoinRequest) -> None:
    """Check the request and show its access code. Nothing is stored before its owner has it.

    If the page is closed now, no row is left that nobody can remove.
    """
    state = _state()
    try:
        portrait = visitor.portrait()
        if portrait is not None:
            matcher().membership.check_request(portrait, request)
            state.unused_code = state.unused_code or new_code()
            state.pending = PendingJoin(state.unused_code, request, portrait.profile)
    except TwoTowerError as error:
        state.problem = error.message


def cancel_join() -> None:
    """Go back to the form; nothing was stored."""
    _state().pending = None
    _state().downloads.clear()


def join() -> None:
    """Store the pending join: its owner has saved the access code."""
    state = _state()
    pending, state.pending = state.pending, None
    if pending is None:
        return

    def act() -> None:
        rate_limiting.spend(JOIN)
        portrait = matcher().portrait(pending.profile)
        joined = matcher().membership.join(portrait, pending.request, code=pending.code)
        state.downloads.clear()
        state.member = Member(joined.id, joined.code)
        state.unused_code, state.receipt = "", None
        state.message = "You have joined."

    _attempt(act)


def open_with(code: str) -> None:
    """Open a membership with its access code."""

    def act() -> None:
        record = matcher().membership.find(code)
        if record is None:  # only wrong codes count: guesses of others keep no member out
            rate_limiting.spend(CODE)
            raise UnknownCode(UNKNOWN_CODE)
        _state().member = Member(record.id, code)
        _state().receipt = None

    _attempt(act)


def change(request: JoinRequest, *, with_music: bool) -> None:
    """Change what is stored: the choices, and with `with_music` also the music."""

    def act() -> None:
        member = _state().member
        if member is not None:
            rate_limiting.limits().spend(CHANGE, session=member.id)
            portrait = visitor.portrait() if with_music else None
            matcher().membership.update(member.code, portrait, request)
            _state().message = "Saved. Others see it from now on."

    _attempt(act)


def leave() -> None:
    """Delete everything that is stored of the visitor, and keep the receipt."""

    def act() -> None:
        member = _state().member
        if member is not None:
            rate_limiting.limits().spend(LEAVE, session=member.id)
            _state().receipt = matcher().membership.leave(member.code)
            close()

    _attempt(act)


def close() -> None:
    """Forget the access code in this session; what is stored stays."""
    _state().member, _state().is_leaving = None, False
    _state().downloads.clear()


def _attempt(act: Callable[[], None]) -> None:
    """Run `act`; keep its error for the page."""
    state = _state()
    try:
        act()
    except TwoTowerError as error:
        state.problem = error.message
