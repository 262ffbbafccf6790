"""Work that goes on while its page is looked at: how far it is, a countdown, a way to end it."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from twotower.core.errors import TwoTowerError

Result = TypeVar("Result")
Progress = Callable[[float, str], None]  # (share done 0..1, message)
STOPPING_S = 30.0  # at most, until work that all have left has noticed

log = logging.getLogger(__name__)


def silent(share: float, text: str) -> None:
    """Ignore the progress: the default where a caller passes no `Progress`."""


class Cancelled(Exception):
    """Nobody wants the result any longer."""


class Job(Generic[Result]):
    """`work` in a thread of its own, begun at once; it is handed the job to tell how far it is.

    Who began it waits for it, and others may `enter`; it is cancelled when the last has left.
    """

    def __init__(self, work: Callable[["Job[Result]"], Result]) -> None:
        self.done = 0.0  # 0..1
        self.said = ""  # what is being done
        self.result: Result | None = None
        self.error: TwoTowerError | None = None
        self._resumes_at: float | None = None
        self._waiting = 1
        self._lock = threading.Lock()  # for who waits
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
        except Exception:  # the thread would die in silence
            log.exception("a job failed")
            self.error = TwoTowerError("something here went wrong, and was written to the log")
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
        """Seconds left of a pause; None where there is none."""
        until = self._resumes_at
        return None if until is None else max(0.0, until - time.monotonic())

    def tell(self, done: float, said: str) -> None:
        """Say how far it is; Cancelled where it should end here."""
        if self._stop.is_set():
            raise Cancelled
        self.done, self.said = min(max(done, 0.0), 1.0), said

    def pause(self, seconds: float, why: str) -> None:
        """Wait, in a way that can be seen and cancelled."""
        self._resumes_at, before, self.said = time.monotonic() + seconds, self.said, why
        try:
            if self._stop.wait(seconds):
                raise Cancelled
        finally:
            self._resumes_at, self.said = None, before

    def cancel(self) -> None:
        """End it at its next word; what it gave is let go of."""
        self._stop.set()
        self.result = None

    def enter(self) -> bool:
        """One more waits for it; False where it has ended or was cancelled."""
        with self._lock:
            if not self.is_running:
                return False
            self._waiting += 1
            return True

    def leave(self) -> None:
        """One no longer waits for it; it is cancelled with the last."""
        with self._lock:
            self._waiting -= 1
            if self._waiting <= 0:
                self.cancel()

    def join(self, timeout_s: float) -> None:
        """Until its thread has ended, or for so long."""
        self._thread.join(timeout_s)


class OneAtATime(Generic[Result]):
    """Work that many may ask for, of which no two run at once: who comes later joins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: Job[Result] | None = None

    def start(self, work: Callable[[Job[Result]], Result]) -> Job[Result]:
        """The job that runs already or, where none does, this work's."""
        with self._lock:
            if self._job is None or not self._job.enter():
                if self._job is not None:
                    self._job.join(STOPPING_S)  # all have left it
                self._job = Job(work)
            return self._job
