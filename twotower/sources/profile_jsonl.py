"""Profile JSON Lines, our own interchange format, read: see docs/profile-format.md."""

import gzip
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import IO, Any, cast

from twotower.core.domain import AUDIO_RANGE, HOURS, Artist, Playlist, Profile, Spread, Track
from twotower.core.errors import BadProfile
from twotower.core.names import artist_key, track_key
from twotower.sources.files.text import LONGEST_NAME, clean, mbid, spotify_id, text_chunks

VERSION = 1
MOST_PLAYS = 1e9
MOST_ENTRIES = 200_000  # of one list
LONGEST_LINE = 1 << 26  # characters
_RELEASED = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_PROFILE = frozenset(
    (
        *("v", "id", "name", "origin", "from", "to", "clock"),
        *("genres", "artists", "tracks", "playlists", "audio"),
    )
)


def read_profiles(
    file: IO[bytes] | IO[str] | Path, *, where: str = "", ignored: Counter[str] | None = None
) -> Iterator[Profile]:
    """Yield the profile in each line; empty lines are passed over.

    BadProfile names `where`, the line and the field. Keys that we don't know are counted in
    `ignored`. A path may lead to a file packed with gzip.
    """
    for _, profile in read_numbered(file, where=where, ignored=ignored):
        yield profile


def read_numbered(
    file: IO[bytes] | IO[str] | Path,
    *,
    where: str = "",
    ignored: Counter[str] | None = None,
    wanted: Callable[[int], bool] | None = None,
) -> Iterator[tuple[int, Profile]]:
    """The same with the numbers of the lines, 1 for the first, and only those that are `wanted`.

    Other lines are passed over unread, which takes next to no time.
    """
    if isinstance(file, Path):
        try:
            with file.open("rb") as opened:
                packed = opened.read(2) == b"\x1f\x8b"
                opened.seek(0)
                if not packed:
                    yield from read_numbered(opened, where=where, ignored=ignored, wanted=wanted)
                    return
                with closing(gzip.GzipFile(fileobj=opened)) as unpacked:
                    whole = cast(IO[bytes], unpacked)
                    yield from read_numbered(whole, where=where, ignored=ignored, wanted=wanted)
        except (OSError, EOFError) as fault:
            raise BadProfile(f"the file can't be read ({fault})", where=where) from fault
        return
    for number, line in enumerate(_lines(file, where), 1):
        if (wanted is not None and not wanted(number)) or not line.strip():
            continue
        place = f"{where}, line {number}" if where else f"line {number}"
        try:
            data = _DECODER.decode(line)
        except RecursionError as deep:
            raise BadProfile("is nested too deeply", where=place) from deep
        except ValueError as fault:
            raise BadProfile(f"isn't valid JSON ({fault})", where=place) from fault
        yield number, profile_from_json(data, place, ignored=ignored)


def profile_from_json(data: object, where: str, *, ignored: Counter[str] | None = None) -> Profile:
    """The profile in one decoded line; `where` leads the message of BadProfile.

    Spellings of one artist are one artist, named as it is played most. A profile with tracks and
    no artists gets the artists of its tracks.
    """
    return _Reader(where, Counter() if ignored is None else ignored).profile(data)


