"""Profiles built from plays, merged and joined."""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce

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
from twotower.core.errors import BadProfile, EmptyProfile
from twotower.core.names import artist_key, is_artist_name, track_key
from twotower.sources.collector import Reading, TimeRange

MOST_TRACKS = 5_000  # of one profile, the most played
MOST_GENRES = 20  # of one artist


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
    """Build a profile from a listening history.

    An artist's plays are the plays of 30 s and more, and each row without a duration. If nothing of
    an artist was played, each saved or listed row counts 1. A track's plays follow the same rule;
    the MOST_TRACKS most played are included. Every artist of a row gets its plays; its track
    belongs to the first. Genres and audio are weighted by plays.

    `since` and `until` default to the days of the plays, or of the saved rows if nothing was
    played. Raises EmptyProfile if no play counts.
    """
    history = _History()
    for play in plays:
        history.add(play)
    if not history.spellings:
        raise EmptyProfile("no play of 30 seconds or more: bring more of your listening history")
    days = history.played_days if history.has_plays else history.saved_days
    recordings = history.weighted_recordings()
    return Profile(
        id=id,
        artists=_artists(history, recordings),
        genres=_by_weight(_genres(recordings)),
        tracks=_tracks(recordings),
        playlists=tuple(
            Playlist(title, tuple(tracks)) for title, tracks in history.playlists.items()
        ),
        audio=spreads((recording.audio, weight) for recording, weight in recordings),
        origin=origin,
        name=name,
        since=since or days.first,
        until=until or days.last,
        clock=clock,
    )


@dataclass(slots=True)
class _Recording:
    """The rows of one track, or of one artist if they name no track."""

    artist: str  # key
    title: str = ""
    artist_name: str = ""
    played: int = 0  # times
    saved: int = 0  # times saved or listed
    guests: tuple[str, ...] = ()  # keys
    genres: tuple[str, ...] = ()
    audio: Mapping[str, float] = field(default_factory=dict)
    duration_s: float | None = None
    released: str | None = None
    spotify: str | None = None
    mbid: str | None = None

    def add(self, play: Play, guests: tuple[str, ...]) -> None:
        if play.kind == "played":
            self.played += play.count
        else:
            self.saved += play.count
        self.title = self.title or play.track or ""
        self.artist_name = self.artist_name or play.artist
        self.guests = self.guests or guests
        self.genres = self.genres or play.genres
        self.audio = self.audio or play.audio
        self.duration_s = self.duration_s or play.duration_s
        self.released = self.released or play.released
        self.spotify = self.spotify or play.spotify
        self.mbid = self.mbid or play.mbid


_Weighted = Sequence[tuple[_Recording, float]]


