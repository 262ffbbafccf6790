"""HTTP client: pace, waiting, retries, and unusable answers."""

import gzip
import json
import socket
from itertools import pairwise

import pytest
from webservice import Clock, Reply, Request, Running, service

from twotower.core.errors import RateLimited, Unreachable
from twotower.sources.services import http as web_module
from twotower.sources.services.http import Pace, WebClient


def client(address: str, clock: Clock | None = None, between_s: float = 0.0, **more) -> WebClient:
    clock = clock or Clock()
    pace = Pace(between_s, now=clock.now, sleep=clock.sleep)
    return WebClient("Tunes", address, pace=pace, **more)


def test_requests_have_our_user_agent_and_answers_are_decoded_json():
    with service(lambda request: Reply({"path": request.path, **request.fields})) as tunes:
        web = client(tunes.address, agent="MusicalNeighbours/1 ( me@example.com )")
        answer = web.get("/1/user/anna & b/x", count=3, offset=None)
    assert (answer.status, answer.body) == (200, {"path": "/1/user/anna%20&%20b/x", "count": "3"})
    assert tunes.requests[0].headers["User-Agent"] == "MusicalNeighbours/1 ( me@example.com )"


def test_a_compressed_answer_is_decompressed():
    packed = gzip.compress(json.dumps(list(range(100_000))).encode())
    with service(lambda request: Reply(packed, headers={"Content-Encoding": "gzip"})) as tunes:
        assert client(tunes.address).get("/").body == list(range(100_000))


def test_clients_of_one_pace_share_its_pauses():
    clock = Clock()
    pace = Pace(1.0, now=clock.now, sleep=clock.sleep)
    times = []

    def answer(request: Request) -> Reply:
        times.append(clock.at)
        return Reply({})

    with service(answer) as tunes:
        both = [WebClient("Tunes", tunes.address, pace=pace) for _ in range(2)]
        for number in range(6):
            both[number % 2].get("/")
    assert [after - before for before, after in pairwise(times)] == pytest.approx([1.0] * 5)


def test_those_who_stop_waiting_leave_the_line():
    class Stopped(Exception): ...

    def stop(left: float) -> None:
        raise Stopped

    clock = Clock()
    pace = Pace(1.0, now=clock.now, sleep=clock.sleep)
    pace.turn()
    for _ in range(120):
        with pytest.raises(Stopped):
            pace.turn(stop)
    pace.turn()
    assert clock.at == pytest.approx(1001)


def test_the_line_is_served_in_order():
    clock = Clock()
    pace = Pace(1.0, now=clock.now, sleep=clock.sleep)
    pace.turn()
    told = []

    def next_one(left: float) -> None:
        if not told:
            told.append(left)
            with pytest.raises(RuntimeError):
                pace.turn(third)

    def third(left: float) -> None:
        told.append(left)
        raise RuntimeError

    pace.turn(next_one)
    assert told == pytest.approx([1.0, 2.0])


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", ["Retry-After", "X-RateLimit-Reset-In"])
def test_a_short_wait_is_waited_with_a_countdown(status: int, header: str):
    clock, told = Clock(), []
    answers = [Reply(None, status, {header: "7"}), Reply({"good": 1})]
    with service(lambda request: answers[len(tunes.requests) - 1]) as tunes:
        web = client(tunes.address, clock, waiting=lambda why, left: told.append((why, left)))
        assert web.get("/").body == {"good": 1}
    assert clock.at == pytest.approx(1007)
    assert max(clock.waited) <= 0.25
    assert told[0] == ("Tunes asks us to wait", pytest.approx(7))
    assert [left for _, left in told] == sorted((left for _, left in told), reverse=True)


def test_waiting_ends_if_the_callback_raises():
    class Enough(Exception): ...

    def waiting(why: str, left: float) -> None:
        if left < 5:
            raise Enough

    clock = Clock()
    with service(lambda request: Reply(None, 429, {"Retry-After": "9"})) as tunes:
        with pytest.raises(Enough):
            client(tunes.address, clock, waiting=waiting).get("/")
        assert len(tunes.requests) == 1
    assert clock.at == pytest.approx(1004, abs=0.3)


