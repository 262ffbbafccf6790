"""Home countries of artists and synthetic listeners, from the charts of countries.

Charts are nobody's listening. They give words for the artists' content ("home:tr") and synthetic
listeners, which let a model learn artists that no listener or list of the data has.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import Artist, Profile
from twotower.core.errors import MissingData
from twotower.core.genres import HOME, is_genre
from twotower.core.names import artist_key
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.charts import ChartEntry, read_all_charts
from twotower.sources.datasets.modern_content import read_all_content

ORIGIN = "chart"  # of synthetic chart listeners
MIN_HOME_SHARE = 0.5  # of an artist's streams, for a country to be the home
WORLD_CHARTS = 25  # an artist in so many countries' charts has no home
# English-speaking countries share each other's artists too much to be a home.
NO_HOME = frozenset({"us", "gb", "ca", "au", "ie", "nz"})
PER_COUNTRY = 24  # synthetic listeners
MIN_COUNTRY_ARTISTS = 100  # of a country with synthetic listeners
MEDIAN_ARTISTS, SPREAD, FEWEST, MOST = 30, 0.5, 12, 80  # of a listener; log-normal
# Range, over listeners, of the weight of each term of an artist's score.
STREAMS_WEIGHT, HOME_WEIGHT, GENRE_WEIGHT = (0.3, 0.7), (0.0, 0.8), (2.0, 8.0)


@dataclass(frozen=True)
class Charts:
    """Streams of artists by country, each country's summing to one."""

    countries: tuple[str, ...]
    keys: tuple[str, ...]  # of artists
    names: tuple[str, ...]
    shares: sp.csr_matrix  # (countries, artists)

    @classmethod
    def of(cls, sets: Iterable[Iterable[ChartEntry]]) -> "Charts":
        """Return the mean of several sets of charts; countries of one set count by that alone."""
        row: dict[str, int] = {}
        column: dict[str, int] = {}
        names: list[str] = []
        per_set: list[dict[tuple[int, int], float]] = []
        for entries in sets:
            streams: dict[tuple[int, int], float] = {}
            for entry in entries:
                key = artist_key(entry.artist)
                if key not in column:
                    column[key] = len(names)
                    names.append(entry.artist)
                cell = row.setdefault(entry.country, len(row)), column[key]
                streams[cell] = streams.get(cell, 0.0) + entry.streams
            per_set.append(streams)
        shape = (len(row), len(names))
        total = sum(
            (_unit_sums(_matrix(streams, shape)) for streams in per_set), sp.csr_matrix(shape)
        )
        return cls(tuple(row), tuple(column), tuple(names), _unit_sums(sp.csr_matrix(total)))

    def home_shares(self) -> sp.csr_matrix:
        """Return (countries, artists) each country's part of an artist, summing to one.

        A country's streams are normalised first, because countries differ a thousandfold.
        """
        return _unit_sums(sp.csr_matrix(self.shares.T)).T.tocsr()

    def homes(self) -> dict[str, str]:
        """Return artist key -> home country, for artists that have one."""
        share = self.home_shares().tocsc()
        in_charts = np.asarray(self.shares.getnnz(0)).ravel()
        homes = {}
        for column, key in enumerate(self.keys):
            span = slice(share.indptr[column], share.indptr[column + 1])
            best = int(np.argmax(share.data[span]))
            country = self.countries[share.indices[span][best]]
            is_home = share.data[span][best] >= MIN_HOME_SHARE and country not in NO_HOME
            if is_home and in_charts[column] < WORLD_CHARTS:
                homes[key] = country
        return homes

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (artists,) the best place in a country's chart, from 0, and in how many it is."""
        best = np.full(len(self.keys), np.iinfo(np.int64).max)
        for row in range(len(self.countries)):
            span = slice(self.shares.indptr[row], self.shares.indptr[row + 1])
            columns = self.shares.indices[span][np.argsort(-self.shares.data[span], kind="stable")]
            best[columns] = np.minimum(best[columns], np.arange(len(columns)))
        return best, np.asarray(self.shares.getnnz(0)).ravel()


def _matrix(streams: Mapping[tuple[int, int], float], shape: tuple[int, int]) -> sp.csr_matrix:
    cells = np.array(list(streams), np.int64).reshape(-1, 2)
    values = np.fromiter(streams.values(), np.float64, len(streams))
    return sp.csr_matrix((values, (cells[:, 0], cells[:, 1])), shape=shape)


