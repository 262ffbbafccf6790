"""Plays collected from several files, each counted once, with a report on each file."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import lru_cache
from types import MappingProxyType
from typing import Generic, TypeVar

from twotower.core.domain import COUNTED_FROM_MS, HOURS, Play, Profile, hour_of_week
from twotower.core.errors import TooLarge
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.dedup import DuplicateFinder
from twotower.sources.files.file_format import LeftOut
from twotower.sources.values import artist_name, song_title

MOST_ARTISTS = 200_000
MOST_TRACKS = 50_000  # distinct tracks; plays of further ones only count for their artists
# Kind of file -> the fuller kinds whose plays it repeats.
SUMMARISES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "account": ("extended",),
        "apple-daily": ("apple-activity",),
        "apple-last-plays": ("apple-activity", "apple-daily"),
    }
)
# Kind of library with numbers of plays -> the kinds that have these plays one by one.
COUNTED_IN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "apple-library": ("apple-activity", "apple-daily"),
        "apple-library-table": ("apple-activity", "apple-daily"),
    }
)
MIDNIGHT = time()  # a play at exactly midnight has a date but no time of day

DayOrTime = TypeVar("DayOrTime", date, datetime)


@dataclass(frozen=True, slots=True)
class FileReport:
    """Summary of one file that was read."""

    name: str
    plays: int  # that count: of 30 s and more, or rows if there is no duration
    artists: int
    since: date | None
    until: date | None
    left_out: Mapping[str, int]  # reason -> rows: "podcasts", "shorter than 30 s", "no artist", ...
    notes: tuple[str, ...] = ()  # a sentence each, for the person
    saved: int = 0  # how many of `plays` are rows of a library or playlist
    passed_over: str = ""  # why there is no listening in it; "" if there is


@dataclass(frozen=True, slots=True)
class Reading:
    """Content of all files of one call; plays or profiles is not empty."""

    plays: tuple[Play, ...]  # one for each track and kind, with `count` and the latest `at`
    origin: str  # SPOTIFY_WEB_API if any file came through it, else "file"
    reports: tuple[FileReport, ...]  # one for each file that was opened, in the order given
    profiles: tuple[Profile, ...] = ()  # from profile JSON Lines, unchanged
    since: date | None = None  # of the plays; of the saved rows if nothing was played
    until: date | None = None
    clock: tuple[int, ...] = ()  # plays by hour of the week; () if no time of day is known


class TimeRange(Generic[DayOrTime]):
    """First and last of the days or times added."""

    def __init__(self) -> None:
        self.first: DayOrTime | None = None
        self.last: DayOrTime | None = None

    def add(self, at: DayOrTime | None) -> None:
        if at is not None:
            self.first = at if self.first is None else min(self.first, at)
            self.last = at if self.last is None else max(self.last, at)


class FileStats:
    """Counts of one file while it is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.plays = 0
        self.passed_over = ""  # why there is no listening in the file
        self.saved = 0  # how many of `plays` are saved or listed
        self.artists: set[str] = set()  # keys
        self.played = TimeRange[datetime]()
        self.added = TimeRange[datetime]()  # of saved and listed rows
        self.left_out = LeftOut()  # reason -> rows

    def add_play(self, play: Play) -> None:
        self.plays += play.count
        self.saved += play.count * (play.kind != "played")
        self.artists.update((artist_key(play.artist), *_guest_keys(play)))
        (self.played if play.kind == "played" else self.added).add(play.at)

    def add_profile(self, profile: Profile) -> None:
        self.plays += round(sum(artist.plays for artist in profile.artists.values()))
        self.artists.update(profile.artists)
        for day in (profile.since, profile.until):
            self.played.add(None if day is None else datetime.combine(day, MIDNIGHT, UTC))

    def report(self) -> FileReport:
        return FileReport(
            self.name,
            self.plays,
            len(self.artists),
            *_days(self.played if self.plays > self.saved else self.added),
            MappingProxyType(dict(self.left_out)),
            tuple(self.left_out.notes),
            saved=self.saved,
            passed_over=self.passed_over,
        )


