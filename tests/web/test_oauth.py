"""Signing in over HTTP, against an authorization server that is as strict as the real one."""

import asyncio
import re
import weakref
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from serving import serving
from spotify_standin import CLIENT_ID, StandIn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from twotower.core.errors import LoginExpired
from twotower.sources.spotify.api import TO_READ, Registration
from twotower.web import oauth, oauth_sessions
from twotower.web.oauth import routes
from twotower.web.oauth_sessions import Desk, Left


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """Our routes and the stand-in, each on a port of its own."""

    def __init__(self, spotify: StandIn, clock: Clock) -> None:
        self.spotify, self.clock = spotify, clock
        self.ours = self.theirs = ""
        self.desk: Desk

    def browser(self) -> requests.Session:
        return requests.Session()

    def login(self, browser: requests.Session, query: str = "") -> requests.Response:
        """What Spotify shows to somebody who presses the button."""
        return browser.get(f"{self.ours}/login{query}", timeout=20)

    def agree(self, browser: requests.Session, who: str = "ada", query: str = "") -> str:
        """Sign in; gives the address that the person comes back to."""
        return self.back(browser, self.choice(self.login(browser, query), f"Agree as {who}"))

    def choice(self, shown: requests.Response, words: str) -> str:
        assert shown.status_code == 200, shown.text
        return unescape(re.search(rf'href="([^"]+)">{words}<', shown.text)[1])

    def back(self, browser: requests.Session, link: str) -> str:
        answer = browser.get(link, allow_redirects=False, timeout=20)
        assert answer.status_code == 303
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.headers["Location"]

    def session(self, browser: requests.Session) -> oauth_sessions.Session | None:
        return self.desk.session(browser.cookies.get(self.desk.session_cookie))


@pytest.fixture
def world():
    spotify, clock = StandIn(), Clock()
    app = Starlette()
    world = World(spotify, clock)
    with serving(spotify.app) as theirs, serving(app) as ours:
        world.ours, world.theirs = ours, theirs
        spotify.redirect_uri = f"{ours}/callback"
        registration = Registration(CLIENT_ID, spotify.redirect_uri, theirs, f"{theirs}/v1")
        world.desk = Desk(registration, clock=clock)
        app.router.routes.extend(routes(world.desk))
        yield world


def test_a_person_signs_in_and_only_a_meaningless_cookie_reaches_the_browser(world):
    browser = world.browser()
    assert world.agree(browser) == "/?signin=done"
    session = world.session(browser)
    assert session.access().startswith("access-")
    assert session.scopes == {*TO_READ}
    assert not {cookie.value for cookie in browser.cookies} & world.spotify.secrets
    for cookie in browser.cookies:
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite").lower() == "lax"


def test_two_people_on_one_server_have_each_their_own_token(world):
    one, other = world.browser(), world.browser()
    first, second = world.login(one), world.login(other)
    world.back(other, world.choice(second, "Agree as ben"))
    world.back(one, world.choice(first, "Agree as ada"))
    known = world.spotify._access
    assert known[world.session(one).access()]["who"] == "ada"
    assert known[world.session(other).access()]["who"] == "ben"


def test_two_tabs_of_one_browser_can_be_signing_in_at_once(world):
    browser = world.browser()
    first, second = world.login(browser), world.login(browser)
    assert world.back(browser, world.choice(second, "Cancel")) == "/?signin=denied"
    assert world.back(browser, world.choice(first, "Agree as ada")) == "/?signin=done"


def test_a_state_works_once_and_only_as_it_was_given(world):
    browser = world.browser()
    link = world.choice(world.login(browser), "Agree as ada")
    state = parse_qs(urlsplit(link).query)["state"][0]
    for forged in (link.replace(state, "forged"), link.replace(state, state + "x"),
                   link.replace(f"state={state}", "x=1")):  # fmt: skip
        assert world.back(browser, forged) == "/?signin=expired"
    assert world.back(browser, link) == "/?signin=done"
    cookie = browser.cookies.get(world.desk.session_cookie)
    assert world.back(browser, link) == "/?signin=expired"
    assert browser.cookies.get(world.desk.session_cookie) == cookie
    assert len(world.spotify.token_asks) == 1


