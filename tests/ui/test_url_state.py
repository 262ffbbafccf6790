"""Profiles in addresses can be read back, and nothing from a file gets in."""

import pytest
from world import PlantedCatalogue, profile_of

from twotower.core.domain import Profile
from twotower.ui import profile_edits, url_state

CATALOGUE = PlantedCatalogue()
DEMO = profile_of("Amara Jazz", id="demo-jazz", origin="demo")


def read(query) -> Profile | None:
    demo = query.get("demo", [None])[0]
    return url_state.from_query(demo, query.get("artist", []), demos=[DEMO], catalogue=CATALOGUE)


def test_picked_artists_come_back_with_how_much_they_are_liked():
    two = profile_edits.with_artist(profile_edits.picked("Amara Jazz"), "Nobody")
    two = profile_edits.with_liking(two, "amara jazz", "live for")
    query = url_state.to_query(two)
    assert query == {"artist": ["9 amara jazz", "1 nobody"]}
    assert {key: a.plays for key, a in read(query).artists.items()} == {
        "amara jazz": 9,
        "nobody": 1,
    }
    assert read(query).artists["amara jazz"].name == "Amara Jazz"
    assert read(query).origin == "picked"


def test_a_demo_listener_comes_back_whole():
    assert url_state.to_query(DEMO) == {"demo": ["jazz"]}
    assert read(url_state.to_query(DEMO)) is DEMO


def test_nothing_that_came_from_a_file_goes_into_an_address():
    assert url_state.to_query(profile_of("Amara Jazz", origin="file")) == {}
    assert url_state.to_query(None) == {}


def test_a_long_list_stays_out_of_the_address():
    names = [f"Artist {n}" for n in range(url_state.MOST_ARTISTS + 1)]
    assert url_state.to_query(profile_of(*names)) == {}


@pytest.mark.parametrize(
    "text", ["", "1", "1 ", "1 \u200b", "7 amara jazz", "amara jazz", "1e999 x"]
)
def test_invalid_values_in_an_address_are_skipped(text):
    assert read({"artist": [text]}) is None
    assert read({"demo": ["nobody"], "artist": [text]}) is None
