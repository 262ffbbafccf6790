"""Sign-in over HTTP, against a stand-in for Spotify that is as strict as the real one."""

import asyncio
import re
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from coroutines import run_coroutine
from serving import serving
from spotify_standin import CLIENT_ID, StandIn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from twotower.core.errors import LoginExpired
from twotower.sources.spotify.api import READ_SCOPES, Registration
from twotower.web import oauth, oauth_sessions
from twotower.web.bounded_pool import BoundedPool
from twotower.web.oauth import routes
from twotower.web.oauth_sessions import ParkedProfile, SessionStore
from twotower.web.rate_limits import RATES, SIGN_IN, Rate, RateLimiter, Rates


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """Our routes and the stand-in, on separate ports."""

    def __init__(self, spotify: StandIn, clock: Clock) -> None:
        self.spotify, self.clock = spotify, clock
        self.ours = self.theirs = ""
        self.store: SessionStore

    def browser(self) -> requests.Session:
        return requests.Session()

    def login(self, browser: requests.Session, query: str = "") -> requests.Response:
        """Return the page that Spotify shows after the button is pressed."""
        return browser.get(f"{self.ours}/login{query}", timeout=20)

    def agree(self, browser: requests.Session, who: str = "ada", query: str = "") -> str:
        """Sign in; return the address that the browser comes back to."""
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
        return self.store.find_session(browser.cookies.get(self.store.session_cookie))


@pytest.fixture
def world():
    spotify, clock = StandIn(), Clock()
    app = Starlette()
    world = World(spotify, clock)
    with serving(spotify.app) as theirs, serving(app) as ours:
        world.ours, world.theirs = ours, theirs
        spotify.redirect_uri = f"{ours}/callback"
        registration = Registration(CLIENT_ID, spotify.redirect_uri, theirs, f"{theirs}/v1")
        world.store = SessionStore(registration, clock=clock)
        app.router.routes.extend(routes(world.store))
        yield world


def test_signing_in_sends_only_opaque_cookies_to_the_browser(world):
    browser = world.browser()
    assert world.agree(browser) == "/?signin=done"
    session = world.session(browser)
    assert session.access().startswith("access-")
    assert session.scopes == {*READ_SCOPES}
    assert not {cookie.value for cookie in browser.cookies} & world.spotify.secrets
    for cookie in browser.cookies:
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite").lower() == "lax"


def test_two_people_on_one_server_have_separate_tokens(world):
    one, other = world.browser(), world.browser()
    first, second = world.login(one), world.login(other)
    world.back(other, world.choice(second, "Agree as ben"))
    world.back(one, world.choice(first, "Agree as ada"))
    known = world.spotify._access
    assert known[world.session(one).access()]["who"] == "ada"
    assert known[world.session(other).access()]["who"] == "ben"


def test_two_tabs_of_one_browser_can_sign_in_at_once(world):
    browser = world.browser()
    first, second = world.login(browser), world.login(browser)
    assert world.back(browser, world.choice(second, "Cancel")) == "/?signin=denied"
    assert world.back(browser, world.choice(first, "Agree as ada")) == "/?signin=done"


def test_a_state_works_once_and_only_unchanged(world):
    browser = world.browser()
    link = world.choice(world.login(browser), "Agree as ada")
    state = parse_qs(urlsplit(link).query)["state"][0]
    for forged in (link.replace(state, "forged"), link.replace(state, state + "x"),
                   link.replace(f"state={state}", "x=1")):  # fmt: skip
        assert world.back(browser, forged) == "/?signin=expired"
    assert world.back(browser, link) == "/?signin=done"
    cookie = browser.cookies.get(world.store.session_cookie)
    assert world.back(browser, link) == "/?signin=expired"
    assert browser.cookies.get(world.store.session_cookie) == cookie
    assert len(world.spotify.token_requests) == 1


def test_a_link_from_another_browser_signs_nobody_in(world):
    attacker, victim = world.browser(), world.browser()
    link = world.choice(world.login(attacker), "Agree as ben")
    world.login(victim)
    assert world.back(victim, link) == "/?signin=expired"
    assert world.session(victim) is None
    assert world.back(attacker, link) == "/?signin=expired", "a state works once"
    assert world.spotify.token_requests == []


