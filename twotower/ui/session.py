"""What one visitor has brought, and the model that all visitors share.

A profile lives in the visitor's own session and nowhere else; only the model, the map of the
community and other things that are the same for everyone are in the caches.
"""

import gc
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import IO, TYPE_CHECKING

import numpy as np
import streamlit as st

from twotower.bundle.demos import DEMOS
from twotower.core.domain import DEMO, SPOTIFY_WEB_API, Neighbour, Profile
from twotower.core.errors import EmptyProfile, TwoTowerError
from twotower.core.jobs import Job
from twotower.core.settings import Settings
from twotower.sources.collector import FileReport, Reading
from twotower.sources.profiles import join_profiles, profile_of
from twotower.sources.reader import read_files
from twotower.ui import components, profile_edits, url_state

if TYPE_CHECKING:
    from twotower.matching.matcher import Matcher
    from twotower.model.portrait import Portrait

MOST_UNDONE = 30
LEFT_BEHIND = (
    *("steps", "portrait", "portrait-of", "found", "left", "upload"),
    *("services-kept", "sound-found", "sound-failed"),
)
AT_ONCE_S = 1.0  # what takes no longer is read without a word
_loading = Lock()
_swapping = Lock()
_next: "list[Matcher]" = []  # at most one, that takes the place of the one before
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upload:
    """How the last reading of files, or of a service, went."""

    reports: tuple[FileReport, ...]
    error: str = ""  # why it couldn't be used; then nothing was changed
    kept: bool = False  # there was a profile before, and it is still there


@dataclass(frozen=True)
class Step:
    """One change that can be taken back."""

    said: str  # what was done, as a past event: "Removed Low"
    before: Profile | None
    moved: float | None = None  # cosine between the vectors before and after


@dataclass(frozen=True, eq=False)
class _Found:
    """The neighbours of a portrait in the community as of one of its changes."""

    portrait: "Portrait"
    seq: int
    count: int
    own: str | None
    people: tuple[Neighbour, ...]


@st.cache_resource(show_spinner="Loading the model and the community …")
def load_matcher() -> "Matcher":
    """The one matcher of this server."""
    with _loading:  # a warm-up may be at it
        return _load()


def warm_up() -> None:
    """Load the matcher before the first visitor asks; what goes wrong is told to that visitor."""
    with _loading, suppress(TwoTowerError):
        _load()


@cache
def _load() -> "Matcher":
    """Load the matcher; afterwards the garbage collector leaves all that is there alone."""
    if _next:
        return _next.pop()
    from twotower.matching.matcher import Matcher  # torch: the page says what it is for before that

    matcher = Matcher.load(Settings.from_env())
    gc.collect()
    gc.freeze()
    return matcher


def matcher() -> "Matcher":
    """The matcher; where it can't be loaded, the page says why and ends.

    Once the community is served by another model, it is of that one.
    """
    try:
        now = load_matcher()
    except TwoTowerError as error:
        components.failed(error)
        st.stop()
    return now if now.is_current() else _swapped(now)


def _swapped(old: "Matcher") -> "Matcher":
    """The matcher that takes the place of `old`; while one visitor's rerun loads it, and where it
    can't be loaded, the others stay with the old one."""
    if not _swapping.acquire(blocking=False):
        return old
    try:
        now = load_matcher()
        if now is not old:  # another was quicker
            return now
        from twotower.matching.matcher import Matcher

        fresh = Matcher.load(Settings.from_env())
        with _loading:
            _next.append(fresh)
            _load.cache_clear()
            load_matcher.clear()
            _load()
        return load_matcher()
    except TwoTowerError as error:
        logger.warning("the model before is served on, for the new one can't be loaded: %s", error)
        return old
    finally:
        _swapping.release()


def profile() -> Profile | None:
    """What the visitor has brought, if anything."""
    brought: Profile | None = st.session_state.get("profile")
    return brought


