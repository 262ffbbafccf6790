"""Signing in to Spotify in a real browser, against a stand-in: sign-in, attacks, sign-out."""

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from browsing import EACH_SCREEN, is_good, serving, settled, violations
from playwright.sync_api import BrowserContext, Page, expect
from serving import free_port
from serving import serving as answering
from spotify_standin import StandIn
from whole_app import Site, environment

pytestmark = pytest.mark.browser
EVERY_ATTACK = pytest.mark.all_rounds  # tests/web/test_oauth.py makes it without a browser

READ = "Your music from Spotify is here"
NOT_FINISHED = "That sign-in is no longer valid"


@pytest.fixture
def world(site) -> Site:
    site.spotify.gate.set()
    site.spotify.always.clear()
    return site


def sign_in_link(page: Page):
    return page.get_by_role("link", name="Sign in with Spotify")


def sign_in(page: Page, who: str = "ada") -> None:
    """Sign in on the start page and wait until the music is read."""
    sign_in_link(page).click()
    page.get_by_role("link", name=f"Agree as {who}").click()
    expect(page.get_by_role("heading", name=READ)).to_be_visible()
    settled(page)


def is_signed_out(page: Page) -> None:
    expect(sign_in_link(page)).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    expect(page.get_by_text("Portishead")).to_have_count(0)


