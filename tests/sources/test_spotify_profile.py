"""A listener from the Web API: everything, parts, or nothing."""

import logging
import threading
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import free_port, serving
from spotify_callers import Reading
from spotify_standin import NAMES, StandIn, artist, problem, track
from starlette.responses import JSONResponse, PlainTextResponse

from twotower.core.domain import SPOTIFY_WEB_API
from twotower.core.errors import (
    LoginExpired,
    NoMusic,
    NotAllowed,
    RateLimited,
    TwoTowerError,
    Unreachable,
)
from twotower.core.names import artist_key
from twotower.sources.profiles import build_profile
from twotower.sources.spotify.api import MOST_CALLS, Registration, SpotifyClient
from twotower.sources.spotify.profile import SpotifyReading, read_spotify


@pytest.fixture
def spotify():
    return StandIn()


@pytest.fixture
def reading(spotify):
    with serving(spotify.app) as address:
        yield Reading(spotify, address)


def paths_requested(spotify: StandIn) -> list[str]:
    return [path for _, path, _ in spotify.requests]


def step(found: SpotifyReading, name: str):
    return next(one for one in found.steps if one.name == name)


def test_everything_in_an_account_becomes_plays(reading, spotify):
    found = reading.read()
    assert (found.account, found.name, found.stopped) == ("account-ada", "Ada", "")
    kinds = Counter(play.kind for play in found.plays)
    assert kinds == {"played": 6 * 12 + 1, "saved": 120, "listed": 4 * 3}
    assert {play.playlist for play in found.plays} == {None, *(f"Evening {n}" for n in range(4))}
    assert found.calls == len(spotify.requests) == 1 + 3 + 3 + 1 + 3 + 1 + 4 + 1
    profile = build_profile(found.plays, origin=SPOTIFY_WEB_API)
    assert {one.name for one in profile.artists.values()} == {*NAMES, "A friend"}
    assert profile.since is None, "Spotify doesn't say when it was heard"
    song = next(each for each in profile.tracks if each.name == "Song 0")
    assert (song.duration_s, song.released) == (201.0, "2001-05")


def test_a_rank_counts_as_plays(reading):
    profile = build_profile(reading.read().plays)
    plays = {one.name: one.plays for one in profile.artists.values()}
    assert plays["Portishead"] > plays["Low"] > plays["The National"]
    assert next(iter(profile.artists)) == artist_key(NAMES[0])


def test_each_artist_has_a_link_to_its_page_at_spotify(reading):
    links = reading.read().links
    assert links[artist_key("Björk")] == artist("Björk")["external_urls"]["spotify"]
    assert artist_key("A friend") not in links


def test_rows_without_music_are_left_out_and_counted(reading):
    lists = step(reading.read(), "your playlists")
    assert lists.left_out == {
        "empty entries": 1 + 4 * 2, "podcasts": 4, "playlists of others": 1,
    }  # fmt: skip
    assert (lists.rows, lists.calls) == (12, 5)


def test_progress_is_reported(reading):
    reading.read()
    done = [how for how, _ in reading.progress]
    assert done == sorted(done) and done[0] == 0.0 and done[-1] <= 1.0
    assert ("the playlist “Evening 3”") in [what for _, what in reading.progress]


def test_there_are_at_most_25_calls(reading, spotify):
    spotify.people["ada"].saved = 5_000
    spotify.people["ada"].playlists = 40
    found = reading.read()
    assert found.calls == len(spotify.requests) == 24 <= MOST_CALLS
    assert len([p for p in paths_requested(spotify) if p.startswith("playlists/")]) == 10
    assert step(found, "your playlists").left_out["further playlists"] == 30
    assert found.stopped == ""


def test_repeated_calls_count_and_end_at_25(reading, spotify):
    spotify.people["ada"].saved = 5_000
    spotify.people["ada"].playlists = 40
    for path in ("me/top/tracks", "me/tracks", "me/playlists"):
        spotify.answers[path] = [problem(429, "slow", retry_after=1)]
    found = reading.read()
    assert found.calls == len(spotify.requests) == 25
    assert "25 requests" in found.stopped
    assert len(reading.pauses) == 3


def test_the_pages_of_a_long_playlist_are_read_when_there_are_few(reading, spotify):
    person = spotify.people["ada"]
    person.playlists = 1
    person.items = lambda: [{"item": track(f"t{n}", "Low")} for n in range(120)]
    found = reading.read()
    assert sum(play.kind == "listed" for play in found.plays) == 120
    assert step(found, "your playlists").calls == 1 + 3