def test_a_sign_in_expires_after_ten_minutes(world):
    browser = world.browser()
    link = world.choice(world.login(browser), "Agree as ada")
    world.clock.now += oauth_sessions.SIGN_IN_S + 1
    assert world.back(browser, link) == "/?signin=expired"


def test_declining_at_spotify_does_not_sign_in(world):
    browser = world.browser()
    link = world.choice(world.login(browser), "Cancel")
    assert world.back(browser, link) == "/?signin=denied"
    assert world.session(browser) is None


def test_a_used_code_counts_as_expired(world):
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
def test_each_failure_of_the_token_request_has_its_outcome(world, status, body, outcome):
    browser = world.browser()
    link = world.choice(world.login(browser), "Agree as ada")
    world.spotify.answers["token"] = [PlainTextResponse(body, status)]
    assert world.back(browser, link) == f"/?signin={outcome}"
    assert world.session(browser) is None


def test_signing_in_again_replaces_the_session(world):
    browser = world.browser()
    world.agree(browser)
    before, cookie = world.session(browser), browser.cookies.get(world.store.session_cookie)
    world.agree(browser)
    assert browser.cookies.get(world.store.session_cookie) != cookie
    assert world.store.find_session(cookie) is None
    with pytest.raises(LoginExpired):
        before.access()


def test_a_stale_token_is_renewed_with_the_latest_refresh_token(world):
    browser = world.browser()
    world.spotify.lasts_s = 30
    world.agree(browser)
    session = world.session(browser)
    tokens = {session.access() for _ in range(3)}
    assert len(tokens) == 3
    assert [ask["grant_type"] for ask in world.spotify.token_requests[1:]] == ["refresh_token"] * 3


def test_a_revoked_sign_in_asks_to_sign_in_again(world):
    browser = world.browser()
    world.agree(browser)
    world.spotify.revoke()
    with pytest.raises(LoginExpired, match="six months"):
        world.session(browser).access(renew=True)
    with pytest.raises(LoginExpired):
        world.session(browser).access()


def post(world: World, browser: requests.Session, path: str, **headers: str) -> requests.Response:
    return browser.post(f"{world.ours}{path}", headers=headers, allow_redirects=False, timeout=20)


def test_signing_out_ends_this_session_and_deletes_the_cookie(world):
    here, there = world.browser(), world.browser()
    world.agree(here)
    world.agree(there)
    session, cookie = world.session(here), here.cookies.get(world.store.session_cookie)
    assert post(world, here, "/logout").headers["Location"] == "/?signin=out"
    assert here.cookies.get(world.store.session_cookie) is None
    assert world.store.find_session(cookie) is None
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
def test_a_form_of_another_site_signs_nobody_out(world, path, headers):
    browser = world.browser()
    world.agree(browser)
    assert post(world, browser, path, **headers).status_code == 403
    assert world.session(browser) is not None


def test_a_link_signs_nobody_out(world):
    browser = world.browser()
    world.agree(browser)
    assert browser.get(f"{world.ours}/logout", timeout=20).status_code == 405
    assert world.session(browser) is not None


def test_localhost_is_redirected_to_the_registered_host(world):
    asked = f"{world.ours}/login".replace("127.0.0.1", "localhost")
    answer = requests.get(asked, allow_redirects=False, timeout=20)
    assert answer.headers["Location"] == f"{world.ours}/login?for=read&sent=1"
    assert "Set-Cookie" not in answer.headers


def test_a_proxy_that_changes_the_host_causes_no_redirect_loop(world):
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
def test_the_registered_host_is_spelled_as_browsers_spell_it(uri, host):
    assert Registration("c", uri).host == host


