"""Changes to a profile give a new one and leave the old as it was."""

from twotower.core.domain import Artist, Playlist, Profile, Track
from twotower.ui import profile_edits

HEARD = Profile(
    "me",
    artists={"low": Artist("Low", 30.0), "codeine": Artist("Codeine", 10.0)},
    tracks=(Track("Words", "Low"), Track("D", "Codeine")),
    playlists=(
        Playlist("both", (("Words", "Low"), ("D", "Codeine"))),
        Playlist("one", (("D", "Codeine"),)),
    ),
)


def test_an_artist_joins_a_history_with_its_usual_number_of_plays():
    assert (
        profile_edits.with_artist(HEARD, "Red House Painters").artists["red house painters"].plays
        == 20
    )


def test_an_artist_joins_picked_ones_as_one_of_them():
    more = profile_edits.with_artist(profile_edits.picked("Low"), "The Codeine")
    assert {key: artist.plays for key, artist in more.artists.items()} == {"low": 1, "codeine": 1}


def test_an_artist_that_is_there_changes_nothing():
    assert profile_edits.with_artist(HEARD, "LOW") is HEARD


def test_an_artist_goes_with_its_tracks_and_playlists():
    left = profile_edits.without_artist(HEARD, "codeine")
    assert list(left.artists) == ["low"]
    assert left.tracks == (Track("Words", "Low"),)
    assert left.playlists == (Playlist("both", (("Words", "Low"),)),)
    assert len(HEARD.artists) == 2


def test_without_its_last_artist_nothing_is_left():
    assert profile_edits.without_artist(profile_edits.picked("Low"), "low") is None


def test_liking_is_kept_as_plays_and_read_back():
    loved = profile_edits.with_liking(profile_edits.picked("Low"), "low", "live for")
    assert loved.artists["low"].plays == 9
    assert profile_edits.liking(loved.artists["low"]) == "live for"
    assert profile_edits.liking(Artist("Low", 2.5)) == "love"
