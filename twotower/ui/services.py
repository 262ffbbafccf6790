"""The doors to ListenBrainz and Last.fm: a user name, how far the reading is, and what it gave."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from twotower.core.jobs import Job
from twotower.core.settings import Settings
from twotower.sources.collector import Reading
from twotower.sources.services import lastfm, listenbrainz
from twotower.sources.services.history import SPANS
from twotower.sources.services.http import Pace, WebClient, user_agent
from twotower.ui import session
from twotower.ui import start as other_doors
from twotower.ui.components import REFRESH_S, note, under_way

KEPT_S = 3600.0  # so long nothing is asked twice in a session
MOST_KEPT = 8
LONGEST_USER = 120
LASTFM_KEYS = "https://www.last.fm/api/account/create"


@dataclass(frozen=True)
class Service:
    """A place where people's listening is known by their user name."""

    id: str  # also the origin of what is read
    name: str
    about: str  # Markdown: what is read
    thanks: str  # Markdown: whose data it is
    pace: Callable[[], Pace]  # the one for all visitors
    ask: Callable[[str, str, Settings, Pace, Job[Reading]], Reading]  # user, span, ...


@st.cache_resource
def pace_of(place: str, between_s: float) -> Pace:
    """The turns at one place, of all visitors together."""
    return Pace(between_s)


def client(name: str, address: str, settings: Settings, pace: Pace, job: Job[Any]) -> WebClient:
    def waiting(why: str, left: float) -> None:
        job.report(job.share, f"{why}: {math.ceil(left)} s" if left > 1.5 else job.message)

    return WebClient(name, address, agent=user_agent(settings.contact), pace=pace, waiting=waiting)


def _ask_listenbrainz(
    user: str, span: str, settings: Settings, pace: Pace, job: Job[Reading]
) -> Reading:
    web = client("ListenBrainz", settings.listenbrainz_api, settings, pace, job)
    return listenbrainz.read_listenbrainz(user, web, span=span, progress=job.report)


def _ask_lastfm(user: str, span: str, settings: Settings, pace: Pace, job: Job[Reading]) -> Reading:
    web = client("Last.fm", settings.lastfm_api, settings, pace, job)
    return lastfm.read_lastfm(user, web, settings.lastfm_key, span=span, progress=job.report)


LISTENBRAINZ = Service(
    listenbrainz.ORIGIN,
    "ListenBrainz",
    "Your user name is enough: listening there is public. Artists, top tracks and the latest "
    "plays are read.",
    "Data from [ListenBrainz](https://listenbrainz.org), free for all (CC0).",
    lambda: pace_of(listenbrainz.ORIGIN, listenbrainz.BETWEEN_S),
    _ask_listenbrainz,
)
LASTFM = Service(
    lastfm.ORIGIN,
    "Last.fm",
    "Your user name is enough, unless you keep your listening private there. Artists, top tracks "
    "and the latest plays are read.",
    "Powered by [AudioScrobbler](https://www.last.fm), whose data is for non-commercial use.",
    lambda: pace_of(lastfm.ORIGIN, lastfm.BETWEEN_S),
    _ask_lastfm,
)
SERVICES = (LISTENBRAINZ, LASTFM)


def doors() -> None:
    """A card for each service, side by side."""
    settings = Settings.from_env()
    for service, column in zip(SERVICES, st.columns(2, gap="medium"), strict=True):
        with column, st.container(border=True, key=service.id, height="stretch"):
            st.subheader(service.name, anchor=False)
            if service is LASTFM and not settings.lastfm_key:
                _closed()
            else:
                _open(service, settings)


def _closed() -> None:
    st.markdown(
        "Not open on this server. A CSV of your scrobbles, as several free tools export it, can be "
        "uploaded above and does the same."
    )
    with st.expander("For whoever runs this server", key="lastfm-operator"):
        st.markdown(
            f"Ask Last.fm for an [API key]({LASTFM_KEYS}), which is free, set `LASTFM_API_KEY` to "
            "it, and start the server again. No secret is needed."
        )


