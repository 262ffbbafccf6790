"""Spotify sign-in on the page Start, against a stand-in."""

import re
from contextlib import closing
from html import unescape
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from spotify_standin import problem
from starlette.responses import JSONResponse, PlainTextResponse
from streamlit.testing.v1 import AppTest
from visiting import KNOWN, PATIENCE_S, Visit, words
from world import state_of

from twotower.community import Community, Member
from twotower.core.domain import SPOTIFY_WEB_API, Listener
from twotower.core.errors import BadProfile, CommunityError
from twotower.model.pipeline import fit
from twotower.sources.profile_jsonl import profile_to_json
from twotower.sources.profile_parser import profile_from_json
from twotower.sources.spotify.api import SAVE_SCOPES, Registration
from twotower.sources.values import clean
from twotower.ui import spotify_session
from twotower.web.oauth_sessions import SessionStore


def sign_in_links(app: AppTest) -> int:
    return sum('href="/login?for=read' in each.value for each in app.get("html"))


def way_there(app: AppTest, purpose: str) -> str:
    found = (re.search(r'href="(/login\?[^"]+)"', each.value) for each in app.get("html"))
    links = [unescape(match[1]) for match in found if match]
    return next(link for link in links if f"for={purpose}" in link)


def test_without_a_client_id_it_says_how_to_enable_it_and_what_else_works(visit):
    visit.store = SessionStore(None)
    app = visit.tab()
    assert not app.exception
    assert "Sign-in isn't set up on this server" in words(app)
    assert "SPOTIPY_CLIENT_ID" in words(app)
    assert "https://www.spotify.com/account/privacy/" in words(app)
    assert sign_in_links(app) == 0


def test_a_redirect_uri_that_spotify_refuses_is_shown_to_the_operator(visit):
    visit.store = SessionStore(Registration("c", "http://localhost:8501/callback"))
    app = visit.tab()
    assert "localhost is refused" in words(app)
    assert sign_in_links(app) == 0


@pytest.mark.parametrize(
    "text",
    ["top artists", "saved tracks", "in memory", "not stored", "not used for training",
     "five people", "Premium", "machine-learning models", "responsible for having permission",
     "account/privacy"],
)  # fmt: skip
def test_the_conditions_are_shown_before_the_button(visit, text):
    app = visit.tab()
    assert text in words(app)
    assert sign_in_links(app) == 1


def test_after_signing_in_the_music_is_read_and_one_click_leads_to_neighbours(visit):
    visit.spotify.gate.clear()
    visit.sign_in()
    app = visit.tab(signin="done")
    assert not app.exception
    assert "signin" not in app.query_params
    assert "Reading your music from Spotify" in words(app)
    visit.spotify.gate.set()
    visit.read(app)
    assert "Your music from Spotify is here" in words(app)
    assert "You are signed in as **Ada**" in words(app)
    profile = state_of(app).profile
    assert (profile.id, profile.origin) == ("spotify", SPOTIFY_WEB_API)
    assert {one.name for one in profile.artists.values()} == {*KNOWN, "A friend"}
    app.button(key="go-spotify").click().run()
    assert app.title[0].value == "Your neighbours"
    assert len(app.subheader) == 10


def test_nothing_is_read_before_the_sign_in_that_asked_for_it(visit):
    visit.sign_in()
    app = visit.tab()
    assert visit.spotify.requests == []
    app.button(key="spotify-read").click().run()
    visit.read(app)
    assert state_of(app).profile.id == "spotify"


def test_a_reload_and_a_second_tab_have_it_without_asking_again(visit):
    visit.sign_in()
    visit.read(visit.tab(signin="done"))
    asked = len(visit.spotify.requests)
    again = visit.tab(signin="done")
    assert state_of(again).profile.id == "spotify"
    assert len(visit.spotify.requests) == asked


def test_the_tab_that_asked_gets_it_and_can_undo_it(visit):
    visit.sign_in()
    app = visit.tab()
    app.button(key="add-amara pop").click().run()
    app.button(key="spotify-read").click().run()
    visit.read(app)
    assert state_of(app).profile.id == "spotify"
    app.button(key="undo").click().run()
    assert list(state_of(app).profile.artists) == ["amara pop"]
    app.run()
    assert list(state_of(app).profile.artists) == ["amara pop"]


