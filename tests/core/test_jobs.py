"""Background jobs: progress, pause, cancellation, sharing."""

import threading

from twotower.core.errors import Unreachable
from twotower.core.jobs import Cancelled, Job, SharedJob

PATIENCE_S = 20


def test_a_job_has_a_result_and_its_last_report():
    job = Job(lambda job: job.report(0.5, "half") or "result")
    job.join(PATIENCE_S)
    assert not job.is_running
    assert (job.result, job.share, job.message) == ("result", 0.5, "half")


def test_a_twotower_error_is_stored_for_the_page():
    def work(job):
        raise Unreachable("nobody is there")

    job = Job(work)
    job.join(PATIENCE_S)
    assert str(job.error) == "nobody is there"
    assert job.result is None


def test_another_error_is_logged_and_its_text_is_not_shown(caplog):
    job = Job(lambda job: {}["secret"])
    job.join(PATIENCE_S)
    assert "secret" not in str(job.error)
    assert "a job failed" in caplog.text


def test_a_cancelled_job_ends_at_its_next_report_without_a_result():
    begun, go_on = threading.Event(), threading.Event()

    def work(job):
        begun.set()
        go_on.wait(PATIENCE_S)
        job.report(1.0, "never reported")
        return "never returned"

    job = Job(work)
    begun.wait(PATIENCE_S)
    job.cancel()
    assert not job.is_running
    go_on.set()
    job.join(PATIENCE_S)
    assert job.is_cancelled
    assert (job.result, job.error, job.message) == (None, None, "")


def test_a_result_that_arrives_after_cancellation_is_dropped():
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
    assert job.message == "Spotify asks for patience"
    job.cancel()
    job.join(PATIENCE_S)
    assert job.resumes_in_s is None


class Work:
    """Work that reports, waits for permission, then reports again."""

    def __init__(self):
        self.has_reported, self.may_go_on = threading.Event(), threading.Event()
        self.was_cancelled = False

    def __call__(self, job):
        job.report(0.25, "half of the half")
        self.has_reported.set()
        assert self.may_go_on.wait(PATIENCE_S)
        try:
            job.report(0.5, "half")
        except Cancelled:
            self.was_cancelled = True
            raise
        return "found"


def test_a_running_job_shows_its_last_report():
    work = Work()
    job = Job(work)
    assert work.has_reported.wait(PATIENCE_S)
    assert job.is_running
    assert (job.share, job.message, job.result) == (0.25, "half of the half", None)
    work.may_go_on.set()
    job.join(PATIENCE_S)
    assert (job.share, job.message, job.result) == (0.5, "half", "found")


def test_a_job_is_cancelled_when_the_last_waiter_leaves_and_not_before():
    for waiting, result in ((1, None), (2, "found")):
        work = Work()
        job = Job(work)
        assert work.has_reported.wait(PATIENCE_S)
        for _ in range(waiting - 1):
            assert job.enter()
        job.leave()
        work.may_go_on.set()
        job.join(PATIENCE_S)
        assert job.result == result
        assert job.is_cancelled == work.was_cancelled == (result is None)


def test_a_failed_job_can_not_be_entered():
    job = Job(lambda job: {}["secret"])
    job.join(PATIENCE_S)
    assert not job.enter()


def test_a_later_caller_joins_the_running_job():
    shared, work = SharedJob(), Work()
    first = shared.start(work)
    assert work.has_reported.wait(PATIENCE_S)
    second = shared.start(lambda job: "another")
    assert second is first
    first.leave()
    work.may_go_on.set()
    second.join(PATIENCE_S)
    assert second.result == "found"
    third = shared.start(lambda job: "another")
    third.join(PATIENCE_S)
    assert third.result == "another"


def test_a_job_that_all_have_left_ends_before_the_next_one_starts():
    shared, work = SharedJob(), Work()
    left = shared.start(work)
    assert work.has_reported.wait(PATIENCE_S)
    left.leave()
    threading.Timer(0.05, work.may_go_on.set).start()
    following = shared.start(lambda job: work.was_cancelled)
    following.join(PATIENCE_S)
    assert following.result is True
    assert left.is_cancelled and left.result is None