def test_extended_quota_has_genres_and_audio(spotify):
    spotify.extended = True
    with serving(spotify.app) as address:
        reading = Reading(spotify, address)
        found = reading.read()
    profile = build_profile(found.plays)
    assert profile.genres["rock"] > 0
    assert profile.audio["energy"].mean == pytest.approx(0.7)
    assert profile.audio["tempo"].mean == pytest.approx(120.5)
    assert not reading.no_audio.is_set()


def test_refused_audio_features_are_not_requested_again(reading, spotify):
    found = reading.read()
    assert step(found, "audio attributes").problem == "Spotify doesn't let this app read them"
    assert reading.no_audio.is_set()
    reading.web.calls = 0
    again = reading.read()
    assert paths_requested(spotify).count("audio-features") == 1
    assert "audio attributes" not in [one.name for one in again.steps]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("path", ["me/top/artists", "me/tracks", "me/player/recently-played"])
def test_a_refused_step_is_skipped_and_listed(reading, spotify, path, status):
    spotify.always[path] = problem(status, "Forbidden")
    found = reading.read()
    assert found.stopped == ""
    refused = [one for one in found.steps if one.problem]
    assert len(refused) == (4 if path == "me/top/artists" else 2)
    assert all(one.rows == 0 for one in refused)


def test_a_closed_playlist_does_not_stop_the_others(reading, spotify):
    closed = spotify.people["ada"].lists()[0]["id"]
    spotify.always[f"playlists/{closed}/items"] = problem(404, "Not found")
    lists = step(reading.read(), "your playlists")
    assert lists.rows == 9
    assert lists.left_out["playlists that Spotify doesn't let us read"] == 1


def test_a_short_wait_is_a_pause_with_its_reason(reading, spotify):
    spotify.answers["me/tracks"] = [problem(429, "slow down", retry_after=7)]
    found = reading.read()
    assert found.stopped == ""
    assert reading.pauses == [(7.0, "Spotify gets too many requests at the moment")]
    assert sum(play.kind == "saved" for play in found.plays) == 120


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (problem(429, "slow", retry_after=11), "11 seconds"),
        (problem(429, "slow", retry_after=48_925, reason="QUOTA_EXCEEDED"), "13.6 hours"),
        (problem(429, "slow", retry_after=3, reason="QUOTA_EXCEEDED"), "3 seconds"),
        (problem(429, "slow"), "later"),
        (problem(429, "slow", retry_after="Wed, 21 Oct"), "later"),
        (problem(429, "slow", retry_after="-5"), "later"),
        (problem(429, "slow", retry_after="nan"), "later"),
    ],
)
def test_a_long_wait_ends_the_reading_with_what_was_read(reading, spotify, answer, words):
    spotify.always["me/tracks"] = answer
    found = reading.read()
    assert words in found.stopped
    assert reading.pauses == []
    assert paths_requested(spotify)[-1] == "me/tracks"
    assert {play.kind for play in found.plays} == {"played"}
    assert step(found, "saved tracks").problem == "not read"


def test_a_second_429_after_waiting_ends_the_reading(reading, spotify):
    spotify.always["me/tracks"] = problem(429, "slow", retry_after=2)
    assert "2 seconds" in reading.read().stopped
    assert len(reading.pauses) == 1


def test_a_used_up_quota_says_when_to_come_back(reading, spotify):
    spotify.always[""] = problem(429, "quota", retry_after=48_925, reason="QUOTA_EXCEEDED")
    with pytest.raises(RateLimited, match=r"in a day: try again in 13\.6 hours") as told:
        reading.read()
    assert told.value.retry_after_s == 48_925
    assert len(spotify.requests) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            problem(403, "User not registered in the Developer Dashboard"),
            "only five registered people",
        ),
        (
            PlainTextResponse("User not registered in the Developer Dashboard", 403),
            "five registered people",
        ),
        (
            problem(403, "Active premium subscription required for the owner of the app."),
            "Premium subscription has ended",
        ),
        (problem(403, "Forbidden"), "refused"),
    ],
)
def test_a_refusal_says_why(reading, spotify, answer, words):
    spotify.always[""] = answer
    with pytest.raises(NotAllowed, match=words):
        reading.read()
    assert len(spotify.requests) == 1


