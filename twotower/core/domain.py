"""The words of the program as frozen values: plays, artists, profiles, neighbours."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
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
COUNTED_FROM_MS = 30_000  # a play counts from here
HOURS = 7 * 24  # of a week
SPOTIFY_WEB_API = "spotify-web-api"  # origin of what may never be stored or trained on
SYNTHETIC = "invented"  # origin of made-up listeners, who are no real people
DEMO = "demo"  # origin of the profiles to try the program with


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


# Doubles that the normal form alone doesn't join: one normal form -> the usual one.
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "30 seconds to mars": "thirty seconds to mars",
        "3 doors down": "three doors down",
        "tupac": "2pac",
        "tupac shakur": "2pac",
        "2 pac": "2pac",
        "biggie smalls": "notorious b i g",
        "notorious big": "notorious b i g",
        "p nk": "pink",
        "jayz": "jay z",
        "ac dc": "acdc",
        "rem": "r e m",
        "u 2": "u2",
        "n sync": "nsync",
        "blink182": "blink 182",
        "sum41": "sum 41",
        "red hot chilli peppers": "red hot chili peppers",
        "guns and roses": "guns n roses",
        "dj tiesto": "tiesto",
        "snoop doggy dogg": "snoop dogg",
        "florence the machine": "florence and the machine",
        "crosby stills nash young": "crosby stills nash and young",
        "crosby stills and nash": "crosby stills nash",
        "emerson lake palmer": "emerson lake and palmer",
        "earth wind fire": "earth wind and fire",
        "hall and oates": "daryl hall and john oates",
        "daryl hall john oates": "daryl hall and john oates",
        "god speed you black emperor": "godspeed you black emperor",
        "belle sebastian": "belle and sebastian",
        "simon garfunkel": "simon and garfunkel",
        "mumford sons": "mumford and sons",
        "bts 방탄소년단": "bts",
        "방탄소년단": "bts",
    }
)


@lru_cache(maxsize=200_000)
def artist_key(name: str) -> str:
    """The one key under which the spellings of an artist's name meet; never empty.

    NFKC, casefold, accents of Latin letters stripped, `&` is `and`, `$` is `s`, other punctuation
    is a space, a leading "the" is dropped, and known doubles meet through `ALIASES`. Scripts other
    than Latin stay as they are. A name without a letter or digit ("!!!") keeps its casefolded
    form. A blank name is a ValueError.
    """
    raw = _plain_ascii(name) if name.isascii() else _folded(name)
    if not raw:
        raise ValueError("an artist needs a name")
    if not any(c.isalnum() for c in raw):
        return raw
    words = raw.replace("&", " and ").replace("$", "s")
    words = _NOT_ASCII_WORD.sub(" ", words) if words.isascii() else _letters(words)
    key = " ".join(words.split())
    while key.startswith("the "):
        key = key.removeprefix("the ")
    return ALIASES.get(key, key)


_NOT_ASCII_WORD = re.compile("[^0-9a-z]+")
_ASCII_CONTROLS = dict.fromkeys((*range(0x09), *range(0x0E, 0x1C), 0x7F))


def _plain_ascii(name: str) -> str:
    """What `_folded` gives for a name in ASCII, sooner."""
    return " ".join(name.translate(_ASCII_CONTROLS).lower().split())


def _folded(name: str) -> str:
    """`name` casefolded, in NFKC, its white space single and what can't be seen left out."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    if not folded.isprintable():
        seen = (c for c in folded if c.isspace() or unicodedata.category(c) not in _UNSEEN)
        folded = "".join(seen)
    return " ".join(folded.split())


_UNSEEN = ("Cc", "Cf", "Cs")  # control, format and half characters


def _letters(text: str) -> str:
    """`text` with Latin accents stripped and punctuation turned into spaces."""
    kept: list[str] = []
    base = ""  # the letter that a following accent belongs to
    for char in unicodedata.normalize("NFKD", text):
        category = unicodedata.category(char)
        if category.startswith("M"):
            if not (base and unicodedata.name(base, "").startswith("LATIN")):
                kept.append(char)
        elif category[0] in "LN":
            base = char
            kept.append(char)
        else:
            base = ""
            kept.append(" ")
    return unicodedata.normalize("NFC", "".join(kept))


def track_key(artist: str, track: str) -> tuple[str, str]:
    """(artist key, casefolded title): the same recording under small differences of spelling."""
    return artist_key(artist), " ".join(unicodedata.normalize("NFKC", track).casefold().split())


def hour_of_week(at: datetime) -> int:
    """0 is Monday from 0:00, HOURS - 1 is Sunday from 23:00."""
    return at.weekday() * 24 + at.hour


