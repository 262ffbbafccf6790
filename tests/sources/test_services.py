"""ListenBrainz and Last.fm over HTTP: totals, latest plays, and every kind of failure."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins import HISTORY, USER, lastfm, listen, listenbrainz
from webservice import Clock, Reply, Request, Service, service

from twotower.core.domain import Profile
from twotower.core.errors import (
    NoMusic,
    NoSuchUser,
    NotAllowed,
    RateLimited,
    TwoTowerError,
    Unreachable,
)
from twotower.core.names import artist_key
from twotower.sources.collector import Reading
from twotower.sources.files.listenbrainz_export import play_of_listen
from twotower.sources.profiles import profile_of
from twotower.sources.services.http import Pace, WebClient
from twotower.sources.services.lastfm import read_lastfm
from twotower.sources.services.listenbrainz import read_listenbrainz

Read = Callable[..., Reading]


def brainz(place: Service, user: str = USER, *, clock: Clock | None = None, **more: Any) -> Reading:
    clock = clock or Clock()
    pace = Pace(1.0, now=clock.now, sleep=clock.sleep)
    web = WebClient("ListenBrainz", place.address, pace=pace, agent="Us/1 ( me )")
    return read_listenbrainz(user, web, **more)


def fm(place: Service, user: str = USER, *, clock: Clock | None = None, **more: Any) -> Reading:
    clock = clock or Clock()
    pace = Pace(0.25, now=clock.now, sleep=clock.sleep)
    web = WebClient("Last.fm", place.address, pace=pace, agent="Us/1 ( me )")
    return read_lastfm(user, web, more.pop("key", "k3y"), **more)


def plays_of(reading: Reading) -> dict[str, float]:
    profile: Profile = profile_of(reading)
    return {artist.name: artist.plays for artist in profile.artists.values()}


BOTH = [(brainz, listenbrainz), (fm, lastfm)]
both = pytest.mark.parametrize(("read", "standin"), BOTH, ids=["listenbrainz", "lastfm"])


# --- both alike


@both
def test_totals_of_artists_are_the_plays_and_top_tracks_are_part_of_them(read: Read, standin):
    with service(standin()) as place:
        reading = read(place)
    assert plays_of(reading) == HISTORY
    profile = profile_of(reading)
    assert {(t.artist, t.name): t.plays for t in profile.tracks} == {
        ("Low", "Monkey"): 25,
        ("Slint", "Washer"): 9,
    }
    (report,) = reading.reports
    assert (report.plays, report.artists, report.notes) == (sum(HISTORY.values()), 3, ())
    assert report.name.endswith(f", {USER}") and profile.origin == reading.origin != "file"


@both
def test_the_latest_plays_only_fill_the_clock(read: Read, standin):
    with service(standin(latest=5)) as place:
        clock = profile_of(read(place)).clock
    wednesday = 2 * 24
    hours = {hour: count for hour, count in enumerate(clock) if count}
    assert hours == dict.fromkeys(range(wednesday + 6, wednesday + 11), 1)


@both
def test_calls_keep_their_pace_and_progress_rises_to_one(read: Read, standin):
    clock, told, times = Clock(), [], []
    answer = standin()

    def timed(request: Request) -> Reply:
        times.append(clock.at)
        return answer(request)

    with service(timed) as place:
        read(place, clock=clock, progress=lambda share, what: told.append((share, what)))
    assert all(request.headers["User-Agent"] == "Us/1 ( me )" for request in place.requests)
    apart = 1.0 if read is brainz else 0.25
    assert [b - a for a, b in pairwise(times)] == pytest.approx([apart] * (len(times) - 1))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] < 0.1 and shares[-1] == 1.0
    assert any("artists" in what for _, what in told)


@both
def test_an_unknown_user_is_named(read: Read, standin):
    with service(standin()) as place, pytest.raises(NoSuchUser, match=r"no user named '\.\./x y\?"):
        read(place, "../x y?a=b")


@both
def test_a_user_without_plays_is_an_error_that_says_what_to_do(read: Read, standin):
    with service(standin({}, (), 0)) as place, pytest.raises(NoMusic, match="longer one"):
        read(place)


@both
@pytest.mark.parametrize("wait", ["48925", "30"])
def test_a_long_wait_is_an_error_with_its_duration(read: Read, standin, wait: str):
    clock = Clock()
    with (
        service(lambda request: Reply(None, 429, {"Retry-After": wait})) as place,
        pytest.raises(RateLimited) as caught,
    ):
        read(place, clock=clock)
    assert caught.value.retry_after_s == float(wait) and clock.at == 1000


@both
def test_a_service_that_is_down_is_unreachable(read: Read, standin):
    for said in (Reply(None, 503), Reply(None, 500), Reply(b"<html>", 200), Reply(b"x", 400)):
        with (
            service(lambda request, said=said: said) as place,
            pytest.raises((Unreachable, RateLimited), match="try again"),
        ):
            read(place)


@both
def test_a_failure_after_the_artists_is_only_a_note(read: Read, standin):
    answer = standin()

    def failing(request: Request) -> Reply:
        top_tracks = "recordings" in request.path or "toptracks" in request.fields.get("method", "")
        return Reply(None, 429, {"Retry-After": "3600"}) if top_tracks else answer(request)

    with service(failing) as place:
        reading = read(place)
    assert plays_of(reading) == HISTORY
    (note,) = reading.reports[0].notes
    assert note.startswith("Top tracks couldn't be read") and "60 minutes" in note


@both
def test_an_unknown_span_is_a_value_error(read: Read, standin):
    with service(standin()) as place, pytest.raises(ValueError, match="unknown span 'week'"):
        read(place, span="week")
    assert place.requests == []


# --- ListenBrainz


@pytest.mark.parametrize(
    ("span", "asked_for"), [("all", "all_time"), ("year", "year"), ("half", "half_yearly")]
)
def test_the_span_is_sent_to_listenbrainz(span: str, asked_for: str):
    with service(listenbrainz()) as place:
        reading = brainz(place, span=span)
    ranges = {request.fields["range"] for request in place.requests if "range" in request.fields}
    assert ranges == {asked_for}
    if span == "all":
        assert (reading.since, reading.until) == (date(2020, 9, 13), date(2024, 5, 1))
    else:
        assert (reading.since, reading.until) == (date(2023, 1, 1), date(2023, 12, 31))


def test_pages_of_listenbrainz_are_read_to_their_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("twotower.sources.services.listenbrainz.PAGE", 2)
    artists = {f"Artist {n}": 10 - n for n in range(5)}
    with service(listenbrainz(artists, ())) as place:
        assert plays_of(brainz(place)) == artists
    offsets = [a.fields["offset"] for a in place.requests if a.path.endswith("/artists")]
    assert offsets == ["0", "2", "4"]


def test_the_latest_plays_replace_totals_that_are_not_computed_yet(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("twotower.sources.services.listenbrainz.PAGE", 4)
    with service(listenbrainz(latest=11, computed=False)) as place:
        reading = brainz(place)
    assert plays_of(reading) == {"Low": 11}
    assert sum(reading.clock) == 11
    assert "no totals over all time yet" in reading.reports[0].notes[0]
    assert (reading.since, reading.until) == (date(2024, 5, 1), date(2024, 5, 1))


def test_a_credit_of_several_artists_counts_for_each():
    play = play_of_listen(listen("Low feat. Slint", "T", 1_714_557_600, "Low", "Slint", "Low"))
    assert play is not None and (play.artist, play.guests) == ("Low", ("Slint",))
    credit = [{"artist_credit_name": "Low"}, {"artist_credit_name": "Slint"}]
    told = {"artist_name": "Low & Slint", "artists": credit}
    rows = [{**told, "track_name": "T", "listen_count": 4}]
    standin = listenbrainz({"Low": 10, "Slint": 4}, ())

    def answer(request: Request) -> Reply:
        if request.path.endswith("/recordings"):
            return Reply({"payload": {"recordings": rows}})
        return standin(request)

    with service(answer) as place:
        assert plays_of(brainz(place)) == {"Low": 10, "Slint": 4}


# --- Last.fm


@pytest.mark.parametrize(
    ("span", "asked_for"), [("all", "overall"), ("year", "12month"), ("half", "6month")]
)
def test_the_span_and_the_operators_key_are_sent_to_lastfm(span: str, asked_for: str):
    with service(lastfm()) as place:
        fm(place, span=span)
    assert {a.fields["period"] for a in place.requests if "period" in a.fields} == {asked_for}
    assert {a.fields["api_key"] for a in place.requests} == {"k3y"}


def test_all_pages_of_lastfm_are_read_even_if_the_last_is_no_list():
    artists = {f"Artist {n}": 10 - n for n in range(5)}
    with service(lastfm(artists, (), page_of=2)) as place:
        assert plays_of(fm(place)) == artists
    pages = [a.fields["page"] for a in place.requests if a.fields["method"] == "user.gettopartists"]
    assert pages == ["1", "2", "3"]


def test_a_wrong_key_is_a_message_for_the_operator():
    with (
        service(lastfm(key="other")) as place,
        pytest.raises(NotAllowed, match="LASTFM_API_KEY") as caught,
    ):
        fm(place)
    assert "k3y" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "error", "says"),
    [
        (6, 404, NoSuchUser, "check the spelling"),
        (6, 400, NoSuchUser, "check the spelling"),
        (17, 403, NoSuchUser, "private at Last.fm"),
        (26, 403, NotAllowed, "LASTFM_API_KEY"),
        (29, 200, RateLimited, "try again in a few minutes"),
        (8, 200, Unreachable, "error 8"),
        (11, 200, Unreachable, "error 11"),
        (99, 200, Unreachable, "error 99"),
    ],
)
def test_each_error_code_of_lastfm_has_its_error(code: int, status: int, error: type, says: str):
    clock = Clock()
    with (
        service(lambda request: Reply({"error": code, "message": "x"}, status)) as place,
        pytest.raises(error, match=says),
    ):
        fm(place, clock=clock)
    assert len(place.requests) == (3 if code in (29, 8, 11) else 1)


def test_a_rate_limit_is_retried_once():
    answer, clock = lastfm(), Clock()

    def sometimes(request: Request) -> Reply:
        return Reply({"error": 29}) if len(place.requests) % 2 else answer(request)

    with service(sometimes) as place:
        assert plays_of(fm(place, clock=clock)) == HISTORY
    assert clock.at > 1006


def test_private_latest_plays_only_add_a_note():
    answer = lastfm()

    def private(request: Request) -> Reply:
        recent = request.fields["method"] == "user.getrecenttracks"
        return Reply({"error": 17, "message": "Login"}, 403) if recent else answer(request)

    with service(private) as place:
        reading = fm(place)
    assert plays_of(reading) == HISTORY and reading.clock == ()
    assert "private" in reading.reports[0].notes[0]


# --- any mixture of good and mangled rows

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)
ARTISTS = st.lists(st.tuples(st.sampled_from(["Low", "Slint"]), st.integers(1, 99)), max_size=5)
FIELDS = st.sampled_from(
    ["artist_name", "name", "playcount", "listen_count", "artist", "track_name"]
)
JUNK = st.lists(JSON | st.dictionaries(FIELDS, JSON), max_size=4)


@pytest.mark.parametrize(
    ("read", "rows_of"),
    [
        (brainz, lambda name, n: {"artist_name": name, "listen_count": n}),
        (fm, lambda name, n: {"name": name, "playcount": str(n)}),
    ],
    ids=["listenbrainz", "lastfm"],
)
@given(good=ARTISTS, junk=JUNK, other=JSON)
def test_damaged_rows_never_hide_a_valid_one(read: Read, rows_of, good, junk, other):
    rows = [*junk, *(rows_of(name, n) for name, n in good)]

    def answer(request: Request) -> Reply:
        if request.path.endswith("/artists"):
            return Reply({"payload": {"artists": rows, "from_ts": other}})
        if request.fields.get("method") == "user.gettopartists":
            return Reply({"topartists": {"artist": rows, "@attr": other}})
        if request.path == "/2.0/":
            return Reply({"toptracks": {"track": junk}, "recenttracks": other})
        payload = {"listens": junk, "recordings": junk, "oldest_listen_ts": other}
        return Reply({"payload": payload})

    wanted: Counter[str] = Counter()
    for name, n in good:
        wanted[artist_key(name)] += n
    with service(answer) as place:
        try:
            found = profile_of(read(place)).artists
        except TwoTowerError:
            assert not good
            return
    for key, plays in wanted.items():
        assert found[key].plays >= plays


@given(JSON)
def test_any_answer_leads_to_a_reading_or_our_errors(body):
    for read in (brainz, fm):
        with service(lambda request: Reply(body)) as place, suppress(TwoTowerError):
            read(place)
