"""A user's listening as a service reports it: totals by artist and track, and the latest plays.

Plays of tracks are part of their artists' totals. The latest plays have times, and only fill the
clock if there are totals.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import TypeVar

from twotower.core.domain import HOURS, Play, hour_of_week
from twotower.core.errors import NoMusic, SourceError
from twotower.core.names import artist_key
from twotower.sources.collector import FileReport, Reading

SPANS = {"all": "all time", "year": "the last year", "half": "the last half year"}

T = TypeVar("T")


@dataclass
class UserHistory:
    """Everything that has been read of one user so far."""

    artists: list[tuple[str, int]] = field(default_factory=list)  # (name, plays)
    tracks: list[tuple[tuple[str, ...], str, int]] = field(
        default_factory=list
    )  # (artists, title, plays)
    latest: list[tuple[tuple[str, ...], str, datetime]] = field(
        default_factory=list
    )  # (artists, title, time)
    mbids: dict[tuple[tuple[str, ...], str], str] = field(default_factory=dict)  # of tracks
    since: date | None = None
    until: date | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def attempt(self, what: str, read: Callable[[], T]) -> T | None:
        """Call `read`; if it fails after something was read, add a note instead of raising."""
        try:
            return read()
        except SourceError as error:
            if not self.artists and not self.latest:
                raise
            self.notes.append(f"{what} couldn't be read: {error}")
            return None

    def reading(self, name: str, origin: str) -> Reading:
        """Return everything as one reading. Raises NoMusic if there is nothing."""
        plays = tuple(self._plays())
        if not plays:
            raise NoMusic(
                "nothing was played in this period: choose a longer one, or upload a file",
                where=name,
            )
        times = [at for _, _, at in self.latest]
        report = FileReport(
            name,
            sum(count for _, count in self.artists) or sum(play.count for play in plays),
            len({artist_key(play.artist) for play in plays}),
            _day(self.since or min(times, default=None)),
            _day(self.until or max(times, default=None)),
            MappingProxyType(dict(self.left_out)),
            tuple(self.notes),
        )
        return Reading(
            plays, origin, (report,), since=report.since, until=report.until, clock=self._clock()
        )

    def _plays(self) -> Iterator[Play]:
        """Yield the tracks with their plays, then each artist's remaining plays.

        The latest plays are counted if there are no totals.
        """
        tracks = self.tracks
        if not self.artists and not tracks:
            counts = Counter((artists, title) for artists, title, _ in self.latest)
            tracks = [(artists, title, count) for (artists, title), count in counts.items()]
        track_plays: Counter[str] = Counter()  # by artist key
        for artists, title, count in tracks:
            track_plays.update({artist_key(name): count for name in artists})
            mbid = self.mbids.get((artists, title))
            yield Play(artists[0], title, count=count, guests=artists[1:], mbid=mbid)
        totals: Counter[str] = Counter()
        names: dict[str, str] = {}
        for name, count in self.artists:
            totals[artist_key(name)] += count
            names.setdefault(artist_key(name), name)
        for key, total in totals.items():
            if (rest := total - track_plays[key]) > 0:
                yield Play(names[key], None, count=rest)

    def _clock(self) -> tuple[int, ...]:
        hours = [0] * HOURS
        for _, _, at in self.latest:
            hours[hour_of_week(at)] += 1
        return tuple(hours) if self.latest else ()


def check_span(span: str) -> None:
    """Raise ValueError if `span` is none of SPANS."""
    if span not in SPANS:
        raise ValueError(f"unknown span {span!r}; choose from {', '.join(SPANS)}")


def _day(at: date | datetime | None) -> date | None:
    return at.date() if isinstance(at, datetime) else at
