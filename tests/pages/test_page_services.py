"""ListenBrainz and Last.fm on the page Start, against stand-ins over HTTP."""

import threading
from contextlib import contextmanager

import pytest
from standins import USER, lastfm, listenbrainz
from webservice import Reply, Request, service
from world import state_of

from twotower.ui import rate_limiting, services
from twotower.ui.text import escape
from twotower.web.rate_limits import READ, Rate, RateLimiter, Rates

PATIENCE_S = 20
HEARD = {"Amara Jazz": 30, "Ammoth Jazz": 8}


@contextmanager
def enabled(monkeypatch, answer):
    """A stand-in for both services, without waits between requests."""
    with service(answer) as place:
        monkeypatch.setenv("TWOTOWER_LISTENBRAINZ_API", place.address)
        monkeypatch.setenv("TWOTOWER_LASTFM_API", place.address)
        monkeypatch.setenv("LASTFM_API_KEY", "k3y")
        monkeypatch.setattr(services, "pace_of", lambda *_: services.Pace(0.0))
        yield place


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def ask(app, id: str, user: str = USER, span: str = "all"):
    """Read a user's listening, and wait for the result."""
    app.text_input(key=f"{id}-user").set_value(user)
    app.segmented_control(key=f"{id}-period").set_value(span)
    app.button(key=f"{id}-read").click().run()
    if id in state_of(app).services and state_of(app).services[id].job is not None:
        state_of(app).services[id].job.join(PATIENCE_S)
        app.run()
    assert not app.exception
    return app


BOTH = pytest.mark.parametrize(
    ("id", "name", "standin"),
    [("listenbrainz", "ListenBrainz", listenbrainz), ("lastfm", "Last.fm", lastfm)],
)


@BOTH
def test_a_user_name_becomes_a_profile_and_the_reading_is_reported(
    app, monkeypatch, id, name, standin
):
    with enabled(monkeypatch, standin(HEARD, ())):
        ask(app.run(), id)
    profile = state_of(app).profile
    assert {key: a.plays for key, a in profile.artists.items()} == {
        "amara jazz": 30,
        "ammoth jazz": 8,
    }
    assert profile.origin == id and sum(profile.clock) == 3
    assert f"**{escape(f'{name}, {USER}')}** · 38 plays of 2 artists" in words(app)
    assert app.button(key=f"go-{id}")


def test_a_visitor_who_reads_again_and_again_has_to_wait(app, monkeypatch):
    few = RateLimiter({READ: Rates(Rate(1, 60))})
    monkeypatch.setattr(rate_limiting, "limits", lambda: few)
    with enabled(monkeypatch, listenbrainz(HEARD, ())) as place:
        ask(app.run(), "listenbrainz")
        asked = len(place.requests)
        ask(app, "listenbrainz", span="year")
        assert len(place.requests) == asked
    assert "too many readings" in app.error[0].value.replace("\\", "")


@BOTH
def test_the_same_query_within_an_hour_sends_no_request(app, monkeypatch, id, name, standin):
    with enabled(monkeypatch, standin(HEARD, ())) as place:
        ask(app.run(), id)
        asked = len(place.requests)
        app.button(key="start-over").click().run()
        ask(app, id, f" {USER.upper()} ")
        assert len(place.requests) == asked
        assert list(state_of(app).profile.artists) == ["amara jazz", "ammoth jazz"]
        ask(app, id, span="year")
        assert len(place.requests) > asked


@BOTH
def test_a_wrong_name_is_an_error_and_the_profile_stays(app, monkeypatch, id, name, standin):
    with enabled(monkeypatch, standin()):
        app.button(key="add-amara jazz").click().run()
        ask(app, id, "<b>nobody</b>")
    assert escape(f"{name} has no user named '<b>nobody</b>'") in app.error[0].value
    assert "Your earlier music is still here" in app.error[0].value
    assert list(state_of(app).profile.artists) == ["amara jazz"]


@BOTH
def test_an_empty_name_sends_no_request(app, monkeypatch, id, name, standin):
    with enabled(monkeypatch, standin()) as place:
        ask(app.run(), id, "  ")
    assert "Type your user name first" in app.error[0].value
    assert place.requests == []


@BOTH
def test_a_reading_can_be_stopped_and_changes_nothing(app, monkeypatch, id, name, standin):
    begun, go_on = threading.Event(), threading.Event()
    answer = standin(HEARD, ())

    def slow(request: Request) -> Reply:
        begun.set()
        go_on.wait(PATIENCE_S)
        return answer(request)

    with enabled(monkeypatch, slow):
        app.run().text_input(key=f"{id}-user").set_value(USER)
        app.button(key=f"{id}-read").click().run()
        job = state_of(app).services[id].job
        assert begun.wait(PATIENCE_S)
        app.button(key=f"{id}-stop").click().run()
        go_on.set()
        job.join(PATIENCE_S)
        app.run()
    assert not app.exception
    assert state_of(app).profile is None
    assert "Stopped. Nothing changed." in words(app)


def test_without_a_key_lastfm_says_how_to_enable_it(app):
    assert "Set `LASTFM_API_KEY`" in words(app)
    assert "lastfm-user" not in [field.key for field in app.text_input]


def test_new_music_is_added_or_replaces_the_earlier(app, monkeypatch):
    with enabled(monkeypatch, listenbrainz({"Amara Jazz": 30}, ())):
        ask(app.run(), "listenbrainz")
    with enabled(monkeypatch, lastfm({"Amara Jazz": 40, "Ammoth Jazz": 8}, ())):
        ask(app.run(), "lastfm")
        joined = state_of(app).profile
        assert {key: a.plays for key, a in joined.artists.items()} == {
            "amara jazz": 40,
            "ammoth jazz": 8,
        }
        assert joined.origin == "lastfm+listenbrainz"
        app.toggle(key="keep-earlier").set_value(False).run()
        ask(app, "lastfm")
        assert state_of(app).profile.origin == "lastfm"


def test_a_demo_and_picked_artists_are_always_replaced(app):
    assert not [toggle for toggle in app.toggle if toggle.key == "keep-earlier"]
    app.button(key="add-amara jazz").click().run()
    assert not [toggle for toggle in app.toggle if toggle.key == "keep-earlier"]


def test_deleting_everything_leaves_nothing_of_a_reading(app, monkeypatch):
    with enabled(monkeypatch, listenbrainz(HEARD, ())) as place:
        ask(app.run(), "listenbrainz")
        app.switch_page("privacy.py").run()
        app.button(key="privacy-remove").click().run()
        assert state_of(app).profile is None
        assert not state_of(app).fetched
        assert not state_of(app).services
        app.switch_page("start.py").run()
        asked = len(place.requests)
        ask(app, "listenbrainz")
        assert len(place.requests) > asked
