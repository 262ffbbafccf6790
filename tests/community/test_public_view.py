"""The part of a profile that others may see."""

import numpy as np
import pytest
from planted import ring

from twotower.community.public_view import (
    LISTED_ARTISTS,
    genre_weights,
    listed_artists,
    top_genres,
)
from twotower.core.domain import Artist, Profile


class SmallCatalogue:
    """Genres of two artists, those of one estimated."""

    def genre_weights_of(self, key: str) -> dict[str, float]:
        return {"low": {"slowcore": 0.5, "indie": 0.5}, "mum": {"indie": 0.5}}.get(key, {})


def test_others_see_the_most_played_artists():
    profile = ring(1, artists=150)[0]
    listed = listed_artists(profile)
    assert len(listed) == LISTED_ARTISTS
    plays = [count for _, count in listed]
    assert plays == sorted(plays, reverse=True)
    assert plays[-1] >= sorted(a.plays for a in profile.artists.values())[-LISTED_ARTISTS]


def test_an_artists_log_plays_are_shared_among_its_genres():
    artists = {"low": Artist("Low", 9.0), "mum": Artist("múm", 4.0), "new": Artist("New", 50.0)}
    weights = genre_weights(Profile("p", artists), SmallCatalogue())
    assert weights == pytest.approx(
        {"slowcore": np.log(10) / 2, "indie": np.log(10) / 2 + np.log(5) / 2}
    )
    assert top_genres(weights) == ("indie", "slowcore")
