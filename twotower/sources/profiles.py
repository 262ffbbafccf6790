"""Profiles: built from plays, merged, and as JSON Lines in and out (docs/profile-format.md)."""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

from twotower.core.domain import (
    AUDIO,
    COUNTED_FROM_MS,
    SPOTIFY_WEB_API,
    Artist,
    Play,
    Playlist,
    Profile,
    Spread,
    Track,
    spreads,
)
from twotower.core.errors import BadProfile, EmptyProfile, MissingData
from twotower.core.names import artist_key, track_key
from twotower.sources.jsonlines import write_lines
from twotower.sources.profile_jsonl import VERSION, profile_from_json, read_numbered, read_profiles
from twotower.sources.reader import read_files
from twotower.sources.reading import Reading

__all__ = [
    "build_profile",
    "join_profiles",
    "load_profile",
    "merge_profiles",
    "profile_from_json",
    "profile_of",
    "profile_to_json",
    "read_numbered",
    "read_profiles",
    "write_profiles",
]

MOST_TRACKS = 5_000  # kept of one profile, the most played
MOST_GENRES = 20  # kept of one artist


@dataclass(slots=True)
class _Recording:
    """What the rows say of one track, or of one artist where they name no track."""

    artist: str  # key
    name: str = ""
    artist_name: str = ""
    heard: int = 0
    kept: int = 0  # times saved or listed
    guests: tuple[str, ...] = ()  # keys
    genres: tuple[str, ...] = ()
    audio: Mapping[str, float] = field(default_factory=dict)
    duration_s: float | None = None
    released: str | None = None
    spotify: str | None = None
    mbid: str | None = None


def build_profile(
    plays: Iterable[Play],
    *,
    id: str = "me",
    name: str = "",
    origin: str = "file",
    since: date | None = None,
    until: date | None = None,
    clock: tuple[int, ...] = (),
) -> Profile:
    """The profile that a listening history gives.

    An artist's plays are the plays of 30 s and more, and each row without a duration. Where
    nothing of an artist was played, each saved or listed row counts 1. A track's plays follow the
    same rule; the 5,000 most played are kept. Every artist that a row names gets its plays, its
    track goes to the first. Genres and audio are weighted by plays. `since` and `until` are those
    of the plays (of the saved rows, where nothing was played) unless given. EmptyProfile where no
    play counts.
    """
    recordings: dict[tuple[str, str, tuple[str, ...]], _Recording] = {}
    spellings: dict[str, Counter[str]] = {}
    heard: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    playlists: dict[str, dict[tuple[str, str], None]] = {}
    played_on, kept_on = _Days(), _Days()
    for play in plays:
        if play.count < 1 or (play.ms_played is not None and play.ms_played < COUNTED_FROM_MS):
            continue
        named = [
            (key, one) for one in (play.artist, *play.guests) if (key := _key(one)) is not None
        ]
        if not named or named[0][1] != play.artist:
            continue
        was_heard = play.kind == "played"
        for key, spelling in dict(named).items():
            (heard if was_heard else kept)[key] += play.count
            spellings.setdefault(key, Counter())[spelling] += play.count
        _add(recordings, play, [key for key, _ in named])
        if play.kind == "listed" and play.playlist is not None and play.track:
            playlists.setdefault(play.playlist, {})[play.track, play.artist] = None
        if play.at is not None:
            (played_on if was_heard else kept_on).add(play.at.date())
    if not spellings:
        raise EmptyProfile("no play of 30 seconds or more: bring more of your listening history")
    counted = {key: float(heard[key] or kept[key]) for key in spellings}
    weighed = [
        (one, weight)
        for one in recordings.values()
        if (weight := float(one.heard if heard[one.artist] else one.kept)) > 0
    ]
    days = played_on if played_on.first else kept_on
    return Profile(
        id=id,
        artists=_artists(counted, spellings, weighed),
        genres=_most_first(_genres(weighed)),
        tracks=_tracks(weighed),
        playlists=tuple(Playlist(title, tuple(rows)) for title, rows in playlists.items()),
        audio=spreads((one.audio, weight) for one, weight in weighed),
        origin=origin,
        name=name,
        since=since or days.first,
        until=until or days.last,
        clock=clock,
    )


@dataclass(slots=True)
class _Days:
    first: date | None = None
    last: date | None = None

    def add(self, day: date) -> None:
        self.first = day if self.first is None else min(self.first, day)
        self.last = day if self.last is None else max(self.last, day)


def _key(name: str) -> str | None:
    try:
        return artist_key(name)
    except ValueError:
        return None