def demos() -> tuple[Profile, ...]:
    """Five listeners to try the app as; they are there before the model is."""
    return DEMOS


def restore() -> None:
    """Begin with what the address tells, and keep the address in step with the profile."""
    if "profile" not in st.session_state:
        st.session_state["profile"] = None
        demo, artists = (
            st.query_params.get(url_state.DEMO_PARAM),
            st.query_params.get_all(url_state.ARTIST),
        )
        if demo or artists:
            st.session_state["profile"] = url_state.meant(
                demo, artists, demos=demos(), catalogue=matcher().catalogue
            )
    _keep_address()


def _keep_address() -> None:
    told = url_state.told(profile())
    for name in (url_state.DEMO_PARAM, url_state.ARTIST):
        if st.query_params.get_all(name) != told.get(name, []):
            if name in told:
                st.query_params[name] = told[name]
            else:
                st.query_params.pop(name, None)


def portrait() -> "Portrait | None":
    """The visitor's profile as the model sees it now; None without one.

    EmptyProfile where the model knows too little of it.
    """
    brought = profile()
    if brought is None:
        return None
    now = matcher()
    seen: Portrait | None = st.session_state.get("portrait")
    of = st.session_state.get("portrait-of")  # vectors of two models are never compared
    if seen is None or seen.profile is not brought or of != now.version:
        seen = now.portrait(brought)
        st.session_state["portrait"], st.session_state["portrait-of"] = seen, now.version
    return seen


def require_portrait() -> "Portrait":
    """The visitor's portrait; without one the page points to the start, and ends."""
    matcher()
    try:
        seen = portrait()
    except EmptyProfile as error:
        components.too_little(error)
        st.stop()
    if seen is None:
        components.empty()
        st.stop()
    return seen


def neighbours(count: int) -> tuple[Neighbour, ...]:
    """The visitor's nearest people, nearest first; nobody where there is no portrait.

    Found anew when the portrait or the community has changed, or more are asked for.
    """
    seen = portrait()
    if seen is None:
        return ()
    seq = matcher().snapshot().seq
    known: _Found | None = st.session_state.get("found")
    own = own_id()
    if (
        known is None
        or known.portrait is not seen
        or known.seq != seq
        or known.own != own
        or known.count < count
    ):
        known = _Found(seen, seq, count, own, matcher().neighbours(seen, count, own=own))
        st.session_state["found"] = known
    return known.people[:count]


def own_id() -> str | None:
    """The id under which the visitor is in the community, as far as this session knows."""
    member = st.session_state.get("member")
    return None if member is None else str(member.id)


def bring(new: Profile | None, said: str, *, edited: bool = False) -> None:
    """Make `new` the visitor's profile; the one before can be had back by `undo`.

    `edited` says that `new` is the one before with a small change, of which one may ask how far
    it moved the vector.
    """
    before = profile()
    if before is None and new is None:
        return
    was = _vector() if edited else None
    st.session_state["profile"] = new
    now = _vector() if edited else None
    moved = None if was is None or now is None else float(np.dot(was, now))
    steps: list[Step] = st.session_state.setdefault("steps", [])
    steps.append(Step(said, before, moved))
    del steps[:-MOST_UNDONE]
    _keep_address()


def _vector() -> np.ndarray | None:
    """The visitor's user vector, None where the model knows too little."""
    try:
        seen = portrait()
    except EmptyProfile:
        return None
    return None if seen is None else seen.user_vector


def last_step() -> Step | None:
    """The change that `undo` would take back."""
    steps: list[Step] = st.session_state.get("steps", [])
    return steps[-1] if steps else None


def undo() -> None:
    steps: list[Step] = st.session_state.get("steps", [])
    if steps:
        st.session_state["profile"] = steps.pop().before
        _keep_address()