def test_nobody_is_signed_in_by_a_link_that_another_person_began(world):
    attacker, victim = world.browser(), world.browser()
    link = world.choice(world.login(attacker), "Agree as ben")
    world.login(victim)
    assert world.back(victim, link) == "/?signin=expired"
    assert world.session(victim) is None
    assert world.back(attacker, link) == "/?signin=expired", "a state that was tried is burnt"
    assert world.spotify.token_asks == []


def test_a_sign_in_that_takes_longer_than_ten_minutes_begins_anew(world):
    browser = world.browser()
    link = world.choice(world.login(browser), "Agree as ada")
    world.clock.now += oauth_sessions.SIGN_IN_S + 1
    assert world.back(browser, link) == "/?signin=expired"


def test_a_person_who_says_no_is_not_signed_in(world):
    browser = world.browser()
    link = world.choice(world.login(browser), "Cancel")
    assert world.back(browser, link) == "/?signin=denied"
    assert world.session(browser) is None


def test_a_code_that_was_used_is_refused_by_spotify_and_told(world):
    browser = world.browser()
    link = world.choice(world.login(browser), "Agree as ada")
    world.spotify._codes.clear()
    assert world.back(browser, link) == "/?signin=expired"


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, '{"error": "invalid_client"}', "refused"),
        (503, "<html>busy</html>", "failed"),
        (429, "{}", "failed"),
        (200, "no json", "failed"),
        (200, "[]", "failed"),
        (200, '{"access_token": "", "expires_in": 3600}', "failed"),
        (200, '{"access_token": "a", "expires_in": "soon"}', "failed"),
        (400, "[1]", "failed"),
    ],
)
def test_whatever_spotify_answers_to_a_code_is_told(world, status, body, outcome):
    browser = world.browser()
    link = world.choice(world.login(browser), "Agree as ada")
    world.spotify.answers["token"] = [PlainTextResponse(body, status)]
    assert world.back(browser, link) == f"/?signin={outcome}"
    assert world.session(browser) is None


def test_every_sign_in_is_a_new_session_and_ends_the_one_before(world):
    browser = world.browser()
    world.agree(browser)
    before, cookie = world.session(browser), browser.cookies.get(world.desk.session_cookie)
    world.agree(browser)
    assert browser.cookies.get(world.desk.session_cookie) != cookie
    assert world.desk.session(cookie) is None
    with pytest.raises(LoginExpired):
        before.access()


def test_a_stale_token_is_renewed_and_the_new_refresh_token_kept(world):
    browser = world.browser()
    world.spotify.lasts_s = 30
    world.agree(browser)
    session = world.session(browser)
    tokens = {session.access() for _ in range(3)}
    assert len(tokens) == 3
    assert [ask["grant_type"] for ask in world.spotify.token_asks[1:]] == ["refresh_token"] * 3


def test_a_sign_in_that_was_taken_back_says_to_sign_in_again(world):
    browser = world.browser()
    world.agree(browser)
    world.spotify.revoke()
    with pytest.raises(LoginExpired, match="six months"):
        world.session(browser).access(renew=True)
    with pytest.raises(LoginExpired):
        world.session(browser).access()


def post(world: World, browser: requests.Session, path: str, **headers: str) -> requests.Response:
    return browser.post(f"{world.ours}{path}", headers=headers, allow_redirects=False, timeout=20)


def test_signing_out_ends_this_session_and_takes_the_cookie(world):
    here, there = world.browser(), world.browser()
    world.agree(here)
    world.agree(there)
    session, cookie = world.session(here), here.cookies.get(world.desk.session_cookie)
    assert post(world, here, "/logout").headers["Location"] == "/?signin=out"
    assert here.cookies.get(world.desk.session_cookie) is None
    assert world.desk.session(cookie) is None
    assert world.session(there) is not None
    with pytest.raises(LoginExpired):
        session.access()


def test_disconnecting_ends_every_session_of_that_person(world):
    here, there, other = world.browser(), world.browser(), world.browser()
    for browser, who in ((here, "ada"), (there, "ada"), (other, "ben")):
        world.agree(browser, who)
        world.session(browser).account = who
    assert post(world, here, "/disconnect").headers["Location"] == "/?signin=disconnected"
    assert world.session(there) is None
    assert world.session(other) is not None


