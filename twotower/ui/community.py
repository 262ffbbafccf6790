"""The parts of the page Community."""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from twotower.community import Deletion, MemberRecord, receipts
from twotower.community import membership as members
from twotower.community.membership import MOST_SHOWN, JoinRequest
from twotower.community.pseudonyms import LONGEST
from twotower.core.domain import Artist
from twotower.core.errors import EmptyProfile, TwoTowerError
from twotower.core.names import artist_key
from twotower.ui import components, membership_state, neighbours, session
from twotower.ui.text import amount, capital, escape

if TYPE_CHECKING:
    from twotower.model.portrait import Portrait

SHOWN_FIRST = 30  # artists that are chosen to begin with
OFFERED = 1000  # artists to choose from, the most played
WEIGHTS = (
    "A trained model may keep faint traces of what it learned from until it is next trained: that "
    "training is without you."
)
FINDABLE = "Others may find me"
TRAINING = "My profile may help to train"
TODAY = "Put today's music in the place of what is stored"


def company() -> None:
    """How many are here, and what joining is."""
    snapshot = session.matcher().snapshot()
    joined = snapshot.total - snapshot.total_synthetic
    told = {0: "nobody has", 1: "one person has"}.get(joined, f"{joined:,} people have")
    st.markdown(
        "Looking for neighbours needs none of this: nothing you bring is stored, unless you join "
        f"here so that others can find you, too. So far {told} joined; everyone else on the "
        "lists and the map is invented, and marked so."
    )


def said() -> None:
    """What was done or went wrong last."""
    problem, done = membership_state.problem(), membership_state.done()
    if not (problem or done):
        return
    with st.container(key="said"):
        if problem:
            st.error(escape(capital(problem)), icon=":material/error:")
        if done:
            st.success(escape(done), icon=":material/check:")
        components.into_view()


# Joining


def form() -> None:
    """Two questions, a pseudonym, the artists to show, and what others will then see."""
    st.header("Join", anchor=False)
    try:
        seen = session.portrait()
        if seen is not None:
            members.check_origin(seen.profile)
    except EmptyProfile as error:
        components.too_little(error)
        return
    except TwoTowerError as error:
        st.info(escape(capital(str(error))), icon=":material/info:")
        st.page_link(components.START, label="Bring other music", icon=":material/arrow_back:")
        return
    if seen is None:
        components.empty()
        return
    request = _choices(seen, None)
    _preview(seen, request, None)
    st.button(
        "Join",
        key="go-join",
        type="primary",
        icon=":material/group_add:",
        width="stretch",
        disabled=not (request.findable or request.training),
        on_click=membership_state.join,
        args=(request,),
    )
    if not (request.findable or request.training):
        components.note("With no to both there is nothing to store, and nothing to join.")


def _choices(seen: "Portrait | None", owned: MemberRecord | None) -> JoinRequest:
    """The questions; filled in with what is stored, for who has joined, else with no."""
    matcher = session.matcher()
    if seen is not None:
        pool: Sequence[Artist] = members.showable(matcher, seen)[:OFFERED]
    else:
        pool = members.shown_before(owned) if owned is not None else ()
    names = {artist_key(artist.name): artist.name for artist in pool}
    _begin(list(names), owned, seen)
    findable = st.checkbox(FINDABLE, key="join-findable", persist_state="session")
    components.note(
        "Under a pseudonym, by artists that you choose: whoever uses this server may see you as "
        "below. You can change it or leave at any "
        "time, with a code that you get once."
    )
    shown: list[str] = []
    name = ""
    if findable:
        name = _pseudonym()
        shown = st.multiselect(
            "Artists that others may see",
            list(names),
            format_func=lambda key: names.get(key, key),
            key="join-shown",
            max_selections=MOST_SHOWN,
            placeholder="Type to find one of your artists",
            help="Only artists that the catalogue knows can be shown. What you leave out is not "
            "stored, and your place is worked out without it.",
            persist_state="session",
        )
        with st.container(horizontal=True, gap="small"):
            most = min(len(names), MOST_SHOWN)
            st.button(
                f"The {most} most played",
                key="join-all",
                on_click=_choose,
                args=(list(names)[:most],),
            )
            st.button("None", key="join-none", on_click=_choose, args=([],))
    training = st.checkbox(TRAINING, key="join-training", persist_state="session")
    components.note(
        "All your artists with how often you played them, genres and the sound of your music are "
        "then kept, also those that you don't show; no titles, playlists, dates or names. Nobody "
        "sees it. The next training reads it."
    )
    return JoinRequest((name or "").strip(), tuple(shown), findable, training)


