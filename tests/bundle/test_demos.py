"""The five demo listeners."""

from twotower.bundle.demos import DEMOS
from twotower.core.names import artist_key


def test_they_are_five_and_marked_as_demos():
    assert len({demo.id for demo in DEMOS}) == len({demo.name for demo in DEMOS}) == 5
    assert {demo.origin for demo in DEMOS} == {"demo"}


def test_each_has_a_dozen_artists_or_more_under_their_own_keys():
    for demo in DEMOS:
        assert len(demo.artists) >= 12
        assert all(artist_key(artist.name) == key for key, artist in demo.artists.items())
        plays = [artist.plays for artist in demo.artists.values()]
        assert plays == sorted(plays, reverse=True) and plays[-1] >= 1


def test_no_artist_is_in_two_of_them():
    keys = [key for demo in DEMOS for key in demo.artists]
    assert len(keys) == len(set(keys))