class _History:
    """Rows of a history, summed up by recording and by artist."""

    def __init__(self) -> None:
        self.spellings: dict[str, Counter[str]] = {}  # artist key -> name -> rows
        self.playlists: dict[str, dict[tuple[str, str], None]] = {}  # title -> (track, artist)
        self.played_days = TimeRange[date]()
        self.saved_days = TimeRange[date]()
        self._recordings: dict[tuple[str, str, tuple[str, ...]], _Recording] = {}
        self._played: Counter[str] = Counter()  # artist key -> plays
        self._saved: Counter[str] = Counter()  # artist key -> saved and listed rows

    def add(self, play: Play) -> None:
        """Add a row; one that is too short or has no artist doesn't count."""
        if play.count < 1 or (play.ms_played is not None and play.ms_played < COUNTED_FROM_MS):
            return
        if not is_artist_name(play.artist):
            return
        guests = [guest for guest in play.guests if is_artist_name(guest)]
        keys = [artist_key(name) for name in (play.artist, *guests)]
        is_played = play.kind == "played"
        for key, name in dict(zip(keys, (play.artist, *guests), strict=True)).items():
            (self._played if is_played else self._saved)[key] += play.count
            self.spellings.setdefault(key, Counter())[name] += play.count
        self._add_recording(play, keys)
        if play.kind == "listed" and play.playlist is not None and play.track:
            self.playlists.setdefault(play.playlist, {})[play.track, play.artist] = None
        if play.at is not None:
            (self.played_days if is_played else self.saved_days).add(play.at.date())

    def _add_recording(self, play: Play, keys: list[str]) -> None:
        artist, title = keys[0], ""
        if play.track:
            artist, title = track_key(play.artist, play.track)
        # Rows without a title are only distinguished by their guests and genres.
        distinction = () if title else (*keys[1:], *play.genres)
        recording = self._recordings.get((artist, title, distinction))
        if recording is None:
            recording = self._recordings[artist, title, distinction] = _Recording(artist)
        recording.add(play, tuple(keys[1:]))

    @property
    def has_plays(self) -> bool:
        """True if something was played, not only saved or listed."""
        return bool(self._played)

    def artist_plays(self) -> dict[str, float]:
        """Return the plays by artist key; saved rows count if nothing of the artist was played."""
        return {key: float(self._played[key] or self._saved[key]) for key in self.spellings}

    def weighted_recordings(self) -> _Weighted:
        """Return the recordings that count, each with its plays by the same rule."""
        weighted = []
        for recording in self._recordings.values():
            weight = recording.played if self._played[recording.artist] else recording.saved
            if weight > 0:
                weighted.append((recording, float(weight)))
        return weighted


def _artists(history: _History, recordings: _Weighted) -> Mapping[str, Artist]:
    """Return the artists by key, most played first, each under its most frequent spelling.

    An artist's genres are those of tracks without guests: a shared track's may be the guest's.
    """
    genres: dict[str, dict[str, float]] = {}
    for recording, weight in recordings:
        if recording.genres and not recording.guests:
            tags = genres.setdefault(recording.artist, {})
            for tag in recording.genres:
                tags[tag] = tags.get(tag, 0.0) + weight
    spellings = history.spellings
    return {
        key: Artist(
            max(spellings[key], key=lambda name: spellings[key][name]),
            plays,
            tuple(_by_weight(genres.get(key, {})))[:MOST_GENRES],
        )
        for key, plays in _by_weight(history.artist_plays()).items()
    }


def _genres(recordings: _Weighted) -> Mapping[str, float]:
    genres: dict[str, float] = {}
    for recording, weight in recordings:
        for tag in recording.genres:
            genres[tag] = genres.get(tag, 0.0) + weight
    return genres


def _by_weight(weights: Mapping[str, float]) -> Mapping[str, float]:
    """Sort by weight, largest first."""
    return dict(sorted(weights.items(), key=lambda item: -item[1]))


def _tracks(recordings: _Weighted) -> tuple[Track, ...]:
    titled = [pair for pair in recordings if pair[0].title]
    titled.sort(key=lambda pair: -pair[1])
    return tuple(
        Track(
            recording.title,
            recording.artist_name,
            weight,
            recording.duration_s,
            recording.released,
            recording.audio,
            recording.spotify,
            recording.mbid,
        )
        for recording, weight in titled[:MOST_TRACKS]
    )


def profile_of(reading: Reading, *, id: str = "me", name: str = "") -> Profile:
    """Return one profile of everything that was read: the plays and at most one profile.

    If both have known days, plays of the same days aren't counted twice. Raises BadProfile if the
    reading has several profiles.
    """
    if len(reading.profiles) > 1:
        raise BadProfile(
            f"there are profiles of {len(reading.profiles):,} listeners: keep one line"
        )
    profiles = list(reading.profiles)
    if reading.plays:
        profiles.append(
            build_profile(
                reading.plays,
                id=id,
                origin=reading.origin,
                since=reading.since,
                until=reading.until,
                clock=reading.clock,
            )
        )
    all_dated = all(profile.since and profile.until for profile in profiles)
    merged = reduce(join_profiles, profiles) if all_dated else merge_profiles(profiles, id=id)
    return replace(merged, id=id, name=name or merged.name)


