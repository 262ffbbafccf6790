"""ListenBrainz and Last.fm, asked over HTTP: what they give, and every way in which they don't."""

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
from webservice import Asked, Clock, Said, Service, service

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
def test_the_latest_plays_give_the_clock_and_no_more_plays(read: Read, standin):
    with service(standin(latest=5)) as place:
        clock = profile_of(read(place)).clock
    wednesday = 2 * 24
    hours = {hour: count for hour, count in enumerate(clock) if count}
    assert hours == dict.fromkeys(range(wednesday + 6, wednesday + 11), 1)


@both
def test_calls_keep_their_distance_and_progress_rises_to_one(read: Read, standin):
    clock, told, times = Clock(), [], []
    answer = standin()

    def timed(asked: Asked) -> Said:
        times.append(clock.at)
        return answer(asked)

    with service(timed) as place:
        read(place, clock=clock, progress=lambda share, what: told.append((share, what)))
    assert all(asked.headers["User-Agent"] == "Us/1 ( me )" for asked in place.asked)
    apart = 1.0 if read is brainz else 0.25
    assert [b - a for a, b in pairwise(times)] == pytest.approx([apart] * (len(times) - 1))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] < 0.1 and shares[-1] == 1.0
    assert any("artists" in what for _, what in told)


@both
def test_a_name_that_nobody_has_is_told(read: Read, standin):
    with service(standin()) as place, pytest.raises(NoSuchUser, match=r"no user named '\.\./x y\?"):
        read(place, "../x y?a=b")


@both
def test_a_user_who_has_played_nothing_is_told(read: Read, standin):
    with service(standin({}, (), 0)) as place, pytest.raises(NoMusic, match="longer one"):
        read(place)


@both
@pytest.mark.parametrize("wait", ["48925", "30"])
def test_a_long_wait_is_told_and_not_waited(read: Read, standin, wait: str):
    clock = Clock()
    with (
        service(lambda asked: Said(None, 429, {"Retry-After": wait})) as place,
        pytest.raises(RateLimited) as caught,
    ):
        read(place, clock=clock)
    assert caught.value.retry_after_s == float(wait) and clock.at == 1000


@both
def test_a_service_that_is_down_is_told(read: Read, standin):
    for said in (Said(None, 503), Said(None, 500), Said(b"<html>", 200), Said(b"x", 400)):
        with (
            service(lambda asked, said=said: said) as place,
            pytest.raises((Unreachable, RateLimited), match="try again"),
        ):
            read(place)


@both
def test_what_was_read_before_the_service_failed_is_kept(read: Read, standin):
    answer = standin()

    def failing(asked: Asked) -> Said:
        top_tracks = "recordings" in asked.path or "toptracks" in asked.fields.get("method", "")
        return Said(None, 429, {"Retry-After": "3600"}) if top_tracks else answer(asked)

    with service(failing) as place:
        reading = read(place)
    assert plays_of(reading) == HISTORY
    (note,) = reading.reports[0].notes
    assert note.startswith("Top tracks couldn't be read") and "60 minutes" in note


@both
def test_another_span_is_a_mistake_of_the_caller(read: Read, standin):
    with service(standin()) as place, pytest.raises(ValueError, match="span is 'week'"):
        read(place, span="week")
    assert place.asked == []


# --- ListenBrainz


@pytest.mark.parametrize(
    ("span", "asked_for"), [("all", "all_time"), ("year", "year"), ("half", "half_yearly")]
)
def test_listenbrainz_is_asked_for_the_span(span: str, asked_for: str):
    with service(listenbrainz()) as place:
        reading = brainz(place, span=span)
    ranges = {asked.fields["range"] for asked in place.asked if "range" in asked.fields}
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
    offsets = [a.fields["offset"] for a in place.asked if a.path.endswith("/artists")]
    assert offsets == ["0", "2", "4"]


def test_before_totals_are_worked_out_the_latest_plays_stand_for_them(
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

    def answer(asked: Asked) -> Said:
        if asked.path.endswith("/recordings"):
            return Said({"payload": {"recordings": rows}})
        return standin(asked)

    with service(answer) as place:
        assert plays_of(brainz(place)) == {"Low": 10, "Slint": 4}


# --- Last.fm


@pytest.mark.parametrize(
    ("span", "asked_for"), [("all", "overall"), ("year", "12month"), ("half", "6month")]
)
def test_lastfm_is_asked_for_the_span_with_the_operator_s_key(span: str, asked_for: str):
    with service(lastfm()) as place:
        fm(place, span=span)
    assert {a.fields["period"] for a in place.asked if "period" in a.fields} == {asked_for}
    assert {a.fields["api_key"] for a in place.asked} == {"k3y"}


def test_pages_of_lastfm_are_read_to_their_end_though_the_last_is_no_list():
    artists = {f"Artist {n}": 10 - n for n in range(5)}
    with service(lastfm(artists, (), page_of=2)) as place:
        assert plays_of(fm(place)) == artists
    pages = [a.fields["page"] for a in place.asked if a.fields["method"] == "user.gettopartists"]
    assert pages == ["1", "2", "3"]


def test_a_wrong_key_is_the_operator_s_business():
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
def test_codes_of_lastfm_are_told_apart(code: int, status: int, error: type, says: str):
    clock = Clock()
    with (
        service(lambda asked: Said({"error": code, "message": "x"}, status)) as place,
        pytest.raises(error, match=says),
    ):
        fm(place, clock=clock)
    assert len(place.asked) == (3 if code in (29, 8, 11) else 1)


def test_a_moment_too_fast_is_forgiven():
    answer, clock = lastfm(), Clock()

    def sometimes(asked: Asked) -> Said:
        return Said({"error": 29}) if len(place.asked) % 2 else answer(asked)

    with service(sometimes) as place:
        assert plays_of(fm(place, clock=clock)) == HISTORY
    assert clock.at > 1006


def test_latest_plays_kept_private_cost_nothing_else():
    answer = lastfm()

    def private(asked: Asked) -> Said:
        recent = asked.fields["method"] == "user.getrecenttracks"
        return Said({"error": 17, "message": "Login"}, 403) if recent else answer(asked)

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
def test_mangled_rows_never_cost_a_valid_one(read: Read, rows_of, good, junk, other):
    rows = [*junk, *(rows_of(name, n) for name, n in good)]

    def answer(asked: Asked) -> Said:
        if asked.path.endswith("/artists"):
            return Said({"payload": {"artists": rows, "from_ts": other}})
        if asked.fields.get("method") == "user.gettopartists":
            return Said({"topartists": {"artist": rows, "@attr": other}})
        if asked.path == "/2.0/":
            return Said({"toptracks": {"track": junk}, "recenttracks": other})
        payload = {"listens": junk, "recordings": junk, "oldest_listen_ts": other}
        return Said({"payload": payload})

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
def test_any_answer_at_all_stays_inside_our_errors(body):
    for read in (brainz, fm):
        with service(lambda asked: Said(body)) as place, suppress(TwoTowerError):
            read(place)
