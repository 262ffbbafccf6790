"""docs/spotify.md agrees with the code: calls, their number, variables and routes."""

import re
from collections import Counter
from dataclasses import fields

from serving import serving
from spotify_callers import CALLS, DOCUMENT, Reading, Saving
from spotify_standin import StandIn

from twotower.core.settings import Settings
from twotower.sources.spotify.api import MOST_CALLS
from twotower.sources.spotify.profile import TOP_ARTIST, TOP_TRACK
from twotower.web.oauth import routes
from twotower.web.oauth_sessions import SessionStore


def test_the_table_has_the_calls_that_a_profile_takes_at_most():
    spotify = StandIn(extended=True)
    spotify.people["ada"].saved, spotify.people["ada"].playlists = 5_000, 40
    with serving(spotify.app) as address:
        Reading(spotify, address).read()
    made = Counter(
        "/" + re.sub(r"^playlists/[^/]+", "playlists/{id}", path) for _, path, _ in spotify.requests
    )
    assert made == CALLS
    assert sum(CALLS.values()) <= MOST_CALLS
    assert f"At most {MOST_CALLS} calls per profile" in DOCUMENT


def test_the_table_has_the_calls_that_a_playlist_takes_at_most():
    spotify = StandIn()
    with serving(spotify.app) as address:
        Saving(spotify, address).save(*(f"Artist {n}" for n in range(30)))
    made = Counter(
        f"{method} /" + re.sub(r"^playlists/[^/]+", "playlists/{id}", path)
        for method, path, _ in spotify.requests
    )
    _, part = DOCUMENT.split("## Saving a playlist")
    told = re.findall(r"^\| `((?:GET|POST) /[^`]+)` \|[^|]*\| (\d+) \|", part, re.MULTILINE)
    assert made == {call: int(count) for call, count in told}
    assert made.total() <= MOST_CALLS


def test_the_variables_are_those_that_are_read():
    told = set(re.findall(r"`((?:SPOTIPY|TWOTOWER_SPOTIFY)_\w+)`", DOCUMENT))
    values = {name: f"value of {name}" for name in told}
    settings = Settings.from_env(values)
    read = {getattr(settings, each.name) for each in fields(Settings) if "spotify" in each.name}
    assert read == set(values.values())
    assert Settings.from_env({}).spotify_redirect_uri in DOCUMENT


def test_the_routes_are_those_that_are_served():
    told = set(re.findall(r"`(/(?:login|callback|logout|disconnect))`", DOCUMENT))
    assert told == {route.path for route in routes(SessionStore(None))}


def test_the_document_has_the_plays_that_a_rank_counts_as():
    rule = f"Rank k counts as {TOP_ARTIST}/√k plays of an artist and {TOP_TRACK}/√k of a track"
    assert rule in DOCUMENT
