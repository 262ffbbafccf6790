"""Parts of the page Community: join, see and change what is stored, leave."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from twotower.community import Deletion, MemberRecord, membership, receipts
from twotower.community.membership import Membership
from twotower.core.errors import EmptyProfile, TwoTowerError
from twotower.ui import components, membership_actions, neighbours, visitor
from twotower.ui.join_form import show_join_form, show_preview
from twotower.ui.model_cache import matcher
from twotower.ui.state import CODE, Member, visitor_state
from twotower.ui.text import capitalise, escape, pluralise

if TYPE_CHECKING:
    from twotower.model.portrait import Portrait

MODEL_TRACES = (
    "A model trained with your music may keep faint traces until it is next trained, without you."
)
REPLACE = "Replace it with today's music"
DELETED = {  # kind in a receipt -> words
    "listeners": "your entry",
    "vectors": "the numbers that describe your taste",
    "places on a map": "your place on the map",
    "kept profiles": "your whole profile",
    "return codes": "your access code",
}


def show_member_counts() -> None:
    """Show what joining is for, and how many have joined."""
    snapshot = matcher().snapshot()
    count = snapshot.total - snapshot.total_synthetic
    members = f"{count:,}" if count else "none"
    st.markdown(
        "Let others find you. You don't need this to look around: nothing is stored unless you "
        "join. You choose a name and what others see. You can leave at any time. Members so "
        f"far: {members}. Everyone else is made up and marked."
    )


def show_result() -> None:
    """Show once what was done last, or what went wrong."""
    state = visitor_state().membership
    problem, message = state.problem, state.message
    state.problem = state.message = ""
    if not (problem or message):
        return
    with st.container(key="result"):
        if problem:
            st.error(escape(capitalise(problem)), icon=":material/error:")
        if message:
            st.success(escape(message), icon=":material/check:")
        components.scroll_into_view()


def show_receipt() -> None:
    """Show the receipt to a visitor who has just left."""
    receipt = visitor_state().membership.receipt
    if receipt is None:
        return
    with st.container(border=True, key="receipt"):
        st.header("You have left. Your receipt", anchor=False)
        deleted = ", ".join(DELETED.get(kind, kind) for kind, n in receipt.removed.items() if n)
        st.markdown(
            f"- **Deleted:** {deleted or 'nothing was stored'}\n"
            f"- **When:** {_moment(receipt.at):%d %B %Y, %H:%M:%S} UTC, change {receipt.seq:,}\n"
            f"- **Id:** `{receipt.id}`\n- **Digest:** `{receipt.digest}`"
        )
        components.note(
            "We keep the time, the digest and the id. The id says nothing about you. With them "
            "anyone can check the receipt: `python -m twotower community verify-receipt FILE`."
            + (f" {MODEL_TRACES}" if receipt.was_training else "")
        )
        components.private_download(
            "Download the receipt",
            membership_actions.offer_download(
                f"receipt {receipt.id}",
                "musical-neighbours-receipt.json",
                "application/json",
                partial(receipt_json, receipt),
            ),
        )
        components.scroll_into_view()


def receipt_json(receipt: Deletion) -> str:
    """Return the receipt in the format that `verify-receipt` reads."""
    return receipts.dumps(receipt)


def show_membership_or_form() -> None:
    """Show a member's own membership; to others the form for joining and the field for a code."""
    if _show_membership():
        return
    pending = visitor_state().membership.pending
    if pending is not None:
        _show_new_code(pending.code)
        return
    form, code = st.columns([3, 2], gap="large")
    with form:
        _show_joining()
    with code:
        _show_code_entry()


# Joining


def _show_joining() -> None:
    st.header("Join", anchor=False)
    try:
        portrait = visitor.portrait()
        if portrait is not None:
            membership.check_origin(portrait.profile)
    except EmptyProfile as error:
        components.show_too_little(error)
        return
    except TwoTowerError as error:
        st.info(escape(capitalise(error.message)), icon=":material/info:")
        st.page_link(components.START, label="Bring other music", icon=":material/arrow_back:")
        return
    if portrait is None:
        components.show_empty()
        return
    request = show_join_form(portrait, None)
    show_preview(portrait, request, None)
    has_consent = request.findable or request.training
    st.button(
        "Join",
        key="go-join",
        type="primary",
        icon=":material/group_add:",
        width="stretch",
        disabled=not has_consent,
        on_click=membership_actions.prepare_join,
        args=(request,),
    )
    if not has_consent:
        components.note("Choose at least one to join.")


def _show_code_entry() -> None:
    """Show the field in which a member enters the access code."""
    with st.container(border=True, key="code-entry"):
        st.header("Already a member?", anchor=False)
        st.markdown("Enter your access code to see, change or delete what we store.")
        with st.form("code-form", border=False):
            st.text_input(
                "Access code", key=CODE, max_chars=80, autocomplete="off", placeholder="MN-…"
            )
            st.form_submit_button("Open", icon=":material/key:", on_click=_open)
        components.note("Capitals and dashes don't matter. A lost code can't be recovered.")


def _open() -> None:
    code = str(st.session_state.get(CODE) or "").strip()
    if code:
        membership_actions.open_with(code)
        st.session_state[CODE] = ""


# Members