def join_profiles(one: Profile, other: Profile) -> Profile:
    """Join what two sources know of one person, under the id of `one`.

    If one source ends before the other begins, plays add up. Otherwise both are assumed to have the
    same plays: an artist or track gets the larger of its two counts.
    """
    is_disjoint = _ends_before(one, other) or _ends_before(other, one)
    return merge_profiles((one, other), id=one.id, same_plays=not is_disjoint)


def _ends_before(one: Profile, other: Profile) -> bool:
    return one.until is not None and other.since is not None and one.until < other.since


def merge_profiles(profiles: Sequence[Profile], *, id: str, same_plays: bool = False) -> Profile:
    """Return one profile with the sums of plays, or the maxima with `same_plays`.

    Anything merged with a profile from Spotify's Web API has that origin. Audio is pooled, weighted
    by plays. Raises ValueError if `profiles` is empty.
    """
    if not profiles:
        raise ValueError("0 profiles to merge")
    if len(profiles) == 1:
        return replace(profiles[0], id=id)
    add: Callable[[float, float], float] = max if same_plays else operator.add
    genres: dict[str, float] = {}
    for profile in profiles:
        for tag, plays in profile.genres.items():
            genres[tag] = add(genres.get(tag, 0.0), plays)
    origins = {part for profile in profiles for part in profile.origin.split("+")}
    clocks = [profile.clock for profile in profiles if profile.clock]
    return Profile(
        id=id,
        artists=_merged_artists(profiles, add),
        genres=_by_weight(genres),
        tracks=_merged_tracks(profiles, add),
        playlists=tuple(dict.fromkeys(one for profile in profiles for one in profile.playlists)),
        audio=_pooled_audio(profiles),
        origin=SPOTIFY_WEB_API if SPOTIFY_WEB_API in origins else "+".join(sorted(origins)),
        name=next((profile.name for profile in profiles if profile.name), ""),
        since=min((profile.since for profile in profiles if profile.since), default=None),
        until=max((profile.until for profile in profiles if profile.until), default=None),
        clock=tuple(int(reduce(add, hour)) for hour in zip(*clocks, strict=True)),
    )


def _merged_artists(
    profiles: Sequence[Profile], add: Callable[[float, float], float]
) -> Mapping[str, Artist]:
    artists: dict[str, Artist] = {}
    for profile in profiles:
        for key, artist in profile.artists.items():
            known = artists.get(key)
            if known is not None:
                name = known.name if known.plays >= artist.plays else artist.name
                genres = tuple(dict.fromkeys((*known.genres, *artist.genres)))[:MOST_GENRES]
                artist = Artist(name, add(known.plays, artist.plays), genres)
            artists[key] = artist
    return dict(sorted(artists.items(), key=lambda item: -item[1].plays))


def _merged_tracks(
    profiles: Sequence[Profile], add: Callable[[float, float], float]
) -> tuple[Track, ...]:
    tracks: dict[tuple[str, str], Track] = {}
    for profile in profiles:
        for track in profile.tracks:
            key = track_key(track.artist, track.name)
            known = tracks.get(key)
            if known is not None:
                track = replace(
                    known,
                    plays=add(known.plays, track.plays),
                    duration_s=known.duration_s or track.duration_s,
                    released=known.released or track.released,
                    audio=known.audio or track.audio,
                    spotify=known.spotify or track.spotify,
                    mbid=known.mbid or track.mbid,
                )
            tracks[key] = track
    return tuple(sorted(tracks.values(), key=lambda track: -track.plays)[:MOST_TRACKS])


def _pooled_audio(profiles: Sequence[Profile]) -> Mapping[str, Spread]:
    """Return mean and standard deviation over all profiles' tracks, weighted by plays."""
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
            variance = (
                sum((s.std**2 + (s.mean - mean) ** 2) * weight for s, weight in parts) / total
            )
            pooled[attribute] = Spread(mean, variance**0.5)
    return pooled
