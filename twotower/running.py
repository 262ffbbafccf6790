"""Work in a thread of its own: how far it is, what came of it, and the way to stop it."""

import logging
from collections.abc import Callable
from threading import Lock, Thread
from typing import Generic, Literal, TypeVar

from twotower.errors import TwoTowerError

Found = TypeVar("Found")
Tell = Callable[[float, str], None]  # share done 0..1, what is being done
State = Literal["running", "done", "stopped", "failed"]

STOPPING_S = 30.0  # at most, until work that all have left has noticed

log = logging.getLogger(__name__)


class Stopped(Exception):
    """Nobody waits for the work any more."""


class Running(Generic[Found]):
    """One piece of work; it is stopped, at its next word, when all who wait for it have left."""

    def __init__(self, work: Callable[[Tell], Found]) -> None:
        self.share, self.text = 0.0, "starting"
        self.found: Found | None = None  # once the state is "done"
        self.error = ""  # once it is "failed": what to tell
        self.state: State = "running"
        self._waiting = 1
        self._lock = Lock()
        self._thread = Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def join(self) -> bool:
        """One more waits for it; False where it can no longer be joined."""
        with self._lock:
            if self.state != "running" or self._waiting == 0:
                return False
            self._waiting += 1
            return True

    def leave(self) -> None:
        """One no longer waits for it."""
        with self._lock:
            self._waiting -= 1

    def wait(self, seconds: float) -> None:
        """Until it has ended, or for so long."""
        self._thread.join(seconds)

    def _run(self, work: Callable[[Tell], Found]) -> None:
        try:
            self.found = work(self._tell)
            self.state = "done"
        except Stopped:
            self.state = "stopped"
        except TwoTowerError as error:
            self.error, self.state = str(error), "failed"
        except Exception:  # a thread would die in silence, and all would wait on
            log.exception("work in a thread of its own failed")
            self.error = "something went wrong; the server's log says what"
            self.state = "failed"

    def _tell(self, share: float, text: str) -> None:
        if self._waiting <= 0:
            raise Stopped
        self.share, self.text = share, text


class OneAtATime(Generic[Found]):
    """Work that many may ask for, of which no two run at once: who comes later joins."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: Running[Found] | None = None

    def start(self, work: Callable[[Tell], Found]) -> Running[Found]:
        """That which runs already or, where none does, this work."""
        with self._lock:
            if self._running is None or not self._running.join():
                if self._running is not None and self._running.state == "running":
                    self._running.wait(STOPPING_S)  # all have left it
                self._running = Running(work)
            return self._running
