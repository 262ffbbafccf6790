"""Parts of the page Start: demos, artists by name, files."""

import streamlit as st

from twotower.core.domain import DEMO, Neighbour, Profile
from twotower.core.errors import EmptyProfile
from twotower.core.names import artist_key
from twotower.ui import components, profile_edits, uploads, visitor
from twotower.ui.model_cache import matcher
from twotower.ui.state import ARTIST_SEARCH, KEEP_EARLIER, ReadingResult, visitor_state
from twotower.ui.text import (
    describe_closeness,
    describe_confidence,
    describe_missing,
    escape,
    list_names,
    pluralise,
)

MOST_LETTERS = 120  # of a search
RESULTS = 8  # search results and suggestions
PICKED_SHOWN, PLAYED_SHOWN = 40, 12  # artists shown: the last picked, or the most played


def show_demos() -> None:
    """Show the demo profiles; one click leads to a demo's neighbours."""
    grid = st.grid(3, min_column_width=220, gap="small")
    for number, demo in enumerate(visitor.demos()):
        card = grid.container(
            border=True,
            height="stretch",
            vertical_alignment="distribute",
            key=f"demo-card-{number}",
        )
        with card:
            with st.container(gap="xsmall"):
                st.subheader(escape(demo.name), anchor=False)
                st.markdown(f":gray[{list_names(_most_played(demo, 4))}]")
            if st.button(
                "Try it",
                key=f"demo-{number}",
                width="stretch",
                help=f"See the neighbours of “{escape(demo.name)}”",
            ):
                visitor.set_profile(demo, f"Now listening as “{demo.name}”")
                st.switch_page(components.NEIGHBOURS)


def _most_played(profile: Profile, count: int) -> list[str]:
    ranked = sorted(profile.artists.values(), key=lambda artist: -artist.plays)
    return [artist.name for artist in ranked[:count]]


@st.fragment
def show_artist_picker() -> None:
    """Show the search for artists and the chosen ones, beside the closest people so far."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _search()
        _your_artists()
        _undo_and_start_over()
    with right:
        _closest_so_far()


def _search() -> None:
    typed = st.text_input(
        "Find an artist",
        key=ARTIST_SEARCH,
        type="search",
        live="150ms",
        placeholder="Radiohead, Burna Boy, NewJeans …",
    )
    query = (typed or "").strip()[:MOST_LETTERS]
    if query:
        names = matcher().catalogue.search(query, RESULTS)
        if not names:
            components.note(
                f"No artist called “{escape(query)}”. Check the spelling, or try another."
            )
    else:
        names = _suggestions()
    with st.container(horizontal=True, gap="xsmall", key="found"):
        for name in names:
            _add_button(name)


def _suggestions() -> list[str]:
    """Return artists that the closest people play; without a profile, well-known artists."""
    try:
        portrait = visitor.portrait()
    except EmptyProfile:
        portrait = None
    if portrait is None or portrait.profile.origin == DEMO:
        components.note("Popular first picks")
        return list(matcher().suggestions(RESULTS))
    components.note("People near you also play")
    own = portrait.profile.artists
    suggestions: dict[str, str] = {}
    for neighbour in visitor.neighbours(10):
        for name in neighbour.discover[:3]:
            if artist_key(name) not in own:
                suggestions.setdefault(artist_key(name), name)
    return list(suggestions.values())[:RESULTS]


def _add_button(name: str) -> None:
    profile = visitor.profile()
    is_in = profile is not None and profile.origin != DEMO and artist_key(name) in profile.artists
    st.button(
        escape(name),
        key=f"add-{artist_key(name)}",
        icon=":material/check:" if is_in else ":material/add:",
        disabled=is_in,
        on_click=_add,
        args=(name,),
    )


def _add(name: str) -> None:
    visitor.add_artist(name)
    st.session_state[ARTIST_SEARCH] = ""


def _your_artists() -> None:
    """Show the profile's artists, each with a button to remove it."""
    profile = visitor.profile()
    if profile is None or profile.origin == DEMO:
        return
    is_picked = profile.origin == profile_edits.PICKED
    if is_picked:
        shown = list(profile.artists)[-PICKED_SHOWN:]
    else:
        shown = sorted(profile.artists, key=lambda key: -profile.artists[key].plays)[:PLAYED_SHOWN]
    st.subheader("Your artists", anchor=False)
    with st.container(horizontal=True, gap="xsmall", key="chips"):
        for key in shown:
            name = escape(profile.artists[key].name)
            st.button(
                name,
                key=f"chip-{key}",
                icon=":material/close:",
                icon_position="right",
                help=f"Remove {name}",
                on_click=visitor.remove_artist,
                args=(key,),
            )
    if len(profile.artists) > len(shown):
        components.note(f"{len(profile.artists) - len(shown)} more on the page You")
    if is_picked:
        _likings(profile, shown)


