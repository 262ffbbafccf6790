"""The page You: what the model sees, and changes to it."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from webservice import Said, Service, service
from world import HOSTILE, profile_of

from twotower.core.domain import SPOTIFY_WEB_API, Track
from twotower.ui import services
from twotower.ui import text as words_of


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


@pytest.fixture
def you(app):
    app.session_state["profile"] = profile_of("Amara Jazz", "Ammoth Jazz", "Amara Folk", "Nobody")
    return app.switch_page("you.py").run()


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_without_music_it_points_to_the_start(app):
    app.switch_page("you.py").run()
    assert not app.exception
    assert [h.value for h in app.header] == ["Nothing here yet"]


def test_it_shows_artists_genres_sound_and_what_was_not_recognised(you):
    assert not you.exception
    assert [h.value for h in you.header] == [
        "Top artists",
        "Genres",
        "How much is known of you",
        "Recognised",
        "How your music sounds",
    ]
    assert "Amara Jazz :gray[· 40.0 %]" in words(you)
    assert "Nobody" in you.expander(key="unknown").markdown[0].value
    assert "Estimated from your artists" in words(you)
    assert "equivalent of 3 equally played artists" in words(you)


def meter(app):
    """(percent, words) of how much is known."""
    bar = app.get("progress")[0].proto
    return bar.value, bar.text


def test_of_little_known_it_says_what_would_help(you):
    assert meter(you) == (18, "Very little to go on")  # .75 of a first quarter
    assert "directions here, and your music settles 0.8 of them" in words(you)
    assert "**What would help:** about ten artists in all, of each kind" in words(you)
    mine = you.session_state["profile"]
    you.session_state["profile"] = replace(
        profile_of("Amara Jazz", "Nobody", "None"), name=mine.name
    )
    you.session_state["portrait"] = None
    you.run()
    assert "artists that the model knows; most of yours it doesn't" in words(you)


def test_of_much_known_it_asks_for_no_more(you, monkeypatch):
    monkeypatch.setattr(words_of, "SETTLED", (0.2, 0.5, 5.0))
    you.run()
    assert not you.exception
    assert meter(you)[1] == "A good picture" and "What would help" not in words(you)


def test_it_says_where_the_music_came_from_and_thanks_the_services(you):
    mine = you.session_state["profile"]
    you.session_state["profile"] = replace(mine, origin="file+lastfm")
    you.run()
    assert "4 artists from the files you brought and Last.fm" in words(you)
    assert "Powered by [AudioScrobbler]" in words(you)
    assert "ListenBrainz" not in words(you)


@pytest.fixture
def sounding(you):
    """The page with tracks that have ids."""
    mine = you.session_state["profile"]
    tracks = tuple(
        Track(f"T{n}", "Amara Jazz", 1.0, spotify=f"{n:022d}", mbid=str(UUID(int=n)))
        for n in range(3)
    )
    you.session_state["profile"] = replace(mine, tracks=tracks)
    return you


def looked_up(app, place: Service, monkeypatch, at: str = "reccobeats"):
    monkeypatch.setenv("TWOTOWER_AUDIO_LOOKUP", at)
    monkeypatch.setenv("TWOTOWER_AUDIO_API", place.address)
    monkeypatch.setattr(services, "pace_of", lambda *_: services.Pace(0.0))
    app.run()
    assert "the ids of 3 tracks" in words(app)
    app.button(key="sound-ask").click().run()
    if "sound-job" in app.session_state:
        app.session_state["sound-job"][2].join(20)
        app.run()
    assert not app.exception
    return app


def test_sound_is_looked_up_where_the_operator_allows_it_and_stays_on_the_page(
    sounding, monkeypatch
):
    href = f"https://open.spotify.com/track/{1:022d}"
    rows = [{"id": "x", "href": href, "energy": 0.25, "tempo": 120.0}]
    before = sounding.session_state["profile"]
    with service(lambda asked: Said({"content": rows})) as place:
        looked_up(sounding, place, monkeypatch)
    assert "Energy, tempo as [ReccoBeats](https://reccobeats.com) knows them of 1 of" in words(
        sounding
    )
    assert "the others are estimated from your artists" in words(sounding)
    assert sounding.session_state["profile"] is before
    assert not [b for b in sounding.button if b.key == "sound-ask"]


def test_sound_that_nobody_knows_stays_an_estimate(sounding, monkeypatch):
    with service(lambda asked: Said({})) as place:
        looked_up(sounding, place, monkeypatch, "acousticbrainz")
    assert "AcousticBrainz knows none of the 3 tracks" in words(sounding)


def test_a_look_up_that_fails_says_so_and_can_be_tried_again(sounding, monkeypatch):
    with service(lambda asked: Said(None, 429, {"Retry-After": "600"})) as place:
        looked_up(sounding, place, monkeypatch)
    assert "try again in 10 minutes" in sounding.error[0].value
    assert sounding.button(key="sound-ask")
    assert "Estimated from your artists" in words(sounding)


def test_nothing_is_looked_up_unless_allowed_nor_of_spotify_s_web_api(sounding, monkeypatch):
    sounding.run()
    assert not [b for b in sounding.button if b.key == "sound-ask"]
    monkeypatch.setenv("TWOTOWER_AUDIO_LOOKUP", "reccobeats")
    mine = sounding.session_state["profile"]
    sounding.session_state["profile"] = replace(mine, origin=SPOTIFY_WEB_API)
    sounding.run()
    assert not [b for b in sounding.button if b.key == "sound-ask"]


def test_its_charts_can_be_heard(you):
    told = [chart.proto.alt for chart in you.get("plotly_chart")]
    assert told[0].startswith("Bar chart of your genres: jazz 78 %")
    assert "fast 103 BPM, most people 95 BPM to 128 BPM" in told[1]


def test_removing_an_artist_moves_the_vector_at_once_and_undo_brings_it_back(you):
    before = you.session_state["portrait"].user_vector
    you.button(key="remove-amara folk").click().run()
    after = you.session_state["portrait"].user_vector
    assert "amara folk" not in you.session_state["profile"].artists
    assert float(before @ after) < 0.999
    assert "Removed Amara Folk" in words(you)
    assert "cosine" in words(you)
    you.button(key="undo").click().run()
    np.testing.assert_array_equal(you.session_state["portrait"].user_vector, before)


def test_names_with_markup_are_shown_letter_for_letter(app):
    app.session_state["profile"] = profile_of(*HOSTILE)
    app.switch_page("you.py").run()
    assert not app.exception
    for name in HOSTILE:
        assert f"{words_of.escape(name)} :gray" in words(app)


def test_too_little_known_says_what_would_help(app):
    app.session_state["profile"] = profile_of("Nobody", "No One")
    app.switch_page("you.py").run()
    assert not app.exception
    assert [h.value for h in app.header] == ["Too little to tell yet"]
    assert "pick an artist" in words(app)
