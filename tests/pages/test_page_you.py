"""The page You: the profile as the model sees it, and edits of it."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
import world
from webservice import Reply, Service, service
from world import HOSTILE, profile_of, state_of

from twotower.core.domain import SPOTIFY_WEB_API, Track
from twotower.model.confidence import ConfidenceCurve
from twotower.ui import services, text


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


@pytest.fixture
def you(app):
    state_of(app).profile = profile_of("Amara Jazz", "Ammoth Jazz", "Amara Folk", "Nobody")
    return app.switch_page("you.py").run()


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_without_music_it_points_to_the_start(app):
    app.switch_page("you.py").run()
    assert not app.exception
    assert [h.value for h in app.header] == ["Bring some music first"]


def test_it_shows_artists_genres_sound_and_unknown_artists(you):
    assert not you.exception
    assert [h.value for h in you.header] == [
        "Your artists",
        "Genres",
        "How sure is the model?",
        "What the model knows",
        "How your music sounds",
    ]
    assert "Amara Jazz :gray[· 40.0 %]" in words(you)
    assert "Nobody" in you.expander(key="unknown").markdown[0].value
    assert you.expander(key="unknown").label == "Unknown: 10 % · 1 artist"
    assert "Amara Folk" in you.expander(key="heard").markdown[0].value
    assert "Estimated from your artists" in words(you)
    assert "A guess, based on 90 % of what you play" in words(you)


def meter(app):
    """Return (percent, text) of the bar that shows the confidence."""
    bar = app.get("progress")[0].proto
    return bar.value, bar.text


def test_a_small_profile_gets_advice(you):
    assert meter(you) == (16, "A guess")  # 2.9 effective artists x .9, of the 4 that fill a quarter
    assert "Your music determines 0.8 of 16 dimensions of taste." in words(you)
    assert "**What is missing:** Your plays are worth about 3 artists" in words(you)
    assert "Add about ten artists, from every kind of music you play." in words(you)
    mine = state_of(you).profile
    state_of(you).profile = replace(profile_of("Amara Jazz", "Nobody", "None"), name=mine.name)
    state_of(you).portrait = None
    you.run()
    assert "It doesn't know the artists of 50 % of your plays. More files bring" in words(you)


def test_a_profile_that_is_known_well_gets_no_advice(you, monkeypatch):
    monkeypatch.setattr(world, "CURVE", ConfidenceCurve((0.0,), (0.9,)))
    state_of(you).portrait = None
    you.run()
    assert not you.exception
    assert meter(you) == (75, "A full picture") and "What is missing" not in words(you)


def test_genres_and_sound_name_their_basis_and_sound_is_absent_without_one(you, planted):
    mine = replace(profile_of("Amara Jazz", "Nobody", "None"), name=state_of(you).profile.name)
    state_of(you).profile, state_of(you).portrait = mine, None
    you.run()
    assert "From artists with 50 % of your plays." in words(you)
    assert "Estimated from artists with 50 % of your plays." in words(you)
    state_of(you).portrait = replace(planted.portrait(mine), audio={}, audio_from=0.2)
    you.run()
    assert not you.exception
    assert "We know how 20 % of your plays sound. That is too little" in words(you)


def test_it_names_the_sources_and_credits_the_services(you):
    mine = state_of(you).profile
    state_of(you).profile = replace(mine, origin="file+lastfm")
    you.run()
    assert "4 artists from your files and Last.fm" in words(you)
    assert "Powered by [AudioScrobbler]" in words(you)
    assert "ListenBrainz" not in words(you)


@pytest.fixture
def sounding(you):
    """The page with tracks that have ids."""
    mine = state_of(you).profile
    tracks = tuple(
        Track(f"T{n}", "Amara Jazz", 1.0, spotify=f"{n:022d}", mbid=str(UUID(int=n)))
        for n in range(3)
    )
    state_of(you).profile = replace(mine, tracks=tracks)
    return you


def looked_up(app, place: Service, monkeypatch, at: str = "reccobeats"):
    monkeypatch.setenv("TWOTOWER_AUDIO_LOOKUP", at)
    monkeypatch.setenv("TWOTOWER_AUDIO_API", place.address)
    monkeypatch.setattr(services, "pace_of", lambda *_: services.Pace(0.0))
    app.run()
    assert "the ids of your 3 most played tracks" in words(app)
    app.button(key="sound-ask").click().run()
    if state_of(app).audio_lookup.job is not None:
        state_of(app).audio_lookup.job.join(20)
        app.run()
    assert not app.exception
    return app


def test_sound_is_looked_up_if_the_operator_allows_it_and_stays_on_the_page(sounding, monkeypatch):
    href = f"https://open.spotify.com/track/{1:022d}"
    rows = [{"id": "x", "href": href, "energy": 0.25, "tempo": 120.0}]
    before = state_of(sounding).profile
    with service(lambda request: Reply({"content": rows})) as place:
        looked_up(sounding, place, monkeypatch)
    assert "Energy, tempo: from [ReccoBeats](https://reccobeats.com), for 1 of" in words(sounding)
    assert "The others are estimated from your artists" in words(sounding)
    assert state_of(sounding).profile is before
    assert not [b for b in sounding.button if b.key == "sound-ask"]


def test_sound_that_nobody_knows_stays_an_estimate(sounding, monkeypatch):
    with service(lambda request: Reply({})) as place:
        looked_up(sounding, place, monkeypatch, "acousticbrainz")
    assert "AcousticBrainz knows none of your 3 tracks" in words(sounding)


def test_a_look_up_that_fails_says_so_and_can_be_tried_again(sounding, monkeypatch):
    with service(lambda request: Reply(None, 429, {"Retry-After": "600"})) as place:
        looked_up(sounding, place, monkeypatch)
    assert "try again in 10 minutes" in sounding.error[0].value
    assert sounding.button(key="sound-ask")
    assert "Estimated from your artists" in words(sounding)


def test_nothing_is_looked_up_without_permission_or_for_spotify_s_web_api(sounding, monkeypatch):
    sounding.run()
    assert not [b for b in sounding.button if b.key == "sound-ask"]
    monkeypatch.setenv("TWOTOWER_AUDIO_LOOKUP", "reccobeats")
    mine = state_of(sounding).profile
    state_of(sounding).profile = replace(mine, origin=SPOTIFY_WEB_API)
    sounding.run()
    assert not [b for b in sounding.button if b.key == "sound-ask"]


def test_its_charts_have_alternative_texts(you):
    texts = [chart.proto.alt for chart in you.get("plotly_chart")]
    assert texts[0].startswith("Bar chart of your genres: jazz 78 %")
    assert texts[1] == (
        "Bar of your plays by artist: Known from listening 90 %, Known by genre only 0 %, "
        "Unknown 10 %"
    )
    assert "fast 103 BPM, most people 95 BPM to 128 BPM" in texts[2]


def test_removing_an_artist_moves_the_vector_at_once_and_undo_brings_it_back(you):
    before = state_of(you).portrait.user_vector
    you.button(key="remove-amara folk").click().run()
    after = state_of(you).portrait.user_vector
    assert "amara folk" not in state_of(you).profile.artists
    assert float(before @ after) < 0.999
    assert "Removed Amara Folk. Your place" in words(you)
    you.button(key="undo").click().run()
    np.testing.assert_array_equal(state_of(you).portrait.user_vector, before)


def test_names_with_markup_are_shown_letter_for_letter(app):
    state_of(app).profile = profile_of(*HOSTILE)
    app.switch_page("you.py").run()
    assert not app.exception
    for name in HOSTILE:
        assert f"{text.escape(name)} :gray" in words(app)


def test_a_profile_of_unknown_artists_gets_advice(app):
    state_of(app).profile = profile_of("Nobody", "No One")
    app.switch_page("you.py").run()
    assert not app.exception
    assert [h.value for h in app.header] == ["We don't know these artists yet"]
    assert "pick an artist" in words(app)
