"""The page Neighbours: a card for each person, closest first."""

import csv
import io
import re

import pytest
from world import profile_of, state_of

from twotower.core.errors import CommunityError, MissingData
from twotower.ui import model_cache
from twotower.ui import neighbours as people


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


@pytest.fixture
def neighbours(app):
    state_of(app).profile = profile_of("Amara Metal", "Ammoth Metal", "*x*")
    return app.switch_page("neighbours.py").run()


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_without_music_it_points_to_the_start(app):
    app.switch_page("neighbours.py").run()
    assert not app.exception
    assert [h.value for h in app.header] == ["Bring some music first"]


def test_it_shows_a_card_for_each_person(neighbours):
    assert not neighbours.exception
    assert len(neighbours.subheader) == 10
    neighbours.slider(key="count").set_value(25).run()
    assert len(neighbours.subheader) == 25
    assert neighbours.header[0].value == "The 25 closest of 500 people"


def test_the_people_are_of_the_group_that_the_profile_listens_to(neighbours, planted):
    found = planted.neighbours(state_of(neighbours).portrait, 10)
    assert {each.listener.genres for each in found} == {("metal",)}
    shown = [card.value for card in neighbours.subheader]
    assert shown == [f"{each.rank}. {each.listener.name}" for each in found]


def test_each_made_up_person_is_marked(neighbours):
    badges = [text for text in words(neighbours).split("\n") if text == ":gray-badge[made up]"]
    assert len(badges) == 10


def test_a_card_says_how_close_the_person_is_and_links_to_the_map(neighbours, planted):
    closest = planted.neighbours(state_of(neighbours).portrait, 1)[0]
    assert f"**{closest.closeness}** pairs are this close" in words(neighbours)
    link = neighbours.get("page_link")[0].proto
    assert link.page == "map"
    assert link.query_string.startswith("listener=p")


def test_the_number_of_people_is_kept_when_the_page_is_left(neighbours):
    neighbours.slider(key="count").set_value(15).run()
    neighbours.switch_page("you.py").run()
    neighbours.switch_page("neighbours.py").run()
    assert len(neighbours.subheader) == 15


def test_the_list_can_be_downloaded(neighbours, planted):
    found = planted.neighbours(state_of(neighbours).portrait, 10)
    rows = list(csv.DictReader(io.StringIO(people.neighbours_csv(found))))
    assert [row["id"] for row in rows] == [each.listener.id for each in found]
    assert neighbours.get("download_button")[0].proto.label == "Download CSV"


def test_a_missing_model_is_an_error_with_advice(app, monkeypatch):
    def fail():
        raise MissingData("no model in <assets>")

    monkeypatch.setattr(model_cache, "load_matcher", fail)
    for page in ("start.py", "you.py", "neighbours.py", "map.py"):
        app.switch_page(page).run()
        assert not app.exception
        assert "No model in \\<assets\\>" in app.error[0].value
        assert "make assets" in app.error[0].value


def test_an_unreachable_community_shows_its_own_error(neighbours, planted, monkeypatch):
    def fail(portrait, count, *, own=None):
        raise CommunityError("another program is writing: try again in a moment")

    state_of(neighbours).neighbours = None
    monkeypatch.setattr(planted, "neighbours", fail)
    neighbours.run()
    assert not neighbours.exception
    assert "try again in a moment" in neighbours.error[0].value
    assert "make assets" not in neighbours.error[0].value


def test_artists_of_several_neighbours_come_first_with_their_number(neighbours, planted):
    found = planted.neighbours(state_of(neighbours).portrait, 10)
    line = next(each.value for each in neighbours.markdown if "neighbours play" in each.value)
    count, name = re.search(r"(\d+) of your 10 neighbours play\*\* (.+?), ", line).groups()
    assert sum(name in dict(each.listener.artists) for each in found) == int(count) > 1
    assert name not in ("Amara Metal", "Ammoth Metal")


def test_it_says_that_everyone_is_made_up(neighbours):
    assert "Everyone here is made up so far" in words(neighbours)


def test_discoveries_have_links_and_downloads(neighbours):
    home = neighbours.expander(key="take-home")
    text = "\n".join(element.value for element in home.markdown)
    assert "your neighbours play and you don't" in text
    assert "https://musicbrainz.org/search?type=artist&query=" in text
    files = [b.label for b in neighbours.get("download_button") if b.key.startswith("take-")]
    assert files == ["Download artists (CSV)", "Download XSPF playlist", "Download M3U playlist"]