def _open(service: Service, settings: Settings) -> None:
    _take(service)
    st.markdown(f"{service.about} It stays in this session.")
    with st.form(f"{service.id}-form", border=False):
        st.text_input(
            f"User name at {service.name}",
            key=f"{service.id}-user",
            autocomplete="off",
        )
        st.segmented_control(
            "Over",
            list(SPANS),
            format_func=SPANS.__getitem__,
            default="all",
            required=True,
            key=f"{service.id}-span",
        )
        st.form_submit_button(
            f"Read from {service.name}",
            key=f"{service.id}-read",
            icon=":material/download:",
            on_click=_begin,
            args=(service, settings),
        )
    if _job(service) is not None:
        _progress(service)
    else:
        _how_it_went(service)
    note(service.thanks)


def _job(service: Service) -> Job[Reading] | None:
    job: Job[Reading] | None = st.session_state.get(f"{service.id}-job")
    return job


def _begin(service: Service, settings: Settings) -> None:
    """Start to read, or take what was read within the hour."""
    user = str(st.session_state[f"{service.id}-user"] or "").strip()[:LONGEST_USER]
    span = str(st.session_state[f"{service.id}-span"] or "all")
    if before := _job(service):
        before.cancel()
    st.session_state.pop(f"{service.id}-job", None)
    if not user:
        _tell(service, session.Upload((), "type your user name first"))
        return
    _tell(service, None)
    asked = (service.id, user.casefold(), span)
    kept = _kept().get(asked)
    if kept is not None and time.monotonic() - kept[0] < KEPT_S:
        _tell(service, session.take_in(kept[1], f"Took {user} of {service.name} from before"))
        return
    pace = service.pace()
    st.session_state[f"{service.id}-asked"] = asked
    st.session_state[f"{service.id}-job"] = Job(
        lambda job: service.ask(user, span, settings, pace, job)
    )


def _kept() -> dict[tuple[str, str, str], tuple[float, Reading]]:
    """What was read in this session: (service, user, span) -> when, and what."""
    kept: dict[tuple[str, str, str], tuple[float, Reading]] = st.session_state.setdefault(
        "services-kept", {}
    )
    return kept


def _take(service: Service) -> None:
    """Make a profile of what a finished job has read, and draw the page with it."""
    job = _job(service)
    if job is None or job.is_running:
        return
    del st.session_state[f"{service.id}-job"]
    if job.result is not None:
        kept = _kept()
        kept[st.session_state[f"{service.id}-asked"]] = (time.monotonic(), job.result)
        for oldest in list(kept)[:-MOST_KEPT]:
            del kept[oldest]
        _tell(service, session.take_in(job.result, f"Read {job.result.reports[0].name}"))
    elif job.error is not None:
        kept_before = session.profile() is not None
        _tell(service, session.Upload((), str(job.error), kept=kept_before))
    st.rerun()


@st.fragment(run_every=REFRESH_S)
def _progress(service: Service) -> None:
    under_way(
        _job(service),
        "Asking",
        stop="Stop",
        key=f"{service.id}-stop",
        on_stop=lambda: _stop(service),
        help=f"Stop reading from {service.name}; nothing is changed",
    )


def _stop(service: Service) -> None:
    job = _job(service)
    if job is not None:
        job.cancel()
        del st.session_state[f"{service.id}-job"]
        st.session_state[f"{service.id}-stopped"] = True


def _tell(service: Service, read: session.Upload | None) -> None:
    st.session_state[f"{service.id}-outcome"] = read
    st.session_state.pop(f"{service.id}-stopped", None)


def _how_it_went(service: Service) -> None:
    read: session.Upload | None = st.session_state.get(f"{service.id}-outcome")
    if st.session_state.get(f"{service.id}-stopped"):
        note("Stopped. Nothing was changed.")
    elif read is not None:
        other_doors.outcome(read, f"{service.name} couldn't be read", service.id)
