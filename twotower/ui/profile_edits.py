"""Edits of a profile; each returns a new one."""

from dataclasses import replace
from statistics import mean

from twotower.core import origins
from twotower.core.domain import Artist, Playlist, Profile
from twotower.core.names import artist_key

LIKING = {"like": 1.0, "love": 3.0, "live for": 9.0}  # word -> plays of a picked artist
PICKED = origins.PICKED  # origin of a profile made of names alone
MOST_PICKED = 200


def picked(name: str) -> Profile:
    """Return a profile of one artist."""
    return Profile("me", {artist_key(name): Artist(name)}, origin=PICKED)


def with_artist(profile: Profile, name: str) -> Profile:
    """Return `profile` with one more artist, played as often as the others on average.

    Returns `profile` itself if it has the artist already.
    """
    key = artist_key(name)
    if key in profile.artists:
        return profile
    plays = 1.0
    if profile.origin != PICKED and profile.artists:
        plays = mean(artist.plays for artist in profile.artists.values())
    return replace(profile, artists={**profile.artists, key: Artist(name, plays)})


def without_artist(profile: Profile, key: str) -> Profile | None:
    """Return `profile` without an artist and the artist's tracks; None if no artist is left."""
    artists = {k: artist for k, artist in profile.artists.items() if k != key}
    if not artists:
        return None
    lists = (
        Playlist(p.name, tuple(t for t in p.tracks if not _is_by(key, t[1])))
        for p in profile.playlists
    )
    return replace(
        profile,
        artists=artists,
        tracks=tuple(track for track in profile.tracks if not _is_by(key, track.artist)),
        playlists=tuple(p for p in lists if p.tracks),
    )


def with_liking(profile: Profile, key: str, word: str) -> Profile:
    """Return `profile` with another liking of one picked artist; `word` is a key of LIKING."""
    artist = replace(profile.artists[key], plays=LIKING[word])
    return replace(profile, artists={**profile.artists, key: artist})


def liking(artist: Artist) -> str:
    """Return the key of LIKING that is nearest to an artist's plays."""
    return min(LIKING, key=lambda word: abs(LIKING[word] - artist.plays))


def _is_by(key: str, name: str) -> bool:
    return bool(name.strip()) and artist_key(name) == key
