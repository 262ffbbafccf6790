"""The neighbours page: a card for each person, nearest first."""

import csv
import io
import re

import pytest
from world import profile_of

from twotower.core.errors import CommunityError, MissingData
from twotower.ui import neighbours as people
from twotower.ui import session


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


@pytest.fixture
def neighbours(app):
    app.session_state["profile"] = profile_of("Amara Metal", "Ammoth Metal", "*x*")
    return app.switch_page("neighbours.py").run()


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_without_music_it_points_to_the_start(app):
    app.switch_page("neighbours.py").run()
    assert not app.exception
    assert [h.value for h in app.header] == ["Nothing here yet"]


def test_it_shows_a_card_for_each_person(neighbours):
    assert not neighbours.exception
    assert len(neighbours.subheader) == 10
    neighbours.slider(key="count").set_value(25).run()
    assert len(neighbours.subheader) == 25
    assert neighbours.header[0].value == "The nearest 25 of 500"


def test_the_people_are_of_the_group_that_the_profile_listens_to(neighbours, planted):
    found = planted.neighbours(neighbours.session_state["portrait"], 10)
    assert {each.listener.genres for each in found} == {("metal",)}
    shown = [card.value for card in neighbours.subheader]
    assert shown == [f"{each.rank}. {each.listener.name}" for each in found]


def test_the_similarity_of_random_pairs_stands_above_the_list(neighbours, planted):
    typical = f"Random pairs have similarity {planted.typical_similarity():.2f}."
    assert typical in "\n".join(note.value for note in [*neighbours.caption, *neighbours.markdown])


def test_each_invented_person_is_marked_as_invented(neighbours):
    badges = [text for text in words(neighbours).split("\n") if text == ":gray-badge[invented]"]
    assert len(badges) == 10


def test_a_card_says_how_near_and_links_to_the_map(neighbours):
    assert "of random pairs :gray[· similarity 0." in words(neighbours)
    link = neighbours.get("page_link")[0].proto
    assert link.page == "map"
    assert link.query_string.startswith("listener=p")


def test_the_number_of_people_is_kept_when_the_page_is_left(neighbours):
    neighbours.slider(key="count").set_value(15).run()
    neighbours.switch_page("you.py").run()
    neighbours.switch_page("neighbours.py").run()
    assert len(neighbours.subheader) == 15


def test_the_list_can_be_taken_home(neighbours, planted):
    found = planted.neighbours(neighbours.session_state["portrait"], 10)
    rows = list(csv.DictReader(io.StringIO(people.neighbours_csv(found))))
    assert [row["id"] for row in rows] == [each.listener.id for each in found]
    assert neighbours.get("download_button")[0].proto.label == "Download CSV"


def test_a_missing_model_is_said_with_what_to_do(app, monkeypatch):
    def fail():
        raise MissingData("no model in <assets>")

    monkeypatch.setattr(session, "load_matcher", fail)
    for page in ("start.py", "you.py", "neighbours.py", "map.py"):
        app.switch_page(page).run()
        assert not app.exception
        assert "no model in \\<assets\\>" in app.error[0].value
        assert "make assets" in app.error[0].value


def test_a_community_that_is_out_of_reach_is_said_in_its_own_words(
    neighbours, planted, monkeypatch
):
    def fail(portrait, count, *, own=None):
        raise CommunityError("another program is writing: try again in a moment")

    neighbours.session_state["found"] = None
    monkeypatch.setattr(planted, "neighbours", fail)
    neighbours.run()
    assert not neighbours.exception
    assert "try again in a moment" in neighbours.error[0].value
    assert "make assets" not in neighbours.error[0].value


def test_what_several_neighbours_hear_comes_first_with_how_many(neighbours, planted):
    found = planted.neighbours(neighbours.session_state["portrait"], 10)
    line = next(each.value for each in neighbours.markdown if "They agree on" in each.value)
    name, count = re.search(r"on\*\* (.+?) :gray\[\((\d+) of 10 hear it\)\]", line).groups()
    assert sum(name in dict(each.listener.artists) for each in found) == int(count) > 1
    assert name not in ("Amara Metal", "Ammoth Metal")


def test_it_says_that_everyone_is_invented(neighbours):
    assert "Everyone here is invented so far" in words(neighbours)


def test_what_they_hear_can_be_taken_home_with_links_and_files(neighbours):
    home = neighbours.expander(key="take-home")
    told = "\n".join(element.value for element in home.markdown)
    assert "that your nearest 10 hear and you don't" in told
    assert "https://musicbrainz.org/search?type=artist&query=" in told
    files = [b.label for b in neighbours.get("download_button") if b.key.startswith("take-")]
    assert files == ["CSV", "XSPF playlist", "M3U playlist"]