class _Reader:
    """One line's fields; each method names the field that it was given when it fails."""

    def __init__(self, where: str, ignored: Counter[str]) -> None:
        self._where = where
        self._ignored = ignored

    def profile(self, data: object) -> Profile:
        if not isinstance(data, dict):
            raise BadProfile(f"must be an object, is {_shown(data)}", where=self._where)
        self._known(data, _PROFILE)
        if _or(data.get("v"), VERSION) != VERSION:
            self._bad("v", f"must be {VERSION}, the version that this program reads", data["v"])
        tracks = tuple(self._tracks(data.get("tracks")))
        artists = self._artists(data.get("artists"))
        profile = Profile(
            id=self._text("id", data.get("id")),
            artists=artists or _artists_of(tracks),
            genres=self._genres(data.get("genres")),
            tracks=tracks,
            playlists=tuple(self._playlists(data.get("playlists"))),
            audio={
                name: self._spread(f"audio.{name}", name, value)
                for name, value in self._object("audio", data.get("audio")).items()
                if self._is_audio(name)
            },
            origin=self._text("origin", _or(data.get("origin"), "file")),
            name=self._optional("name", data.get("name")),
            since=self._day("from", data.get("from")),
            until=self._day("to", data.get("to")),
            clock=self._clock(data.get("clock")),
        )
        if profile.since and profile.until and profile.since > profile.until:
            self._bad("to", f'must not be before "from", {data["from"]}', data["to"])
        if not (profile.artists or profile.genres or profile.playlists or profile.audio):
            raise BadProfile(
                "needs at least one artist, genre, track, playlist or audio attribute",
                where=self._where,
            )
        return profile

    def _artists(self, data: object) -> Mapping[str, Artist]:
        merged: dict[str, Artist] = {}
        most: dict[str, float] = {}  # plays of the spelling that names the artist
        for at, entry in self._list("artists", data):
            place = f"artists[{at}]"
            fields = self._object(place, entry, required=True)
            self._known(fields, _ARTIST, "artists[].")
            name = self._artist(f"{place}.name", fields.get("name"))
            plays = self._plays(f"{place}.plays", _or(fields.get("plays"), 1))
            genres = self._words(f"{place}.genres", fields.get("genres"))
            key = artist_key(name)
            if (known := merged.get(key)) is None:
                merged[key], most[key] = Artist(name, plays, genres), plays
                continue
            if plays > most[key]:
                most[key] = plays
            else:
                name = known.name
            both = tuple(dict.fromkeys((*known.genres, *genres)))
            merged[key] = Artist(name, known.plays + plays, both)
        return merged

    def _tracks(self, data: object) -> Iterator[Track]:
        for at, entry in self._list("tracks", data):
            place = f"tracks[{at}]"
            fields = self._object(place, entry, required=True)
            self._known(fields, _TRACK, "tracks[].")
            seconds = fields.get("duration_s")
            yield Track(
                name=self._text(f"{place}.name", fields.get("name")),
                artist=self._artist(f"{place}.artist", fields.get("artist")),
                plays=self._plays(f"{place}.plays", _or(fields.get("plays"), 1)),
                duration_s=None
                if seconds is None
                else self._number(f"{place}.duration_s", seconds, 0.0, 1e6),
                released=self._released(f"{place}.released", fields.get("released")),
                audio={
                    name: self._number(f"{place}.audio.{name}", value, *AUDIO_RANGE[name])
                    for name, value in self._object(f"{place}.audio", fields.get("audio")).items()
                    if self._is_audio(name)
                },
                spotify=self._id(f"{place}.spotify", fields.get("spotify"), spotify_id),
                mbid=self._id(f"{place}.mbid", fields.get("mbid"), mbid),
            )

    def _id(self, place: str, data: object, known: Callable[[object], str | None]) -> str | None:
        found = known(data)
        if data is not None and found is None:
            self._bad(place, "must be an id as this service writes it", data)
        return found

    def _playlists(self, data: object) -> Iterator[Playlist]:
        for at, entry in self._list("playlists", data):
            place = f"playlists[{at}]"
            fields = self._object(place, entry, required=True)
            self._known(fields, _PLAYLIST, "playlists[].")
            tracks = []
            for number, track in self._list(f"{place}.tracks", fields.get("tracks")):
                spot = f"{place}.tracks[{number}]"
                pair = self._object(spot, track, required=True)
                self._known(pair, _LISTED, "playlists[].tracks[].")
                name = self._text(f"{spot}.name", pair.get("name"))
                tracks.append((name, self._artist(f"{spot}.artist", pair.get("artist"))))
            yield Playlist(self._optional(f"{place}.name", fields.get("name")), tuple(tracks))

    def _genres(self, data: object) -> Mapping[str, float]:
        genres: Counter[str] = Counter()
        for name, plays in self._object("genres", data).items():
            tag = clean(name).casefold()
            if not tag:
                self._bad("genres", "must have a name for each genre", name)
            genres[tag] += self._plays(f"genres.{_short(name)}", plays)  # type: ignore[assignment]
        return dict(genres)

    def _spread(self, place: str, name: str, data: object) -> Spread:
        fields = self._object(place, data, required=True)
        self._known(fields, _SPREAD, "audio.*.")
        low, high = AUDIO_RANGE[name]
        return Spread(
            self._number(f"{place}.mean", fields.get("mean"), low, high),
            self._number(f"{place}.std", _or(fields.get("std"), 0), 0.0, high - low),
        )

    def _clock(self, data: object) -> tuple[int, ...]:
        hours = [hour for _, hour in self._list("clock", data)]
        if hours and len(hours) != HOURS:
            self._bad("clock", f"must have {HOURS} numbers, one for each hour of the week", data)
        return tuple(
            int(self._number(f"clock[{at}]", hour, 0, MOST_PLAYS)) for at, hour in enumerate(hours)
        )

    def _is_audio(self, name: str) -> bool:
        if name in AUDIO_RANGE:
            return True
        self._ignored[f"audio.{_short(name)}"] += 1
        return False

    def _known(self, fields: Mapping[str, Any], known: frozenset[str], place: str = "") -> None:
        if not fields.keys() <= known:
            self._ignored.update(f"{place}{_short(key)}" for key in fields if key not in known)

    def _list(self, place: str, data: object) -> Iterator[tuple[int, object]]:
        if data is None:
            return iter(())
        if not isinstance(data, list):
            self._bad(place, "must be a list", data)
        entries = cast(list[object], data)
        if len(entries) > MOST_ENTRIES:
            self._bad(place, f"must have at most {MOST_ENTRIES:,} entries", len(entries))
        return enumerate(entries)

    def _object(self, place: str, data: object, *, required: bool = False) -> Mapping[str, Any]:
        if data is None and not required:
            return {}
        if not isinstance(data, dict):
            self._bad(place, "must be an object", data)
        return cast(dict[str, Any], data)

    def _text(self, place: str, data: object) -> str:
        text = clean(data) if isinstance(data, str) else ""
        if not text:
            self._bad(place, "must be text", data)
        if len(text) == LONGEST_NAME and len(str(data).strip()) > LONGEST_NAME:
            self._bad(place, f"must have at most {LONGEST_NAME} characters", data)
        return text

    def _optional(self, place: str, data: object) -> str:
        return "" if data is None or data == "" else self._text(place, data)

    def _artist(self, place: str, data: object) -> str:
        name = self._text(place, data)
        try:
            artist_key(name)
        except ValueError:
            self._bad(place, "must be text that can be seen", data)
        return name

    def _words(self, place: str, data: object) -> tuple[str, ...]:
        words = (self._text(f"{place}[{at}]", word) for at, word in self._list(place, data))
        return tuple(dict.fromkeys(word.casefold() for word in words))

    def _plays(self, place: str, data: object) -> float:
        plays = _finite(data)
        if plays is None or plays <= 0:
            self._bad(place, "must be a number above 0", data)
        if plays is not None and plays > MOST_PLAYS:
            self._bad(place, f"must be at most {MOST_PLAYS:,.0f}", data)
        return cast(float, plays)

    def _number(self, place: str, data: object, low: float, high: float) -> float:
        value = _finite(data)
        if value is None or not low <= value <= high:
            self._bad(place, f"must be a number from {low:g} to {high:g}", data)
        return cast(float, value)

    def _released(self, place: str, data: object) -> str | None:
        if data is None:
            return None
        if not isinstance(data, str) or not _RELEASED.fullmatch(data) or not _is_day(data):
            self._bad(place, "must be a year, year-month or date such as 1994-05-02", data)
        return str(data)

    def _day(self, place: str, data: object) -> date | None:
        if data is None:
            return None
        if not isinstance(data, str) or len(data) != 10 or not _is_day(data):
            self._bad(place, "must be a date such as 2025-01-31", data)
        return date.fromisoformat(str(data))

    def _bad(self, field: str, rule: str, value: object) -> None:
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


