"""The parts of the page You."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from twotower import charts
from twotower.domain import SPOTIFY_WEB_API, artist_key
from twotower.ui import account, components, edits, session, words
from twotower.ui.words import escape

if TYPE_CHECKING:
    from twotower.matching import Portrait

SHOWN = 15


def summary(seen: "Portrait") -> None:
    """Who this is, from what, and how surely it is known."""
    profile = seen.profile
    origins = {
        edits.DEMO: "a demo listener",
        edits.PICKED: "the artists you picked",
        SPOTIFY_WEB_API: "a Spotify list, kept in this session only",
    }
    source = origins.get(profile.origin, "the files you brought")
    if account.came_by_signing_in(profile):
        source = "your Spotify account, kept in this session only"
    span = ""
    if profile.since and profile.until:
        span = f", {profile.since:%B %Y} to {profile.until:%B %Y}"
    called = f"“{escape(profile.name)}”: " if profile.name else ""
    st.markdown(
        f"{called}{words.amount(len(profile.artists), 'artist')} from {source}{span}. "
        f"{words.evidence(seen.recognised)}"
    )


def edit_bar() -> None:
    step = session.last_step()
    if step is not None:
        components.undo_bar(step.said, step.moved, session.undo)


def top_artists(seen: "Portrait") -> None:
    """The most played artists, each with its share and a way to take it out."""
    st.header("Top artists", anchor=False)
    total = sum(artist.plays for artist in seen.profile.artists.values()) or 1.0
    links = account.links()
    if links:
        components.note("From Spotify, in the order of what you play most; names lead there.")
    everything = st.session_state.get("all-artists", False)
    shown = seen.artists if everything else seen.artists[:SHOWN]
    with st.container(gap="xxsmall", key="top-artists"):
        for artist in shown[:500]:
            key = artist_key(artist.name)
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                name = escape(artist.name)
                if key in links:
                    name = f"[{name}]({links[key]})"
                st.markdown(
                    f"{name} :gray[· {100 * artist.plays / total:.1f} %]",
                    width="stretch",
                )
                st.button(
                    "Remove",
                    key=f"remove-{key}",
                    icon=":material/close:",
                    type="tertiary",
                    help=f"Leave {escape(artist.name)} out, and see what changes",
                    on_click=session.remove,
                    args=(key,),
                )
    if len(seen.artists) > SHOWN:
        st.toggle(f"Show all {len(seen.artists)}", key="all-artists")
    components.note(f"Placed in {1000 * seen.seconds:.0f} ms, anew at each change.")


def genres(seen: "Portrait") -> None:
    st.header("Genres", anchor=False)
    if not seen.genres:
        components.note("The model knows no genre of these artists.")
        return
    said = ", ".join(f"{name} {100 * share:.0f} %" for name, share in seen.genres[:10])
    st.plotly_chart(
        charts.genre_bars(seen.genres),
        key="genres",
        config={"displayModeBar": False},
        alt=f"Bar chart of your genres: {said}",
    )


def recognition(seen: "Portrait", *, title: str = "Recognised") -> None:
    """How much of the listening the model knows, and which artists it doesn't."""
    known = seen.recognised
    st.header(title, anchor=False)
    st.progress(min(max(known.plays, 0.0), 1.0), f"{100 * known.plays:.0f} % of your listening")
    if known.by_content > 0.005:
        components.note(
            f"Of that, {100 * known.by_content:.0f} % is known by genres and name alone, not by "
            "who else listens."
        )
    if not known.unknown:
        components.note("Every artist is in the catalogue.")
        return
    count = len(known.unknown)
    with st.expander(f"{words.amount(count, 'artist')} not known", key="unknown"):
        st.markdown(words.names(known.unknown, 200))
        components.note("These don't move your place. The most played come first.")


def audio(seen: "Portrait", community: Mapping[str, tuple[float, float, float]]) -> None:
    """Audio attributes as ranges: you against most of the community."""
    shown = [name for name in charts.ATTRIBUTES if name in seen.audio and name in community]
    st.header("How your music sounds", anchor=False)
    if not shown:
        components.note("No audio attributes are known of these artists.")
        return
    components.note(
        "You against the middle 80 % of the community. "
        + (
            "Estimated from your artists by the catalogue: no audio attributes came with this "
            "music."
            if seen.audio_is_estimate
            else "From the audio attributes in your own files."
        )
    )
    said = "; ".join(
        f"{charts.ATTRIBUTES[name]} {charts.in_unit(name, seen.audio[name].mean)}, most people "
        f"{charts.in_unit(name, community[name][0])} to {charts.in_unit(name, community[name][2])}"
        for name in shown
    )
    st.plotly_chart(
        charts.audio_ranges(seen.audio, community),
        key="audio",
        config={"displayModeBar": False},
        alt=f"Range chart of audio attributes: {said}",
    )
