"""Domain types: immutable plays, artists, profiles and neighbours."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal

AUDIO_RANGE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "danceability": (0.0, 1.0),
        "energy": (0.0, 1.0),
        "valence": (0.0, 1.0),
        "acousticness": (0.0, 1.0),
        "instrumentalness": (0.0, 1.0),
        "liveness": (0.0, 1.0),
        "speechiness": (0.0, 1.0),
        "loudness": (-60.0, 10.0),  # dB
        "tempo": (0.0, 300.0),  # beats per minute
    }
)
AUDIO = tuple(AUDIO_RANGE)
COUNTED_FROM_MS = 30_000  # shorter plays don't count
HOURS = 7 * 24  # in a week
SPOTIFY_WEB_API = "spotify-web-api"  # origin of data that may never be stored or trained on
SYNTHETIC = "invented"  # origin of made-up listeners, who are no real people
DEMO = "demo"  # origin of the profiles to try the program with


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


def hour_of_week(at: datetime) -> int:
    """Return 0 for Monday 0:00 to 0:59, and so on to HOURS - 1 for Sunday 23:00 to 23:59."""
    return at.weekday() * 24 + at.hour


@dataclass(frozen=True, slots=True)
class Play:
    """One row of a listening history; private columns of the source are never read into it."""

    artist: str  # as the source writes it
    track: str | None
    kind: Literal["played", "saved", "listed"] = "played"  # history; library; playlist
    at: datetime | None = None  # UTC; end of the play, or time of saving
    ms_played: int | None = None  # None if the source doesn't say
    count: int = 1  # plays that this row represents
    playlist: str | None = None  # title, if kind is "listed"
    genres: tuple[str, ...] = ()
    audio: Mapping[str, float] = field(default_factory=_nothing)  # names of AUDIO, in their ranges
    duration_s: float | None = None
    released: str | None = None  # ISO year, year-month or date
    guests: tuple[str, ...] = ()  # other artists of the track
    spotify: str | None = None  # track id at Spotify
    mbid: str | None = None  # recording id at MusicBrainz


@dataclass(frozen=True, slots=True)
class Artist:
    """One artist in one listener's profile."""

    name: str  # as the source writes it
    plays: float = 1.0  # > 0
    genres: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    name: str
    artist: str  # name, as the source writes it
    plays: float = 1.0
    duration_s: float | None = None
    released: str | None = None
    audio: Mapping[str, float] = field(default_factory=_nothing)
    spotify: str | None = None  # track id at Spotify
    mbid: str | None = None  # recording id at MusicBrainz


@dataclass(frozen=True, slots=True)
class Playlist:
    name: str
    tracks: tuple[tuple[str, str], ...] = ()  # (track name, artist name)


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of one audio attribute over a listener's tracks."""

    mean: float
    std: float = 0.0


def spreads(tracks: Iterable[tuple[Mapping[str, float], float]]) -> dict[str, Spread]:
    """Return the weighted spread of each audio attribute over the tracks that have it.

    `tracks` are pairs of attributes and weight > 0.
    """
    weighted = list(tracks)
    result = {}
    for attribute in AUDIO:
        known = [(audio[attribute], weight) for audio, weight in weighted if attribute in audio]
        if known:
            total = sum(weight for _, weight in known)
            mean = sum(value * weight for value, weight in known) / total
            variance = sum(weight * (value - mean) ** 2 for value, weight in known) / total
            result[attribute] = Spread(mean, variance**0.5)
    return result


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything known about one listener.

    Plays are raw counts. At least one of artists, genres, playlists and audio is not empty.
    """

    id: str
    artists: Mapping[str, Artist] = field(default_factory=_nothing)  # by artist key
    genres: Mapping[str, float] = field(default_factory=_nothing)  # tag, lower case -> plays
    tracks: tuple[Track, ...] = ()
    playlists: tuple[Playlist, ...] = ()
    audio: Mapping[str, Spread] = field(default_factory=_nothing)  # names of AUDIO
    origin: str = "file"  # "picked", SYNTHETIC, SPOTIFY_WEB_API, ...; joined as "file+lastfm"
    name: str = ""
    since: date | None = None
    until: date | None = None
    clock: tuple[int, ...] = ()  # plays by hour of the week (UTC, Monday first): HOURS or ()


@dataclass(frozen=True, slots=True)
class Listener:
    """One member of the community, as others may see them."""

    id: str  # random and opaque
    name: str  # pseudonym
    origin: str  # SYNTHETIC, "file", ...
    artists: tuple[tuple[str, float], ...]  # (artist name, plays), most played first
    genres: tuple[str, ...] = ()  # most distinctive first
    place: tuple[float, float] | None = None  # on the map

    @property
    def is_synthetic(self) -> bool:
        """True for a made-up listener, False for a real person."""
        return self.origin == SYNTHETIC


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One listener in a ranking made for another."""

    listener: Listener
    rank: int  # 1 is the best
    similarity: float  # symmetric, hub-corrected (CSLS), at most 1; orders the list
    percentile: float  # random pairs of the community that are less similar, 0..100
    shared: tuple[str, ...]  # artist names that both have, most distinctive first
    discover: tuple[str, ...]  # artist names that only they have, best fit first
    low: float | None = None  # 10th and 90th percentile of the similarity if more were known of the
    high: float | None = None  # one who asks; None if no band is needed, or none is known
    one_in: float | None = None  # of all pairs, one in so many is at least as close; None: unsure
    closeness: str = (
        ""  # in words: "1 in 4,500", or "very close" if too little is known for a number
    )


@dataclass(frozen=True, slots=True)
class Coverage:
    """The part of a profile that the model knows."""

    plays: float  # share of plays whose artist is known at all, 0..1
    by_content: float  # of these, the share known by genres and name alone
    effective_artists: float  # exp of the entropy of the play shares of the artists known
    unknown: tuple[str, ...]  # artist names not known, most played first
    heard: tuple[str, ...] = ()  # artist names known from listening, most played first
    genre_only: tuple[str, ...] = ()  # artist names known by genres and name alone, the same
    effective_heard: float = 0.0  # as effective_artists, of the artists known from listening

    @property
    def from_listening(self) -> float:
        """Share of all plays whose artist is known from who plays it, 0..1."""
        return self.plays * (1 - self.by_content)

    @property
    def by_genre(self) -> float:
        """Share of all plays whose artist is known by genres and name alone, 0..1."""
        return self.plays * self.by_content


@dataclass(frozen=True, slots=True)
class Area:
    """A named part of the map."""

    name: str  # what its listeners play more than others do
    x: float  # of the centre
    y: float
    size: int  # listeners in it
    level: int = 0  # 0 is the whole map, higher levels are finer
