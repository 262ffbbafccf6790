"""Limits of what is stored for training."""

from twotower.community.stored_profile import (
    MOST_ARTISTS,
    MOST_BYTES,
    MOST_GENRES,
    MOST_PROFILE_GENRES,
    reduced_profile,
    stored_bytes,
)
from twotower.core.domain import Artist, Profile, Track


def profile(count: int, *, letters: int = 8, genres: int = 0) -> Profile:
    """Return a profile whose later artists are played more."""
    names = [f"{n:0{letters}d}" for n in range(count)]
    words = tuple(f"{n:0{letters}d}" for n in range(genres))
    return Profile("me", {name: Artist(name, n + 1.0, words) for n, name in enumerate(names)})


def test_a_usual_profile_is_stored_whole():
    usual = profile(300, genres=MOST_GENRES)
    assert reduced_profile(usual, "me") == usual
    assert list(reduced_profile(usual, "me").artists) == list(usual.artists)


def test_of_many_artists_and_genres_the_most_played_are_stored():
    large = profile(2 * MOST_ARTISTS, genres=3 * MOST_GENRES)
    stored = reduced_profile(large, "me")
    assert list(stored.artists) == list(large.artists)[MOST_ARTISTS:]
    assert {len(artist.genres) for artist in stored.artists.values()} == {MOST_GENRES}
    many = Profile("me", large.artists, {str(n): n + 1.0 for n in range(2 * MOST_PROFILE_GENRES)})
    assert min(reduced_profile(many, "me").genres.values()) == MOST_PROFILE_GENRES + 1


def test_no_profile_takes_more_than_a_megabyte():
    long = profile(MOST_ARTISTS, letters=500, genres=MOST_GENRES)
    stored = reduced_profile(long, "me")
    assert stored_bytes(stored) <= MOST_BYTES
    assert list(stored.artists) == list(long.artists)[-len(stored.artists) :]
    assert len(stored.artists) > 100


def test_tracks_and_names_are_not_stored():
    whole = Profile("x", {"low": Artist("Low")}, tracks=(Track("Lullaby", "Low"),), name="Ann")
    assert reduced_profile(whole, "me") == Profile("me", {"low": Artist("Low")})