def _unit_sums(rows: sp.csr_matrix) -> sp.csr_matrix:
    """Return the rows scaled to a sum of one; empty ones stay empty."""
    sums = np.asarray(rows.sum(1)).ravel()
    return sp.csr_matrix(sp.diags(1 / np.where(sums > 0, sums, 1)) @ rows)


def with_homes(content: Sequence[ArtistContent], charts: Charts) -> list[ArtistContent]:
    """Return the content with `home:xx` added to the genres of artists that have a home.

    Artists of the charts without content get an entry of their own.
    """
    homes = charts.homes()
    known = {each.key for each in content}
    added = [
        replace(each, genres=(*each.genres, HOME + homes[each.key])) if each.key in homes else each
        for each in content
    ]
    added += [
        ArtistContent(key, name, (HOME + homes[key],))
        for key, name in zip(charts.keys, charts.names, strict=True)
        if key in homes and key not in known
    ]
    return sorted(added, key=lambda each: each.key)


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield `chart_listeners` of the charts in `folder` and the content of the sets beside it.

    Raises MissingData or UnreadableExport.
    """
    content: Sequence[ArtistContent] = ()
    with contextlib.suppress(MissingData):
        content = read_all_content(folder.parent)
    yield from chart_listeners(Charts.of(read_all_charts(folder.parent)), content)


def chart_listeners(
    charts: Charts, content: Iterable[ArtistContent], *, seed: int = 0
) -> Iterator[Profile]:
    """Yield PER_COUNTRY synthetic listeners of each country with enough artists.

    A listener has a first artist, drawn by streams, and others drawn by streams, by how much the
    country is their home, and by how their genres resemble the first one's. Gumbel noise on the
    scores draws without replacement by their softmax.
    """
    words = _genre_rows(charts.keys, content)
    home = charts.home_shares()
    for row in np.argsort(charts.countries):
        span = slice(charts.shares.indptr[row], charts.shares.indptr[row + 1])
        columns = charts.shares.indices[span]
        if len(columns) < MIN_COUNTRY_ARTISTS:
            continue
        country = charts.countries[row]
        rng = np.random.default_rng([seed, 5, *country.encode()])
        shares = charts.shares.data[span]
        logs = np.log(shares)
        at_home = np.asarray(home[row, columns].todense()).ravel()
        genres = words[columns]
        for number in range(PER_COUNTRY):
            chosen = _draw(shares, logs, at_home, genres, rng)
            artists = {
                charts.keys[column]: Artist(charts.names[column], 1.0)
                for column in columns[chosen].tolist()
            }
            yield Profile(f"{country}-{number:02d}", artists, origin=ORIGIN)


def _draw(
    shares: np.ndarray,
    logs: np.ndarray,
    at_home: np.ndarray,
    genres: sp.csr_matrix,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the positions of one listener's artists, best first."""
    root = np.sqrt(shares)
    first = int(rng.choice(len(shares), p=root / root.sum()))
    alike = np.asarray((genres @ genres[first].T).todense()).ravel()
    score = (
        rng.uniform(*STREAMS_WEIGHT) * logs
        + rng.uniform(*HOME_WEIGHT) * at_home
        + rng.uniform(*GENRE_WEIGHT) * alike
        + rng.gumbel(size=len(shares))
    )
    score[first] = np.inf
    size = int(np.clip(round(MEDIAN_ARTISTS * np.exp(rng.normal(0, SPREAD))), FEWEST, MOST))
    return np.argsort(-score, kind="stable")[: min(size, len(shares) // 2)]


def _genre_rows(keys: Sequence[str], content: Iterable[ArtistContent]) -> sp.csr_matrix:
    """Return (artists, words) unit rows of tf-idf over genres; empty for artists without."""
    genres = {each.key: each.genres for each in content}
    column: dict[str, int] = {}
    cells = [
        (row, column.setdefault(word, len(column)))
        for row, key in enumerate(keys)
        for word in genres.get(key, ())
        if is_genre(word)
    ]
    rows, columns = np.array(cells, np.int64).reshape(-1, 2).T
    df = np.bincount(columns, minlength=max(1, len(column)))
    idf = np.log((1 + len(keys)) / (1 + df)) + 1
    shape = (len(keys), max(1, len(column)))
    matrix = sp.csr_matrix((idf[columns], (rows, columns)), shape=shape)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.where(lengths > 0, lengths, 1)) @ matrix)
