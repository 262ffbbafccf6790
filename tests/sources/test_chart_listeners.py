"""Home countries and synthetic listeners from charts."""

import numpy as np
import pytest

from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.chart_listeners import Charts, chart_listeners, with_homes
from twotower.sources.datasets.charts import ChartEntry


def entries(country: str, **streams: float) -> list[ChartEntry]:
    return [ChartEntry(country, name, count) for name, count in streams.items()]


def test_a_countrys_size_says_nothing_about_a_home():
    big = entries("br", Anitta=900.0, Drake=100.0)
    small = entries("pt", Anitta=0.2, Drake=0.8)
    charts = Charts.of([[*big, *small]])
    assert charts.homes() == {"anitta": "br", "drake": "pt"}
    assert charts.shares.sum(1).ravel().tolist() == [[pytest.approx(1), pytest.approx(1)]]


def test_there_is_no_home_in_english_speaking_countries_or_in_all_charts():
    everywhere = [e for n in range(25) for e in entries(f"x{n}", World=1.0, Rest=1e6)]
    local = entries("tr", World=1e9, Sezen=1.0)
    charts = Charts.of([[*everywhere, *local, *entries("us", Dolly=1.0)]])
    homes = charts.homes()
    assert homes["sezen"] == "tr" and "world" not in homes and "dolly" not in homes


def test_a_country_of_two_sets_is_their_mean():
    charts = Charts.of([entries("in", A=1.0, B=1.0), entries("in", A=30.0)])
    shares = dict(zip(charts.keys, charts.shares.toarray()[0], strict=True))
    assert shares == pytest.approx({"a": 0.75, "b": 0.25})


def test_homes_are_words_beside_genres_and_new_artists_get_an_entry():
    content = [ArtistContent("a", "A", ("rock",)), ArtistContent("c", "C", ("pop",))]
    charts = Charts.of([entries("tr", A=1.0, B=1.0)])
    by_key = {each.key: each.genres for each in with_homes(content, charts)}
    assert by_key == {"a": ("rock", "home:tr"), "b": ("home:tr",), "c": ("pop",)}


def test_places_are_the_best_of_all_countries():
    charts = Charts.of([[*entries("tr", A=9.0, B=5.0, C=1.0), *entries("de", C=9.0, A=1.0)]])
    best, charted = charts.places()
    assert dict(zip(charts.keys, best.tolist(), strict=True)) == {"a": 0, "b": 1, "c": 0}
    assert dict(zip(charts.keys, charted.tolist(), strict=True)) == {"a": 2, "b": 1, "c": 2}


def test_chart_listeners_play_artists_of_one_country_that_go_together():
    names = [f"{genre} {n}" for genre in ("rap", "folk") for n in range(80)]
    charts = Charts.of([[ChartEntry("tr", name, 1.0) for name in names]])
    content = [ArtistContent(name, name, (name.split()[0],)) for name in names]
    listeners = list(chart_listeners(charts, content))
    assert len(listeners) == 24 and len({each.id for each in listeners}) == 24
    assert all(each.origin == "chart" and len(each.artists) >= 12 for each in listeners)
    shares = [np.mean([key.startswith("rap") for key in each.artists]) for each in listeners]
    assert np.mean([max(share, 1 - share) for share in shares]) > 0.75
    assert listeners == list(chart_listeners(charts, content))


def test_a_country_with_few_artists_has_no_listeners():
    assert not list(chart_listeners(Charts.of([entries("cy", A=1.0, B=1.0)]), []))
