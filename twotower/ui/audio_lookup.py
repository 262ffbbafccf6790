"""Lookup of audio attributes at another service, if the operator has allowed it."""

import streamlit as st

from twotower.core.domain import Profile
from twotower.core.jobs import Job
from twotower.core.settings import Settings
from twotower.sources.services.audio_features import (
    AUDIO_SERVICES,
    AudioResult,
    AudioService,
    look_up_audio,
    tracks_to_look_up,
)
from twotower.ui import services
from twotower.ui.components import REFRESH_S, note, show_progress
from twotower.ui.state import AudioLookupState, visitor_state
from twotower.ui.text import capitalise, escape, pluralise


def result_for(profile: Profile) -> tuple[AudioResult, AudioService] | None:
    """Return what was found for exactly this profile, and where; None if nothing was looked up."""
    _use_finished()
    return _result_for(profile)


def _result_for(profile: Profile) -> tuple[AudioResult, AudioService] | None:
    state = visitor_state().audio_lookup
    if state.result is None or state.lookup is None or state.profile is not profile:
        return None
    return state.result, state.lookup


def show_lookup(profile: Profile) -> None:
    """Show the button that starts the lookup, its progress, and its error."""
    settings, state = Settings.from_env(), visitor_state().audio_lookup
    lookup = AUDIO_SERVICES.get(settings.audio_lookup)
    if lookup is None or _result_for(profile) is not None:
        return
    if state.job is not None:
        _progress(lookup)
        return
    tracks = tracks_to_look_up(profile, lookup)
    if not tracks:
        return
    if state.error is not None:
        st.error(
            escape(capitalise(str(state.error))),
            title="We couldn't look up your tracks",
            icon=":material/error:",
        )
    note(
        f"[{lookup.name}]({lookup.page}) may know how your tracks sound. We send it the ids of "
        f"your {pluralise(len(tracks), 'most played track')}, and nothing else about you. "
        f"{lookup.about}"
    )
    st.button(
        f"Look up {pluralise(len(tracks), 'track')} at {lookup.name}",
        key="sound-ask",
        icon=":material/travel_explore:",
        on_click=_begin,
        args=(profile, lookup, settings),
    )


def _begin(profile: Profile, lookup: AudioService, settings: Settings) -> None:
    pace = services.pace_of(lookup.id, lookup.between_s)
    address = settings.audio_api or lookup.address
    tracks = tracks_to_look_up(profile, lookup)

    line = services.waiting_line(lookup.id)

    def work(job: Job[AudioResult]) -> AudioResult:
        web = services.client(lookup.name, address, settings, pace, job)
        with line.turn(job):
            return look_up_audio(tracks, lookup, web, job.report)

    visitor_state().audio_lookup = AudioLookupState(Job(work), lookup, profile)


def _use_finished() -> None:
    """Keep the result or the error of a job that has ended."""
    state = visitor_state().audio_lookup
    if state.job is not None and not state.job.is_running:
        job, state.job = state.job, None
        state.result, state.error = job.result, job.error


@st.fragment(run_every=REFRESH_S)
def _progress(lookup: AudioService) -> None:
    show_progress(
        visitor_state().audio_lookup.job,
        f"Waiting for {lookup.name}",
        stop="Stop",
        key="sound-stop",
        on_stop=_stop,
        help=f"Stop looking up at {lookup.name}",
    )


def _stop() -> None:
    state = visitor_state().audio_lookup
    if state.job is not None:
        state.job.cancel()
        visitor_state().audio_lookup = AudioLookupState()