@pytest.mark.parametrize("path", ["/logout", "/disconnect"])
@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
)
def test_another_site_can_sign_nobody_out(world, path, headers):
    browser = world.browser()
    world.agree(browser)
    assert post(world, browser, path, **headers).status_code == 403
    assert world.session(browser) is not None


def test_a_link_can_sign_nobody_out(world):
    browser = world.browser()
    world.agree(browser)
    assert browser.get(f"{world.ours}/logout", timeout=20).status_code == 405
    assert world.session(browser) is not None


def test_who_comes_by_localhost_is_sent_to_the_address_that_spotify_knows(world):
    asked = f"{world.ours}/login".replace("127.0.0.1", "localhost")
    answer = requests.get(asked, allow_redirects=False, timeout=20)
    assert answer.headers["Location"] == f"{world.ours}/login?for=read&sent=1"
    assert "Set-Cookie" not in answer.headers


def test_behind_a_proxy_that_changes_the_host_nobody_is_sent_on_forever(world):
    asked = f"{world.ours}/login"
    to = []
    for _ in range(2):
        answer = requests.get(asked, headers={"Host": "inside"}, allow_redirects=False, timeout=20)
        to.append(asked := answer.headers["Location"])
    assert to == [f"{world.ours}/login?for=read&sent=1", "/?signin=elsewhere"]


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("https://Music.Example:443/callback", "music.example"),
        ("https://music.example:8443/callback", "music.example:8443"),
        ("http://127.0.0.1:80/callback", "127.0.0.1"),
    ],
)
def test_a_host_is_written_as_browsers_do(uri, host):
    assert Registration("c", uri).host == host


def test_threads_that_meet_a_stale_token_renew_it_once_between_them(world):
    browser = world.browser()
    world.agree(browser)
    session = world.session(browser)
    world.spotify.end_access()
    with ThreadPoolExecutor(8) as threads:
        tokens = set(threads.map(lambda _: session.access(renew=True), range(8)))
    assert tokens <= set(world.spotify._access)
    renewals = [ask for ask in world.spotify.token_asks if ask["grant_type"] == "refresh_token"]
    assert 1 <= len(renewals) <= 8
    assert session.access() in tokens


def test_a_session_ends_by_itself_when_it_is_not_used(world):
    browser = world.browser()
    world.agree(browser)
    world.clock.now += oauth_sessions.IDLE_S - 1
    assert world.session(browser) is not None
    world.clock.now += oauth_sessions.IDLE_S - 1
    session = world.session(browser)
    assert session is not None
    world.clock.now += oauth_sessions.IDLE_S + 1
    assert world.session(browser) is None
    with pytest.raises(LoginExpired):
        session.access()


def test_sessions_end_on_a_server_that_nobody_visits(world):
    browser = world.browser()
    world.agree(browser)
    session = world.session(browser)
    world.clock.now += oauth_sessions.IDLE_S + 1

    async def run() -> None:
        task = asyncio.create_task(oauth.tidying(world.desk, every_s=0.001))
        async with asyncio.timeout(20):
            while session.scopes:
                await asyncio.sleep(0.001)
        task.cancel()

    with ThreadPoolExecutor(1) as thread:  # a browser test may have left a loop in this one
        thread.submit(asyncio.run, run()).result()
    with pytest.raises(LoginExpired):
        session.access()


def test_what_is_kept_in_a_session_ends_with_it(world):
    class Work:
        cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

    browser = world.browser()
    world.agree(browser)
    session = world.session(browser)
    work = session.keep("work", Work)
    assert session.keep("work", Work) is work
    post(world, browser, "/logout")
    assert work.cancelled
    assert session.kept("work") is None
    with pytest.raises(LoginExpired):
        session.keep("work", Work)


def test_sign_ins_and_sessions_are_bounded(world, monkeypatch):
    monkeypatch.setattr(oauth_sessions, "MOST_SIGN_INS", 3)
    monkeypatch.setattr(oauth_sessions, "MOST_SESSIONS", 2)
    states = [world.desk.begin("b", oauth.READ)[0] for _ in range(4)]
    assert [world.desk.finish("b", state) is not None for state in states] == [
        False, True, True, True,
    ]  # fmt: skip
    browsers = [world.browser() for _ in range(3)]
    for browser in browsers:
        world.agree(browser)
    assert [world.session(browser) is not None for browser in browsers] == [False, True, True]