def _begin(keys: list[str], owned: MemberRecord | None, seen: "Portrait | None") -> None:
    """Fill the questions in where they are of another profile or another membership."""
    of = (None if owned is None else owned.id, None if seen is None else id(seen.profile))
    state = st.session_state
    if state.get("join-of") == of and "join-findable" in state:
        state["join-shown"] = [key for key in state.get("join-shown", []) if key in keys]
        return
    same_member = "join-of" in state and state["join-of"][0] == of[0]
    state["join-of"] = of
    if owned is None:
        if not same_member:
            state["join-findable"] = state["join-training"] = False
        state["join-shown"] = keys[:SHOWN_FIRST]
        if not state.get("join-name") or not same_member:
            _suggest()
    else:
        before = [artist_key(name) for name, _ in owned.listener.artists]
        state["join-findable"], state["join-training"] = owned.findable, owned.training
        state["join-shown"] = [key for key in before if key in keys] or keys[:SHOWN_FIRST]
        if owned.listener.name:
            state["join-name"] = owned.listener.name
        else:
            _suggest()


def _pseudonym() -> str:
    field, other = st.columns([3, 2], vertical_alignment="bottom")
    name = field.text_input(
        "Pseudonym",
        key="join-name",
        max_chars=2 * LONGEST,
        help="Take one by which nobody knows you elsewhere.",
        persist_state="session",
    )
    other.button(
        "Another suggestion", key="join-suggest", icon=":material/casino:", on_click=_suggest,
        width="stretch",
    )  # fmt: skip
    return name or ""


def _suggest() -> None:
    seed = secrets.randbits(32)
    st.session_state["join-name"] = members.suggest_name(seed, session.matcher().community)


def _choose(keys: list[str]) -> None:
    st.session_state["join-shown"] = keys


def _preview(seen: "Portrait | None", request: JoinRequest, owned: MemberRecord | None) -> None:
    """The card that others will see, or why there is none."""
    st.subheader("What others will see", anchor=False)
    if not request.findable:
        st.markdown(
            ":material/visibility_off: Nothing. You are on no list and no map but your own."
        )
        return
    matcher, own = session.matcher(), owned.id if owned is not None else None
    try:
        if seen is not None:
            listener = members.preview(matcher, seen, request, own=own)
        elif owned is not None:
            listener = members.preview_of(matcher, owned, request)
        else:
            return
    except TwoTowerError as error:
        st.warning(escape(capital(str(error))), icon=":material/edit:")
        return
    neighbours.person_card(listener, key="preview")
    count = len(listener.artists)
    components.note(
        f"With all {amount(count, 'artist')} you chose"
        + (": the card shows the first twelve. " if count > 12 else ". ")
        + "How much you hear of each is told as its share of these, in parts of a thousand; never "
        "how often or when. " + ("A point on the map is yours, too." if listener.place else "")
    )


# Who has joined


def membership() -> bool:
    """All about the visitor's own membership; False where there is none."""
    now = membership_state.mine()
    owned = membership_state.owned()
    if now is None or owned is None:
        said()
        return False
    if now.unseen:
        _code_once(now.code)
    _stored(owned)
    _changes(owned)
    _leaving(owned)
    return True


def _code_once(code: str) -> None:
    with st.container(border=True, key="code-once"):
        st.header("You have joined. Keep this code", anchor=False)
        st.code(code, language=None, wrap_lines=True)
        st.markdown(
            "It is shown **only now**. With it you see, change or remove what is stored, from any "
            "browser. Only a hash of it is stored, so **nobody can give you another**: without "
            "the code you can't leave once this page is closed or reloaded. Whoever has it can do "
            "all that in your place."
        )
        with st.container(horizontal=True, gap="small"):
            st.download_button(
                "Download the code",
                _code_file(code),
                file_name="musical-neighbours-code.txt",
                mime="text/plain",
                icon=":material/download:",
                on_click="ignore",
                key="code-download",
            )
            st.button(
                "I have kept it",
                key="code-kept",
                icon=":material/check:",
                on_click=membership_state.keep_code,
            )
        components.into_view()


def _code_file(code: str) -> str:
    return (
        f"{code}\n\nThe return code of Musical Neighbours, {datetime.now():%Y-%m-%d}. With it, on "
        "the page Community, you see, change or remove what is stored of you.\nKeep it to "
        "yourself.\n"
    )


