"""Work in the background: its words, its countdown, its end."""

import threading

from twotower.core.errors import Unreachable
from twotower.core.jobs import Cancelled, Job, OneAtATime

PATIENCE_S = 20


def test_a_job_gives_its_result_and_has_told_how_far_it_is():
    job = Job(lambda job: job.tell(0.5, "half") or "result")
    job.join(PATIENCE_S)
    assert not job.is_running
    assert (job.result, job.done, job.said) == ("result", 0.5, "half")


def test_an_error_of_ours_is_kept_for_the_page():
    def work(job):
        raise Unreachable("nobody is there")

    job = Job(work)
    job.join(PATIENCE_S)
    assert str(job.error) == "nobody is there"
    assert job.result is None


def test_any_other_error_is_told_without_what_it_says(caplog):
    job = Job(lambda job: {}["secret"])
    job.join(PATIENCE_S)
    assert "secret" not in str(job.error)
    assert "a job failed" in caplog.text


def test_a_job_that_is_cancelled_ends_at_its_next_word_and_leaves_nothing():
    begun, go_on = threading.Event(), threading.Event()

    def work(job):
        begun.set()
        go_on.wait(PATIENCE_S)
        job.tell(1.0, "never said")
        return "never given"

    job = Job(work)
    begun.wait(PATIENCE_S)
    job.cancel()
    assert not job.is_running
    go_on.set()
    job.join(PATIENCE_S)
    assert job.is_cancelled
    assert (job.result, job.error, job.said) == (None, None, "")


def test_a_result_that_comes_after_the_cancelling_is_let_go_of():
    begun, go_on = threading.Event(), threading.Event()

    def work(job):
        begun.set()
        go_on.wait(PATIENCE_S)
        return "too late"

    job = Job(work)
    begun.wait(PATIENCE_S)
    job.cancel()
    go_on.set()
    job.join(PATIENCE_S)
    assert job.result is None


def test_a_pause_counts_down_and_can_be_cancelled():
    paused = threading.Event()

    def work(job):
        paused.set()
        job.pause(3600, "Spotify asks for patience")

    job = Job(work)
    paused.wait(PATIENCE_S)
    while job.resumes_in_s is None:
        pass
    assert 3500 < job.resumes_in_s <= 3600
    assert job.said == "Spotify asks for patience"
    job.cancel()
    job.join(PATIENCE_S)
    assert job.resumes_in_s is None


class Work:
    """Work that goes on when it may, and says what became of it."""

    def __init__(self):
        self.told, self.may_go_on = threading.Event(), threading.Event()
        self.was_cancelled = False

    def __call__(self, job):
        job.tell(0.25, "half of the half")
        self.told.set()
        assert self.may_go_on.wait(PATIENCE_S)
        try:
            job.tell(0.5, "half")
        except Cancelled:
            self.was_cancelled = True
            raise
        return "found"


def test_a_job_says_how_far_it_is_while_it_runs():
    work = Work()
    job = Job(work)
    assert work.told.wait(PATIENCE_S)
    assert job.is_running
    assert (job.done, job.said, job.result) == (0.25, "half of the half", None)
    work.may_go_on.set()
    job.join(PATIENCE_S)
    assert (job.done, job.said, job.result) == (0.5, "half", "found")


def test_a_job_is_cancelled_when_all_who_wait_have_left_and_not_before():
    for waiting, result in ((1, None), (2, "found")):
        work = Work()
        job = Job(work)
        assert work.told.wait(PATIENCE_S)
        for _ in range(waiting - 1):
            assert job.enter()
        job.leave()
        work.may_go_on.set()
        job.join(PATIENCE_S)
        assert job.result == result
        assert job.is_cancelled == work.was_cancelled == (result is None)


def test_a_job_that_has_failed_is_not_entered():
    job = Job(lambda job: {}["secret"])
    job.join(PATIENCE_S)
    assert not job.enter()


def test_who_comes_later_joins_what_runs():
    desk, work = OneAtATime(), Work()
    first = desk.start(work)
    assert work.told.wait(PATIENCE_S)
    second = desk.start(lambda job: "another")
    assert second is first
    first.leave()
    work.may_go_on.set()
    second.join(PATIENCE_S)
    assert second.result == "found"
    third = desk.start(lambda job: "another")
    third.join(PATIENCE_S)
    assert third.result == "another"


def test_what_all_have_left_is_not_joined_and_has_ended_before_the_next_begins():
    desk, work = OneAtATime(), Work()
    left = desk.start(work)
    assert work.told.wait(PATIENCE_S)
    left.leave()
    threading.Timer(0.05, work.may_go_on.set).start()
    following = desk.start(lambda job: work.was_cancelled)
    following.join(PATIENCE_S)
    assert following.result is True
    assert left.is_cancelled and left.result is None
