"""The doors to ListenBrainz and Last.fm, asked over HTTP: what a visitor gets to see of them."""

import threading
from contextlib import contextmanager

import pytest
from standins import USER, lastfm, listenbrainz
from webservice import Asked, Said, service

from twotower.ui import services
from twotower.ui.text import escape

PATIENCE_S = 20
HEARD = {"Amara Jazz": 30, "Ammoth Jazz": 8}


@contextmanager
def open_doors(monkeypatch, answer):
    """A stand-in for both services, and a clock that doesn't make a test wait for its turn."""
    with service(answer) as place:
        monkeypatch.setenv("TWOTOWER_LISTENBRAINZ_API", place.address)
        monkeypatch.setenv("TWOTOWER_LASTFM_API", place.address)
        monkeypatch.setenv("LASTFM_API_KEY", "k3y")
        monkeypatch.setattr(services, "pace_of", lambda *_: services.Pace(0.0))
        yield place


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def ask(app, id: str, user: str = USER, span: str = "all"):
    """Ask for a user, and wait for what comes of it."""
    app.text_input(key=f"{id}-user").set_value(user)
    app.segmented_control(key=f"{id}-span").set_value(span)
    app.button(key=f"{id}-read").click().run()
    if f"{id}-job" in app.session_state:
        app.session_state[f"{id}-job"].join(PATIENCE_S)
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
    with open_doors(monkeypatch, standin(HEARD, ())):
        ask(app.run(), id)
    profile = app.session_state["profile"]
    assert {key: a.plays for key, a in profile.artists.items()} == {
        "amara jazz": 30,
        "ammoth jazz": 8,
    }
    assert profile.origin == id and sum(profile.clock) == 3
    assert f"**{escape(f'{name}, {USER}')}** · 38 plays of 2 artists" in words(app)
    assert app.button(key=f"go-{id}")


@BOTH
def test_within_the_hour_nothing_is_asked_twice(app, monkeypatch, id, name, standin):
    with open_doors(monkeypatch, standin(HEARD, ())) as place:
        ask(app.run(), id)
        asked = len(place.asked)
        app.button(key="start-over").click().run()
        ask(app, id, f" {USER.upper()} ")
        assert len(place.asked) == asked
        assert list(app.session_state["profile"].artists) == ["amara jazz", "ammoth jazz"]
        ask(app, id, span="year")
        assert len(place.asked) > asked


@BOTH
def test_a_wrong_name_is_told_and_the_profile_stays(app, monkeypatch, id, name, standin):
    with open_doors(monkeypatch, standin()):
        app.button(key="add-amara jazz").click().run()
        ask(app, id, "<b>nobody</b>")
    assert escape(f"{name} knows no user named '<b>nobody</b>'") in app.error[0].value
    assert "What you had before is still here" in app.error[0].value
    assert list(app.session_state["profile"].artists) == ["amara jazz"]


@BOTH
def test_no_name_is_no_question(app, monkeypatch, id, name, standin):
    with open_doors(monkeypatch, standin()) as place:
        ask(app.run(), id, "  ")
    assert "type your user name first" in app.error[0].value
    assert place.asked == []


@BOTH
def test_a_reading_can_be_stopped_and_changes_nothing(app, monkeypatch, id, name, standin):
    begun, go_on = threading.Event(), threading.Event()
    answer = standin(HEARD, ())

    def slow(asked: Asked) -> Said:
        begun.set()
        go_on.wait(PATIENCE_S)
        return answer(asked)

    with open_doors(monkeypatch, slow):
        app.run().text_input(key=f"{id}-user").set_value(USER)
        app.button(key=f"{id}-read").click().run()
        job = app.session_state[f"{id}-job"]
        assert begun.wait(PATIENCE_S)
        app.button(key=f"{id}-stop").click().run()
        go_on.set()
        job.join(PATIENCE_S)
        app.run()
    assert not app.exception
    assert app.session_state["profile"] is None
    assert "Stopped. Nothing was changed." in words(app)


def test_without_a_key_the_door_of_lastfm_says_how_to_open_it(app):
    assert "set `LASTFM_API_KEY`" in words(app)
    assert "lastfm-user" not in [field.key for field in app.text_input]


def test_what_is_brought_next_is_joined_or_takes_the_place(app, monkeypatch):
    with open_doors(monkeypatch, listenbrainz({"Amara Jazz": 30}, ())):
        ask(app.run(), "listenbrainz")
    with open_doors(monkeypatch, lastfm({"Amara Jazz": 40, "Ammoth Jazz": 8}, ())):
        ask(app.run(), "lastfm")
        joined = app.session_state["profile"]
        assert {key: a.plays for key, a in joined.artists.items()} == {
            "amara jazz": 40,
            "ammoth jazz": 8,
        }
        assert joined.origin == "lastfm+listenbrainz"
        app.toggle(key="join").set_value(False).run()
        ask(app, "lastfm")
        assert app.session_state["profile"].origin == "lastfm"


def test_a_demo_and_picked_artists_are_no_music_to_join(app):
    assert not [toggle for toggle in app.toggle if toggle.key == "join"]
    app.button(key="add-amara jazz").click().run()
    assert not [toggle for toggle in app.toggle if toggle.key == "join"]


def test_removing_everything_leaves_nothing_of_a_reading(app, monkeypatch):
    with open_doors(monkeypatch, listenbrainz(HEARD, ())) as place:
        ask(app.run(), "listenbrainz")
        app.switch_page("privacy.py").run()
        app.button(key="privacy-remove").click().run()
        assert app.session_state["profile"] is None
        assert "services-kept" not in app.session_state
        assert "listenbrainz-outcome" not in app.session_state
        app.switch_page("start.py").run()
        asked = len(place.asked)
        ask(app, "listenbrainz")
        assert len(place.asked) > asked