@dataclass(frozen=True, slots=True)
class Play:
    """One row of a listening history, as its source tells it; private columns never get here."""

    artist: str  # as written by the source
    track: str | None
    kind: Literal["played", "saved", "listed"] = "played"  # heard; in a library; in a playlist
    at: datetime | None = None  # UTC, end of the play or time of saving
    ms_played: int | None = None  # milliseconds heard; None where the source doesn't say
    count: int = 1  # plays that this row stands for
    playlist: str | None = None  # title, where kind is "listed"
    genres: tuple[str, ...] = ()
    audio: Mapping[str, float] = field(default_factory=_nothing)  # names of AUDIO, in their ranges
    duration_s: float | None = None
    released: str | None = None  # ISO year, year-month or date
    guests: tuple[str, ...] = ()  # other artists named beside the main one
    spotify: str | None = None  # the track's id there
    mbid: str | None = None  # the recording's id at MusicBrainz


@dataclass(frozen=True, slots=True)
class Artist:
    """What one listener has of one artist."""

    name: str  # as the listener's source writes it
    plays: float = 1.0  # > 0
    genres: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    name: str
    artist: str  # name as written
    plays: float = 1.0
    duration_s: float | None = None
    released: str | None = None
    audio: Mapping[str, float] = field(default_factory=_nothing)
    spotify: str | None = None  # id there
    mbid: str | None = None  # of the recording, at MusicBrainz


@dataclass(frozen=True, slots=True)
class Playlist:
    name: str
    tracks: tuple[tuple[str, str], ...] = ()  # (track name, artist name)


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of one audio attribute over a listener's tracks."""

    mean: float
    std: float = 0.0


def spreads(heard: Iterable[tuple[Mapping[str, float], float]]) -> dict[str, Spread]:
    """The spread of each attribute over the tracks that have it, of (attributes, weight > 0)."""
    weighed = list(heard)
    found = {}
    for attribute in AUDIO:
        known = [(audio[attribute], weight) for audio, weight in weighed if attribute in audio]
        if known:
            total = sum(weight for _, weight in known)
            mean = sum(value * weight for value, weight in known) / total
            variance = sum(weight * (value - mean) ** 2 for value, weight in known) / total
            found[attribute] = Spread(mean, variance**0.5)
    return found


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one listener; plays are counts, and features make weights of them.

    At least one of artists, genres, playlists and audio is not empty.
    """

    id: str
    artists: Mapping[str, Artist] = field(default_factory=_nothing)  # by artist key
    genres: Mapping[str, float] = field(default_factory=_nothing)  # tag, lower case -> plays
    tracks: tuple[Track, ...] = ()
    playlists: tuple[Playlist, ...] = ()
    audio: Mapping[str, Spread] = field(default_factory=_nothing)  # names of AUDIO
    origin: str = "file"  # "picked", SYNTHETIC, SPOTIFY_WEB_API, ...; several as "file+lastfm"
    name: str = ""
    since: date | None = None
    until: date | None = None
    clock: tuple[int, ...] = ()  # plays by hour of the week (UTC, Monday first): HOURS, or none


@dataclass(frozen=True, slots=True)
class Listener:
    """A row of the community: one person that can be found, as others may see them."""

    id: str  # random and opaque
    name: str  # pseudonym
    origin: str  # SYNTHETIC, "file", ...
    artists: tuple[tuple[str, float], ...]  # (artist name, plays), most played first
    genres: tuple[str, ...] = ()  # most telling first
    place: tuple[float, float] | None = None  # on the map

    @property
    def is_synthetic(self) -> bool:
        """True for a made-up listener, False for a real person."""
        return self.origin == SYNTHETIC


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One match, as ranked for one listener."""

    listener: Listener
    rank: int  # 1 is nearest
    similarity: float  # of taste and of the very same artists, -1..1; alike from either side
    percentile: float  # share of random pairs of the community that are less similar, 0..100
    shared: tuple[str, ...]  # artist names both have, the most telling first
    discover: tuple[str, ...]  # theirs that I lack, the best fit to me first


@dataclass(frozen=True, slots=True)
class Recognised:
    """How much of a profile the model knows."""

    plays: float  # share of plays whose artist is known at all, 0..1
    by_content: float  # of these, the share known by genres and name alone
    evidence: float  # effective number of artists: exp of the entropy of their play shares
    unknown: tuple[str, ...]  # artist names not known, most played first


@dataclass(frozen=True, slots=True)
class Area:
    """A named part of the map."""

    name: str  # what its listeners hear more of than others
    x: float
    y: float  # of its middle
    size: int  # listeners in it
    level: int = 0  # 0 is seen from afar, larger from nearer