def forget(gone: Callable[[Profile], bool]) -> bool:
    """Let go of every profile that is `gone`, also of those that could be had back."""
    steps: list[Step] = st.session_state.get("steps", [])
    kept = [step for step in steps if step.before is None or not gone(step.before)]
    now = profile()
    found = len(kept) < len(steps) or (now is not None and gone(now))
    if found:
        st.session_state["steps"] = kept
        if now is not None and gone(now):
            st.session_state["profile"] = None
        for cached in ("portrait", "found", "left"):
            st.session_state.pop(cached, None)
    return found


def forget_all() -> None:
    """Let go of all that the visitor brought, with no way back."""
    stop_upload()
    for name in [str(name) for name in st.session_state]:
        if name in LEFT_BEHIND or name.endswith(("-job", "-asked", "-outcome", "-stopped")):
            kept = st.session_state.pop(name)
            for each in kept if isinstance(kept, tuple) else (kept,):
                if isinstance(each, Job):
                    each.cancel()
    st.session_state["profile"] = None
    _keep_address()


def start_over() -> None:
    bring(None, "Started over")


def pick(name: str) -> None:
    """Add an artist; to a demo listener nothing is added, a profile of one's own begins."""
    now = profile()
    if now is None or now.origin == DEMO:
        bring(profile_edits.picked(name), f"Picked {name}")
    elif len(now.artists) < profile_edits.MOST_PICKED or now.origin != profile_edits.PICKED:
        bring(profile_edits.with_artist(now, name), f"Added {name}", edited=True)


def remove(key: str) -> None:
    now = profile()
    if now is not None and key in now.artists:
        name = now.artists[key].name
        bring(profile_edits.without_artist(now, key), f"Removed {name}", edited=True)


def like(key: str, word: str) -> None:
    now = profile()
    if now is not None and key in now.artists:
        name = now.artists[key].name
        bring(
            profile_edits.with_liking(now, key, word),
            f"Changed how much {name} counts",
            edited=True,
        )


def uploading(files: Sequence[tuple[str, IO[bytes]]] = ()) -> Job[Reading] | None:
    """The reading that was begun; else that of these files, which is begun now.

    Small files are read at once; of larger ones the job tells how far it is, on whatever page the
    visitor is meanwhile.
    """
    begun: tuple[int, Job[Reading]] | None = st.session_state.get("upload-job")
    if begun is not None:
        return begun[1]
    if not files:
        return None
    job = Job(lambda job: read_files(files, job.report))
    st.session_state["upload-job"] = (len(files), job)
    st.session_state["upload-stopped"] = False
    job.join(AT_ONCE_S)
    return job


def stop_upload() -> None:
    job = uploading()
    if job is not None:
        job.cancel()
        del st.session_state["upload-job"]
        st.session_state["upload-stopped"] = True


def finish_upload() -> None:
    """Make a profile of what was read; where that fails, the visitor keeps the one they have."""
    count, job = st.session_state.pop("upload-job")
    if job.result is not None:
        said = f"Read {count} file" + ("s" if count > 1 else "")
        st.session_state["upload"] = take_in(job.result, said)
    elif job.error is not None:
        st.session_state["upload"] = Upload((), str(job.error), kept=profile() is not None)


def take_in(reading: Reading, said: str) -> Upload:
    """Make a profile of what was read, or join it to the one that is there.

    Where the model knows too little of it, the visitor keeps the one they have.
    """
    now = profile()
    try:
        new = profile_of(reading)
        if now is not None and can_join() and st.session_state.get("join", True):
            new, said = join_profiles(now, new), f"{said}, and joined it to what was here"
        matcher().portrait(new)
    except TwoTowerError as error:
        return Upload(reading.reports, str(error), kept=now is not None)
    bring(new, said)
    return Upload(reading.reports)


def can_join() -> bool:
    """Whether what is read next may be added to what was brought, rather than take its place."""
    now = profile()
    return now is not None and now.origin not in (
        DEMO,
        profile_edits.PICKED,
        SPOTIFY_WEB_API,
    )


def last_upload() -> Upload | None:
    upload: Upload | None = st.session_state.get("upload")
    return upload