def _add(
    recordings: dict[tuple[str, str, tuple[str, ...]], _Recording], play: Play, keys: list[str]
) -> None:
    artist, title = keys[0], ""
    if play.track:
        artist, title = track_key(play.artist, play.track)
    # Without a title there is nothing to tell rows apart by but the guests and genres they name.
    apart = () if title else (*keys[1:], *play.genres)
    one = recordings.get((artist, title, apart))
    if one is None:
        one = recordings[artist, title, apart] = _Recording(artist)
    if play.kind == "played":
        one.heard += play.count
    else:
        one.kept += play.count
    one.name = one.name or play.track or ""
    one.artist_name = one.artist_name or play.artist
    one.guests = one.guests or tuple(keys[1:])
    one.genres = one.genres or play.genres
    one.audio = one.audio or play.audio
    one.duration_s = one.duration_s or play.duration_s
    one.released = one.released or play.released
    one.spotify = one.spotify or play.spotify
    one.mbid = one.mbid or play.mbid


def _artists(
    counted: Mapping[str, float],
    spellings: Mapping[str, Counter[str]],
    weighed: Sequence[tuple[_Recording, float]],
) -> Mapping[str, Artist]:
    """By key, most played first, each named as it is written most often.

    An artist's genres are those of the tracks it made alone: a shared track's may be the guest's.
    """
    genres: dict[str, Counter[str]] = {}
    for one, weight in weighed:
        if one.genres and not one.guests:
            tags = genres.setdefault(one.artist, Counter())
            for tag in one.genres:
                tags[tag] += weight  # type: ignore[assignment]
    ordered = sorted(counted, key=lambda key: -counted[key])
    return {
        key: Artist(
            max(spellings[key], key=lambda name: spellings[key][name]),
            counted[key],
            tuple(_most_first(genres.get(key, {})))[:MOST_GENRES],
        )
        for key in ordered
    }


def _genres(weighed: Sequence[tuple[_Recording, float]]) -> Mapping[str, float]:
    genres: dict[str, float] = {}
    for one, weight in weighed:
        for tag in one.genres:
            genres[tag] = genres.get(tag, 0.0) + weight
    return genres


def _most_first(weights: Mapping[str, float]) -> Mapping[str, float]:
    return dict(sorted(weights.items(), key=lambda item: -item[1]))


def _tracks(weighed: Sequence[tuple[_Recording, float]]) -> tuple[Track, ...]:
    named = sorted((pair for pair in weighed if pair[0].name), key=lambda pair: -pair[1])
    return tuple(
        Track(
            one.name,
            one.artist_name,
            weight,
            one.duration_s,
            one.released,
            one.audio,
            one.spotify,
            one.mbid,
        )
        for one, weight in named[:MOST_TRACKS]
    )


def load_profile(paths: Sequence[Path], *, id: str = "me") -> Profile:
    """One profile of all the music in these files, of any kind that `read_files` knows.

    MissingData where a file is not there; else the errors of `read_files`. A file of profile
    JSON Lines must hold one listener, or BadProfile says how many it holds.
    """
    with ExitStack() as stack:
        files = []
        for path in paths:
            try:
                files.append((path.name, stack.enter_context(path.open("rb"))))
            except OSError as fault:
                raise MissingData(
                    f"can't be opened ({fault.strerror}): check the path", where=str(path)
                ) from fault
        return profile_of(read_files(files), id=id)


def profile_of(reading: Reading, *, id: str = "me", name: str = "") -> Profile:
    """The one profile of what was read: its plays and its profile added up, if there are both.

    Where both are known to tell of the same days, no play counts twice.
    """
    if len(reading.profiles) > 1:
        raise BadProfile(
            f"the profiles of {len(reading.profiles):,} listeners are here, and one is wanted: "
            "keep one line"
        )
    found = list(reading.profiles)
    if reading.plays:
        found.append(
            build_profile(
                reading.plays,
                id=id,
                origin=reading.origin,
                since=reading.since,
                until=reading.until,
                clock=reading.clock,
            )
        )
    dated = all(profile.since and profile.until for profile in found)
    merged = reduce(join_profiles, found) if dated else merge_profiles(found, id=id)
    return replace(merged, id=id, name=name or merged.name)


def join_profiles(one: Profile, other: Profile) -> Profile:
    """What two sources tell of one person, with the id of `one`; no play counts twice.

    Where both tell of the same days, or of days that aren't known, they are taken to tell of the
    same plays: an artist or track counts as often as the source says that has more of it. Where
    one begins after the other ends, plays add up.
    """
    apart = _is_before(one, other) or _is_before(other, one)
    return merge_profiles((one, other), id=one.id, same_plays=not apart)


def _is_before(one: Profile, other: Profile) -> bool:
    return one.until is not None and other.since is not None and one.until < other.since