def test_a_tab_with_other_music_keeps_it_until_asked(visit):
    visit.sign_in()
    other = visit.tab()
    other.button(key="add-amara pop").click().run()
    visit.read(visit.tab(signin="done"))
    other.run()
    assert list(state_of(other).profile.artists) == ["amara pop"]
    other.button(key="spotify-take").click().run()
    assert state_of(other).profile.id == "spotify"


def test_earlier_music_comes_back_from_the_sign_in_and_can_be_restored(visit):
    app = visit.tab()
    app.button(key="add-amara pop").click().run()
    ticket = parse_qs(urlsplit(way_there(app, "read")).query)["left"][0]
    _, begun = visit.store.begin_sign_in(visit.browser, "read", ticket)
    visit.sign_in()
    again = visit.read(visit.tab(signin="done", left=visit.store.issue_ticket(begun)))
    assert state_of(again).profile.id == "spotify"
    again.button(key="undo").click().run()
    assert list(state_of(again).profile.artists) == ["amara pop"]


def test_music_that_was_removed_stays_away_until_asked_for(visit):
    visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    app.button(key="start-over").click().run()
    assert state_of(app).profile is None
    app.button(key="spotify-take").click().run()
    assert state_of(app).profile.id == "spotify"


def test_a_reading_can_be_cancelled_and_started_again(visit):
    visit.spotify.gate.clear()
    visit.sign_in()
    app = visit.tab(signin="done")
    app.button(key="spotify-cancel").click().run()
    assert "was cancelled" in words(app)
    assert state_of(app).profile is None
    visit.spotify.gate.set()
    app.button(key="spotify-again").click().run()
    visit.read(app)
    assert state_of(app).profile.id == "spotify"


def test_a_pause_is_counted_down_on_the_page_and_can_be_cancelled(visit):
    visit.spotify.answers["me/tracks"] = [problem(429, "slow", retry_after=10)]
    session = visit.sign_in()
    app = visit.tab(signin="done")
    job = session.get(spotify_session.READING)
    while job.is_running and job.resumes_in_s is None:
        job.join(0.02)
    app.run()
    assert re.search(r"Resuming in (10|[1-9]) s", words(app))
    assert "Spotify gets too many requests at the moment" in app.get("progress")[0].proto.text
    app.button(key="spotify-cancel").click().run()
    assert "was cancelled" in words(app)
    job.join(PATIENCE_S)
    assert state_of(app).profile is None


def test_signing_out_elsewhere_deletes_everything_in_this_tab(visit):
    visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    app.button(key="chip-amara folk").click().run()
    assert len(state_of(app).steps) == 2
    visit.store.end_session(visit.cookie)
    app.run()
    assert state_of(app).profile is None
    assert [step for step in state_of(app).steps if step.before] == []
    assert state_of(app).portrait is None and state_of(app).neighbours is None
    assert "You are signed out. What was read from Spotify is deleted" in words(app)
    assert "Amara" not in "".join(b.label for b in app.button if b.key.startswith("chip-"))


def test_only_what_came_by_signing_in_goes_at_sign_out(visit):
    visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    app.button(key="start-over").click().run()
    app.button(key="add-amara pop").click().run()
    visit.store.end_session(visit.cookie)
    app.run()
    assert list(state_of(app).profile.artists) == ["amara pop"]


def test_a_session_that_a_restart_ended_is_explained(visit):
    visit.cookie = "of-a-server-that-is-gone"
    app = visit.tab()
    assert "You are signed out. You did so in another tab" in words(app)
    assert sign_in_links(app) == 1


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("denied", "You said no at Spotify"),
        ("expired", "That sign-in is no longer valid"),
        ("failed", "didn't complete the sign-in"),
        ("refused", "SPOTIPY_REDIRECT_URI"),
        ("closed", "isn't set up on this server."),
        ("elsewhere", "pass the original `Host`"),
        ("out", "You are signed out"),
        ("disconnected", "https://www.spotify.com/account/apps/"),
    ],
)
def test_the_outcome_of_a_sign_in_is_shown_once(visit, outcome, text):
    app = visit.tab(signin=outcome)
    assert text in words(app)
    assert text not in words(app.run())


def test_an_unknown_outcome_shows_no_message(visit):
    app = visit.tab(signin="<b>you won</b>")
    assert "you won" not in words(app)