def _lines(file: IO[bytes] | IO[str], where: str) -> Iterator[str]:
    """The lines of an open file; BadProfile where one is beyond LONGEST_LINE."""
    rest: list[str] = []
    held = 0
    for text in _texts(file, where):
        *lines, last = text.split("\n")
        for line in lines:
            yield "".join((*rest, line))
            rest, held = [], 0
        rest.append(last)
        held += len(last)
        if held > LONGEST_LINE:
            raise BadProfile(f"a line has more than {LONGEST_LINE:,} characters", where=where)
    yield "".join(rest)


def _texts(file: IO[bytes] | IO[str], where: str) -> Iterator[str]:
    piece = file.read(0)
    try:
        if isinstance(piece, bytes):
            yield from text_chunks(cast(IO[bytes], file), errors="strict")
        else:
            while text := cast(IO[str], file).read(1 << 18):
                yield text
    except UnicodeError as fault:
        raise BadProfile("the text must be UTF-8", where=where) from fault


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
    """A wrong value, short enough for a message."""
    if value is None:
        return "missing"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < 20 else math.inf


_ARTIST = frozenset(("name", "plays", "genres"))
_TRACK = frozenset(
    ("name", "artist", "plays", "duration_s", "released", "audio", "spotify", "mbid")
)
_PLAYLIST = frozenset(("name", "tracks"))
_LISTED = frozenset(("name", "artist"))
_SPREAD = frozenset(("mean", "std"))
_DECODER = json.JSONDecoder(parse_int=_whole)
