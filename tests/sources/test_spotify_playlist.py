"""A playlist of given artists, saved in a person's account."""

import pytest
from serving import serving
from spotify_callers import Saving
from spotify_standin import NAMES, StandIn, problem, track
from starlette.responses import JSONResponse

from twotower.core.errors import NoMusic, NotAllowed, RateLimited
from twotower.sources.spotify.api import MOST_CALLS


@pytest.fixture
def saving():
    spotify = StandIn()
    with serving(spotify.app) as address:
        yield Saving(spotify, address)


def test_a_private_playlist_has_only_tracks_by_the_artists(saving):
    saved = saving.save("Low", "Björk")
    assert (saved.tracks, saved.artists, saved.missed) == (4, ("Low", "Björk"), ())
    [made] = saving.made
    assert saved.link == f"https://open.spotify.com/playlist/{made['id']}"
    assert (made["name"], made["description"], made["public"]) == ("T", "D", False)
    wanted = [track(title, name) for name in ("Low", "Björk") for title in ("One", "Two")]
    assert made["uris"] == [each["uri"] for each in wanted]
    assert list(saving.spotify.bodies[-1]) == ["uris"], "an object, not a bare list"


def test_a_playlist_has_at_most_twenty_artists_and_stays_within_the_calls(saving):
    saved = saving.save(*(f"{name} {n}" for name in NAMES for n in range(5)))
    assert len(saved.artists) == 20
    assert saving.web.calls == 22 <= MOST_CALLS
    assert {
        int(query["limit"]) for _, path, query in saving.spotify.requests if path == "search"
    } == {10}


def test_artists_without_a_track_are_named(saving):
    saving.spotify.answers["search"] = [
        JSONResponse({"tracks": {"items": [None, 1, {}, {"artists": [None, {"name": ""}]}]}}),
        JSONResponse({"tracks": None}),
    ]
    saved = saving.save("Low", "Mogwai", "Björk")
    assert (saved.artists, saved.missed) == (("Björk",), ("Low", "Mogwai"))


def test_without_any_track_there_is_no_playlist(saving):
    saving.spotify.always["search"] = JSONResponse({"tracks": {"items": []}})
    with pytest.raises(NoMusic, match="no playlist was made"):
        saving.save("Low")
    assert saving.made == []


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("search", problem(429, "q", reason="QUOTA_EXCEEDED", retry_after=9_000), RateLimited),
        ("me/playlists", problem(403, "Insufficient client scope"), NotAllowed),
        ("me/playlists", JSONResponse({"name": "no id"}, 201), NoMusic),
    ],
)
def test_an_error_before_it_is_made_leaves_no_playlist(saving, path, answer, error):
    saving.spotify.always[path] = answer
    with pytest.raises(error):
        saving.save("Low")
    assert saving.made == []


def test_a_playlist_that_could_not_be_filled_has_a_problem(saving):
    saving.spotify.answers["me/playlists"] = [JSONResponse({"id": "A" * 22}, 201)]
    saved = saving.save("Low")
    assert saved.tracks == 0
    assert "Spotify refused" in saved.problem
    assert saved.link.endswith("A" * 22)


def test_a_playlist_is_not_made_again_if_the_answer_is_lost(saving):
    saving.spotify.always["me/playlists"] = JSONResponse({}, 502)
    with pytest.raises(Exception, match="doesn't answer"):
        saving.save("Low")
    assert [path for _, path, _ in saving.spotify.requests].count("me/playlists") == 1


def test_quotes_in_a_name_do_not_end_the_search_term(saving):
    saving.save('Weird "Al" Yankovic')
    assert saving.spotify.requests[0][2]["q"] == 'artist:"Weird  Al  Yankovic"'