class PlayCollector:
    """The plays of all files, one entry per track, so that a long history takes little memory.

    With `find_duplicates`, a play found in two files is counted once.
    """

    def __init__(self, *, find_duplicates: bool = False) -> None:
        self.origin = "file"
        self._plays: dict[tuple[object, ...], Play] = {}  # the first row of each key
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._latest: dict[tuple[object, ...], datetime] = {}
        self._artists: set[str] = set()  # keys
        # kind of file that others summarise -> day -> first and last time
        self._covered: dict[str, dict[date, TimeRange[datetime]]] = {
            kind: {} for kinds in SUMMARISES.values() for kind in kinds
        }
        self._played = TimeRange[datetime]()
        self._saved = TimeRange[datetime]()
        self._has_plays = False  # played, not only saved or listed
        self._hours = [0] * HOURS
        self._duplicates = DuplicateFinder() if find_duplicates else None

    @property
    def is_empty(self) -> bool:
        return not self._plays

    def add(self, play: Play, kind: str, stats: FileStats) -> None:
        """Add a play of a file of this kind, or count in `stats` why it is left out.

        Raises TooLarge if there are more artists than one person could have.
        """
        play = _with_plain_names(play)
        if any(self._covered[fuller] for fuller in COUNTED_IN.get(kind, ())):
            play = replace(play, kind="saved", count=1)
        if kind in self._covered and play.at is not None:
            self._covered[kind].setdefault(play.at.date(), TimeRange()).add(play.at)
        if reason := self._reason_to_leave_out(play, kind):
            stats.left_out[reason] += play.count
            return
        self._artists.add(artist_key(play.artist))
        if len(self._artists) > MOST_ARTISTS:
            raise TooLarge(
                f"more than {MOST_ARTISTS:,} artists: choose the listening of one person",
                where=stats.name,
            )
        stats.add_play(play)
        if play.kind == "played":
            self._has_plays = True
            self._played.add(play.at)
            # Of several plays in one row, only the time of one is known.
            if play.count == 1 and play.at is not None and play.at.time() != MIDNIGHT:
                self._hours[hour_of_week(play.at)] += 1
        else:
            self._saved.add(play.at)
        self._store(play)

    def _reason_to_leave_out(self, play: Play, kind: str) -> str:
        """Return a key of `FileReport.left_out`, or "" for a play that counts."""
        fuller_kinds = SUMMARISES.get(kind, ())
        if any(self._is_covered(play.at, self._covered[fuller]) for fuller in fuller_kinds):
            return "in the extended history too" if kind == "account" else "in another file too"
        if play.ms_played is not None and play.ms_played < COUNTED_FROM_MS:
            return "shorter than 30 s"
        if not is_artist_name(play.artist):
            return "no artist"
        if (
            self._duplicates is not None
            and play.kind == "played"
            and self._duplicates.is_duplicate(play, kind)
        ):
            return "in another file too"
        return ""

    def _is_covered(self, at: datetime | None, days: Mapping[date, TimeRange[datetime]]) -> bool:
        """Return True if a fuller history has the plays of this time.

        It has those of a day from its first play to its last. Between its files there may be gaps.
        """
        times = None if at is None else days.get(at.date())
        if at is None or times is None or times.first is None or times.last is None:
            return False
        first = times.first.replace(second=0, microsecond=0)  # account times lack seconds
        is_day_only = MIDNIGHT in (at.time(), times.last.time())
        return is_day_only or first <= at <= times.last

    def _store(self, play: Play) -> None:
        key: tuple[object, ...] = (play.artist, play.track, play.kind, play.playlist, play.guests)
        known = self._plays.get(key)
        if known is None and len(self._plays) >= MOST_TRACKS:
            play = replace(play, track=None, audio={}, duration_s=None, released=None)
            key = (play.artist, None, play.kind, None, play.guests)
            known = self._plays.get(key)
        if known is None or (play.audio and not known.audio):
            self._plays[key] = play
        self._counts[key] += play.count
        if play.at is not None:
            self._latest[key] = max(play.at, self._latest.get(key, play.at))

    def end_file(self, kind: str) -> None:
        """Call when all plays of a file were added."""
        if self._duplicates is not None:
            self._duplicates.end_file(kind)

    def reading(self, reports: Sequence[FileReport], profiles: Sequence[Profile]) -> Reading:
        """Return everything collected, with the reports and profiles that belong to it."""
        since, until = _days(self._played if self._has_plays else self._saved)
        plays = tuple(
            replace(play, count=self._counts[key], at=self._latest.get(key), ms_played=None)
            for key, play in self._plays.items()
        )
        clock = tuple(self._hours) if any(self._hours) else ()
        return Reading(plays, self.origin, tuple(reports), tuple(profiles), since, until, clock)


def _with_plain_names(play: Play) -> Play:
    """Return a play without what services and programs add to names, and without placeholders.

    A guest takes the place of an artist such as "Various Artists".
    """
    artists = _plain_artists(play.artist, play.guests)
    track = play.track
    if track and not (track.isascii() and "&" not in track):  # else there is nothing to decode
        track = song_title(track) or None
    if artists[0] == play.artist and artists[1:] == play.guests and track == play.track:
        return play
    return replace(play, artist=artists[0], guests=artists[1:], track=track)


@lru_cache(maxsize=50_000)
def _plain_artists(artist: str, guests: tuple[str, ...]) -> tuple[str, ...]:
    named = (artist_name(name) for name in (artist, *guests))
    return tuple(dict.fromkeys(name for name in named if is_artist_name(name))) or ("",)


def _guest_keys(play: Play) -> Iterator[str]:
    return (artist_key(guest) for guest in play.guests if is_artist_name(guest))


def _days(times: TimeRange[datetime]) -> tuple[date | None, date | None]:
    return times.first and times.first.date(), times.last and times.last.date()
