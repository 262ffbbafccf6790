"""Jobs that wait in line for their turn."""

import threading

import pytest

from twotower.core.errors import RateLimited
from twotower.core.jobs import Job
from twotower.core.waiting_line import WaitingLine

PATIENCE_S = 20


class Visitors:
    """Jobs in one line that work until they may go on."""

    def __init__(self, line: WaitingLine) -> None:
        self.line = line
        self.begun: list[str] = []
        self.go_on = {}
        self.jobs = {}

    def come(self, name: str) -> Job[str]:
        self.go_on[name] = threading.Event()

        def work(job: Job[str]) -> str:
            with self.line.turn(job):
                self.begun.append(name)
                self.go_on[name].wait(PATIENCE_S)
                return name

        self.jobs[name] = Job(work)
        self.wait_until(lambda: name in self.begun or self.jobs[name].message)
        return self.jobs[name]

    def finish(self, name: str) -> None:
        self.go_on[name].set()
        self.jobs[name].join(PATIENCE_S)

    def wait_until(self, is_so) -> None:
        """Block until the line has changed such that `is_so()`."""
        looks = threading.Event()
        assert any(is_so() or looks.wait(0.01) for _ in range(100 * PATIENCE_S))


@pytest.fixture
def visitors():
    """Two may work and two may wait."""
    made = Visitors(WaitingLine(2, 2))
    yield made
    for job in made.jobs.values():
        job.cancel()
    for name in made.jobs:
        made.finish(name)


def test_two_work_and_the_others_follow_in_order(visitors):
    for name in "abcd":
        visitors.come(name)
    assert visitors.begun == ["a", "b"]
    assert "place 1" in visitors.jobs["c"].message and "place 2" in visitors.jobs["d"].message
    visitors.finish("b")
    visitors.wait_until(lambda: visitors.begun == ["a", "b", "c"])
    visitors.finish("a")
    visitors.wait_until(lambda: visitors.begun == ["a", "b", "c", "d"])


def test_a_cancelled_job_leaves_the_line(visitors):
    for name in "abcd":
        visitors.come(name)
    visitors.jobs["c"].cancel()
    visitors.jobs["c"].join(PATIENCE_S)
    visitors.finish("a")
    visitors.wait_until(lambda: visitors.begun == ["a", "b", "d"])


def test_a_full_line_is_an_error_that_says_what_to_do(visitors):
    for name in "abcd":
        visitors.come(name)
    refused = Job(lambda job: visitors.line.turn(job).__enter__())
    refused.join(PATIENCE_S)
    assert isinstance(refused.error, RateLimited) and "try again" in str(refused.error)