def test_threads_share_the_renewal_of_a_stale_token(world):
    browser = world.browser()
    world.agree(browser)
    session = world.session(browser)
    world.spotify.end_access()
    with ThreadPoolExecutor(8) as threads:
        tokens = set(threads.map(lambda _: session.access(renew=True), range(8)))
    assert tokens <= set(world.spotify._access)
    renewals = [ask for ask in world.spotify.token_requests if ask["grant_type"] == "refresh_token"]
    assert 1 <= len(renewals) <= 8
    assert session.access() in tokens


def test_an_idle_session_ends(world):
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


def test_idle_sessions_end_without_any_request(world):
    browser = world.browser()
    world.agree(browser)
    session = world.session(browser)
    world.clock.now += oauth_sessions.IDLE_S + 1

    async def run() -> None:
        task = asyncio.create_task(oauth.remove_expired_forever(world.store, every_s=0.001))
        async with asyncio.timeout(20):
            while session.scopes:
                await asyncio.sleep(0.001)
        task.cancel()

    run_coroutine(run())
    with pytest.raises(LoginExpired):
        session.access()


def test_items_of_a_session_end_with_it(world):
    class Work:
        cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

    browser = world.browser()
    world.agree(browser)
    session = world.session(browser)
    work = session.get_or_create("work", Work)
    assert session.get_or_create("work", Work) is work
    post(world, browser, "/logout")
    assert work.cancelled
    assert session.get("work") is None
    with pytest.raises(LoginExpired):
        session.get_or_create("work", Work)


def test_a_flood_from_one_network_ends_no_sign_in_of_others(world, monkeypatch):
    monkeypatch.setattr(oauth_sessions, "MAX_SIGN_INS", 10)
    mine, _ = world.store.begin_sign_in("me", oauth.READ, address="192.0.2.1")
    for number in range(50):
        world.store.begin_sign_in(str(number), oauth.READ, address=f"2001:db8::{number:x}")
    assert len(world.store._sign_ins) == 10
    assert world.store.finish_sign_in("me", mine) is not None


def test_sign_ins_of_one_browser_are_limited(world):
    browser = world.browser()
    world.login(browser)
    for _ in range(RATES[SIGN_IN].session.at_once):
        answer = browser.get(f"{world.ours}/login", allow_redirects=False, timeout=20)
    assert answer.headers["Location"] == "/?signin=busy"
    assert world.login(world.browser()).status_code == 200


def test_sign_ins_from_one_address_are_limited_and_a_local_proxy_is_no_address(world):
    limiter = RateLimiter({SIGN_IN: Rates(Rate(9, 9), Rate(1, 60))})
    inner = Starlette(routes=routes(world.store, limiter))

    async def app(scope, receive, send):
        address = dict(scope["headers"])[b"from"].decode()
        await inner({**scope, "client": (address, 1)}, receive, send)

    with serving(app) as ours:

        def is_busy(address: str) -> bool:
            headers = {"Host": world.store.registration.host, "From": address}
            answer = requests.get(
                f"{ours}/login", headers=headers, allow_redirects=False, timeout=20
            )
            return answer.headers["Location"] == "/?signin=busy"

        assert [is_busy("192.0.2.1") for _ in range(2)] == [False, True]
        assert not is_busy("192.0.2.2")
        assert not any(is_busy("127.0.0.1") for _ in range(3))


def test_a_spotify_that_hangs_keeps_no_thread_of_the_pages(world, monkeypatch):
    hangs, go_on = threading.Semaphore(0), threading.Event()

    def hang(*_):
        hangs.release()
        go_on.wait(20)
        raise LoginExpired("too late")

    monkeypatch.setattr(oauth.api, "exchange_code", hang)
    pool = BoundedPool(1, 1)
    app = Starlette(routes=routes(world.store, answers=pool))
    with serving(app) as ours, ThreadPoolExecutor(2) as others:

        def come_back() -> str:
            state, _ = world.store.begin_sign_in("b" * 43, oauth.READ)
            cookies = {world.store.browser_cookie: "b" * 43}
            query = {"state": state, "code": "junk"}
            address = f"{ours}/callback"
            answer = requests.get(
                address, query, cookies=cookies, allow_redirects=False, timeout=30
            )
            return answer.headers["Location"]

        first = others.submit(come_back)
        assert hangs.acquire(timeout=20)
        waiting = pool.submit(lambda: None)
        assert come_back() == "/?signin=busy"
        go_on.set()
        assert first.result(20) == "/?signin=expired" and waiting.result(20) is None


