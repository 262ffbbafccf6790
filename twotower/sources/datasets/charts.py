"""Charts of countries: streams by artist, totals up to 2024 and of Asia in 2025 and 2026.

Charts describe artists. They are nobody's listening.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from twotower.core.errors import MissingData
from twotower.core.names import is_artist_name
from twotower.sources.datasets.tables import csv_columns, folder_of

TOTALS, ASIA = "charts", "charts-asia"
_FILES = {TOTALS: "artist_country_totals.csv", ASIA: "artist_country_top50.csv"}
_NO_COUNTRY = "global"


class ChartEntry(NamedTuple):
    """The streams of one artist in the charts of one country."""

    country: str  # ISO 3166 code, lower case
    artist: str  # name
    streams: float  # while in the charts


def read_charts(name: str, folder: Path) -> Iterator[ChartEntry]:
    """Yield the entries of `TOTALS` or `ASIA`, in file order.

    `folder` is that of the set or the data folder above. The worldwide chart is left out. An artist
    may have several entries of a country, one for each spelling. Raises MissingData or
    UnreadableExport.
    """
    columns = ("artist", "country", "streams")
    folder = folder_of(name, folder)
    for artist, country, streams in csv_columns(
        name, folder, _FILES[name], columns, last_is_number=True
    ):
        if country != _NO_COUNTRY and is_artist_name(artist):
            yield ChartEntry(country.lower(), artist.strip(), float(streams))


def read_all_charts(data: Path) -> list[list[ChartEntry]]:
    """Return the charts of each set in a data folder. Raises MissingData without `TOTALS`."""
    sets = [list(read_charts(TOTALS, data))]
    with contextlib.suppress(MissingData):
        sets.append(list(read_charts(ASIA, data)))
    return sets