def test_an_expired_token_is_renewed_once(reading, spotify):
    spotify.end_access()
    assert reading.read().stopped == ""
    assert reading.renewals == 1


def test_a_token_that_can_not_be_renewed_ends_the_reading(reading, spotify):
    spotify.always["me/tracks"] = problem(401, "The access token expired")
    found = reading.read()
    assert "Sign in again" in found.stopped
    assert found.plays


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("<html>Bad gateway</html>", 502),
        PlainTextResponse("no json"),
        JSONResponse([1]),
        JSONResponse("words"),
        JSONResponse({"error": "a string"}, 500),
        JSONResponse([], 500),
    ],
)
def test_an_answer_of_unknown_form_is_unreachable(reading, spotify, answer):
    spotify.always["me"] = answer
    with pytest.raises(Unreachable, match="try again"):
        reading.read()


def test_a_server_error_is_retried_once(reading, spotify):
    spotify.answers["me/tracks"] = [PlainTextResponse("", 503)]
    found = reading.read()
    assert found.stopped == ""
    assert found.calls == len(spotify.requests) == 18


def test_a_refused_connection_is_unreachable():
    spotify = StandIn()
    reading = Reading(spotify, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable, match="doesn't answer"):
        reading.read()
    assert len(reading.pauses) == 1


def test_an_account_without_music_is_an_error_that_says_what_to_do(reading, spotify):
    person = spotify.people["ada"]
    person.artists, person.saved, person.playlists = [], 0, 0
    person.recent = list
    with pytest.raises(NoMusic, match="no music in this account"):
        reading.read()


def test_tokens_and_calls_are_never_logged_even_at_debug(reading, spotify, caplog):
    caplog.set_level(logging.DEBUG)
    spotify.always["me/tracks"] = problem(403, "Forbidden")
    reading.read()
    assert not any(record.name.startswith("spotipy") for record in caplog.records)
    assert not any(secret in caplog.text for secret in spotify.secrets)


def test_spotipy_writes_no_file(reading, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reading.read()
    assert list(tmp_path.iterdir()) == []


def test_an_ended_login_of_the_session_is_raised(spotify):
    def signed_out(*, renew: bool) -> str:
        raise LoginExpired("you are signed out: sign in again")

    web = SpotifyClient(Registration("c", "r"), signed_out, pause=lambda *how: None)
    with pytest.raises(LoginExpired):
        read_spotify(web, lambda *how: None, no_audio=threading.Event())


# Whatever the answers hold

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
NAME = st.sampled_from(NAMES)
GOOD = st.builds(lambda n, name: track(f"Track {n}", name), st.integers(0, 99), NAME)
FIELDS = ("id", "name", "artists", "album", "type", "uri", "duration_ms", "is_local")


@st.composite
def mangled(draw) -> dict:
    """Draw a track with some fields of another type, or missing."""
    row = dict(draw(GOOD))
    for name in draw(st.sets(st.sampled_from(FIELDS), max_size=4)):
        if draw(st.booleans()):
            row.pop(name, None)
        else:
            row[name] = draw(JSON)
    return row


class Told:
    """Web API with answers drawn beforehand."""

    calls, left = 0, 25

    def __init__(self, saved: list, others: dict) -> None:
        self.saved, self.others = saved, others

    def get(self, path: str, **params):
        self.calls += 1
        if path == "me/tracks":
            return {"items": [{"track": row} for row in self.saved], "next": None}
        return self.others


@given(
    good=st.lists(GOOD, min_size=1, max_size=8),
    bad=st.lists(mangled() | JSON, max_size=8),
    others=st.dictionaries(
        st.sampled_from(["items", "id", "display_name", "next", "audio_features"]), JSON
    ),
    order=st.randoms(use_true_random=False),
)
def test_all_valid_rows_are_read_whatever_is_between_them(good, bad, others, order):
    rows = [*good, *bad]
    order.shuffle(rows)
    found = read_spotify(Told(rows, others), lambda *how: None, no_audio=threading.Event())
    got = Counter((p.track, p.artist) for p in found.plays if p.kind == "saved")
    assert not Counter((row["name"], row["artists"][0]["name"]) for row in good) - got
    assert build_profile(found.plays).artists


@given(others=st.dictionaries(st.text(max_size=5) | st.just("items"), JSON))
def test_any_answers_lead_to_a_reading_or_our_errors(others):
    with suppress(TwoTowerError):
        read_spotify(Told([], others), lambda *how: None, no_audio=threading.Event())
