"""Numbers and words for a match: its band, and "1 in N" pairs of the community."""

import contextlib
import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from twotower.bundle.shipped import Shipped
from twotower.community import Community, MemberSnapshot, queries
from twotower.core.errors import CommunityError
from twotower.matching.local_density import LocalDensity
from twotower.model.confidence import MIN_DIMENSIONS
from twotower.retrieval.band import ENOUGH_FOR_N, Band, Interval
from twotower.retrieval.pair_table import PairTable

# Least N for each word, if too little is known for a number.
WORDS = ((1000.0, "very close"), (100.0, "close"), (10.0, "somewhat close"), (0.0, "not close"))
TOO_LITTLE = "too little to tell"


@dataclass(frozen=True, slots=True)
class Closeness:
    """A match as a number or a word, with no more digits than the evidence carries."""

    words: str  # "1 in 4,500", "very close", or TOO_LITTLE
    low: float | None = None  # 80 % band of the match
    high: float | None = None
    one_in: float | None = None
    one_in_low: float | None = None  # N of both ends of the band
    one_in_high: float | None = None


class Rarity:
    """The band of a model and the pair table of its community. Safe to share between threads."""

    def __init__(
        self,
        community: Community,
        local_density: LocalDensity,
        shipped: Shipped,
        band: Band | None,
    ) -> None:
        self.community, self.local_density = community, local_density
        self.shipped, self.band = shipped, band
        self._lock = threading.Lock()
        self._table: PairTable | None = None

    def closeness(self, match: float, dimensions: float, table: PairTable | None) -> Closeness:
        """Return how close a match is.

        dimensions  effective dimensions of the one who asks
        table       result of `table`
        """
        band = None if self.band is None else self.band.interval(match, dimensions)
        middle = match if band is None else band.middle
        if dimensions < MIN_DIMENSIONS:
            return Closeness(TOO_LITTLE)
        low, high = (None, None) if band is None else (band.low, band.high)
        if table is None:
            return Closeness("", low, high)
        one_in = table.one_in(middle)
        if dimensions < ENOUGH_FOR_N:
            return Closeness(closeness_word(one_in), low, high)
        ends = _ends(table, band)
        return Closeness(table.words(one_in), low, high, one_in, *ends)

    def table(self, snapshot: MemberSnapshot) -> PairTable | None:
        """Return the pair table of the community; None if it has too few people.

        It is counted anew, which takes seconds, and stored if the number of people has changed by a
        fifth since, or the model has changed.
        """
        version = self.community.model_version
        with self._lock:
            if self._table is None or not self._table.fits(snapshot.total, version):
                self._table = self._stored(snapshot) or self._count(snapshot)
            return self._table

    def _stored(self, snapshot: MemberSnapshot) -> PairTable | None:
        """Return the table in the database, or that of the shipped community, if it fits."""
        for table in (self._in_database(), self.shipped.pair_table):
            if table is not None and table.fits(snapshot.total, self.community.model_version):
                return table
        return None

    def _in_database(self) -> PairTable | None:
        text = queries.stored_pair_table(self.community)
        if text is None:
            return None
        try:
            return PairTable.from_dict(json.loads(text))
        except (ValueError, KeyError, TypeError):
            return None  # of another version of the program: it is counted anew

    def _count(self, snapshot: MemberSnapshot) -> PairTable | None:
        table = PairTable.count(
            self.local_density.matches(snapshot),
            people=snapshot.total,
            date=datetime.now(UTC).date().isoformat(),
            model_version=self.community.model_version,
        )
        if table is not None:
            with contextlib.suppress(CommunityError):  # it can be counted again
                self.community.put_pair_table(json.dumps(table.to_dict()))
        return table


def closeness_word(one_in: float) -> str:
    """Return a word for "1 in N", for people of whom too little is known for a number."""
    return next(word for least, word in WORDS if one_in >= least)


def _ends(table: PairTable, band: Interval | None) -> tuple[float | None, float | None]:
    if band is None:
        return None, None
    return table.one_in(band.low), table.one_in(band.high)