@EACH_SCREEN
def test_from_sign_in_to_neighbours_and_sign_out(visit, world, look):
    page = visit(world.address, look)
    expect(page.get_by_text("responsible for having permission")).to_be_visible()
    is_good(page)
    world.spotify.gate.clear()
    sign_in_link(page).click()
    expect(page.get_by_text("user-top-read")).to_be_visible()
    expect(page.get_by_text("playlist-modify")).to_have_count(0)
    page.get_by_role("link", name="Agree as ada").click()
    expect(page.get_by_role("heading", name="Reading your music from Spotify")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    assert violations(page) == []
    world.spotify.gate.set()
    expect(page.get_by_role("heading", name=READ)).to_be_visible()
    assert page.url == f"{world.address}/"
    is_good(page)
    page.locator(".st-key-spotify-reading").get_by_role("button", name="See your").click()
    expect(page.get_by_role("heading", level=3)).to_have_count(10)
    page.goto(f"{world.address}/you")
    expect(page.get_by_text("from your Spotify account")).to_be_visible()
    first = page.get_by_role("link", name="Radiohead")
    expect(first).to_have_attribute(
        "href", re.compile(r"^https://open\.spotify\.com/artist/\w{22}$")
    )
    is_good(page)
    page.goto(f"{world.address}/privacy")
    expect(page.get_by_role("button", name="Delete my music now")).to_be_visible()
    is_good(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out. What was read")).to_be_visible()
    is_signed_out(page)
    is_good(page)


def test_the_keyboard_is_enough_to_sign_in_cancel_and_sign_out(visit, world):
    page = visit(world.address)
    expect(sign_in_link(page)).to_be_visible()
    settled(page)
    world.spotify.gate.clear()
    sign_in_link(page).focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Agree as ada").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="was cancelled")).to_be_visible()
    world.spotify.gate.set()
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    is_signed_out(page)


def test_two_people_at_once_each_see_their_own_music(visit, world):
    one, other = visit(world.address), visit(world.address)
    sign_in_link(one).click()
    sign_in_link(other).click()
    other.get_by_role("link", name="Agree as ben").click()
    one.get_by_role("link", name="Agree as ada").click()
    for page, name in ((one, "Ada"), (other, "Ben"), (one, "Ada")):
        expect(page.get_by_text(f"You are signed in as {name}.")).to_be_visible()
    one.reload()
    expect(one.get_by_text("You are signed in as Ada.")).to_be_visible()
    expect(one.get_by_role("heading", name=READ)).to_be_visible()


def there(page: Page, choice: str) -> str:
    """Go to Spotify, and return the address behind one choice without following it."""
    sign_in_link(page).click()
    return page.get_by_role("link", name=choice).get_attribute("href")


@pytest.mark.parametrize(
    "how",
    ["forged", *(pytest.param(how, marks=EVERY_ATTACK) for how in ("tampered", "missing"))],
)
def test_a_state_that_is_not_the_one_given_signs_nobody_in(visit, world, how):
    page = visit(world.address)
    link = there(page, "Agree as ada")
    state = parse_qs(urlsplit(link).query)["state"][0]
    bad = {"forged": "A" * 43, "tampered": state[:-1] + ("A" if state[-1] != "A" else "B")}
    asked = len(world.spotify.token_requests)
    page.goto(link.replace(state, bad[how]) if how in bad else link.replace("state=", "x="))
    expect(page.get_by_text(NOT_FINISHED)).to_be_visible()
    is_signed_out(page)
    assert len(world.spotify.token_requests) == asked, "the code was not even looked at"


@EVERY_ATTACK
def test_a_state_that_was_used_or_whose_cookie_is_over_signs_nobody_in(visit, world):
    page = visit(world.address)
    link = there(page, "Agree as ada")
    page.goto(link)
    expect(page.get_by_role("heading", name=READ)).to_be_visible()
    page.goto(link)
    expect(page.get_by_text(NOT_FINISHED)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(sign_in_link(page)).to_be_visible()
    link = there(page, "Agree as ada")
    page.context.clear_cookies(name="neighbours-browser")  # as the browser does after ten minutes
    page.goto(link)
    expect(page.get_by_text(NOT_FINISHED)).to_be_visible()
    is_signed_out(page)


def test_nobody_is_signed_in_as_another_by_a_link_that_the_other_sends(visit, world):
    attacker, victim = visit(world.address), visit(world.address)
    link = there(attacker, "Agree as ben")
    there(victim, "Agree as ada")
    victim.goto(link)
    expect(victim.get_by_text(NOT_FINISHED)).to_be_visible()
    is_signed_out(victim)


def test_saying_no_leaves_all_as_it_was(visit, world):
    page = visit(world.address)
    sign_in_link(page).click()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_text("You said no at Spotify")).to_be_visible()
    is_signed_out(page)
    is_good(page)


def tab(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    return page


def test_signing_out_in_one_tab_signs_out_the_other_and_back_shows_nothing(visit, world):
    page = visit(world.address)
    sign_in(page)
    other = tab(page.context, f"{world.address}/you")
    expect(other.get_by_role("link", name="Portishead")).to_be_visible()
    page.get_by_role("link", name="You", exact=True).click()
    expect(page.get_by_role("link", name="Portishead")).to_be_visible()
    page.get_by_role("link", name="Privacy", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    is_signed_out(page)
    other.get_by_role("link", name="Neighbours", exact=True).click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    expect(other.get_by_role("heading", name="Bring some music first")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settled(page)
    expect(page.get_by_text("Portishead")).to_have_count(0)
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)


@EVERY_ATTACK
def test_disconnecting_ends_the_same_persons_session_in_another_browser(visit, world):
    here, there = visit(world.address), visit(world.address)
    for page in (here, there):
        sign_in(page)
    here.get_by_role("button", name="Disconnect Spotify").click()
    expect(here.get_by_text("Disconnected, in every browser.")).to_be_visible()
    page_of_apps = here.get_by_role("link", name="Spotify's page of apps")
    expect(page_of_apps).to_have_attribute("href", "https://www.spotify.com/account/apps/")
    there.get_by_role("link", name="You", exact=True).click()
    expect(there.get_by_role("heading", name="Bring some music first")).to_be_visible()


def test_another_site_can_sign_nobody_out(browser, world):
    page = tab(browser.new_context(), world.address)  # not `visit`: the refusal is in the console
    sign_in(page)
    other = world.theirs.replace("127.0.0.1", "localhost")  # another port would be the same site
    page.goto(f"{other}/another-site?to={world.address}/logout")
    page.get_by_role("button", name="Win").click()
    expect(page.get_by_text("Another site sent this request")).to_be_visible()
    page.goto(world.address)
    expect(page.get_by_text("You are signed in as Ada.")).to_be_visible()
    page.context.close()


@EVERY_ATTACK
def test_who_comes_by_localhost_is_signed_in_at_the_address_that_spotify_knows(visit, world):
    page = visit(world.address.replace("127.0.0.1", "localhost"))
    sign_in(page)
    assert page.url == f"{world.address}/"


def test_no_token_is_in_a_page_an_address_the_log_or_a_file(visit, tmp_path):
    port = free_port()
    spotify = StandIn(f"http://127.0.0.1:{port}/callback")
    spotify.lasts_s = 30  # so that every call renews
    log: list[str] = []
    seen: list[str] = []
    with (
        answering(spotify.app) as theirs,
        serving(tmp_path, port=port, env=environment(spotify, theirs, tmp_path), log=log) as app,
    ):
        page = visit(app)
        page.context.on("request", lambda each: seen.append(f"{each.url} {each.headers}"))
        page.on("websocket", lambda socket: [
            socket.on("framereceived", lambda frame: seen.append(as_text(frame))),
            socket.on("framesent", lambda frame: seen.append(as_text(frame))),
        ])  # fmt: skip
        sign_in(page)
        for name in ("You", "Neighbours", "Map", "Privacy"):
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            settled(page)
            seen.append(page.content())
            assert "code=" not in page.url and "state=" not in page.url
        stored = page.evaluate(
            "() => JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])"
        )
        seen.extend([stored, str(page.context.cookies())])
        assert "neighbours-" not in stored
        page.get_by_role("button", name="Sign out").click()
        is_signed_out(page)
        page.goto("about:blank")
    tokens = {secret for secret in spotify.secrets if secret.startswith(("access-", "refresh-"))}
    assert len(tokens) > 10
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name.startswith("community.sqlite") for path in written)
    for path in written:
        seen.append(path.read_bytes().decode("latin-1"))
    everything = "\n".join([*seen, *log])
    assert "Portishead" in everything and "neighbours-session" in everything
    assert not [token for token in tokens if token in everything]
    assert not [code for code in spotify.secrets - tokens if code in "\n".join(log)]
    assert "Portishead" not in "\n".join(log)


def as_text(frame: bytes | str) -> str:
    return frame if isinstance(frame, str) else frame.decode("latin-1")


def test_a_restart_signs_out_and_says_so(visit, tmp_path):
    port = free_port()
    spotify = StandIn(f"http://127.0.0.1:{port}/callback")
    with answering(spotify.app) as theirs:
        env = environment(spotify, theirs, tmp_path)
        with serving(tmp_path, port=port, env=env) as app:
            page = visit(app)
            sign_in(page)
            page.goto("about:blank")
        with serving(tmp_path, port=port, env=env):
            page.goto(app)
            expect(page.get_by_text("or the server was restarted")).to_be_visible()
            is_signed_out(page)
            is_good(page)
            sign_in(page)
            page.goto("about:blank")


def certificate(folder: Path) -> dict[str, str]:
    """Return the environment of an https server, with a new certificate."""
    key, own = folder / "key.pem", folder / "certificate.pem"
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl isn't here to make a certificate")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
               "-keyout", str(key), "-out", str(own), "-subj", "/CN=127.0.0.1"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return {
        "STREAMLIT_SERVER_SSL_CERT_FILE": str(own),
        "STREAMLIT_SERVER_SSL_KEY_FILE": str(key),
    }


def test_on_https_the_cookies_are_secure_and_bound_to_the_host(browser, tmp_path):
    port = free_port()
    spotify = StandIn(f"https://127.0.0.1:{port}/callback")
    with answering(spotify.app) as theirs:
        env = environment(spotify, theirs, tmp_path) | certificate(tmp_path)
        with serving(tmp_path, port=port, env=env) as app:
            context = browser.new_context(ignore_https_errors=True)
            page = tab(context, app)
            sign_in(page)
            ours = [each for each in context.cookies() if "neighbours" in each["name"]]
            assert {each["name"] for each in ours} == {
                "__Host-neighbours-session", "__Host-neighbours-browser",
            }  # fmt: skip
            assert all(each["secure"] and each["httpOnly"] for each in ours)
            page.get_by_role("button", name="Sign out").click()
            is_signed_out(page)
            left = {each["name"] for each in context.cookies()}
            assert "__Host-neighbours-session" not in left
            context.close()


@EVERY_ATTACK
def test_without_a_client_id_the_card_says_so(fresh_address, visit):
    page = visit(fresh_address)
    card = page.locator(".st-key-spotify")
    expect(card.get_by_text("Sign-in isn't set up on this server")).to_be_visible()
    expect(sign_in_link(page)).to_have_count(0)
    page.goto(f"{fresh_address}/login")
    expect(page.get_by_text("Spotify sign-in isn't set up on this server.")).to_be_visible()


def ask_to_allow(page: Page) -> None:
    """Go from the page Neighbours to Spotify, to allow a playlist."""
    expect(page.get_by_role("heading", level=3)).to_have_count(10)
    settled(page)
    page.get_by_text("Save as a Spotify playlist").click()
    link = page.get_by_role("link", name="Allow it at Spotify")
    before = link.element_handle()
    page.get_by_role("slider").press("ArrowRight")
    expect(page.get_by_role("heading", name="The 15 closest")).to_be_visible()
    assert before.evaluate("each => each.isConnected"), "the link was drawn again"
    link.click()
    page.wait_for_url(lambda url: "/neighbours" not in url)


@pytest.mark.parametrize("look", ["light", "phone"])
def test_discoveries_are_saved_as_a_playlist(visit, world, look):
    page = visit(f"{world.address}/neighbours?artist=1+radiohead&artist=1+low", look)
    ask_to_allow(page)
    expect(page.get_by_text("It asks for: playlist-modify-private")).to_be_visible()
    page.get_by_role("link", name="Agree as ben").click()
    expect(page.get_by_text("You can make the playlist now")).to_be_visible()
    assert "left=" not in page.url and "signin=" not in page.url
    is_good(page)
    page.get_by_role("button", name="Make the playlist").click()
    expect(page.get_by_text("tracks of 20 artists.")).to_be_visible()
    made = world.spotify.people["ben"].saved_playlists[-1]
    link = page.get_by_role("link", name="Your playlist")
    expect(link).to_have_attribute("href", f"https://open.spotify.com/playlist/{made['id']}")
    assert len(made["uris"]) == 40
    is_good(page)


def test_music_that_was_read_stays_when_a_playlist_is_allowed(visit, world):
    page = visit(world.address)
    sign_in(page)
    asked = len(world.spotify.requests)
    page.get_by_role("link", name="Neighbours", exact=True).click()
    ask_to_allow(page)
    page.get_by_role("link", name="Agree as ada").click()
    expect(page.get_by_role("button", name="Make the playlist")).to_be_visible()
    assert [path for _, path, _ in world.spotify.requests[asked:]] == ["me"]
    page.get_by_role("link", name="You", exact=True).click()
    expect(page.get_by_text("from your Spotify account")).to_be_visible()


def test_saying_no_to_a_playlist_loses_no_music(visit, world):
    page = visit(world.address)
    file = {"name": "my.csv", "mimeType": "text/csv", "buffer": b"artist,plays\nLow,9\nMogwai,4\n"}
    page.locator("input[type=file]").set_input_files(file)
    page.locator(".st-key-upload").get_by_role("button", name="See your neighbours").click()
    ask_to_allow(page)
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_text("You said no at Spotify")).to_be_visible()
    page.get_by_role("link", name="You", exact=True).click()
    expect(page.get_by_text("2 artists from your files")).to_be_visible()


def test_the_pages_are_guarded_and_can_be_framed_by_nobody(browser, world):
    page = browser.new_page()
    answer = page.goto(world.address)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(f"{world.theirs}/another-site?to={world.address}/")
    page.evaluate(
        """address => new Promise(done => {
            const frame = document.createElement('iframe');
            frame.onload = done;
            frame.src = address;
            document.body.append(frame);
        })""",
        world.address,
    )
    assert "Find the people" not in page.frames[1].content()
    page.close()
