"""Credits of several artists, split if a catalogue knows the artists."""

import pytest

from twotower.core.domain import Artist, Playlist, Profile, Track
from twotower.core.names import artist_key
from twotower.sources.credits import artists_of_credit, split_credits

CATALOGUE = {
    artist_key(name): name
    for name in (
        *("Low", "Slint", "Codeine", "Queen", "David Bowie", "Simon & Garfunkel", "M.I.A."),
        *("Earth, Wind & Fire", "Tyler, The Creator", "Florence + The Machine", "10,000 Maniacs"),
        *("AC/DC", "Lil Nas X", "OneRepublic", "The Emotions"),
    )
}


@pytest.mark.parametrize(
    ("credit", "artists"),
    [
        ("Low & Slint", ["Low", "Slint"]),
        ("Low, Slint", ["Low", "Slint"]),
        ("Low,Slint", ["Low", "Slint"]),
        ("Low feat. Slint", ["Low", "Slint"]),
        ("Low Feat Slint", ["Low", "Slint"]),
        ("Low ft. Slint", ["Low", "Slint"]),
        ("Low featuring Slint", ["Low", "Slint"]),
        ("Low (feat. Slint)", ["Low", "Slint"]),
        ("Low x Slint", ["Low", "Slint"]),
        ("Low; Slint", ["Low", "Slint"]),
        ("Low;Slint", ["Low", "Slint"]),
        ("Low / Slint", ["Low", "Slint"]),
        ("Low with Slint", ["Low", "Slint"]),
        ("Low, Slint & Codeine", ["Low", "Slint", "Codeine"]),
        ("Low & Nobody We Know", ["Low", "Nobody We Know"]),  # the first part is known
        ("Nobody We Know & Low", ["Nobody We Know & Low"]),
        ("Low & Low", ["Low"]),
        ("Low & [unknown]", ["Low"]),
    ],
)
def test_a_credit_is_split_if_its_artists_or_the_first_are_known(credit: str, artists: list[str]):
    assert artists_of_credit(credit, CATALOGUE.get) == tuple(artists)


@pytest.mark.parametrize(
    "name",
    [
        *("Simon & Garfunkel", "Earth, Wind & Fire", "Tyler, The Creator", "10,000 Maniacs"),
        *("Florence + The Machine", "AC/DC", "Lil Nas X", "Belle & Sebastian", "Queensrÿche"),
        *("Slinty", "Lowx Slint", "", "&", "[unknown]"),
    ],
)
def test_names_of_one_artist_stay_whole(name: str):
    assert artists_of_credit(name, CATALOGUE.get) == (name,)


def test_each_part_is_as_long_as_a_known_name_can_be():
    credit = "Earth, Wind & Fire feat. The Emotions"
    assert artists_of_credit(credit, CATALOGUE.get) == ("Earth, Wind & Fire", "The Emotions")
    credit = "Tyler, The Creator, Simon & Garfunkel x Low"
    assert artists_of_credit(credit, CATALOGUE.get) == (
        *("Tyler, The Creator", "Simon & Garfunkel", "Low"),
    )


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("MIA", "M.I.A."),
        ("One Republic", "OneRepublic"),
        ("Bowie, David", "David Bowie"),
        ("LOW", "LOW"),
        ("Mia", "Mia"),
    ],
)
def test_other_spellings_of_known_names_become_them(name: str, known: str):
    assert artists_of_credit(name, CATALOGUE.get) == (known,)


def profile(**artists: float) -> Profile:
    names = {"low": "Low", "both": "Low & Slint", "alone": "Simon & Garfunkel"}
    return Profile(
        "me",
        {
            artist_key(names[key]): Artist(names[key], plays, ("slowcore",))
            for key, plays in artists.items()
        },
        tracks=(Track("Monkey", "Low & Slint", 3),),
        playlists=(Playlist("Rainy", (("Monkey", "Low & Slint"), ("Boxer", "Nobody"))),),
    )


def test_each_artist_gets_the_plays_and_the_first_one_the_tracks():
    split, credits = split_credits(profile(low=2, both=40, alone=5), CATALOGUE.get)
    assert credits == 1
    assert {artist.name: artist.plays for artist in split.artists.values()} == {
        **{"Low": 42, "Slint": 40, "Simon & Garfunkel": 5}
    }
    assert list(split.artists) == ["low", "slint", "simon and garfunkel"]  # most played first
    assert split.artists["slint"].genres == ()
    assert split.tracks[0].artist == "Low"
    assert split.playlists[0].tracks == (("Monkey", "Low"), ("Boxer", "Nobody"))


def test_a_profile_without_credits_is_the_same_object():
    whole = split_credits(profile(both=1), CATALOGUE.get)[0]
    again, credits = split_credits(whole, CATALOGUE.get)
    assert again is whole
    assert credits == 0
