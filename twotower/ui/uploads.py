"""From a visitor's files, or what a service knows of them, to their profile."""

from collections.abc import Callable, Sequence
from typing import IO

import streamlit as st

from twotower.core.domain import DEMO, SPOTIFY_WEB_API
from twotower.core.errors import TooOften, TwoTowerError
from twotower.core.jobs import Job
from twotower.core.waiting_line import WaitingLine
from twotower.sources.collector import Reading
from twotower.sources.credits import split_credits
from twotower.sources.profiles import join_profiles, profile_of
from twotower.sources.reader import read_files
from twotower.ui import profile_edits, rate_limiting, visitor
from twotower.ui.model_cache import matcher
from twotower.ui.state import KEEP_EARLIER, ReadingResult, visitor_state
from twotower.web.rate_limits import READ

READERS, MOST_WAITING = 2, 50  # at the same time
WAIT_S = 1.0  # what takes no longer is read without a progress bar


def read_uploads(files: Sequence[tuple[str, IO[bytes]]]) -> Job[Reading] | None:
    """Return the job that reads, or begin one for these files; None if there is nothing to read.

    A large file is read while the visitor looks at other pages.
    """
    upload = visitor_state().upload
    if upload.job is None and files:
        try:
            rate_limiting.spend(READ)
        except TooOften as error:
            upload.result = failed_reading(str(error))
            return None
        upload.job = Job(_work(files))
        upload.files, upload.is_stopped = len(files), False
        upload.job.join(WAIT_S)
    return upload.job


def _work(files: Sequence[tuple[str, IO[bytes]]]) -> Callable[[Job[Reading]], Reading]:
    """Return the work of reading these files when it is their turn."""
    line = waiting_line()

    def work(job: Job[Reading]) -> Reading:
        with line.turn(job):
            return read_files(files, job.report)

    return work


@st.cache_resource
def waiting_line() -> WaitingLine:
    """Return the line of those whose files are read, shared by all visitors.

    Reading takes a whole processor core.
    """
    return WaitingLine(READERS, MOST_WAITING)


def stop_reading() -> None:
    """Cancel the job, if there is one."""
    upload = visitor_state().upload
    if upload.job is not None:
        upload.job.cancel()
        upload.job, upload.is_stopped = None, True


def finish_reading() -> None:
    """Make a profile of what the job has read; after an error the current profile stays."""
    upload = visitor_state().upload
    job, upload.job = upload.job, None
    if job is None:
        return
    if job.result is not None:
        message = f"Read {upload.files} file" + ("s" if upload.files > 1 else "")
        upload.result = use_reading(job.result, message)
    elif job.error is not None:
        upload.result = failed_reading(str(job.error))


def use_reading(reading: Reading, message: str) -> ReadingResult:
    """Make a profile of what was read, or add it to the current one.

    If the model knows too little of it, the current profile stays.
    """
    current = visitor.profile()
    try:
        new, credits_split = split_credits(profile_of(reading), matcher().catalogue.name_of)
        if current is not None and can_add() and st.session_state.get(KEEP_EARLIER, True):
            new = join_profiles(current, new)
            message = f"{message} and added to your music"
        matcher().portrait(new)
    except TwoTowerError as error:
        return failed_reading(str(error), reading)
    visitor.set_profile(new, message)
    return ReadingResult(reading.reports, credits_split=credits_split)


def failed_reading(error: str, reading: Reading | None = None) -> ReadingResult:
    """Return the result of a reading that changed nothing."""
    reports = () if reading is None else reading.reports
    return ReadingResult(reports, error, has_earlier_music=visitor.profile() is not None)


def can_add() -> bool:
    """Return whether new music may be added to the current profile instead of replacing it."""
    current = visitor.profile()
    fixed = (DEMO, profile_edits.PICKED, SPOTIFY_WEB_API)
    return current is not None and current.origin not in fixed
