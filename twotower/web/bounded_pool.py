"""A few threads with a short line, for work that may hang."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

Result = TypeVar("Result")


class BoundedPool:
    """At most `working` calls run at the same time, and at most `waiting` wait for it."""

    def __init__(self, working: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(working, thread_name_prefix="bounded-pool")
        self._room = BoundedSemaphore(working + waiting)

    def submit(self, work: Callable[[], Result]) -> Future[Result] | None:
        """Return the future result of `work`; None if there is no room for it."""
        if not self._room.acquire(blocking=False):
            return None
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._room.release())
        return future
