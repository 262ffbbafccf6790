"""The parts of the page You."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from twotower.core.domain import AUDIO, DEMO, SPOTIFY_WEB_API
from twotower.core.names import artist_key
from twotower.sources.services.audio_features import AudioResult, AudioService
from twotower.ui import (
    audio_lookup,
    components,
    profile_edits,
    services,
    session,
    spotify_session,
    text,
)
from twotower.ui.charts import figures
from twotower.ui.text import escape

if TYPE_CHECKING:
    from twotower.model.portrait import Portrait

SHOWN = 15
ORIGINS = {
    DEMO: "a demo listener",
    profile_edits.PICKED: "the artists you picked",
    SPOTIFY_WEB_API: "a Spotify list, kept in this session only",
    services.LISTENBRAINZ.id: services.LISTENBRAINZ.name,
    services.LASTFM.id: services.LASTFM.name,
    "file": "the files you brought",
}


def summary(seen: "Portrait") -> None:
    """Who this is, from what, and how surely it is known."""
    profile = seen.profile
    parts = profile.origin.split("+")
    source = " and ".join(dict.fromkeys(ORIGINS.get(part, ORIGINS["file"]) for part in parts))
    if spotify_session.came_by_signing_in(profile):
        source = "your Spotify account, kept in this session only"
    span = ""
    if profile.since and profile.until:
        span = f", {profile.since:%B %Y} to {profile.until:%B %Y}"
    called = f"“{escape(profile.name)}”: " if profile.name else ""
    st.markdown(
        f"{called}{text.amount(len(profile.artists), 'artist')} from {source}{span}. "
        f"{text.evidence(seen)}"
    )
    for service in services.SERVICES:
        if service.id in parts:
            components.note(service.thanks)


def edit_bar() -> None:
    step = session.last_step()
    if step is not None:
        components.undo_bar(step.said, step.moved, session.undo)


def top_artists(seen: "Portrait") -> None:
    """The most played artists, each with its share and a way to take it out."""
    st.header("Top artists", anchor=False)
    total = sum(artist.plays for artist in seen.profile.artists.values()) or 1.0
    links = spotify_session.links()
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
    components.note(f"ModelVectors in {1000 * seen.seconds:.0f} ms, anew at each change.")


def genres(seen: "Portrait") -> None:
    st.header("Genres", anchor=False)
    if not seen.genres:
        components.note("The model knows no genre of these artists.")
        return
    said = ", ".join(f"{name} {100 * share:.0f} %" for name, share in seen.genres[:10])
    st.plotly_chart(
        figures.genre_bars(seen.genres),
        key="genres",
        config={"displayModeBar": False},
        alt=f"Bar chart of your genres: {said}",
    )


def recognition(seen: "Portrait", *, title: str = "Recognised") -> None:
    """How much of the listening the model knows, and which artists it doesn't."""
    known = seen.coverage
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
    with st.expander(f"{text.amount(count, 'artist')} not known", key="unknown"):
        st.markdown(text.names(known.unknown, 200))
        components.note("These don't move your place. The most played come first.")


def known(seen: "Portrait") -> None:
    """How much the model knows of the person, and what would help where it is little."""
    st.header("How much is known of you", anchor=False)
    grade, dim = text.grade(seen.effective_dimensions), len(seen.user_vector)
    st.progress(text.meter(seen.effective_dimensions), text.PICTURES[grade].partition(";")[0])
    components.note(
        f"Taste differs in {dim} directions here, and your music settles "
        f"{seen.effective_dimensions:.1f} of them. Each further artist that the model "
        "knows adds to it."
    )
    if grade >= text.GOOD:
        return
    st.markdown(f"**What would help:** {_help(seen)}.")
    st.page_link(components.START, label="Add artists", icon=":material/add:")


def _help(seen: "Portrait") -> str:
    """What makes the most of a small profile."""
    if not seen.profile.artists:
        return "some artists; genres alone say little"
    if len(seen.coverage.unknown) > len(seen.profile.artists) / 2:
        return "artists that the model knows; most of yours it doesn't"
    return "about ten artists in all, of each kind of music that you hear"


def audio(seen: "Portrait", community: Mapping[str, tuple[float, float, float]]) -> None:
    """Audio attributes as ranges: you against most of the community."""
    looked_up = audio_lookup.of(seen.profile)
    values = {**seen.audio, **looked_up[0].audio} if looked_up else seen.audio
    shown = [name for name in figures.ATTRIBUTES if name in values and name in community]
    st.header("How your music sounds", anchor=False)
    if not shown:
        components.note("No audio attributes are known of these artists.")
        audio_lookup.offer(seen.profile)
        return
    components.note(f"You against the middle 80 % of the community. {_whence(seen, looked_up)}")
    said = "; ".join(
        f"{figures.ATTRIBUTES[name]} {figures.in_unit(name, values[name].mean)}, most people "
        f"{figures.in_unit(name, community[name][0])} to "
        f"{figures.in_unit(name, community[name][2])}"
        for name in shown
    )
    st.plotly_chart(
        figures.audio_ranges(values, community),
        key="audio",
        config={"displayModeBar": False},
        alt=f"Range chart of audio attributes: {said}",
    )
    if seen.audio_is_estimate:
        audio_lookup.offer(seen.profile)


def _whence(seen: "Portrait", looked_up: tuple[AudioResult, AudioService] | None) -> str:
    """Where the audio attributes come from, and how far they can be trusted."""
    if not seen.audio_is_estimate:
        return "From the audio attributes in your own files."
    if looked_up is None:
        return (
            "Estimated from your artists by the catalogue: no audio attributes came with this "
            "music."
        )
    found, lookup = looked_up
    if not found.audio:
        return (
            f"Estimated from your artists by the catalogue: {lookup.name} knows none of the "
            f"{text.amount(found.looked_up, 'track')} it was asked for."
        )
    names, rest = ", ".join(name for name in figures.ATTRIBUTES if name in found.audio), ""
    if len(found.audio) == len(AUDIO):
        names = "all attributes"
    else:
        rest = "; the others are estimated from your artists"
    return (
        f"{names.capitalize()} as [{lookup.name}]({lookup.page}) knows them of {found.known:,} of "
        f"your {text.amount(found.looked_up, 'most played track')}{rest}. {lookup.about}"
    )
