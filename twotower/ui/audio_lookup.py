"""Looking up how one's music sounds, where whoever runs the server has allowed it."""

import streamlit as st

from twotower.core.domain import Profile
from twotower.core.errors import TwoTowerError
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
from twotower.ui.components import REFRESH_S, note, under_way
from twotower.ui.text import amount, escape

JOB, FOUND, FAILED = "sound-job", "sound-found", "sound-failed"


def of(profile: Profile) -> tuple[AudioResult, AudioService] | None:
    """What was looked up of this very profile, and where."""
    _take()
    return _known(profile)


def _known(profile: Profile) -> tuple[AudioResult, AudioService] | None:
    known: tuple[Profile, AudioResult, AudioService] | None = st.session_state.get(FOUND)
    return None if known is None or known[0] is not profile else known[1:]


def offer(profile: Profile) -> None:
    """A button that asks for the most played tracks, how far that is, and how it went."""
    settings = Settings.from_env()
    lookup = AUDIO_SERVICES.get(settings.audio_lookup)
    if lookup is None or _known(profile) is not None:
        return
    if _job() is not None:
        _progress(lookup)
        return
    tracks = tracks_to_look_up(profile, lookup)
    if not tracks:
        return
    error: TwoTowerError | None = st.session_state.get(FAILED)
    if error is not None:
        st.error(escape(str(error)), title="Nothing was looked up", icon=":material/error:")
    note(
        f"[{lookup.name}]({lookup.page}) may know how your tracks sound. It would be told the ids "
        f"of {amount(len(tracks), 'track')}, the most played, and nothing else of you. "
        f"{lookup.about}"
    )
    st.button(
        f"Look {amount(len(tracks), 'track')} up at {lookup.name}",
        key="sound-ask",
        icon=":material/travel_explore:",
        on_click=_begin,
        args=(profile, lookup, settings),
    )


def _begin(profile: Profile, lookup: AudioService, settings: Settings) -> None:
    pace = services.pace_of(lookup.id, lookup.between_s)
    address = settings.audio_api or lookup.address
    tracks = tracks_to_look_up(profile, lookup)

    def work(job: Job[AudioResult]) -> AudioResult:
        web = services.client(lookup.name, address, settings, pace, job)
        return look_up_audio(tracks, lookup, web, job.report)

    st.session_state.pop(FAILED, None)
    st.session_state[JOB] = (profile, lookup, Job(work))


def _job() -> Job[AudioResult] | None:
    begun: tuple[Profile, AudioService, Job[AudioResult]] | None = st.session_state.get(JOB)
    return None if begun is None else begun[2]


def _take() -> None:
    """What a job that has ended gave."""
    begun: tuple[Profile, AudioService, Job[AudioResult]] | None = st.session_state.get(JOB)
    if begun is None or begun[2].is_running:
        return
    profile, lookup, job = begun
    del st.session_state[JOB]
    if job.result is not None:
        st.session_state[FOUND] = (profile, job.result, lookup)
    elif job.error is not None:
        st.session_state[FAILED] = job.error


@st.fragment(run_every=REFRESH_S)
def _progress(lookup: AudioService) -> None:
    under_way(
        _job(),
        "Asking",
        stop="Stop",
        key="sound-stop",
        on_stop=_stop,
        help=f"Stop asking {lookup.name}",
    )


def _stop() -> None:
    job = _job()
    if job is not None:
        job.cancel()
        del st.session_state[JOB]
