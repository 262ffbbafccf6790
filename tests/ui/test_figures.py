"""Figures of the map and of a profile show their values."""

import numpy as np
import pytest

from twotower.core.domain import Area, Spread
from twotower.ui.charts import profile, taste_map
from twotower.ui.charts.taste_map import Spot

PLACES = np.array([[0, 0], [1, 0], [10, 10], [np.nan, np.nan], [11, 10]], np.float32)


AREAS = (Area("jazz", 0.5, 0.0, 2), Area("metal", 10.5, 10.0, 2))


def community(figure):
    return [list(trace.customdata) for trace in figure.data if trace.hoverinfo == "none"]


def test_each_area_has_its_points_and_listeners_without_a_place_are_not_drawn():
    assert community(taste_map.plot_map(PLACES, AREAS)) == [[0, 1], [2, 4]]


def test_the_map_is_byte_for_byte_the_same_for_the_same_values():
    def drawn():
        near = [Spot("b", 1.0, 0.0, "Amber Otter")]
        return taste_map.plot_map(PLACES, AREAS, you=(0.5, 0.1), neighbours=near).to_json()

    assert drawn() == drawn()


def test_points_can_be_clicked_and_have_no_tooltip():
    trace = taste_map.plot_map(PLACES, AREAS).data[0]
    assert trace.hoverinfo == "none"  # with "skip" they could not be clicked
    assert trace.x.dtype == np.float32
    assert trace.customdata.dtype == np.int32


def test_lines_lead_from_you_to_each_neighbour():
    near = [Spot("a", 0.0, 0.0, "A"), Spot("c", 10.0, 10.0, "B")]
    figure = taste_map.plot_map(PLACES, AREAS, you=(5.0, 5.0), neighbours=near)
    lines = next(trace for trace in figure.data if trace.mode == "lines")
    assert lines.x == (5.0, 0.0, None, 5.0, 10.0, None)
    assert lines.y == (5.0, 0.0, None, 5.0, 10.0, None)


def test_names_on_the_map_are_text_not_markup():
    near = [Spot("a", 0.0, 0.0, "<b>bold</b> & <a href='x'>y</a>")]
    areas = (Area("<i>folk</i>", 0.0, 0.0, 3),)
    figure = taste_map.plot_map(PLACES, areas, you=(9.0, 9.0), neighbours=near, focus=near[0])
    assert figure.layout.annotations[0].text == "&lt;i&gt;folk&lt;/i&gt;"
    shown = [text for trace in figure.data if trace.text is not None for text in trace.text]
    assert len(shown) == 2
    assert all("<" not in text for text in shown)


def test_the_smaller_of_two_areas_in_one_place_moves_its_label():
    areas = (Area("shoegaze", 0.0, 0.0, 10), Area("dream pop", 0.2, 0.1, 40), *AREAS[1:])
    labels = {note.text: note.y for note in taste_map.plot_map(PLACES, areas).layout.annotations}
    assert labels["dream pop"] == 0.1
    assert abs(labels["shoegaze"] - 0.1) > 0.4


def test_a_label_without_room_is_left_out():
    areas = [Area(f"genre {n}", 0.0, 0.0, n) for n in range(9)]
    labels = [note.text for note in taste_map.plot_map(PLACES, areas).layout.annotations]
    assert len(labels) == 5
    assert labels[0] == "genre 8"


def test_areas_of_the_second_level_are_named_smaller_and_give_no_colour():
    areas = (*AREAS, Area("bebop", 0.5, 8.0, 90, level=1))
    figure = taste_map.plot_map(PLACES, areas)
    assert community(figure) == [[0, 1], [2, 4]]
    sizes = {label.text: label.font.size for label in figure.layout.annotations}
    assert list(sizes) == ["jazz", "metal", "bebop"]
    assert sizes["bebop"] < sizes["jazz"]


def test_a_name_moves_out_of_the_way_of_you():
    alone = taste_map.plot_map(PLACES, AREAS).layout.annotations[0]
    beside = taste_map.plot_map(PLACES, AREAS, you=(0.5, 0.0)).layout.annotations[0]
    assert (alone.text, alone.y) == ("jazz", 0.0)
    assert beside.text == "jazz"
    assert abs(beside.y) > 0.3


def test_a_small_screen_has_fewer_names():
    areas = (*AREAS, Area("bebop", 0.5, 8.0, 90, level=1))
    assert len(taste_map.plot_map(PLACES, areas).layout.annotations) == 3
    assert len(taste_map.plot_map(PLACES, areas, compact=True).layout.annotations) == 2


def test_an_empty_community_is_an_empty_map():
    figure = taste_map.plot_map(np.zeros((0, 2), np.float32), ())
    assert sum(len(trace.x) for trace in figure.data) == 0


def test_a_large_community_is_drawn_as_a_sample_that_stays_the_same():
    draw = np.random.default_rng(1)
    places = draw.normal(size=(taste_map.MAX_DRAWN + 500, 2)).astype(np.float32)
    first, again = (community(taste_map.plot_map(places, AREAS)) for _ in range(2))
    assert first == again
    assert sum(map(len, first)) == taste_map.MAX_DRAWN


@pytest.mark.parametrize(
    ("value", "place"),
    [(0.2, 10), (0.3, 30), (0.4, 50), (0.6, 70), (0.8, 90), (-5.0, 1), (5.0, 99)],
)
def test_the_position_is_linear_between_the_percentiles(value, place):
    assert profile.position_in_range(value, (0.2, 0.4, 0.8)) == pytest.approx(place)


def test_the_position_is_the_middle_if_all_people_are_alike():
    assert profile.position_in_range(0.5, (0.5, 0.5, 0.5)) == 50


def test_audio_ranges_leave_out_attributes_that_one_side_lacks():
    figure = profile.plot_audio_ranges(
        {"energy": Spread(0.5), "tempo": Spread(120.0), "valence": Spread(0.1)},
        {"energy": (0.2, 0.5, 0.8), "tempo": (90.0, 110.0, 130.0), "loudness": (-12, -8, -5)},
    )
    you = figure.data[-1]
    assert list(you.x) == [50, 70]
    assert [label.split()[0] for label in you.y] == ["energetic", "fast"]
    assert you.text[1] == "You 120 BPM, most people 90 BPM to 130 BPM"


def test_genre_bars_show_the_largest_shares_as_text_too():
    figure = profile.plot_genres([("jazz", 0.6), ("<b>", 0.3), ("folk", 0.1)], count=2)
    assert list(figure.data[0].y) == ["jazz", "&lt;b&gt;"]
    assert list(figure.data[0].text) == ["60 %", "30 %"]


def test_attributes_have_their_units():
    assert profile.with_unit("loudness", -7.6) == "−8 dB"
    assert profile.with_unit("energy", 0.638) == "0.64"


def test_a_small_area_has_its_longest_word_as_label_and_a_tiny_one_has_none():
    points = np.random.default_rng(0).uniform(0, 10, (500, 2)).astype(np.float32)
    areas = (
        Area("metal · rock", 2.0, 2.0, 200),
        Area("metal · progressive metal", 8.0, 8.0, 40, level=1),
        Area("sleep · noise", 5.0, 1.0, 3, level=1),
    )
    labels = [note.text for note in taste_map.plot_map(points, areas).layout.annotations]
    assert labels == ["metal · rock", "progressive metal"]