REFUSALS = {
    "not on the allow list": (
        problem(403, "User not registered in the Developer Dashboard"),
        "only five registered people",
    ),
    "owner without Premium": (
        problem(403, "Active premium subscription required for the owner of the app."),
        "Premium subscription has ended",
    ),
    "sign-in older than six months": (problem(401, "The access token expired"), "six months"),
    "quota refused for 13 hours": (
        problem(429, "quota", reason="QUOTA_EXCEEDED", retry_after=48_925),
        "13\\.6 hours",
    ),
    "Spotify down": (PlainTextResponse("", 503), "doesn't answer at the moment"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_refusal_says_what_to_do_and_nothing_is_lost(visit, refusal):
    answer, text = REFUSALS[refusal]
    visit.spotify.always[""] = answer
    visit.sign_in()
    app = visit.tab()
    app.button(key="add-amara pop").click().run()
    app.button(key="spotify-read").click().run()
    visit.read(app)
    assert "We couldn't read from Spotify" in words(app)
    assert text in clean(app.error[0].value).replace("\u2060", "").replace("\\'", "'")
    assert list(state_of(app).profile.artists) == ["amara pop"]
    again = sign_in_links(app) if refusal.startswith("sign-in") else app.button(key="spotify-again")
    assert again


def test_a_limit_midway_keeps_what_was_read_and_says_when_to_come_back(visit):
    visit.spotify.always["me/tracks"] = problem(
        429, "quota", reason="QUOTA_EXCEEDED", retry_after=48_925
    )
    visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    assert "13\\.6 hours" in app.warning[0].value
    assert "We use what was read until then" in app.warning[0].value
    assert state_of(app).profile.id == "spotify"


def test_music_that_the_model_does_not_know_gets_advice(visit):
    visit.spotify.people["ada"].artists = ["Nobody At All"]
    visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    assert not app.exception
    app.switch_page("neighbours.py").run()
    assert app.header[0].value == "We don't know these artists yet"


def test_hostile_names_are_shown_letter_for_letter(visit):
    visit.spotify.people["ada"].name = "<img src=x> [a](b)"
    visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    assert "**\\<img src\\=x\\> \\[a\\]\\(b\\)**" in words(app)


def test_on_the_page_you_names_lead_to_spotify(visit):
    visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    app.switch_page("you.py").run()
    assert not app.exception
    assert "from your Spotify account, in this session only" in words(app)
    assert "[Amara Jazz](https://open.spotify.com/artist/" in words(app)


def test_what_was_read_is_never_stored_or_trained_on(visit, tmp_path):
    visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    app.button(key="chip-amara folk").click().run()
    edited = state_of(app).profile
    assert edited.origin == SPOTIFY_WEB_API
    kept = profile_from_json(profile_to_json(edited), "line 1")
    with pytest.raises(BadProfile, match="Spotify's policy forbids training"):
        fit([kept] * 50)
    found = Listener("x", "A name", kept.origin, (("Low", 1.0),))
    vector = np.eye(1, 8, dtype=np.float32)[0]
    with closing(Community.open(f"sqlite:///{tmp_path / 'c'}", model_version="m")) as community:
        with pytest.raises(CommunityError, match="never stored"):
            community.join(Member(found, vector, vector))
        assert len(community.snapshot()) == 0


def test_permission_for_playlists_alone_reads_nothing(visit):
    visit.sign_in(scopes=SAVE_SCOPES)
    app = visit.tab(signin="done")
    assert visit.spotify.requests == []
    assert "You allowed playlists" in words(app)
    assert "responsible for having permission" in words(app)
    assert sign_in_links(app) == 1


# Saving a playlist


def saved(visit: Visit, app: AppTest) -> AppTest:
    visit.store.find_session(visit.cookie).get(spotify_session.SAVING).join(PATIENCE_S)
    return app.run()


def picked(visit: Visit) -> AppTest:
    app = visit.tab()
    app.button(key="add-amara jazz").click().run()
    return app.switch_page("neighbours.py").run()


def test_without_sign_in_no_playlist_is_offered(visit):
    visit.store = SessionStore(None)
    assert "private playlist" not in words(picked(visit))


def test_a_playlist_is_asked_for_with_its_own_scope_and_the_music_comes_back(visit):
    app = picked(visit)
    assert "A private playlist in your account: 2 tracks each of 20 artists" in words(app)
    query = parse_qs(urlsplit(way_there(app, "save")).query)
    assert query["for"] == ["save"]
    _, begun = visit.store.begin_sign_in(visit.browser, "save", query["left"][0])
    back = visit.store.issue_ticket(begun)
    visit.sign_in(scopes=SAVE_SCOPES)
    again = visit.tab(signin="may-save", left=back)
    assert "left" not in again.query_params
    assert list(state_of(again).profile.artists) == ["amara jazz"]
    assert "You can make the playlist now" in words(again)
    assert visit.spotify.requests == [], "nothing is read for it"


def test_the_link_stays_the_same_whatever_the_visitor_does(visit):
    """A link that is drawn again at the moment of a click swallows it."""
    app = visit.tab()
    drawn = [way_there(app, "read")]
    for key in ("add-amara jazz", "start-over", "undo"):
        app.button(key=key).click().run()
        drawn.append(way_there(app, "read"))
    app.switch_page("neighbours.py").run()
    saves = [way_there(app, "save")]
    app.slider[0].set_value(15).run()
    saves.append(way_there(app, "save"))
    assert len(set(drawn)) == len(set(saves)) == 1
    ticket = parse_qs(urlsplit(saves[0]).query)["left"][0]
    _, begun = visit.store.begin_sign_in(visit.browser, "save", ticket)
    assert list(begun.parked.value.artists) == ["amara jazz"], "it takes the latest music along"


def test_nothing_above_the_link_moves_it(visit):
    """A message that comes or goes must not shift what follows: it would be drawn again."""

    def place(app: AppTest) -> int:
        return len(app.main.children[0].children[0].children)

    app = picked(visit)
    before = place(app)
    state_of(app).spotify.outcome = "denied"
    app.run()
    assert any("You said no at Spotify" in each.value for each in app.info)
    assert place(app) == before


def test_a_parked_profile_comes_back_once_and_to_its_browser_only(visit):
    app = picked(visit)
    ticket = parse_qs(urlsplit(way_there(app, "save")).query)["left"][0]
    _, begun = visit.store.begin_sign_in(visit.browser, "save", ticket)
    back = visit.store.issue_ticket(begun)
    visit.browser = "another-browser"
    assert state_of(visit.tab(left=back)).profile is None
    visit.browser = "this-browser"
    assert state_of(visit.tab(left=back)).profile is None, "a ticket that was tried is burnt"
    back = visit.store.issue_ticket(begun)
    assert state_of(visit.tab(left=back)).profile is not None
    assert state_of(visit.tab(left=back)).profile is None


def test_one_click_makes_the_playlist_and_leads_to_it(visit):
    visit.sign_in(scopes=SAVE_SCOPES)
    visit.spotify.gate.clear()
    app = picked(visit)
    app.button(key="spotify-make").click().run()
    assert app.button(key="spotify-save-cancel")
    visit.spotify.gate.set()
    saved(visit, app)
    assert not app.exception
    link = r"\[Your playlist\]\(https://open\.spotify\.com/playlist/\w{22}\)"
    assert re.match(f"{link} has 40 tracks of 20 artists", app.success[0].value)
    made = visit.spotify.people["ada"].saved_playlists
    assert [one["public"] for one in made] == [False]
    assert len(made[0]["uris"]) == 40


def test_a_playlist_that_was_cancelled_is_not_made(visit):
    visit.sign_in(scopes=SAVE_SCOPES)
    visit.spotify.gate.clear()
    app = picked(visit)
    app.button(key="spotify-make").click().run()
    app.button(key="spotify-save-cancel").click().run()
    visit.spotify.gate.set()
    saved(visit, app)
    assert "Cancelled. No playlist was made" in words(app)
    assert visit.spotify.people["ada"].saved_playlists == []


def test_a_refusal_says_that_no_playlist_was_made(visit):
    visit.sign_in(scopes=SAVE_SCOPES)
    visit.spotify.always["search"] = problem(429, "slow", retry_after=600)
    app = picked(visit)
    app.button(key="spotify-make").click().run()
    saved(visit, app)
    assert "10 minutes" in app.error[0].value
    assert "No playlist was made" in app.error[0].value


def test_a_playlist_that_stayed_empty_is_a_warning(visit):
    visit.sign_in(scopes=SAVE_SCOPES)
    app = picked(visit)
    visit.spotify.answers["me/playlists"] = [JSONResponse({"id": "A" * 22}, 201)]
    app.button(key="spotify-make").click().run()
    saved(visit, app)
    assert "but it is still empty" in app.warning[0].value
