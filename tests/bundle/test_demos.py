"""The demo listeners."""

import pytest

from twotower.bundle.demos import DEMOS, EARLIER_DEMOS
from twotower.core.names import artist_key

ALL = (*DEMOS, *EARLIER_DEMOS)


def test_six_are_shown_and_all_are_marked_as_demos():
    assert len(DEMOS) == 6
    assert len({demo.id for demo in ALL}) == len({demo.name for demo in ALL}) == 10
    assert {demo.origin for demo in ALL} == {"demo"}


def test_links_to_the_demos_of_before_still_work():
    ids = {demo.id for demo in ALL}
    assert {
        f"demo-{key}" for key in ("metal", "rap", "indie", "electronic", "pop", "turkish-rap")
    } <= ids


@pytest.mark.parametrize("demo", ALL, ids=lambda demo: demo.id)
def test_each_has_a_dozen_artists_or_more_under_their_own_keys(demo):
    assert len(demo.artists) >= 12
    assert all(artist_key(artist.name) == key for key, artist in demo.artists.items())
    plays = [artist.plays for artist in demo.artists.values()]
    assert plays == sorted(plays, reverse=True) and plays[-1] >= 1


def test_no_artist_is_in_two_of_them():
    keys = [key for demo in ALL for key in demo.artists]
    assert len(keys) == len(set(keys))
