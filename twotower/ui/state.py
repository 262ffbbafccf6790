"""State of a visitor's session: one typed object, under one key of `st.session_state`.

Streamlit keeps the values of widgets under the widgets' own keys. Those that the code reads or sets
are the constants below.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from twotower.community import Deletion
    from twotower.community.membership import JoinRequest
    from twotower.core.domain import Neighbour, Profile
    from twotower.core.errors import TwoTowerError
    from twotower.core.jobs import Job
    from twotower.evaluation.report import Report
    from twotower.evaluation.verify_result import Verification
    from twotower.model.portrait import Portrait
    from twotower.sources.collector import FileReport, Reading
    from twotower.sources.services.audio_features import AudioResult, AudioService
    from twotower.web.downloads import Download
    from twotower.web.oauth_sessions import ParkedProfile

KEY = "visitor"  # of the state in st.session_state

# Keys of widgets whose values the code reads or sets
ARTIST_SEARCH = "artist-search"
KEEP_EARLIER = "keep-earlier"
ALL_ARTISTS = "all-artists"
COUNT = "count"  # of neighbours
MAP_SEARCH, MAP_CLOSEST = "map-search", "map-closest"
JOIN_FINDABLE, JOIN_TRAINING = "join-findable", "join-training"
JOIN_NAME, JOIN_ARTISTS = "join-name", "join-artists"
CODE = "code-typed"
# Personal, and kept by Streamlit when the visitor opens another page
PERSONAL_WIDGETS = (JOIN_FINDABLE, JOIN_TRAINING, JOIN_NAME, JOIN_ARTISTS)


def service_user(service_id: str) -> str:
    """Return the key of the field for a user name at a service."""
    return f"{service_id}-user"


def service_period(service_id: str) -> str:
    """Return the key of the choice of a period at a service."""
    return f"{service_id}-period"


@dataclass(frozen=True)
class Step:
    """A change of the profile that can be undone."""

    message: str  # what was done: "Removed Low"
    before: "Profile | None"
    cosine: float | None = None  # between the user vectors before and after


@dataclass(frozen=True)
class ReadingResult:
    """Result of reading files or a service: reports, or an error that changed nothing."""

    reports: "tuple[FileReport, ...]"
    error: str = ""
    has_earlier_music: bool = False  # after an error: the earlier profile is still there
    credits_split: int = 0  # credits such as "A & B" whose artists count one by one


@dataclass(frozen=True, eq=False)
class NeighbourList:
    """Neighbours of a portrait, as of one change of the community."""

    portrait: "Portrait"
    seq: int
    own_id: str | None
    count: int  # requested
    neighbours: "tuple[Neighbour, ...]"


@dataclass(frozen=True, slots=True)
class Member:
    """The visitor's own membership."""

    id: str
    code: str


@dataclass(frozen=True, slots=True)
class PendingJoin:
    """A join that is stored as soon as its owner has saved the access code."""

    code: str
    request: "JoinRequest"
    profile: "Profile"


@dataclass
class UploadState:
    """Reading of uploaded files."""

    job: "Job[Reading] | None" = None
    files: int = 0  # that the job reads
    result: ReadingResult | None = None
    is_stopped: bool = False
    field_number: int = 0  # part of the field's key: another number is an empty field


@dataclass
class ServiceState:
    """Reading of a user's listening at ListenBrainz or Last.fm."""

    job: "Job[Reading] | None" = None
    query: tuple[str, str, str] = ("", "", "")  # service, user, period
    result: ReadingResult | None = None
    is_stopped: bool = False


@dataclass
class AudioLookupState:
    """Lookup of audio attributes of the visitor's tracks."""

    job: "Job[AudioResult] | None" = None
    lookup: "AudioService | None" = None  # the service that the job asks
    profile: "Profile | None" = None  # the one that the job and its result are about
    result: "AudioResult | None" = None
    error: "TwoTowerError | None" = None


@dataclass
class SpotifyState:
    """State of a Spotify sign-in."""

    session_label: str | None = None  # of the session that the music came from
    outcome: str = ""  # of the last sign-in or sign-out, to be shown once
    use_when_read: bool = False  # the music becomes the profile as soon as it is read
    problem: str = ""
    parked: "ParkedProfile | None" = None  # the profile that waits on the server for the return
    ticket: str = ""  # for the parked profile


