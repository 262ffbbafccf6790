"""Parts of the page You: the profile as the model sees it, and edits of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from twotower.core.domain import AUDIO, DEMO, SPOTIFY_WEB_API
from twotower.core.names import artist_key
from twotower.model.confidence import POOL
from twotower.sources.services.audio_features import AudioResult, AudioService
from twotower.ui import (
    audio_lookup,
    components,
    profile_edits,
    services,
    spotify_session,
    visitor,
)
from twotower.ui.charts.profile import (
    ATTRIBUTES,
    plot_audio_ranges,
    plot_genres,
    plot_known_shares,
    with_unit,
)
from twotower.ui.charts.style import NO_BAR
from twotower.ui.model_cache import matcher
from twotower.ui.state import ALL_ARTISTS
from twotower.ui.text import (
    GRADES,
    MUCH,
    confidence_meter,
    decimal,
    describe_confidence,
    describe_missing,
    escape,
    list_names,
    pluralise,
)
from twotower.web import oauth

if TYPE_CHECKING:
    from twotower.model.portrait import Portrait

SHOWN, MOST_SHOWN = 15, 500  # artists: to begin with, and at most
UNKNOWN_SHOWN = 200
NEARLY_ALL = 0.9  # share of the plays; below it the page says what genres and sound rest on
SHARE_KEYS = {  # key of an expander -> what such artists are to the model
    "heard": "The model knows who else plays them.",
    "by-genre": "Nobody in the training data plays them. They count a tenth.",
    "unknown": "They don't count yet.",
}
SOURCES = {  # origin of a profile -> its source in words
    DEMO: "a demo",
    profile_edits.PICKED: "the artists you picked",
    SPOTIFY_WEB_API: "a Spotify list, in this session only",
    services.LISTENBRAINZ.id: services.LISTENBRAINZ.name,
    services.LASTFM.id: services.LASTFM.name,
    "file": "your files",
}


def show_summary(portrait: "Portrait") -> None:
    """Show how many artists the profile has, from where, and how sure the model is."""
    profile = portrait.profile
    origins = profile.origin.split("+")
    source = " and ".join(dict.fromkeys(SOURCES.get(each, SOURCES["file"]) for each in origins))
    if spotify_session.came_by_signing_in(profile):
        source = "your Spotify account, in this session only"
    span = ""
    if profile.since and profile.until:
        span = f", {profile.since:%B %Y} to {profile.until:%B %Y}"
    name = f"“{escape(profile.name)}”: " if profile.name else ""
    st.markdown(
        f"{name}{pluralise(len(profile.artists), 'artist')} from {source}{span}. "
        f"{describe_confidence(portrait)}"
    )
    for service in services.SERVICES:
        if service.id in origins:
            components.note(service.thanks)


def show_last_change() -> None:
    """Show the last change of the profile and a button to undo it."""
    step = visitor.last_step()
    if step is not None:
        components.show_undo(step.message, step.cosine, visitor.undo)


def show_top_artists(portrait: "Portrait") -> None:
    """Show the most played artists with their shares and buttons to remove them."""
    st.header("Your artists", anchor=False)
    total = sum(artist.plays for artist in portrait.profile.artists.values()) or 1.0
    links = spotify_session.links()
    if links:
        components.note("From Spotify, most played first. Names link to Spotify.")
    shown = portrait.artists if st.session_state.get(ALL_ARTISTS) else portrait.artists[:SHOWN]
    with st.container(gap="xxsmall", key="top-artists"):
        for artist in shown[:MOST_SHOWN]:
            key, name = artist_key(artist.name), escape(artist.name)
            share = f":gray[· {100 * artist.plays / total:.1f} %]"
            linked = f"[{name}]({links[key]})" if key in links else name
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"{linked} {share}", width="stretch")
                st.button(
                    "Remove",
                    key=f"remove-{key}",
                    icon=":material/close:",
                    type="tertiary",
                    help=f"Remove {name} and see what changes",
                    on_click=visitor.remove_artist,
                    args=(key,),
                )
    if len(portrait.artists) > SHOWN:
        st.toggle(f"Show all {len(portrait.artists)}", key=ALL_ARTISTS)
    components.note(f"Updated in {1000 * portrait.seconds:.0f} ms.")


def show_genres(portrait: "Portrait") -> None:
    """Show the genres of the profile as a bar chart."""
    st.header("Genres", anchor=False)
    if not portrait.genres:
        components.note("The model knows no genres of these artists.")
        return
    if portrait.genres_from < NEARLY_ALL:
        components.note(
            f"From artists with {100 * portrait.genres_from:.0f} % of your plays. It doesn't know "
            "the genres of the others."
        )
    listed = ", ".join(f"{name} {100 * share:.0f} %" for name, share in portrait.genres[:10])
    st.plotly_chart(
        plot_genres(portrait.genres),
        key="genres",
        config={"displayModeBar": False},
        alt=f"Bar chart of your genres: {listed}",
    )


def show_confidence(portrait: "Portrait") -> None:
    """Show how sure the model is, and which artists would help if it is unsure."""
    st.header("How sure is the model?", anchor=False)
    confidence = portrait.confidence
    st.progress(confidence_meter(confidence), GRADES[confidence.grade])
    st.markdown(
        f":small[:gray[Your music determines {portrait.effective_dimensions:.1f} of "
        f"{len(portrait.user_vector)} dimensions of taste.]]",
        help=f"Confidence {decimal(confidence.expected_mrr)} of 1. It is measured on people the "
        f"model never saw. We hide half of such a profile. Among {POOL} people, the model looks "
        "for that half. 1 means it always comes first, 0.5 that it comes second.",
    )
    if missing := describe_missing(portrait):
        st.markdown(f"**What is missing:** {missing} {_advice(portrait)}")
        st.page_link(components.START, label="Add music", icon=":material/add:")


def _advice(portrait: "Portrait") -> str:
    """Return what would make the model surer, as one sentence."""
    coverage = portrait.coverage
    if not portrait.profile.artists or coverage.from_listening >= 1 - MUCH:
        return "Add about ten artists, from every kind of music you play."
    if oauth.session_store().is_open and "spotify" not in portrait.profile.origin:
        return "More files, or signing in with Spotify, bring artists it knows."
    return "More files bring artists it knows; files with genres help, too."


def show_coverage(portrait: "Portrait", *, title: str = "What the model knows") -> None:
    """Show three shares of the listening as one bar, by how the model knows the artists."""
    coverage = portrait.coverage
    st.header(title, anchor=False)
    if not portrait.profile.artists:
        components.note("There are no artists yet.")
        return
    shares = {
        "Known from listening": (coverage.from_listening, coverage.heard),
        "Known by genre only": (coverage.by_genre, coverage.genre_only),
        "Unknown": (1 - coverage.plays, coverage.unknown),
    }
    listed = ", ".join(f"{name} {100 * share:.0f} %" for name, (share, _) in shares.items())
    st.plotly_chart(
        plot_known_shares([share for share, _ in shares.values()]),
        key="known-shares",
        config=NO_BAR,
        alt=f"Bar of your plays by artist: {listed}",
    )
    for key, (name, (share, artists)) in zip(SHARE_KEYS, shares.items(), strict=True):
        if artists:
            _show_share(key, name, share, artists)


def _show_share(key: str, name: str, share: float, artists: Sequence[str]) -> None:
    """Show one share of the plays, and its artists on demand."""
    label = f"{name}: {100 * share:.0f} % · {pluralise(len(artists), 'artist')}"
    with st.expander(label, key=key):
        st.markdown(list_names(artists, UNKNOWN_SHOWN))
        components.note(f"{SHARE_KEYS[key]} Most played first.")


def show_audio(portrait: "Portrait") -> None:
    """Show the profile's audio attributes beside the community's."""
    community = matcher().community_audio()  # attribute -> 10th, 50th and 90th percentile
    looked_up = audio_lookup.result_for(portrait.profile)
    values = {**portrait.audio, **looked_up[0].audio} if looked_up else portrait.audio
    shown = [name for name in ATTRIBUTES if name in values and name in community]
    st.header("How your music sounds", anchor=False)
    if not shown:
        components.note(_why_silent(portrait))
        audio_lookup.show_lookup(portrait.profile)
        return
    components.note(
        f"The bar holds eight of ten people. The dot is you. {_audio_source(portrait, looked_up)}"
    )
    listed = "; ".join(
        f"{ATTRIBUTES[name]} {with_unit(name, values[name].mean)}, most people "
        f"{with_unit(name, community[name][0])} to "
        f"{with_unit(name, community[name][2])}"
        for name in shown
    )
    st.plotly_chart(
        plot_audio_ranges(values, community),
        key="audio",
        config={"displayModeBar": False},
        alt=f"Range chart of audio attributes: {listed}",
    )
    if portrait.audio_is_estimate:
        audio_lookup.show_lookup(portrait.profile)


def _why_silent(portrait: "Portrait") -> str:
    """Return why there are no audio attributes."""
    if portrait.audio_from > 0:
        return (
            f"We know how {100 * portrait.audio_from:.0f} % of your plays sound. "
            "That is too little to describe your music."
        )
    return "We don't know how these artists sound."


def _audio_source(portrait: "Portrait", looked_up: tuple[AudioResult, AudioService] | None) -> str:
    """Return the source of the audio attributes, as Markdown."""
    if not portrait.audio_is_estimate:
        return "From your files."
    if looked_up is None:
        basis = "your artists"
        if portrait.audio_from < NEARLY_ALL:
            basis = f"artists with {100 * portrait.audio_from:.0f} % of your plays"
        return f"Estimated from {basis}. Your files don't say how the tracks sound."
    result, lookup = looked_up
    if not result.audio:
        return (
            f"Estimated from your artists: {lookup.name} knows none of your "
            f"{pluralise(result.looked_up, 'track')}."
        )
    names = ", ".join(name for name in ATTRIBUTES if name in result.audio)
    rest = " The others are estimated from your artists."
    if len(result.audio) == len(AUDIO):
        names, rest = "all attributes", ""
    return (
        f"{names.capitalize()}: from [{lookup.name}]({lookup.page}), for {result.known:,} of your "
        f"{pluralise(result.looked_up, 'most played track')}.{rest} {lookup.about}"
    )


def show_links() -> None:
    """Show where a visitor may go from here."""
    st.page_link(components.START, label="Add artists", icon=":material/add:")
    st.page_link(components.COMMUNITY, label="Let others find you", icon=":material/group_add:")
    components.primary_link("See your neighbours", components.NEIGHBOURS, "edited")
