"""Checks one decoded line of profile JSON Lines and converts it to a `Profile`."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, NoReturn

from twotower.core.domain import AUDIO_RANGE, HOURS, Artist, Playlist, Profile, Spread, Track
from twotower.core.errors import BadProfile
from twotower.core.names import artist_key, is_visible, track_key
from twotower.core.origins import FILE, is_known_origin, known_origin
from twotower.core.placeholders import is_placeholder
from twotower.sources.values import LONGEST_NAME, clean, mbid, spotify_id

VERSION = 1
MOST_PLAYS = 1e9
MOST_ENTRIES = 200_000  # of one list, or genres of a profile
MOST_GENRES = 100  # of one artist

_PROFILE = frozenset(
    (
        *("v", "id", "name", "origin", "from", "to", "clock"),
        *("genres", "artists", "tracks", "playlists", "audio"),
    )
)
_ARTIST = frozenset(("name", "plays", "genres"))
_TRACK = frozenset(
    ("name", "artist", "plays", "duration_s", "released", "audio", "spotify", "mbid")
)
_PLAYLIST = frozenset(("name", "tracks"))
_PLAYLIST_TRACK = frozenset(("name", "artist"))
_SPREAD = frozenset(("mean", "std"))
_RELEASED = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


class OnlyPlaceholders(BadProfile):
    """The profile has no artist but "Various Artists" or the like, and nothing else."""


def profile_from_json(data: object, where: str, *, ignored: Counter[str] | None = None) -> Profile:
    """Return the profile in one decoded line.

    Spellings of one artist are merged, under the name that is played most. A profile with tracks
    and no artists gets the artists of its tracks. Unknown keys and origins are counted in
    `ignored`, and so are artists such as "Various Artists". Raises BadProfile with `where`, the
    field and what it must be.
    """
    return _ProfileParser(where, Counter() if ignored is None else ignored).profile(data)


class _ProfileParser:
    """Checks and converts the fields of one line; `field` arguments name them in errors."""

    def __init__(self, where: str, ignored: Counter[str]) -> None:
        self._where = where
        self._ignored = ignored
        self._has_placeholders = False  # some artist is "Various Artists" or the like

    def profile(self, data: object) -> Profile:
        if not isinstance(data, dict):
            raise BadProfile(f"must be an object, is {_shown(data)}", where=self._where)
        self._count_unknown(data, _PROFILE)
        if _or(data.get("v"), VERSION) != VERSION:
            self._fail("v", f"must be {VERSION}, the version that this program reads", data["v"])
        tracks = tuple(self._tracks(data.get("tracks")))
        profile = Profile(
            id=self._text("id", data.get("id")),
            artists=self._artists(data.get("artists")) or _artists_of(tracks),
            genres=self._genres(data.get("genres")),
            tracks=tracks,
            playlists=tuple(self._playlists(data.get("playlists"))),
            audio={
                name: self._spread(f"audio.{name}", name, value)
                for name, value in self._object("audio", data.get("audio")).items()
                if self._is_audio(name)
            },
            origin=self._origin(data.get("origin")),
            name=self._optional_text("name", data.get("name")),
            since=self._day("from", data.get("from")),
            until=self._day("to", data.get("to")),
            clock=self._clock(data.get("clock")),
        )
        if profile.since and profile.until and profile.since > profile.until:
            self._fail("to", f'must not be before "from", {data["from"]}', data["to"])
        if not (profile.artists or profile.genres or profile.playlists or profile.audio):
            raise (OnlyPlaceholders if self._has_placeholders else BadProfile)(
                "needs at least one artist, genre, track, playlist or audio attribute",
                where=self._where,
            )
        return profile

    # Groups of a profile

    def _artists(self, data: object) -> Mapping[str, Artist]:
        artists: dict[str, Artist] = {}
        most_plays: dict[str, float] = {}  # of one spelling, by key
        for at, entry in self._list("artists", data):
            field = f"artists[{at}]"
            values = self._object(field, entry, required=True)
            self._count_unknown(values, _ARTIST, "artists[].")
            name = self._artist_name(f"{field}.name", values.get("name"))
            plays = self._plays(f"{field}.plays", _or(values.get("plays"), 1))
            genres = self._words(f"{field}.genres", values.get("genres"))
            if self._is_placeholder(name):
                continue
            key = artist_key(name)
            if (known := artists.get(key)) is None:
                artists[key], most_plays[key] = Artist(name, plays, genres), plays
                continue
            if plays > most_plays[key]:
                most_plays[key] = plays
            else:
                name = known.name
            all_genres = tuple(dict.fromkeys((*known.genres, *genres)))
            artists[key] = Artist(name, known.plays + plays, all_genres)
        return artists

    def _tracks(self, data: object) -> Iterator[Track]:
        for at, entry in self._list("tracks", data):
            field = f"tracks[{at}]"
            values = self._object(field, entry, required=True)
            self._count_unknown(values, _TRACK, "tracks[].")
            artist = self._artist_name(f"{field}.artist", values.get("artist"))
            if self._is_placeholder(artist):
                continue
            seconds = values.get("duration_s")
            audio = self._object(f"{field}.audio", values.get("audio"))
            yield Track(
                name=self._text(f"{field}.name", values.get("name")),
                artist=artist,
                plays=self._plays(f"{field}.plays", _or(values.get("plays"), 1)),
                duration_s=None
                if seconds is None
                else self._number(f"{field}.duration_s", seconds, 0.0, 1e6),
                released=self._released(f"{field}.released", values.get("released")),
                audio={
                    name: self._number(f"{field}.audio.{name}", value, *AUDIO_RANGE[name])
                    for name, value in audio.items()
                    if self._is_audio(name)
                },
                spotify=self._id(f"{field}.spotify", values.get("spotify"), spotify_id),
                mbid=self._id(f"{field}.mbid", values.get("mbid"), mbid),
            )

    def _playlists(self, data: object) -> Iterator[Playlist]:
        for at, entry in self._list("playlists", data):
            field = f"playlists[{at}]"
            values = self._object(field, entry, required=True)
            self._count_unknown(values, _PLAYLIST, "playlists[].")
            tracks = tuple(
                self._playlist_track(f"{field}.tracks[{number}]", track)
                for number, track in self._list(f"{field}.tracks", values.get("tracks"))
            )
            named = tuple(track for track in tracks if not self._is_placeholder(track[1]))
            yield Playlist(self._optional_text(f"{field}.name", values.get("name")), named)

    def _playlist_track(self, field: str, data: object) -> tuple[str, str]:
        values = self._object(field, data, required=True)
        self._count_unknown(values, _PLAYLIST_TRACK, "playlists[].tracks[].")
        return (
            self._text(f"{field}.name", values.get("name")),
            self._artist_name(f"{field}.artist", values.get("artist")),
        )

    def _genres(self, data: object) -> Mapping[str, float]:
        genres: dict[str, float] = {}
        for name, plays in self._object("genres", data).items():
            tag = clean(name).casefold()
            if not tag:
                self._fail("genres", "must have a name for each genre", name)
            genres[tag] = genres.get(tag, 0) + self._plays(f"genres.{_short(name)}", plays)
        return genres

    def _spread(self, field: str, attribute: str, data: object) -> Spread:
        values = self._object(field, data, required=True)
        self._count_unknown(values, _SPREAD, "audio.*.")
        low, high = AUDIO_RANGE[attribute]
        return Spread(
            self._number(f"{field}.mean", values.get("mean"), low, high),
            self._number(f"{field}.std", _or(values.get("std"), 0), 0.0, high - low),
        )

    def _origin(self, data: object) -> str:
        """Return a known origin; count an unknown one as ignored."""
        origin = self._text("origin", _or(data, FILE))
        if not is_known_origin(origin):
            self._ignored["unknown origin"] += 1
        return known_origin(origin)

    def _clock(self, data: object) -> tuple[int, ...]:
        hours = [hour for _, hour in self._list("clock", data)]
        if hours and len(hours) != HOURS:
            self._fail("clock", f"must have {HOURS} numbers, one for each hour of the week", data)
        return tuple(
            int(self._number(f"clock[{at}]", hour, 0, MOST_PLAYS)) for at, hour in enumerate(hours)
        )

    # Unknown keys

    def _is_audio(self, name: str) -> bool:
        """Return True for the name of an audio attribute; count other names as unknown."""
        if name in AUDIO_RANGE:
            return True
        self._ignored[f"audio.{_short(name)}"] += 1
        return False

    def _count_unknown(
        self, values: Mapping[str, Any], known: frozenset[str], prefix: str = ""
    ) -> None:
        if not values.keys() <= known:
            self._ignored.update(f"{prefix}{_short(key)}" for key in values if key not in known)

    # Single values

    def _list(
        self, field: str, data: object, most: int = MOST_ENTRIES
    ) -> Iterator[tuple[int, object]]:
        if data is None:
            return iter(())
        if not isinstance(data, list):
            self._fail(field, "must be a list", data)
        if len(data) > most:
            self._fail(field, f"must have at most {most:,} entries", len(data))
        return enumerate(data)

    def _object(self, field: str, data: object, *, required: bool = False) -> Mapping[str, Any]:
        if data is None and not required:
            return {}
        if not isinstance(data, dict):
            self._fail(field, "must be an object", data)
        if len(data) > MOST_ENTRIES:
            self._fail(field, f"must have at most {MOST_ENTRIES:,} entries", len(data))
        return data

    def _text(self, field: str, data: object) -> str:
        text = clean(data) if isinstance(data, str) else ""
        if not text:
            self._fail(field, "must be text", data)
        if len(text) == LONGEST_NAME and len(str(data).strip()) > LONGEST_NAME:
            self._fail(field, f"must have at most {LONGEST_NAME} characters", data)
        return text

    def _optional_text(self, field: str, data: object) -> str:
        return "" if data is None or data == "" else self._text(field, data)

    def _artist_name(self, field: str, data: object) -> str:
        name = self._text(field, data)
        if not is_visible(name):
            self._fail(field, "must be visible text", data)
        return name

    def _is_placeholder(self, name: str) -> bool:
        """Return True for a name such as "Various Artists"; count it as ignored."""
        if not is_placeholder(name):
            return False
        self._has_placeholders = True
        self._ignored["no artist"] += 1
        return True

    def _words(self, field: str, data: object) -> tuple[str, ...]:
        entries = self._list(field, data, most=MOST_GENRES)
        words = (self._text(f"{field}[{at}]", word) for at, word in entries)
        return tuple(dict.fromkeys(word.casefold() for word in words))

    def _id(self, field: str, data: object, parse: Callable[[object], str | None]) -> str | None:
        id = parse(data)
        if data is not None and id is None:
            self._fail(field, "must be an id as this service writes it", data)
        return id

    def _plays(self, field: str, data: object) -> float:
        plays = _finite(data)
        if plays is None or plays <= 0:
            self._fail(field, "must be a number above 0", data)
        if plays > MOST_PLAYS:
            self._fail(field, f"must be at most {MOST_PLAYS:,.0f}", data)
        return plays

    def _number(self, field: str, data: object, low: float, high: float) -> float:
        value = _finite(data)
        if value is None or not low <= value <= high:
            self._fail(field, f"must be a number from {low:g} to {high:g}", data)
        return value

    def _released(self, field: str, data: object) -> str | None:
        if data is None:
            return None
        if not isinstance(data, str) or not _RELEASED.fullmatch(data) or not _is_day(data):
            self._fail(field, "must be a year, year-month or date such as 1994-05-02", data)
        return data

    def _day(self, field: str, data: object) -> date | None:
        if data is None:
            return None
        if not isinstance(data, str) or len(data) != 10 or not _is_day(data):
            self._fail(field, "must be a date such as 2025-01-31", data)
        return date.fromisoformat(data)

    def _fail(self, field: str, rule: str, value: object) -> NoReturn:
        raise BadProfile(f"{field}: {rule}, is {_shown(value)}", where=self._where)


def _artists_of(tracks: tuple[Track, ...]) -> Mapping[str, Artist]:
    artists: dict[str, Artist] = {}
    for track in tracks:
        key = track_key(track.artist, track.name)[0]
        known = artists.get(key)
        artists[key] = Artist(
            known.name if known else track.artist, (known.plays if known else 0.0) + track.plays
        )
    return artists


def _or(value: object, default: object) -> object:
    return default if value is None else value


def _finite(data: object) -> float | None:
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        return None
    try:
        value = float(data)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return False
    return True


def _short(key: str) -> str:
    return clean(key)[:40]


def _shown(value: object) -> str:
    """Return a wrong value as text, short enough for a message."""
    if value is None:
        return "missing"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
