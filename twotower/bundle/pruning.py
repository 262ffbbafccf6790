"""Which artists of a training get a row in the shipped catalogue.

Training sees every artist that any data set names. Most of the rare ones are in nobody's profile,
so they would only make the model larger: an artist without a row is still read by its genres, if
the profile has them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from twotower.core.domain import Profile
from twotower.model.catalogue import Catalogue
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.chart_listeners import ORIGIN as CHART
from twotower.sources.datasets.chart_listeners import Charts

# An artist stays if one of these holds.
MIN_DF = 0.45  # weighted listeners: more than one old playlist
MAX_CHART_PLACE = 500  # among the first of a country's chart
MIN_CHARTS = 2  # countries whose charts have the artist
MIN_POPULARITY = 30.0  # Spotify's, 0..100
MIN_SOURCES = 2  # content sets, and origins of profiles, that name the artist
REGIONAL = frozenset({"artists-vietnam", "artists-india", "artists-nigeria", "artists-argentina"})


@dataclass(frozen=True, slots=True)
class ArtistEvidence:
    """Facts about artists in the data sets, by artist key."""

    charts: Charts | None = None
    popularity: Mapping[str, float] = field(default_factory=dict)  # 0..100
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)  # that name the artist

    @classmethod
    def of(
        cls,
        profiles: Iterable[Profile],
        content: Iterable[ArtistContent],
        content_sets: Mapping[str, frozenset[str]],
        charts: Charts | None,
    ) -> "ArtistEvidence":
        """Collect it. The profiles of one data set are one source; chart listeners are none."""
        sources = {key: set(names) for key, names in content_sets.items()}
        for profile in profiles:
            if profile.origin != CHART:
                data_set = profile.origin.partition("-")[0]  # "mpd-withheld" is a part of "mpd"
                for key in profile.artists:
                    sources.setdefault(key, set()).add(f"profiles of {data_set}")
        return cls(
            charts,
            {each.key: each.popularity for each in content if each.popularity is not None},
            {key: frozenset(names) for key, names in sources.items()},
        )


def rows_to_keep(catalogue: Catalogue, evidence: ArtistEvidence) -> np.ndarray:
    """Return the rows of the artists to keep, ascending."""
    keep = catalogue.df >= MIN_DF  # (n,)
    if evidence.charts is not None:
        places, countries = evidence.charts.places()
        charted = (places < MAX_CHART_PLACE) | (countries >= MIN_CHARTS)
        for column in np.flatnonzero(charted):
            row = catalogue.row(evidence.charts.keys[column])
            if row is not None:
                keep[row] = True
    for row, key in enumerate(catalogue.keys):
        sources = evidence.sources.get(key, frozenset())
        keep[row] |= (
            evidence.popularity.get(key, 0.0) >= MIN_POPULARITY
            or len(sources) >= MIN_SOURCES
            or not REGIONAL.isdisjoint(sources)
        )
    return np.flatnonzero(keep)