@pytest.mark.parametrize(
    ("header", "says", "seconds"),
    [("3600", "60 minutes", 3600), ("48925", "13.6 hours", 48_925), ("11", "11 seconds", 11)],
)
def test_a_long_wait_is_an_error_with_its_duration(header: str, says: str, seconds: float):
    clock = Clock()
    with (
        service(lambda request: Reply(None, 429, {"Retry-After": header})) as tunes,
        pytest.raises(RateLimited, match=f"Tunes accepts no more.*try again in {says}") as caught,
    ):
        client(tunes.address, clock).get("/")
    assert caught.value.retry_after_s == seconds
    assert clock.waited == [] and len(tunes.requests) == 1


def test_retries_end_after_the_third_try():
    clock = Clock()
    with (
        service(lambda request: Reply(None, 429, {"Retry-After": "soon"})) as tunes,
        pytest.raises(RateLimited, match="in a few minutes") as caught,
    ):
        client(tunes.address, clock).get("/")
    assert caught.value.retry_after_s is None
    assert len(tunes.requests) == 3 and clock.at == pytest.approx(1004)


def test_one_server_error_is_retried_and_a_lasting_one_is_unreachable():
    answers = [Reply(None, 502), Reply(None, 500), Reply({"good": 1})]
    with service(lambda request: answers[len(tunes.requests) - 1]) as tunes:
        assert client(tunes.address).get("/").body == {"good": 1}
    with (
        service(lambda request: Reply(None, 500)) as tunes,
        pytest.raises(Unreachable, match=r"status 500.*try again"),
    ):
        client(tunes.address).get("/")
    assert len(tunes.requests) == 3


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Reply(b"<html>"), "isn.t JSON"),
        (Reply(b"[" * 100_000), "isn.t JSON"),
        (Reply(None, 302, {"Location": "http://127.0.0.1:9/"}), "status 302"),
        (Reply(b'{"cut": "short"}', hang_up=True), "connection fails"),
        (Reply(b"x" * 50, headers={"Content-Encoding": "gzip"}), "connection fails"),
    ],
)
def test_an_unusable_answer_is_one_clear_line(said: Reply, why: str):
    with service(lambda request: said) as tunes, pytest.raises(Unreachable, match=why) as caught:
        client(tunes.address).get("/2.0/", api_key="s3cret")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in repr(caught.value) + repr(caught.value.__cause__)
    assert caught.value.__suppress_context__ or "s3cret" not in repr(caught.value.__context__)


def test_client_error_statuses_are_returned_with_their_body():
    answers = [Reply(None, 204), Reply({"error": "no"}, 404), Reply(b"<html>", 403)]
    with service(lambda request: answers[len(tunes.requests) - 1]) as tunes:
        web = client(tunes.address)
        assert [web.get("/") for _ in answers] == [
            web_module.Answer(204, None),
            web_module.Answer(404, {"error": "no"}),
            web_module.Answer(403, None),
        ]
        assert web.calls == 3


def test_a_too_large_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web_module, "LARGEST_ANSWER", 1000)
    with (
        service(lambda request: Reply(b" " * 100_000)) as tunes,
        pytest.raises(Unreachable, match="too large"),
    ):
        client(tunes.address).get("/")


def test_an_answer_that_arrives_byte_by_byte_times_out():
    with (
        service(lambda request: Reply(b" " * 100_000, drip_s=0.01)) as tunes,
        pytest.raises(Unreachable, match="too slow"),
    ):
        client(tunes.address, Running()).get("/")


def test_no_answer_times_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web_module, "TIMEOUT_S", (1.0, 0.2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        web = client(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Unreachable, match="doesn't answer in time"):
            web.get("/")


def test_a_refused_connection_is_unreachable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="connection fails"):
        client(f"http://127.0.0.1:{port}").get("/")
