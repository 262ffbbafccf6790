"""The page Map: everyone as a point, one person beside it."""

import json

import pytest
from streamlit.util import AttributeDictionary
from world import profile_of, state_of

from twotower.ui.charts import taste_map


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


def click(app, row: int):
    """Click the point of `row`."""
    points = [AttributeDictionary({"customdata": row})]
    chosen = {"points": points, "point_indices": [0], "box": [], "lasso": []}
    app.session_state["map"] = AttributeDictionary({"selection": AttributeDictionary(chosen)})
    return app.run()


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def figure(app) -> dict:
    return json.loads(app.get("plotly_chart")[0].proto.spec)


@pytest.fixture
def atlas(app):
    state_of(app).profile = profile_of("Amara Metal", "Ammoth Metal")
    return app.switch_page("map.py").run()


def test_it_works_without_music(app):
    app.switch_page("map.py").run()
    assert not app.exception
    assert "Click anyone, or search." in words(app)
    assert app.get("plotly_chart")[0].proto.alt == "Scatter map of 500 people"


def test_a_click_shows_the_person(app, planted):
    app.switch_page("map.py").run()
    click(app, 137)
    assert not app.exception
    assert app.header[0].value == planted.person("p137").name
    assert ":gray-badge[made up]" in words(app)
    assert app.query_params["listener"] == "p137"


def test_a_click_leaves_the_figure_as_it_was(atlas):
    before = figure(atlas)
    click(atlas, 137)
    assert atlas.header[0].value.endswith("137")
    assert figure(atlas) == before


def test_the_closest_neighbour_is_shown_first_with_lines_to_ten(atlas, planted):
    nearest = planted.neighbours(state_of(atlas).portrait, 1)[0].listener
    assert atlas.header[0].value == nearest.name
    assert "Your number 1" in words(atlas)
    lines = next(trace for trace in figure(atlas)["data"] if trace["mode"] == "lines")
    assert len(lines["x"]) == 30
    assert nearest.name in atlas.get("plotly_chart")[0].proto.alt


def test_a_neighbour_can_be_chosen_without_a_mouse(atlas):
    chosen = atlas.selectbox(key="map-closest")
    third = chosen.options[2]
    chosen.select_index(2).run()
    assert atlas.header[0].value == third.removeprefix("3. ").removesuffix(" (made up)")
    assert "Your number 3" in words(atlas)


def test_a_link_leads_to_its_person(app, planted):
    app.query_params["listener"] = "p42"
    app.switch_page("map.py").run()
    app.query_params["listener"] = "p42"
    app.run()
    assert app.header[0].value == planted.person("p42").name


def test_a_link_to_somebody_who_left_says_so(app):
    app.switch_page("map.py").run()
    app.query_params["listener"] = "gone"
    app.run()
    assert not app.exception
    assert "This person has left." in words(app)


def test_the_search_finds_people_and_artists(app, planted):
    app.switch_page("map.py").run()
    app.text_input(key="map-search").set_value("brisk heron").run()
    found = [b for b in app.button if b.key.startswith("map-person-")]
    assert all(b.label.startswith("Brisk Heron") for b in found)
    assert all(b.label.endswith("\\(made up\\)") for b in found)
    found[0].click().run()
    assert app.header[0].value == found[0].label.removesuffix(" \\(made up\\)")
    app.text_input(key="map-search").set_value("amara jazz").run()
    app.button(key="map-artist-amara jazz").click().run()
    rings = [
        trace
        for trace in figure(app)["data"]
        if trace.get("marker", {}).get("symbol") == "circle-open"
    ]
    ids = rings[0]["customdata"]
    assert len(ids) == 40
    assert {planted.person(id).genres for id in ids} == {("jazz",)}
    app.button(key="map-clear").click().run()
    assert "Rings" not in words(app)


def test_too_little_known_leaves_the_map_without_you(app):
    state_of(app).profile = profile_of("Nobody")
    app.switch_page("map.py").run()
    assert not app.exception
    assert app.get("plotly_chart")[0].proto.alt == "Scatter map of 500 people"


def test_the_reliability_of_the_map_is_shown(atlas):
    assert "A flat map keeps about 6 of every 15 neighbours" in words(atlas)


def test_the_number_of_drawn_people_is_shown_if_not_everyone_is_drawn(app, monkeypatch):
    monkeypatch.setattr(taste_map, "MAX_DRAWN", 200)
    app.switch_page("map.py").run()
    assert "500 people. 200 of them, picked at random, are drawn." in words(app)