def test_the_numbers_of_sign_ins_and_sessions_are_bounded(world, monkeypatch):
    monkeypatch.setattr(oauth_sessions, "MAX_SIGN_INS", 3)
    monkeypatch.setattr(oauth_sessions, "MAX_SESSIONS", 2)
    states = [world.store.begin_sign_in("b", oauth.READ)[0] for _ in range(4)]
    assert [world.store.finish_sign_in("b", state) is not None for state in states] == [
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
def test_sign_in_is_closed_without_a_valid_registration(registration):
    app = Starlette(routes=routes(SessionStore(registration)))
    with serving(app) as ours:
        answer = requests.get(f"{ours}/login", allow_redirects=False, timeout=20)
    assert answer.headers["Location"] == "/?signin=closed"


def test_cookies_on_https_are_secure_and_bound_to_the_host():
    store = SessionStore(Registration("c", "https://music.example/callback"))
    app = Starlette(routes=routes(store))
    with serving(app) as ours:
        answer = requests.get(
            f"{ours}/login", headers={"Host": "music.example"}, allow_redirects=False, timeout=20
        )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-neighbours-browser=")
    assert "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie
    assert store.session_cookie.startswith("__Host-")


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
def test_redirect_uris_are_checked_by_spotifys_rules(uri, right):
    assert (Registration("c", uri).redirect_uri_problem() == "") is right


def test_only_saving_a_playlist_asks_for_write_access(world):
    browser = world.browser()
    assert "playlist-modify" not in world.login(browser).text
    asked = world.login(browser, "?for=save").text
    assert "playlist-modify-private" in asked and "user-top-read" not in asked
    world.agree(browser)
    both = world.login(browser, "?for=save").text
    assert "playlist-modify-private" in both and "user-top-read" in both


def test_items_move_to_a_new_session_of_the_same_account_only(world):
    for who, carried in (("ada", True), ("ben", False)):
        browser = world.browser()
        world.agree(browser, "ada")
        before = world.session(browser)
        before.account = "account-ada"
        before.get_or_create("reading", lambda: "what was read")
        assert world.agree(browser, who, "?for=save") == "/neighbours?signin=may-save"
        after = world.session(browser)
        assert after is not before
        assert (after.get("reading") == "what was read") is carried
        assert before.get("reading") is None


def test_a_parked_profile_lives_with_its_tab_and_after_the_sign_in_for_minutes(world):
    browser = world.browser()
    parked = ParkedProfile("a profile")
    ticket = world.store.park(parked)
    link = world.choice(world.login(browser, f"?for=save&left={ticket}"), "Cancel")
    del parked
    back = parse_qs(urlsplit(world.back(browser, link)).query)
    assert back["signin"] == ["denied"]
    cookie = browser.cookies.get(world.store.browser_cookie)
    assert world.store.claim("another", "forged") is None
    world.clock.now += 2 * oauth_sessions.SIGN_IN_S - 1
    assert world.store.claim(cookie, back["left"][0]) == "a profile"
    assert world.store.claim(cookie, back["left"][0]) is None
    closed = ParkedProfile("of a closed tab")
    ticket = world.store.park(closed)
    del closed
    link = world.choice(world.login(browser, f"?for=save&left={ticket}"), "Cancel")
    assert world.back(browser, link) == "/neighbours?signin=denied"


def test_an_unclaimed_profile_is_dropped(world):
    browser = world.browser()
    parked = ParkedProfile("a profile")
    watch = weakref.ref(parked)
    link = world.choice(
        world.login(browser, f"?for=save&left={world.store.park(parked)}"), "Cancel"
    )
    del parked
    world.back(browser, link)
    assert watch() is not None
    world.clock.now += 2 * oauth_sessions.SIGN_IN_S + 1
    world.session(browser)  # as every page asks
    assert watch() is None
