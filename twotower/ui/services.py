"""ListenBrainz and Last.fm on the page Start: read a user's public listening."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from twotower.core.errors import TooOften
from twotower.core.jobs import Job
from twotower.core.settings import Settings
from twotower.core.waiting_line import WaitingLine
from twotower.sources.collector import Reading
from twotower.sources.services import lastfm, listenbrainz
from twotower.sources.services.history import SPANS
from twotower.sources.services.http import Pace, WebClient, user_agent
from twotower.sources.services.user_names import user_name_of
from twotower.ui import rate_limiting, start, uploads
from twotower.ui.components import REFRESH_S, note, show_progress
from twotower.ui.state import (
    ReadingResult,
    ServiceState,
    service_period,
    service_user,
    visitor_state,
)
from twotower.web.rate_limits import READ

REUSE_S = 3600.0  # the same query is answered from memory for so long
READERS, MOST_WAITING = 4, 50  # of a service at the same time; the pace is for all together
MOST_REUSED = 8  # queries of a session
LONGEST_USER = 120
LASTFM_KEYS = "https://www.last.fm/api/account/create"


@dataclass(frozen=True)
class Service:
    """A web service with the listening history of its users."""

    id: str  # also the origin of profiles read from it
    name: str
    about: str  # Markdown: what is read
    thanks: str  # Markdown: credit for the data
    pace: Callable[[], Pace]  # shared by all visitors
    read: Callable[[str, str, Settings, Pace, Job[Reading]], Reading]  # user, period, ...


@st.cache_resource
def pace_of(service_id: str, between_s: float) -> Pace:
    """Return the pace of requests to a service, shared by all visitors."""
    return Pace(between_s)


@st.cache_resource
def waiting_line(service_id: str) -> WaitingLine:
    """Return the line of those who read from a service, shared by all visitors."""
    return WaitingLine(READERS, MOST_WAITING)


def client(name: str, address: str, settings: Settings, pace: Pace, job: Job[Any]) -> WebClient:
    """Return a client of a service that reports its waits to the job."""

    def waiting(why: str, left: float) -> None:
        job.report(job.share, f"{why}: {math.ceil(left)} s" if left > 1.5 else job.message)

    return WebClient(name, address, agent=user_agent(settings.contact), pace=pace, waiting=waiting)


def _read_listenbrainz(
    user: str, span: str, settings: Settings, pace: Pace, job: Job[Reading]
) -> Reading:
    web = client("ListenBrainz", settings.listenbrainz_api, settings, pace, job)
    return listenbrainz.read_listenbrainz(user, web, span=span, progress=job.report)


def _read_lastfm(
    user: str, span: str, settings: Settings, pace: Pace, job: Job[Reading]
) -> Reading:
    web = client("Last.fm", settings.lastfm_api, settings, pace, job)
    return lastfm.read_lastfm(user, web, settings.lastfm_key, span=span, progress=job.report)


LISTENBRAINZ = Service(
    listenbrainz.ORIGIN,
    "ListenBrainz",
    "Your user name is enough. We read your artists, top tracks and recent plays.",
    "Data from [ListenBrainz](https://listenbrainz.org), free for all (CC0).",
    lambda: pace_of(listenbrainz.ORIGIN, listenbrainz.BETWEEN_S),
    _read_listenbrainz,
)
LASTFM = Service(
    lastfm.ORIGIN,
    "Last.fm",
    "Your user name is enough, unless your listening there is private. We read your artists, top "
    "tracks and recent plays.",
    "Powered by [AudioScrobbler](https://www.last.fm). The data is for non-commercial use.",
    lambda: pace_of(lastfm.ORIGIN, lastfm.BETWEEN_S),
    _read_lastfm,
)
SERVICES = (LISTENBRAINZ, LASTFM)


def show_services() -> None:
    """Show a card for each service, side by side."""
    settings = Settings.from_env()
    for service, column in zip(SERVICES, st.columns(2, gap="medium"), strict=True):
        with column, st.container(border=True, key=service.id, height="stretch"):
            st.subheader(service.name, anchor=False)
            if service is LASTFM and not settings.lastfm_key:
                _lastfm_not_enabled()
            else:
                _form_and_result(service, settings)


def _lastfm_not_enabled() -> None:
    st.markdown(
        "Not set up on this server. Several free tools export your Last.fm plays as CSV. Upload "
        "that file above instead."
    )
    with st.expander("If you run this server", key="lastfm-operator"):
        st.markdown(
            f"Get a free [API key]({LASTFM_KEYS}) from Last.fm. Set `LASTFM_API_KEY` to it and "
            "restart the server. No secret is needed."
        )


def _state(service: Service) -> ServiceState:
    return visitor_state().services.setdefault(service.id, ServiceState())


def _form_and_result(service: Service, settings: Settings) -> None:
    _use_finished(service)
    st.markdown(f"{service.about} We forget them when you close the page.")
    with st.form(f"{service.id}-form", border=False):
        st.text_input(
            f"User name at {service.name}", key=service_user(service.id), autocomplete="off"
        )
        st.segmented_control(
            "Period",
            list(SPANS),
            format_func=SPANS.__getitem__,
            default="all",
            required=True,
            key=service_period(service.id),
        )
        st.form_submit_button(
            f"Read from {service.name}",
            key=f"{service.id}-read",
            icon=":material/download:",
            on_click=_begin,
            args=(service, settings),
        )
    state = _state(service)
    if state.job is not None:
        _progress(service)
    elif state.is_stopped:
        note("Stopped. Nothing changed.")
    elif state.result is not None:
        start.show_reading_result(state.result, f"We couldn't read from {service.name}", service.id)
    note(service.thanks)


def _begin(service: Service, settings: Settings) -> None:
    """Begin to read, or use what was read within the last hour."""
    state = _state(service)
    if state.job is not None:
        state.job.cancel()
    state = visitor_state().services[service.id] = ServiceState()
    typed = str(st.session_state[service_user(service.id)] or "")
    user = user_name_of(typed)[:LONGEST_USER]
    span = str(st.session_state[service_period(service.id)] or "all")
    if not user:
        state.result = ReadingResult((), "Type your user name first.")
        return
    state.query = (service.id, user.casefold(), span)
    read_at, reading = visitor_state().fetched.get(state.query, (0.0, None))
    if reading is not None and time.monotonic() - read_at < REUSE_S:
        state.result = uploads.use_reading(reading, f"Read {user} from {service.name} again")
        return
    try:
        rate_limiting.spend(READ)
    except TooOften as error:
        state.result = uploads.failed_reading(str(error))
        return
    pace, line = service.pace(), waiting_line(service.id)

    def work(job: Job[Reading]) -> Reading:
        with line.turn(job):
            return service.read(user, span, settings, pace, job)

    state.job = Job(work)


def _use_finished(service: Service) -> None:
    """When a job has ended, make a profile of what it read and rerun the page."""
    state = _state(service)
    job = state.job
    if job is None or job.is_running:
        return
    state.job = None
    if job.result is not None:
        fetched = visitor_state().fetched
        fetched[state.query] = (time.monotonic(), job.result)
        for oldest in list(fetched)[:-MOST_REUSED]:
            del fetched[oldest]
        state.result = uploads.use_reading(job.result, f"Read {job.result.reports[0].name}")
    elif job.error is not None:
        state.result = uploads.failed_reading(str(job.error))
    st.rerun()


@st.fragment(run_every=REFRESH_S)
def _progress(service: Service) -> None:
    show_progress(
        _state(service).job,
        f"Waiting for {service.name}",
        stop="Stop",
        key=f"{service.id}-stop",
        on_stop=lambda: _stop(service),
        help=f"Stop reading from {service.name}. Your music stays as it is.",
    )


def _stop(service: Service) -> None:
    state = _state(service)
    if state.job is not None:
        state.job.cancel()
        state.job, state.is_stopped = None, True
