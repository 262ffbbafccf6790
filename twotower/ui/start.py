"""The ways in: demo listeners, artists by name, files."""

import streamlit as st

from twotower.core.domain import DEMO, Profile
from twotower.core.errors import EmptyProfile
from twotower.core.names import artist_key
from twotower.ui import (
    components,
    profile_edits,
    session,
)
from twotower.ui import (
    text as words,
)
from twotower.ui.text import escape

LETTERS = 120  # of a search that are read
FOUND = 8  # search results and suggestions shown
CHIPS, TOP = 40, 12  # picked artists, and the most played of a file, shown as chips


def demo_cards() -> None:
    """Five listeners to try the app as; one click leads to their neighbours."""
    grid = st.grid(5, min_column_width=165, gap="small")
    for number, demo in enumerate(session.demos()):
        card = grid.container(
            border=True,
            height="stretch",
            vertical_alignment="distribute",
            key=f"demo-card-{number}",
        )
        with card:
            with st.container(gap="xsmall"):
                st.subheader(escape(demo.name), anchor=False)
                st.markdown(f":gray[{words.names(_top(demo, 4))}]")
            if st.button(
                "Be this listener",
                key=f"demo-{number}",
                width="stretch",
                help=f"See the neighbours of “{escape(demo.name)}”",
            ):
                session.bring(demo, f"Became “{demo.name}”")
                st.switch_page(components.NEIGHBOURS)


def _top(profile: Profile, count: int) -> list[str]:
    ranked = sorted(profile.artists.values(), key=lambda artist: -artist.plays)
    return [artist.name for artist in ranked[:count]]


