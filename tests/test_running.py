"""Work in a thread: it ends, it fails, and it stops when nobody waits for it."""

from threading import Event

import pytest

from twotower.errors import MissingData
from twotower.running import OneAtATime, Running, Stopped

PATIENCE_S = 20.0


class Work:
    """Work that goes on when it may, and says what became of it."""

    def __init__(self) -> None:
        self.told, self.may_go_on, self.stopped = Event(), Event(), False

    def __call__(self, tell):
        tell(0.25, "half of the half")
        self.told.set()
        assert self.may_go_on.wait(PATIENCE_S)
        try:
            tell(0.5, "half")
        except Stopped:
            self.stopped = True
            raise
        return "found"


def ended(run: Running) -> Running:
    run.wait(PATIENCE_S)
    assert run.state != "running"
    return run


def test_it_says_how_far_it_is_and_what_it_found():
    work = Work()
    run = Running(work)
    assert work.told.wait(PATIENCE_S)
    assert (run.state, run.share, run.text) == ("running", 0.25, "half of the half")
    assert run.found is None
    work.may_go_on.set()
    assert (ended(run).state, run.found) == ("done", "found")


def test_it_stops_when_all_who_wait_have_left_and_not_before():
    for waiting, state in ((1, "stopped"), (2, "done")):
        work = Work()
        run = Running(work)
        assert work.told.wait(PATIENCE_S)
        for _ in range(waiting - 1):
            assert run.join()
        run.leave()
        work.may_go_on.set()
        assert ended(run).state == state and work.stopped == (state == "stopped")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MissingData("there is no file; make one"), "there is no file; make one"),
        (ZeroDivisionError("secret"), "something went wrong; the server's log says what"),
    ],
)
def test_what_goes_wrong_is_told(error, told):
    def work(tell):
        raise error

    run = ended(Running(work))
    assert (run.state, run.error) == ("failed", told)
    assert not run.join()


def test_who_comes_later_joins_what_runs():
    desk, work = OneAtATime(), Work()
    first = desk.start(work)
    assert work.told.wait(PATIENCE_S)
    second = desk.start(lambda tell: "another")
    assert second is first
    first.leave()
    work.may_go_on.set()
    assert ended(second).found == "found"
    assert ended(desk.start(lambda tell: "another")).found == "another"


def test_what_all_have_left_is_not_joined():
    desk, work = OneAtATime(), Work()
    left = desk.start(work)
    assert work.told.wait(PATIENCE_S)
    left.leave()
    work.may_go_on.set()
    assert ended(desk.start(lambda tell: "another")).found == "another"
    assert ended(left).state == "stopped"
