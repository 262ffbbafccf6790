"""What reading gives: the plays of all files together, each counted once, and a report of each."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from twotower.core.domain import COUNTED_FROM_MS, HOURS, Play, Profile, hour_of_week
from twotower.core.errors import TooLarge
from twotower.core.names import artist_key
from twotower.sources.dedup import Heard

MOST_ARTISTS = 200_000
MOST_TRACKS = 50_000  # told apart by name; plays of further ones count for their artists
MIDNIGHT = time()  # sharp, it is a date without a time of day


@dataclass(frozen=True, slots=True)
class FileReport:
    """What one file gave."""

    name: str
    plays: int  # that count: of 30 s and more, or rows where there is no duration
    artists: int
    since: date | None
    until: date | None
    left_out: Mapping[str, int]  # reason -> rows: "podcasts", "shorter than 30 s", "no artist", ...
    notes: tuple[str, ...] = ()  # what else to know of the reading, a sentence each
    kept: int = 0  # of the plays, those that are rows of a library or playlist


@dataclass(frozen=True, slots=True)
class Reading:
    """What the files of one call gave; plays or profiles is not empty."""

    plays: tuple[Play, ...]  # that count, one for each track and kind, with `count`, latest `at`
    origin: str  # SPOTIFY_WEB_API where any file came through it, else "file"
    reports: tuple[FileReport, ...]  # one for each file that was opened, in the order given
    profiles: tuple[Profile, ...] = ()  # of profile JSON Lines, as they stand there
    since: date | None = None  # of the plays; of saving where nothing was played
    until: date | None = None
    clock: tuple[int, ...] = ()  # plays by hour of the week; none where no time of day is known


class Count:
    """Plays, artists and days of one file, or of all."""

    def __init__(self) -> None:
        self.plays = 0
        self.kept = 0  # of the plays, saved or listed ones
        self.artists: set[str] = set()
        self.since: datetime | None = None
        self.until: datetime | None = None

    def on(self, at: datetime | None) -> None:
        if at is not None:
            self.since = at if self.since is None else min(self.since, at)
            self.until = at if self.until is None else max(self.until, at)

    def profile(self, profile: Profile) -> None:
        """Count what a profile says."""
        self.plays += round(sum(artist.plays for artist in profile.artists.values()))
        self.artists.update(profile.artists)
        for day in (profile.since, profile.until):
            self.on(None if day is None else datetime.combine(day, MIDNIGHT, UTC))

    def days(self) -> tuple[date | None, date | None]:
        return self.since and self.since.date(), self.until and self.until.date()


def _guests(play: Play) -> Iterator[str]:
    """The keys of those who are named beside the artist of a play."""
    for guest in play.guests:
        with suppress(ValueError):
            yield artist_key(guest)


class Gathered:
    """The plays of all files, one entry a track, so that a long history takes little memory.

    With `several` files that tell times, plays that two of them tell are found.
    """

    def __init__(self, *, several: bool = False) -> None:
        self.plays: dict[tuple[object, ...], Play] = {}
        self.origin = "file"
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._latest: dict[tuple[object, ...], datetime] = {}
        self._artists: set[str] = set()
        self._extended = Count()
        self._played = Count()
        self._kept = Count()
        self._hours = [0] * HOURS
        self._heard = Heard() if several else None

    def add(self, play: Play, name: str, kind: str, count: Count, left_out: Counter[str]) -> None:
        if kind == "extended":
            self._extended.on(play.at)
        elif kind == "account" and self._is_extended(play.at):
            left_out["in the extended history too"] += 1
            return
        if play.ms_played is not None and play.ms_played < COUNTED_FROM_MS:
            left_out["shorter than 30 s"] += play.count
            return
        try:
            artist = artist_key(play.artist)
        except ValueError:
            left_out["no artist"] += play.count
            return
        if self._heard is not None and play.kind == "played" and self._heard.is_known(play, kind):
            left_out["in another file too"] += 1
            return
        self._artists.add(artist)
        if len(self._artists) > MOST_ARTISTS:
            raise TooLarge(
                f"more than {MOST_ARTISTS:,} artists: choose the listening of one person",
                where=name,
            )
        count.plays += play.count
        count.kept += play.count * (play.kind != "played")
        count.artists.update((artist, *_guests(play)))
        count.on(play.at)
        (self._played if play.kind == "played" else self._kept).on(play.at)
        if play.kind == "played" and play.at is not None and play.at.time() != MIDNIGHT:
            self._hours[hour_of_week(play.at)] += play.count
        key = (play.artist, play.track, play.kind, play.playlist, play.guests)
        known = self.plays.get(key)
        if known is None and len(self.plays) >= MOST_TRACKS:
            play = replace(play, track=None, audio={}, duration_s=None, released=None)
            key = (play.artist, None, play.kind, None, play.guests)
            known = self.plays.get(key)
        if known is None or (play.audio and not known.audio):
            self.plays[key] = play
        self._counts[key] += play.count
        if play.at is not None:
            self._latest[key] = max(play.at, self._latest.get(key, play.at))

    def _is_extended(self, at: datetime | None) -> bool:
        since, until = self._extended.since, self._extended.until
        if at is None or since is None or until is None:
            return False
        return (
            since.replace(second=0, microsecond=0) <= at <= until
        )  # account times have no seconds

    def next_file(self, kind: str) -> None:
        """All plays of a file were added."""
        if self._heard is not None:
            self._heard.next_file(kind)

    def days(self) -> tuple[date | None, date | None]:
        return (self._played if self._played.since else self._kept).days()

    def clock(self) -> tuple[int, ...]:
        return tuple(self._hours) if any(self._hours) else ()

    def result(self) -> tuple[Play, ...]:
        return tuple(
            replace(play, count=self._counts[key], at=self._latest.get(key), ms_played=None)
            for key, play in self.plays.items()
        )