def _likings(profile: Profile, keys: list[str]) -> None:
    """Let the visitor choose how much each picked artist counts."""
    with st.expander("How much do you like each? (optional)"):
        for key in keys:
            artist = profile.artists[key]
            word = st.segmented_control(
                escape(artist.name),
                list(profile_edits.LIKING),
                default=profile_edits.liking(artist),
                required=True,
                key=f"like-{key}",
            )
            if word and word != profile_edits.liking(artist):
                visitor.set_liking(key, word)
                st.rerun(scope="fragment")


def _closest_so_far() -> None:
    """Show the three closest people, updated at each change."""
    with st.container(border=True, key="so-far"):
        profile = visitor.profile()
        if profile is None:
            st.subheader("Your neighbours appear here", anchor=False)
            st.write("One artist is enough to start.")
            return
        name = f"“{escape(profile.name)}”" if profile.name else "You"
        st.subheader(f"{name}, from {pluralise(len(profile.artists), 'artist')}", anchor=False)
        try:
            portrait = visitor.portrait()
        except EmptyProfile as error:
            st.write(escape(str(error)))
            return
        if portrait is not None:
            st.markdown(
                f"{describe_confidence(portrait)} {describe_missing(portrait)}",
                help=f"Updated in {1000 * portrait.seconds:.0f} ms",
            )
            for neighbour in visitor.neighbours(10)[:3]:
                _closest(neighbour)
            components.primary_link("See your neighbours", components.NEIGHBOURS, "picked")


def _closest(neighbour: Neighbour) -> None:
    person = neighbour.listener
    badge = " :gray-badge[made up]" if person.is_synthetic else ""
    st.markdown(
        f"**{escape(person.name)}**{badge}  \n{describe_closeness(neighbour)} "
        f":gray[· {list_names([name for name, _ in person.artists], 3)}]"
    )


def _undo_and_start_over() -> None:
    step = visitor.last_step()
    if step is not None:
        components.show_undo(step.message, step.cosine, visitor.undo)
    if visitor.profile() is not None:
        st.button(
            "Start over",
            key="start-over",
            icon=":material/restart_alt:",
            type="tertiary",
            on_click=visitor.start_over,
        )


def show_keep_earlier() -> None:
    """Let a visitor with music choose whether new music is added or replaces it."""
    profile = visitor.profile()
    if profile is not None and uploads.can_add():
        st.toggle(
            f"Add to my {pluralise(len(profile.artists), 'artist')}",
            value=True,
            key=KEEP_EARLIER,
            help="Off: new music replaces them. Plays found in both count once.",
        )


def show_upload() -> None:
    """Show the field for files, the progress of reading them, and the result."""
    with st.container(border=True, key="upload", height="stretch"):
        st.subheader("Upload a file", anchor=False)
        st.markdown(
            "Drop files of Spotify, Apple Music, YouTube Music, Last.fm, Deezer or others. ZIP or "
            "single files, several at once. We forget them when you close the page.",
            help="Also: ListenBrainz, Tidal, SoundCloud, Shazam, iTunes, Plex, Jellyfin, Maloja, "
            "Koito, scrobbler logs, Exportify, playlists, any table of artists. "
            "Read in memory, never written to disk. Plays found in two files count once.",
        )
        upload = visitor_state().upload
        files = st.file_uploader(
            "Files to read",
            accept_multiple_files=True,
            key=f"upload-files-{upload.field_number}",
            label_visibility="collapsed",
            on_change=uploads.stop_reading,  # the job reads the earlier files
        )
        job = uploads.read_uploads([(file.name, file) for file in files])
        if job is not None and job.is_running:
            _upload_progress()
        elif job is not None:
            uploads.finish_reading()
            _empty_field()
            st.rerun()
        elif upload.is_stopped:
            components.note("Stopped. Nothing changed.")
        elif upload.result is not None:
            show_reading_result(upload.result, "We couldn't read this", "uploaded")


def _empty_field() -> None:
    """Show a field without files next time; the memory of those in it is freed."""
    visitor_state().upload.field_number += 1


@st.fragment(run_every=components.REFRESH_S)
def _upload_progress() -> None:
    components.show_progress(
        visitor_state().upload.job,
        "Reading your files",
        stop="Stop",
        key="upload-stop",
        on_stop=_stop_upload,
        help="Stop reading. Your music stays as it is.",
    )


def _stop_upload() -> None:
    uploads.stop_reading()
    _empty_field()


def show_reading_result(result: ReadingResult, error_title: str, key: str) -> None:
    """Show what was read and a link to the neighbours, or the error under `error_title`."""
    if result.error:
        earlier = "\n\nYour earlier music is still here." if result.has_earlier_music else ""
        st.error(escape(result.error) + earlier, title=error_title, icon=":material/error:")
    components.show_file_reports(result.reports)
    if result.credits_split:
        components.note(f"{pluralise(result.credits_split, 'credit')} of several artists split")
    if not result.error:
        components.primary_link("See your neighbours", components.NEIGHBOURS, key)