def merge_profiles(profiles: Sequence[Profile], *, id: str, same_plays: bool = False) -> Profile:
    """One profile whose plays are the sums, or with `same_plays` the most that one of them has.

    What comes from Spotify's Web API keeps that origin. Audio is pooled, each profile weighted by
    its plays. ValueError where there is none.
    """
    add: Callable[[float, float], float] = max if same_plays else operator.add
    if not profiles:
        raise ValueError("0 profiles to merge")
    if len(profiles) == 1:
        return replace(profiles[0], id=id)
    artists: dict[str, Artist] = {}
    genres: dict[str, float] = {}
    tracks: dict[tuple[str, str], Track] = {}
    for profile in profiles:
        for key, artist in profile.artists.items():
            known = artists.get(key)
            artists[key] = artist if known is None else _both_artists(known, artist, add)
        for tag, plays in profile.genres.items():
            genres[tag] = add(genres.get(tag, 0.0), plays)
        for track in profile.tracks:
            spot = track_key(track.artist, track.name)
            tracks[spot] = _both_tracks(tracks[spot], track, add) if spot in tracks else track
    origins = {part for profile in profiles for part in profile.origin.split("+")}
    clocks = [profile.clock for profile in profiles if profile.clock]
    sinces = [profile.since for profile in profiles if profile.since]
    untils = [profile.until for profile in profiles if profile.until]
    ordered = sorted(tracks.values(), key=lambda track: -track.plays)
    return Profile(
        id=id,
        artists=dict(sorted(artists.items(), key=lambda item: -item[1].plays)),
        genres=_most_first(genres),
        tracks=tuple(ordered[:MOST_TRACKS]),
        playlists=tuple(dict.fromkeys(one for profile in profiles for one in profile.playlists)),
        audio=_pooled(profiles),
        origin=SPOTIFY_WEB_API if SPOTIFY_WEB_API in origins else "+".join(sorted(origins)),
        name=next((profile.name for profile in profiles if profile.name), ""),
        since=min(sinces, default=None),
        until=max(untils, default=None),
        clock=tuple(int(reduce(add, hour)) for hour in zip(*clocks, strict=True)),
    )


def _both_artists(one: Artist, other: Artist, add: Callable[[float, float], float]) -> Artist:
    name = one.name if one.plays >= other.plays else other.name
    genres = tuple(dict.fromkeys((*one.genres, *other.genres)))[:MOST_GENRES]
    return Artist(name, add(one.plays, other.plays), genres)


def _both_tracks(one: Track, other: Track, add: Callable[[float, float], float]) -> Track:
    return replace(
        one,
        plays=add(one.plays, other.plays),
        duration_s=one.duration_s or other.duration_s,
        released=one.released or other.released,
        audio=one.audio or other.audio,
        spotify=one.spotify or other.spotify,
        mbid=one.mbid or other.mbid,
    )


def _pooled(profiles: Sequence[Profile]) -> Mapping[str, Spread]:
    pooled = {}
    for attribute in AUDIO:
        parts = [
            (profile.audio[attribute], sum(a.plays for a in profile.artists.values()) or 1.0)
            for profile in profiles
            if attribute in profile.audio
        ]
        if parts:
            total = sum(weight for _, weight in parts)
            mean = sum(spread.mean * weight for spread, weight in parts) / total
            square = sum((s.std**2 + (s.mean - mean) ** 2) * weight for s, weight in parts) / total
            pooled[attribute] = Spread(mean, square**0.5)
    return pooled


def write_profiles(profiles: Iterable[Profile], path: Path) -> int:
    """Write one line a profile and return how many; a file at `path` is whole, old or new.

    Packed with gzip where the name ends in .gz.
    """
    return write_lines((profile_to_json(profile) for profile in profiles), path)


def profile_to_json(profile: Profile) -> dict[str, Any]:
    """The profile as a line of profile JSON Lines says it; what is empty is left out."""
    data: dict[str, Any] = {
        "v": VERSION,
        "id": profile.id,
        "name": profile.name,
        "origin": profile.origin,
        "from": profile.since and profile.since.isoformat(),
        "to": profile.until and profile.until.isoformat(),
        "clock": list(profile.clock),
        "genres": {tag: _tidy(plays) for tag, plays in profile.genres.items()},
        "artists": [
            _filled({"name": one.name, "plays": _tidy(one.plays), "genres": list(one.genres)})
            for one in profile.artists.values()
        ],
        "tracks": [
            _filled(
                {
                    "name": track.name,
                    "artist": track.artist,
                    "plays": _tidy(track.plays),
                    "duration_s": track.duration_s,
                    "released": track.released,
                    "audio": dict(track.audio),
                    "spotify": track.spotify,
                    "mbid": track.mbid,
                }
            )
            for track in profile.tracks
        ],
        "playlists": [
            {"name": one.name, "tracks": [{"name": t, "artist": a} for t, a in one.tracks]}
            for one in profile.playlists
        ],
        "audio": {
            name: {"mean": spread.mean, "std": spread.std} for name, spread in profile.audio.items()
        },
    }
    return _filled(data)


def _filled(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value not in (None, "", [], {})}


def _tidy(number: float) -> float:
    """A whole number without its ".0"."""
    return int(number) if float(number).is_integer() else number
