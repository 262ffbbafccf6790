"""The page You: what the model sees, and changes to it."""

from dataclasses import replace

import numpy as np
import pytest
from world import HOSTILE, profile_of

from twotower.ui import words as words_of


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
        "Recognised",
        "How your music sounds",
    ]
    assert "Amara Jazz :gray[· 40.0 %]" in words(you)
    assert "Nobody" in you.expander(key="unknown").markdown[0].value
    assert "Estimated from your artists" in words(you)
    assert "equivalent of 3 equally played artists" in words(you)


def test_it_says_where_the_music_came_from_and_thanks_the_services(you):
    mine = you.session_state["profile"]
    you.session_state["profile"] = replace(mine, origin="file+lastfm")
    you.run()
    assert "4 artists from the files you brought and Last.fm" in words(you)
    assert "Powered by [AudioScrobbler]" in words(you)
    assert "ListenBrainz" not in words(you)


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
