"""What the readings of services have in common: a user's listening as totals, and a sample in time.

A service tells how often each artist and each of the top tracks was played, and the latest plays
with their times. Track totals are part of the artists'; the latest plays give the clock alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import TypeVar

from twotower.core.domain import HOURS, Play, hour_of_week
from twotower.core.errors import NoMusic, SourceError
from twotower.core.names import artist_key
from twotower.sources.reading import FileReport, Reading

SPANS = {"all": "all time", "year": "the last year", "half": "the last half year"}

Progress = Callable[[float, str], None]  # share done, 0..1; what is being read; may raise

T = TypeVar("T")


@dataclass
class Told:
    """What a service has told so far of one user."""

    artists: list[tuple[str, int]] = field(default_factory=list)  # (name, plays)
    tracks: list[tuple[tuple[str, ...], str, int]] = field(default_factory=list)  # artists, title
    latest: list[tuple[tuple[str, ...], str, datetime]] = field(default_factory=list)
    mbids: dict[tuple[tuple[str, ...], str], str] = field(default_factory=dict)  # of tracks
    since: date | None = None
    until: date | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def attempt(self, what: str, act: Callable[[], T]) -> T | None:
        """What `act` gives; where it fails and there is enough to go by, a note says so."""
        try:
            return act()
        except SourceError as error:
            if not self.artists and not self.latest:
                raise
            self.notes.append(f"{what} couldn't be read: {error}")
            return None

    def reading(self, name: str, origin: str) -> Reading:
        """All of it as one reading; NoMusic where there is nothing."""
        plays = tuple(self._plays())
        if not plays:
            raise NoMusic(
                "nothing was played in this time: choose a longer one, or bring a file",
                where=name,
            )
        times = [at for _, _, at in self.latest]
        since = self.since or min(times, default=None)
        until = self.until or max(times, default=None)
        report = FileReport(
            name,
            sum(count for _, count in self.artists) or sum(play.count for play in plays),
            len({artist_key(play.artist) for play in plays}),
            _day(since),
            _day(until),
            MappingProxyType(dict(self.left_out)),
            tuple(self.notes),
        )
        return Reading(
            plays, origin, (report,), since=report.since, until=report.until, clock=self._clock()
        )

    def _plays(self) -> Iterable[Play]:
        """Tracks with their plays, and what each artist has beyond them.

        Where no totals are known, the latest plays stand for them.
        """
        tracks = self.tracks
        if not self.artists and not tracks:
            counted = Counter((artists, title) for artists, title, _ in self.latest)
            tracks = [(artists, title, count) for (artists, title), count in counted.items()]
        of_tracks: Counter[str] = Counter()
        for artists, title, count in tracks:
            of_tracks.update({artist_key(name): count for name in artists})
            mbid = self.mbids.get((artists, title))
            yield Play(artists[0], title, count=count, guests=artists[1:], mbid=mbid)
        totals: Counter[str] = Counter()
        names: dict[str, str] = {}
        for name, count in self.artists:
            totals[artist_key(name)] += count
            names.setdefault(artist_key(name), name)
        for key, total in totals.items():
            if (rest := total - of_tracks[key]) > 0:
                yield Play(names[key], None, count=rest)

    def _clock(self) -> tuple[int, ...]:
        hours = [0] * HOURS
        for _, _, at in self.latest:
            hours[hour_of_week(at)] += 1
        return tuple(hours) if self.latest else ()


def is_artist(name: str) -> bool:
    try:
        artist_key(name)
    except ValueError:
        return False
    return True


def seconds_of(value: object) -> datetime | None:
    """A time in seconds, as a number or its digits; None where it is none of this century."""
    try:
        seconds = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    if not 946_684_800 <= seconds < 4_102_444_800:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def count_of(value: object) -> int:
    """A number of plays, as a number or its digits; 0 where it is none."""
    try:
        count = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return 0
    return count if 0 < count <= 10**9 and not isinstance(value, bool) else 0


def rows_of(value: object) -> Sequence[dict[str, object]]:
    """The objects in a list, or the one that stands without a list."""
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, dict)]


def _day(at: date | datetime | None) -> date | None:
    return at.date() if isinstance(at, datetime) else at
