"""Parts of playlists and other lists, by a hash of their id: test, validation, training."""

from typing import Literal

from twotower.core.domain import Profile
from twotower.core.names import in_part

TEST_DIGITS, VALIDATION_DIGITS = "012", "3"  # last hex digit of the hash
MIN_PLAYLIST_ARTISTS = 10  # artists of a test playlist

Part = Literal["training", "validation", "test"]


def part_of(list_id: str, validation_digits: str = VALIDATION_DIGITS) -> Part:
    """Return the part that the hash of an id decides: by default 3 of 16 are for the test, 1 for
    validation, and 12 for training.
    """
    if in_part(list_id, TEST_DIGITS):
        return "test"
    return "validation" if in_part(list_id, validation_digits) else "training"


def is_test_playlist(playlist: Profile, digits: str) -> bool:
    """Return True if a playlist is withheld: large enough, and its hash ends in one of `digits`."""
    return (
        playlist.origin == "mpd"
        and len(playlist.artists) >= MIN_PLAYLIST_ARTISTS
        and in_part(playlist.id, digits)
    )