@pytest.mark.parametrize(
    "registration",
    [
        None,
        Registration("c", "http://localhost:8501/callback"),
        Registration("c", "http://example.org/callback"),
        Registration("c", "https://example.org/elsewhere"),
    ],
)
def test_without_a_registration_that_spotify_takes_nobody_is_sent_there(registration):
    app = Starlette(routes=routes(Desk(registration)))
    with serving(app) as ours:
        answer = requests.get(f"{ours}/login", allow_redirects=False, timeout=20)
    assert answer.headers["Location"] == "/?signin=closed"


def test_on_https_both_cookies_are_bound_to_the_host_and_secure():
    desk = Desk(Registration("c", "https://music.example/callback"))
    app = Starlette(routes=routes(desk))
    with serving(app) as ours:
        answer = requests.get(
            f"{ours}/login", headers={"Host": "music.example"}, allow_redirects=False, timeout=20
        )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-neighbours-browser=")
    assert "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie
    assert desk.session_cookie.startswith("__Host-")


@pytest.mark.parametrize(
    ("uri", "right"),
    [
        ("http://127.0.0.1:8501/callback", True),
        ("http://[::1]:8501/callback", True),
        ("https://music.example/callback", True),
        ("http://localhost:8501/callback", False),
        ("http://music.example/callback", False),
        ("https://music.example/", False),
        ("https:///callback", False),
        ("https://someone@music.example/callback", False),
        ("http://[::1/callback", False),
        ("", False),
    ],
)
def test_a_redirect_uri_is_judged_as_spotify_does(uri, right):
    assert (Registration("c", uri).problem() == "") is right


# Asking for a playlist


def test_only_a_playlist_asks_for_the_scope_that_changes_something(world):
    browser = world.browser()
    assert "playlist-modify" not in world.login(browser).text
    asked = world.login(browser, "?for=save").text
    assert "playlist-modify-private" in asked and "user-top-read" not in asked
    world.agree(browser)
    both = world.login(browser, "?for=save").text
    assert "playlist-modify-private" in both and "user-top-read" in both


def test_what_was_read_is_carried_over_to_a_sign_in_of_the_same_person_only(world):
    for who, carried in (("ada", True), ("ben", False)):
        browser = world.browser()
        world.agree(browser, "ada")
        before = world.session(browser)
        before.account = "account-ada"
        before.keep("reading", lambda: "what was read")
        assert world.agree(browser, who, "?for=save") == "/neighbours?signin=may-save"
        after = world.session(browser)
        assert after is not before
        assert (after.kept("reading") == "what was read") is carried
        assert before.kept("reading") is None


def test_what_a_tab_leaves_is_held_by_the_tab_until_the_sign_in_and_then_for_minutes(world):
    browser = world.browser()
    left = Left("a profile")
    ticket = world.desk.offer(left)
    link = world.choice(world.login(browser, f"?for=save&left={ticket}"), "Cancel")
    del left
    back = parse_qs(urlsplit(world.back(browser, link)).query)
    assert back["signin"] == ["denied"]
    cookie = browser.cookies.get(world.desk.browser_cookie)
    assert world.desk.take("another", "forged") is None
    world.clock.now += 2 * oauth_sessions.SIGN_IN_S - 1
    assert world.desk.take(cookie, back["left"][0]) == "a profile"
    assert world.desk.take(cookie, back["left"][0]) is None
    gone = Left("a tab that is closed")
    ticket = world.desk.offer(gone)
    del gone
    link = world.choice(world.login(browser, f"?for=save&left={ticket}"), "Cancel")
    assert world.back(browser, link) == "/neighbours?signin=denied"


def test_what_nobody_takes_back_is_let_go_of(world):
    browser = world.browser()
    left = Left("a profile")
    watch = weakref.ref(left)
    link = world.choice(world.login(browser, f"?for=save&left={world.desk.offer(left)}"), "Cancel")
    del left
    world.back(browser, link)
    assert watch() is not None
    world.clock.now += 2 * oauth_sessions.SIGN_IN_S + 1
    world.session(browser)  # as every page asks
    assert watch() is None