@st.fragment
def picker() -> None:
    """Artists by name, found as one types, and the nearest people so far beside them."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _search()
        _chips()
        _back()
    with right:
        _so_far()


def _search() -> None:
    catalogue = session.matcher().catalogue
    text = st.text_input(
        "Find an artist",
        key="artist-search",
        type="search",
        live="150ms",
        placeholder=f"Any of {len(catalogue.names):,} artists, e.g. {catalogue.names[0]}",
    )
    wanted = (text or "").strip()[:LETTERS]
    if wanted:
        found = catalogue.search(wanted, FOUND)
        if not found:
            components.note(
                f"No artist like “{escape(wanted)}” in the catalogue. Another spelling may do it."
            )
    else:
        found = _suggestions()
    with st.container(horizontal=True, gap="xsmall", key="found"):
        for name in found:
            _add_button(name)


def _suggestions() -> list[str]:
    """What the nearest people hear; without a profile, artists that many know."""
    try:
        seen = session.portrait()
    except EmptyProfile:
        seen = None
    if seen is None or seen.profile.origin == DEMO:
        components.note("Many start with one of these")
        return list(session.matcher().catalogue.names[:FOUND])
    components.note("People near you also hear")
    has = seen.profile.artists
    found: dict[str, str] = {}
    for neighbour in session.neighbours(10):
        for name in neighbour.discover[:3]:
            if artist_key(name) not in has:
                found.setdefault(artist_key(name), name)
    return list(found.values())[:FOUND]


def _add_button(name: str) -> None:
    now = session.profile()
    has = now is not None and now.origin != DEMO and artist_key(name) in now.artists
    st.button(
        escape(name),
        key=f"add-{artist_key(name)}",
        icon=":material/check:" if has else ":material/add:",
        disabled=has,
        on_click=_add,
        args=(name,),
    )


def _add(name: str) -> None:
    session.pick(name)
    st.session_state["artist-search"] = ""


def _chips() -> None:
    """The artists picked so far, each with a way to take it out and to say how much it counts."""
    now = session.profile()
    if now is None or now.origin == DEMO:
        return
    shown = list(now.artists.items())[-CHIPS:]
    if now.origin != profile_edits.PICKED:
        shown = sorted(now.artists.items(), key=lambda item: -item[1].plays)[:TOP]
    st.subheader("Your artists", anchor=False)
    with st.container(horizontal=True, gap="xsmall", key="chips"):
        for key, artist in shown:
            st.button(
                escape(artist.name),
                key=f"chip-{key}",
                icon=":material/close:",
                icon_position="right",
                help=f"Remove {escape(artist.name)}",
                on_click=session.remove,
                args=(key,),
            )
    if len(now.artists) > len(shown):
        components.note(f"and {len(now.artists) - len(shown)} more, on the page You")
    if now.origin == profile_edits.PICKED:
        with st.expander("Say how much you like each (optional)"):
            for key, artist in shown:
                word = st.segmented_control(
                    escape(artist.name),
                    list(profile_edits.LIKING),
                    default=profile_edits.liking(artist),
                    required=True,
                    key=f"like-{key}",
                )
                if word and word != profile_edits.liking(artist):
                    session.like(key, word)
                    st.rerun(scope="fragment")


def _so_far() -> None:
    """The nearest people to what was brought so far, as it changes."""
    with st.container(border=True, key="so-far"):
        now = session.profile()
        if now is None:
            st.subheader("Your neighbours appear here", anchor=False)
            st.write("Pick one artist and the nearest people show up; each further one moves them.")
            return
        st.subheader(
            f"So far: {_called(now)}{words.amount(len(now.artists), 'artist')}", anchor=False
        )
        try:
            seen = session.portrait()
        except EmptyProfile as error:
            st.write(escape(str(error)))
            seen = None
        if seen is not None:
            st.markdown(words.evidence(seen))
            for neighbour in session.neighbours(10)[:3]:
                badge = " :gray-badge[invented]" if neighbour.listener.is_synthetic else ""
                st.markdown(
                    f"**{escape(neighbour.listener.name)}**{badge}  \nCloser than "
                    f"{words.percent(neighbour.percentile)} of random pairs "
                    f":gray[· {words.names([n for n, _ in neighbour.listener.artists], 3)}]"
                )
            components.lead_on("See your neighbours", components.NEIGHBOURS, "picked")
            components.note(f"ModelVectors in {1000 * seen.seconds:.0f} ms, anew at each change.")


def _back() -> None:
    """The last change with its undo, and a clean sheet."""
    step = session.last_step()
    if step is not None:
        components.undo_bar(step.said, step.moved, session.undo)
    if session.profile() is not None:
        st.button(
            "Start over",
            key="start-over",
            icon=":material/restart_alt:",
            type="tertiary",
            on_click=session.start_over,
        )


def _called(profile: Profile) -> str:
    return f"“{escape(profile.name)}”, " if profile.name else ""


def uploads() -> None:
    """Files of any kind that the app reads, and what was read from each."""
    with st.container(border=True, key="upload", height="stretch"):
        st.subheader("Upload your listening", anchor=False)
        st.markdown(
            "A Spotify data export (ZIP or its JSON files), one of ListenBrainz, an Exportify or "
            "other CSV, or a profile in JSON Lines; several at once, and `.gz` is fine. Read in "
            "memory, never written to disk. A play that two files tell counts once."
        )
        turn = st.session_state.setdefault("upload-turn", 0)
        files = st.file_uploader(
            "Files to read",
            accept_multiple_files=True,
            key=f"upload-files-{turn}",
            label_visibility="collapsed",
            on_change=session.stop_upload,  # other files are another reading
        )
        job = session.uploading([(file.name, file) for file in files])
        if job is not None and job.is_running:
            _upload_progress()
        elif job is not None:
            session.finish_upload()
            _next_upload()
            st.rerun()
        elif st.session_state.get("upload-stopped"):
            components.note("Stopped. Nothing was changed.")
        elif (upload := session.last_upload()) is not None:
            outcome(upload, "These files couldn't be used", "uploaded")


def _next_upload() -> None:
    """A field without files, which lets go of the memory of those that were in it."""
    st.session_state["upload-turn"] = st.session_state.get("upload-turn", 0) + 1


@st.fragment(run_every=components.REFRESH_S)
def _upload_progress() -> None:
    components.under_way(
        session.uploading(),
        "Reading your files",
        stop="Stop",
        key="upload-stop",
        on_stop=_stop_upload,
        help="Stop reading; nothing is changed",
    )


def _stop_upload() -> None:
    session.stop_upload()
    _next_upload()


def outcome(read: session.Upload, title: str, key: str) -> None:
    """What was read, and where to go from here; or under `title`, why it couldn't be used."""
    if read.error:
        st.error(
            escape(read.error) + ("\n\nWhat you had before is still here." * read.kept),
            title=title,
            icon=":material/error:",
        )
    for report in read.reports:
        components.file_report(report)
    if not read.error:
        components.lead_on("See your neighbours", components.NEIGHBOURS, key)


def joining() -> None:
    """For someone who has brought music: whether more of it is added, or takes its place."""
    now = session.profile()
    if now is not None and session.can_join():
        st.toggle(
            f"Add what I bring next to the {words.amount(len(now.artists), 'artist')} already here",
            value=True,
            key="join",
            help="Plays that both sources know count once. Switched off, the new takes the place "
            "of the old.",
        )
