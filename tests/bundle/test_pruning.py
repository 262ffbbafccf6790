"""Which artists stay in the shipped catalogue."""

from dataclasses import replace

import numpy as np
import pytest
from planted import ring

from twotower.bundle.build import prune
from twotower.bundle.pruning import MIN_DF, MIN_POPULARITY, ArtistEvidence, rows_to_keep
from twotower.core.domain import Artist, Profile
from twotower.model.catalogue import Catalogue
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.chart_listeners import Charts
from twotower.sources.datasets.charts import ChartEntry


def stays(
    *,
    df: float = 0.0,
    popularity: float | None = None,
    sets: frozenset[str] = frozenset(),
    origins: tuple[str, ...] = (),
    charts: Charts | None = None,
) -> bool:
    """Return whether an artist "low" stays of whom no more is known than this."""
    profiles = [Profile("1", {"low": Artist("Low", 1.0)}, origin=origin) for origin in origins]
    content = [ArtistContent("low", "Low", popularity=popularity)]
    evidence = ArtistEvidence.of(profiles, content, {"low": sets}, charts)
    catalogue = Catalogue(("other", "low"), ("Other", "Low"), np.array([0, df], np.float32))
    rows = rows_to_keep(catalogue, evidence).tolist()
    assert 0 not in rows
    return rows == [1]


def chart(country: str, place: int) -> list[ChartEntry]:
    """Return the chart of a country with "Low" at this place, from 0."""
    names = [f"{country} {n}" for n in range(600)]
    names[place] = "Low"
    return [ChartEntry(country, name, 1000.0 - n) for n, name in enumerate(names)]


def test_an_artist_with_listeners_stays():
    assert stays(df=MIN_DF) and not stays(df=MIN_DF - 0.1) and not stays()


def test_a_popular_artist_stays():
    assert stays(popularity=MIN_POPULARITY) and not stays(popularity=MIN_POPULARITY - 1)


@pytest.mark.parametrize(
    ("sets", "origins", "expected"),
    [
        ({"artists-2020", "tracks-114k"}, (), True),
        ({"artists-2020"}, ("mpd",), True),
        ((), ("mpd", "kexp"), True),
        ({"artists-2020"}, (), False),
        ((), ("mpd", "mpd-withheld"), False),  # one data set
        ({"artists-2020"}, ("chart",), False),  # drawn, not listening
        ({"artists-vietnam"}, (), True),
    ],
)
def test_an_artist_of_two_sources_or_of_a_regional_table_stays(sets, origins, expected):
    assert stays(sets=frozenset(sets), origins=origins) == expected


def test_an_artist_high_in_a_chart_or_in_two_charts_stays():
    assert stays(charts=Charts.of([chart("vn", 499)]))
    assert not stays(charts=Charts.of([chart("vn", 500)]))
    assert stays(charts=Charts.of([[*chart("vn", 550), *chart("tr", 550)]]))


def test_a_pruned_model_embeds_the_others_as_before_and_counts_its_artists(trained):
    df = trained.catalogue.df.copy()
    df[-20:] = MIN_DF - 0.1
    whole = replace(trained, catalogue=replace(trained.catalogue, df=df))
    small = prune(whole, ArtistEvidence())
    assert small.catalogue.keys == whole.catalogue.keys[:-20]
    assert small.about["artists"] == len(small.catalogue) == len(whole.catalogue) - 20
    assert small.about["artists in training"] == len(whole.catalogue)
    known = [p for p in ring(40) if p.artists.keys() <= small.catalogue.row_of.keys()]
    assert len(known) > 5
    np.testing.assert_allclose(small.embed(known), whole.embed(known), atol=1e-6)
