"""A line of jobs that wait for their turn; only a few work at the same time."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twotower.core.errors import RateLimited
from twotower.core.jobs import Job

_STEP_S = 0.25  # of waiting, between two looks whether the job was cancelled


class WaitingLine:
    """At most `at_once` jobs work, and at most `most_waiting` wait, in the order of their arrival.

    Safe to share between threads. A cancelled job leaves the line.
    """

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self._at_once, self._most_waiting = at_once, most_waiting
        self._working = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, job: Job[Any]) -> Iterator[None]:
        """Wait until it is the job's turn, then work in the block.

        Raises Cancelled if the job is cancelled meanwhile, RateLimited if too many wait.
        """
        self._wait(job)
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _wait(self, job: Job[Any]) -> None:
        place = object()
        with self._changed:
            if len(self._waiting) >= self._most_waiting:
                raise RateLimited("many others are waiting just now: try again in a few minutes")
            self._waiting.append(place)
            try:
                while self._waiting[0] is not place or self._working >= self._at_once:
                    ahead = self._waiting.index(place) + 1
                    job.report(job.share, f"Waiting for others to finish, place {ahead}")
                    self._changed.wait(_STEP_S)
                self._working += 1
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()