@dataclass
class MembershipState:
    """The visitor's membership in the community, as far as this session knows."""

    member: Member | None = None
    pending: PendingJoin | None = None
    unused_code: str = ""  # of a pending join that wasn't stored: for the next one
    problem: str = ""  # what went wrong last, to be shown once
    message: str = ""  # what was done last, to be shown once
    receipt: "Deletion | None" = None
    downloads: "dict[str, Download]" = field(default_factory=dict)  # offered on the page, by key
    is_leaving: bool = False  # asked to leave, has yet to confirm
    form_subject: tuple[str | None, int | None] | None = None  # member, profile the form is about


@dataclass
class MapState:
    """Selection on the map."""

    person: str = ""  # id of the person beside the map
    focus: str = ""  # id of the person with a ring on the map
    artist: str | None = None  # whose closest people have rings
    link: str = ""  # last person that the address named
    clicked: Any = None  # last point that was clicked: an id or a row
    ids: Sequence[str] | None = None  # of the rows on the page
    figure: Any = None
    drawn: tuple[object, ...] = ()  # what the figure shows: versions, rings
    portrait: "Portrait | None" = None  # whose star the figure shows


@dataclass
class RefreshState:
    """Snapshot of what the page shows, to notice when it is out of date."""

    revision: tuple[int, str | None] | None = None
    neighbours: "tuple[Neighbour, ...]" = ()
    drawn_at_s: float = 0.0


@dataclass
class QuickCheckState:
    """Quick check of the quality report."""

    job: "Job[Verification] | None" = None
    shown_job: "Job[Verification] | None" = None  # whose end the page has shown
    report: "Report | None" = None  # that the job checks


@dataclass
class VisitorState:
    """Everything that a session knows about its visitor."""

    profile: "Profile | None" = None
    limit_id: str = ""  # random, for the rate limits
    is_restored: bool = False  # the profile in the address was looked at
    steps: list[Step] = field(default_factory=list)
    portrait: "Portrait | None" = None
    portrait_version: str = ""  # of the model that made it
    neighbours: NeighbourList | None = None
    upload: UploadState = field(default_factory=UploadState)
    services: dict[str, ServiceState] = field(default_factory=dict)
    # (service, user, period) -> (time.monotonic(), what was read)
    fetched: "dict[tuple[str, str, str], tuple[float, Reading]]" = field(default_factory=dict)
    audio_lookup: AudioLookupState = field(default_factory=AudioLookupState)
    spotify: SpotifyState = field(default_factory=SpotifyState)
    membership: MembershipState = field(default_factory=MembershipState)
    map: MapState = field(default_factory=MapState)
    refresh: RefreshState = field(default_factory=RefreshState)
    quick_check: QuickCheckState = field(default_factory=QuickCheckState)

    def forget(self, is_gone: "Callable[[Profile], bool]") -> bool:
        """Drop each profile that `is_gone`, also from the steps; return whether there was one."""
        steps = [step for step in self.steps if step.before is None or not is_gone(step.before)]
        is_current_gone = self.profile is not None and is_gone(self.profile)
        if len(steps) == len(self.steps) and not is_current_gone:
            return False
        self.steps = steps
        if is_current_gone:
            self.profile = None
        self.portrait = self.neighbours = None
        self.spotify.parked, self.spotify.ticket = None, ""
        self.map, self.refresh = MapState(), RefreshState()
        return True

    def clear(self) -> None:
        """Forget all music, and stop what reads it. It can't be undone.

        The membership and the rate limits stay, and so does the label of the Spotify session:
        without it another tab's reading would become the profile here.
        """
        for job in self._jobs():
            job.cancel()
        self.membership.pending = None
        empty = VisitorState(
            is_restored=True,
            limit_id=self.limit_id,
            upload=UploadState(field_number=self.upload.field_number + 1),
            spotify=SpotifyState(session_label=self.spotify.session_label),
            membership=self.membership,
            quick_check=self.quick_check,  # has nothing of the visitor
        )
        for each in fields(self):
            setattr(self, each.name, getattr(empty, each.name))
        for key in PERSONAL_WIDGETS:
            st.session_state.pop(key, None)

    def end(self) -> None:
        """Stop all jobs and forget everything: the session has ended."""
        for job in self._jobs():
            job.cancel()
        if self.quick_check.job is not None:
            self.quick_check.job.leave()  # others may wait for it, too
        empty = VisitorState()
        for each in fields(self):
            setattr(self, each.name, getattr(empty, each.name))

    def _jobs(self) -> "Iterator[Job[Any]]":
        services = (service.job for service in self.services.values())
        jobs = (self.upload.job, self.audio_lookup.job, *services)
        yield from (job for job in jobs if job is not None)


def visitor_state() -> VisitorState:
    """Return the state of this session's visitor."""
    state: VisitorState = st.session_state.setdefault(KEY, VisitorState())
    return state
