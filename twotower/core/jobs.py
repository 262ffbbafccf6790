"""Background jobs with progress, pause and cancellation."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from twotower.core.errors import TwoTowerError

Result = TypeVar("Result")
Progress = Callable[[float, str], None]  # share done, 0..1; what is being done; may raise Cancelled
STOPPING_S = 30.0  # at most this long for cancelled work to stop

log = logging.getLogger(__name__)


def silent(share: float, message: str) -> None:
    """Ignore progress: the default of functions that report it."""


class Cancelled(Exception):
    """The job was cancelled: nobody waits for its result."""


class Job(Generic[Result]):
    """Run `work` in a thread, started at once. It gets the job, to report its progress.

    The caller waits for the result, and others may `enter`. When the last of them has left, the
    job is cancelled.
    """

    def __init__(self, work: Callable[["Job[Result]"], Result]) -> None:
        self.share = 0.0  # done, 0..1
        self.message = ""  # what is being done
        self.result: Result | None = None
        self.error: TwoTowerError | None = None
        self._resumes_at: float | None = None
        self._waiting = 1  # callers that want the result
        self._lock = threading.Lock()  # for _waiting
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[["Job[Result]"], Result]) -> None:
        try:
            self.result = work(self)
        except Cancelled:
            pass
        except TwoTowerError as error:
            self.error = error
        except Exception:  # otherwise the thread would end without a message on the page
            log.exception("a job failed")
            self.error = TwoTowerError(
                "something is wrong on our side: try again; the log has details"
            )
        if self._stop.is_set():
            self.result = self.error = None

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive() and not self._stop.is_set()

    @property
    def is_cancelled(self) -> bool:
        return self._stop.is_set()

    @property
    def resumes_in_s(self) -> float | None:
        """Seconds left of the current pause; None if the job isn't paused."""
        until = self._resumes_at
        return None if until is None else max(0.0, until - time.monotonic())

    def report(self, share: float, message: str) -> None:
        """Report progress, as a `Progress`. Raises Cancelled if the job was cancelled."""
        if self._stop.is_set():
            raise Cancelled
        self.share, self.message = min(max(share, 0.0), 1.0), message

    def pause(self, seconds: float, why: str) -> None:
        """Wait, with a visible countdown. Raises Cancelled if the job is cancelled meanwhile."""
        self._resumes_at, before, self.message = time.monotonic() + seconds, self.message, why
        try:
            if self._stop.wait(seconds):
                raise Cancelled
        finally:
            self._resumes_at, self.message = None, before

    def cancel(self) -> None:
        """Stop the work at its next report, and drop its result."""
        self._stop.set()
        self.result = None

    def enter(self) -> bool:
        """Wait for this job too. Returns False if it has ended or was cancelled."""
        with self._lock:
            if not self.is_running:
                return False
            self._waiting += 1
            return True

    def leave(self) -> None:
        """Stop waiting for this job; the last to leave cancels it."""
        with self._lock:
            self._waiting -= 1
            if self._waiting <= 0:
                self.cancel()

    def join(self, timeout_s: float) -> None:
        """Block until the thread has ended, or for `timeout_s`."""
        self._thread.join(timeout_s)


class SharedJob(Generic[Result]):
    """Work with at most one running job: a second start joins the job that runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: Job[Result] | None = None

    def start(self, work: Callable[[Job[Result]], Result]) -> Job[Result]:
        """Return the running job, or start one with `work`."""
        with self._lock:
            if self._job is None or not self._job.enter():
                if self._job is not None:
                    self._job.join(STOPPING_S)  # everyone has left it
                self._job = Job(work)
            return self._job