def _show_membership() -> bool:
    """Show the visitor's membership; return False if there is none."""
    record = membership_actions.stored_record()
    member = visitor_state().membership.member
    if member is None or record is None:
        show_result()  # the membership may have ended just now
        return False
    _show_stored(record, member)
    _show_changes(record)
    _show_leaving(record)
    return True


def _show_new_code(code: str) -> None:
    """Show the access code, and the button that stores the join once it is saved."""
    with st.container(border=True, key="code-once"):
        st.header("Save your access code, then join", anchor=False)
        st.code(code, language=None, wrap_lines=True)
        st.markdown(
            "**Nothing is stored yet. You see the code only once.** With it you can see, change or "
            "delete what we store. It works in any browser. We keep only its fingerprint and "
            "**can't send you another**. Anybody who has it can use it."
        )
        with st.container(horizontal=True, gap="small"):
            components.private_download(
                "Download the code",
                membership_actions.offer_download(
                    "code", "musical-neighbours-code.txt", "text/plain", partial(_code_file, code)
                ),
            )
            st.button(
                "I've saved it. Join now",
                key="go-code-saved",
                type="primary",
                icon=":material/check:",
                on_click=membership_actions.join,
            )
            st.button("Don't join", key="code-cancel", on_click=membership_actions.cancel_join)
        components.scroll_into_view()


def _code_file(code: str) -> str:
    return (
        f"{code}\n\nYour access code for Musical Neighbours, {datetime.now():%Y-%m-%d}.\n"
        "Enter it on the page Community to see, change or delete what we store about you.\n"
        "Keep it to yourself.\n"
    )


def _show_stored(record: MemberRecord, member: Member) -> None:
    """Show what is stored, in words and as a download."""
    st.header("What we store", anchor=False)
    name = (
        f"Others see you as “{escape(record.listener.name)}”."
        if record.findable
        else "Others can't find you."
    )
    profile = "your whole profile, for training" if record.has_profile else "no whole profile"
    place = "a place on the map" if record.listener.place else "no place on the map"
    st.markdown(
        f"{name} Joined {_day(record.created)}, last changed {_day(record.updated)}. We store "
        f"{pluralise(len(record.listener.artists), 'artist')} that others see, with their shares; "
        f"{profile}; numbers that describe your taste; {place}; where your music came from; your "
        "choices; and your code's fingerprint."
    )
    if record.findable:
        neighbours.show_person(record.listener, key="stored")
    with st.container(horizontal=True, gap="small"):
        components.private_download(
            "Download everything",
            membership_actions.offer_download(
                f"everything {member.id}",
                "musical-neighbours-held.json",
                "application/json",
                partial(_stored_json, matcher().membership, member.code),
            ),
        )
        st.button(
            "Close",
            key="member-close",
            icon=":material/lock:",
            on_click=membership_actions.close,
            help="Forget the code on this page. You stay a member.",
        )


def _stored_json(membership: Membership, code: str) -> str:
    """Return everything that is stored of a member now. Raises UnknownCode after leaving."""
    stored = dict(membership.export(code))
    return json.dumps(stored, ensure_ascii=False, indent=1, default=str)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _day(text: str) -> str:
    return f"{_moment(text):%d %B %Y}"


def _show_changes(record: MemberRecord) -> None:
    """Let a member store today's music, or change the choices."""
    st.header("Change", anchor=False)
    portrait = _storable_portrait()
    if portrait is None:
        components.note("To store today's music, first bring it on the start page.")
    elif not st.checkbox(REPLACE, key="change-today"):
        portrait = None
    request = show_join_form(portrait, record)
    show_preview(portrait, request, record)
    has_consent = request.findable or request.training
    st.button(
        "Save",
        key="change-save",
        type="primary",
        icon=":material/save:",
        disabled=not has_consent,
        on_click=membership_actions.change,
        args=(request,),
        kwargs={"with_music": portrait is not None},
    )
    if not has_consent:
        components.note("Choose at least one, or leave below.")


def _storable_portrait() -> "Portrait | None":
    """Return the visitor's portrait, None if there is none or it must not be stored."""
    try:
        portrait = visitor.portrait()
        if portrait is not None:
            membership.check_origin(portrait.profile)
    except TwoTowerError:
        return None
    return portrait


def _show_leaving(record: MemberRecord) -> None:
    """Show the button to leave, and one to confirm it."""
    st.header("Leave", anchor=False)
    st.markdown(
        "Everything we store about you is deleted at once. You get a receipt. **It can't be "
        "undone;** you can join again later." + (f" {MODEL_TRACES}" if record.training else "")
    )
    if not visitor_state().membership.is_leaving:
        st.button(
            "Leave the community",
            key="leave",
            icon=":material/logout:",
            on_click=_set_leaving,
            args=(True,),
        )
        return
    with st.container(horizontal=True, vertical_alignment="center", key="leave-sure"):
        st.markdown("Delete everything for good?", width="content")
        st.button(
            "Delete and leave",
            key="go-leave",
            type="primary",
            icon=":material/delete_forever:",
            on_click=membership_actions.leave,
        )
        st.button("Stay a member", key="leave-stay", on_click=_set_leaving, args=(False,))


def _set_leaving(is_leaving: bool) -> None:
    visitor_state().membership.is_leaving = is_leaving