def _stored(owned: MemberRecord) -> None:
    """What is stored, in words and as a file."""
    st.header("What is stored of you", anchor=False)
    who = f"“{escape(owned.listener.name)}”" if owned.findable else "nobody that others can find"
    kept = "your whole profile, for training" if owned.has_profile else "no whole profile"
    st.markdown(
        f"You are {who}. Since {_day(owned.created)}, last changed {_day(owned.updated)}. "
        f"Stored are {amount(len(owned.listener.artists), 'artist')} that others see, with their "
        f"share; {kept}; two vectors, "
        f"{'a place on the map' if owned.listener.place else 'no place on the map'}, where your "
        "music came from, your answers, and a hash of your code."
    )
    if owned.findable:
        neighbours.person_card(owned.listener, key="stored")
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Download all of it",
            json.dumps(membership_state.held(), ensure_ascii=False, indent=1, default=str),
            file_name="musical-neighbours-held.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
            key="held-download",
        )
        st.button(
            "Close", key="member-close", icon=":material/lock:", on_click=membership_state.close,
            help="Forget the code on this page; what is stored stays",
        )  # fmt: skip


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _day(text: str) -> str:
    return f"{_moment(text):%d %B %Y}"


def _changes(owned: MemberRecord) -> None:
    """Today's music in the place of what is stored, or other choices."""
    st.header("Change it", anchor=False)
    seen = _todays()
    if seen is not None:
        seen = seen if st.checkbox(TODAY, key="change-today") else None
    else:
        components.note("To bring it up to today's music, bring that first, on the start page.")
    request = _choices(seen, owned)
    _preview(seen, request, owned)
    none = not (request.findable or request.training)
    st.button(
        "Save the changes",
        key="change-save",
        type="primary",
        icon=":material/save:",
        disabled=none,
        on_click=membership_state.change,
        args=(request,),
        kwargs={"today": seen is not None},
    )
    if none:
        components.note("With no to both there is nothing to keep: leave, below.")


def _todays() -> "Portrait | None":
    """The visitor's portrait, where what it is of may be stored."""
    try:
        seen = session.portrait()
        if seen is not None:
            members.check_origin(seen.profile)
    except TwoTowerError:
        return None
    return seen


def _leaving(owned: MemberRecord) -> None:
    """One click and one confirmation; before it is said that there is no way back."""
    st.header("Leave", anchor=False)
    st.markdown(
        "All that is stored of you is removed at once, from every list and the map. You get a "
        "receipt. **There is no way back:** to return is to join anew, with another code."
        + (f" {WEIGHTS}" if owned.training else "")
    )
    if not st.session_state.get("leave-asked"):
        st.button(
            "Leave the community", key="leave", icon=":material/logout:", on_click=_ask_to_leave
        )
        return
    with st.container(horizontal=True, vertical_alignment="center", key="leave-sure"):
        st.markdown("Remove it all, for good?", width="content")
        st.button(
            "Yes, leave",
            key="go-leave",
            type="primary",
            icon=":material/delete_forever:",
            on_click=membership_state.leave,
        )
        st.button("No, stay", key="leave-stay", on_click=_stay)


def _ask_to_leave() -> None:
    st.session_state["leave-asked"] = True


def _stay() -> None:
    st.session_state["leave-asked"] = False


def left() -> None:
    """The receipt of who has just left."""
    receipt = membership_state.receipt()
    if receipt is None:
        return
    with st.container(border=True, key="receipt"):
        st.header("You have left. Your receipt", anchor=False)
        st.markdown(
            f"- **Removed:** {_removed(receipt)}\n"
            f"- **When:** {_moment(receipt.at):%d %B %Y, %H:%M:%S} UTC, change {receipt.seq:,}\n"
            f"- **Id:** `{receipt.id}`\n- **Digest:** `{receipt.digest}`"
        )
        components.note(
            "The id, which tells nothing, the time and the digest stay, so that the receipt can "
            "be checked: `python -m twotower community verify-receipt FILE`."
            + (f" {WEIGHTS}" if receipt.was_training else "")
        )
        st.download_button(
            "Download the receipt",
            receipt_json(receipt),
            file_name="musical-neighbours-receipt.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
            key="receipt-download",
        )
        components.into_view()


def _removed(receipt: Deletion) -> str:
    return escape(receipts.in_short(receipt)) or "nothing was there"


def receipt_json(receipt: Deletion) -> str:
    """What `verify-receipt` reads."""
    return receipts.dumps(receipt)


def code_entry() -> None:
    """For who has joined before."""
    with st.container(border=True, key="code-entry"):
        st.header("I have a code", anchor=False)
        st.markdown("See, change or remove what is stored of you.")
        with st.form("code-form", border=False):
            st.text_input(
                "Return code",
                key="code-typed",
                max_chars=80,
                autocomplete="off",
                placeholder="MN-…",
            )
            st.form_submit_button("Open", icon=":material/key:", on_click=_open)
        components.note(
            "Capitals and dashes don't matter. Lost it? Nobody can look it up, for only a hash is "
            "stored."
        )


def _open() -> None:
    code = str(st.session_state.get("code-typed") or "").strip()
    if code:
        membership_state.open_with(code)
        st.session_state["code-typed"] = ""
