"""User names as people type or paste them."""

import pytest

from twotower.sources.services.user_names import user_name_of


@pytest.mark.parametrize(
    "typed",
    [
        *("rj", " rj ", "@rj", "https://www.last.fm/user/rj", "last.fm/user/rj/library?page=2"),
        *("https://www.last.fm/de/user/rj", "http://www.lastfm.de/user/rj/", "www.last.fm/user/rj"),
        *("https://listenbrainz.org/user/rj/", "listenbrainz.org/user/rj/playlists/"),
    ],
)
def test_a_name_may_be_an_address_or_begin_with_an_at_sign(typed: str):
    assert user_name_of(typed) == "rj"


@pytest.mark.parametrize("name", ["user", "last.fm", "a/b", "https://example.org/user/rj", ""])
def test_other_texts_are_names_as_they_are(name: str):
    assert user_name_of(name) == name


def test_escapes_in_an_address_are_decoded():
    assert user_name_of("https://listenbrainz.org/user/r%20j%C3%A9/") == "r jé"
