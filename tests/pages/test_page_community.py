"""The page Community: join, see and change what is stored, leave."""

import gc
import json
import re

import pytest
from changes import ME, OTHER, opened
from streamlit.testing.v1 import AppTest
from world import INDEX, state_of

from twotower.community import receipts
from twotower.community.queries import last_change
from twotower.core.domain import SPOTIFY_WEB_API, Artist
from twotower.core.errors import UnknownCode
from twotower.core.names import artist_key
from twotower.ui import model_cache, rate_limiting
from twotower.ui.state import COUNT, KEY, UploadState, VisitorState
from twotower.web.downloads import OFFERED, Download
from twotower.web.rate_limits import CODE, JOIN, LEAVE, RATES, Rate, RateLimiter, Rates


@pytest.fixture
def matcher(planted_assets, tmp_path):
    return opened(planted_assets, tmp_path)


@pytest.fixture
def visit(matcher, monkeypatch):
    """visit(profile) opens the page in a session of its own."""
    monkeypatch.setattr(model_cache, "load_matcher", lambda: matcher)
    made = RateLimiter()
    monkeypatch.setattr(rate_limiting, "limits", lambda: made)

    def open_page(profile=ME, page: str = "community.py") -> AppTest:
        app = AppTest.from_file(str(INDEX), default_timeout=20)
        state_of(app).profile = profile
        app.switch_page(page).run()
        assert not app.exception
        return app

    return open_page


def words(app) -> str:
    text = "\n".join(e.value for kind in ("markdown", "error", "warning", "info", "success")
                     for e in getattr(app, kind))  # fmt: skip
    return text.replace("\\", "")


def headings(app) -> list[str]:
    return [e.value for e in app.header]


def press(app, key: str):
    app.button(key=key).click().run()
    assert not app.exception
    return app


def joined(visit, **yes: bool):
    """A session that has joined, with its code."""
    app = visit()
    for name in yes or {"findable": True}:
        app.checkbox(key=f"join-{name}").check().run()
    press(app, "go-join")
    code = app.code[0].value
    press(app, "go-code-saved")
    return app, code


def open_with(visit, code: str):
    app = visit(None)
    app.text_input(key="code-typed").set_value(code)
    next(b for b in app.button if b.label == "Open").click().run()
    assert not app.exception
    return app


def test_without_music_it_says_what_joining_is_and_takes_a_code(visit):
    app = visit(None)
    assert headings(app) == ["Join", "Bring some music first", "Already a member?"]
    assert "nothing is stored unless you join" in words(app)


def test_both_choices_begin_off_and_one_is_needed_to_join(visit):
    app = visit()
    assert [box.value for box in app.checkbox] == [False, False]
    assert app.button(key="go-join").disabled
    assert "Choose at least one" in words(app) and "You appear on nobody's list" in words(app)


def test_the_preview_is_what_others_will_see(visit, matcher):
    app, _ = visit(), None
    app.checkbox(key="join-findable").check().run()
    name = app.text_input(key="join-name").value
    assert name in headings(app)
    assert ":green-badge[member]" in words(app)
    app.multiselect(key="join-artists").set_value(list(ME.artists)[:4]).run()
    card = next(m.value for m in app.markdown if "**Plays**" in m.value)
    press(app, "go-join")
    press(app, "go-code-saved")
    (stored,) = matcher.named_like(name, 5)
    assert len(stored.artists) == 4 and all(artist in card for artist, _ in stored.artists)


def test_artists_are_chosen_all_at_once_or_none(visit):
    app = visit()
    app.checkbox(key="join-findable").check().run()
    press(app, "join-none")
    assert app.multiselect(key="join-artists").value == []
    assert "choose at least 3" in words(app)
    press(app, "join-all")
    assert len(app.multiselect(key="join-artists").value) == len(ME.artists)


def test_another_suggestion_is_another_name(visit):
    app = visit()
    app.checkbox(key="join-findable").check().run()
    before = app.text_input(key="join-name").value
    press(app, "join-suggest")
    assert app.text_input(key="join-name").value != before


def test_a_bad_name_is_an_error_and_joining_with_it_changes_nothing(visit, matcher):
    app = visit()
    app.checkbox(key="join-findable").check().run()
    app.text_input(key="join-name").set_value("me@example.com").run()
    assert "An e-mail address identifies you" in words(app)
    before = last_change(matcher.community)
    press(app, "go-join")
    assert last_change(matcher.community) == before and app.error


@pytest.mark.parametrize("name", ["*x* Otter", "<b>bold</b>", "a=1+cmd()", ":red[x] $y$"])
def test_a_hostile_name_is_shown_letter_for_letter(visit, name):
    app = visit()
    app.checkbox(key="join-findable").check().run()
    app.text_input(key="join-name").set_value(name).run()
    assert name not in headings(app)
    shown = next(h for h in headings(app) if h not in ("Join", "Already a member?"))
    assert shown.replace("\\", "").replace("\u2060", "") == name


def test_nothing_is_stored_before_the_owner_has_saved_the_code(visit, matcher):
    before = last_change(matcher.community)
    app = visit()
    app.checkbox(key="join-findable").check().run()
    press(app, "go-join")
    code = app.code[0].value
    assert code.startswith("MN-") and "Save your access code" in headings(app)[0]
    assert "Nothing is stored yet" in words(app) and "can't send you another" in words(app)
    assert last_change(matcher.community) == before and matcher.membership.find(code) is None
    press(app, "code-cancel")
    assert not app.code and "Join" in headings(app)
    press(app, "go-join")
    assert app.code[0].value == code, "a saved code stays the right one"
    press(app, "go-code-saved")
    assert matcher.membership.find(code) is not None
    assert not app.code and "What we store" in headings(app)
    assert "You have joined" in words(app) and code not in words(app)


def test_what_is_stored_is_what_the_preview_showed_even_if_the_music_changed_since(visit, matcher):
    app = visit()
    app.checkbox(key="join-findable").check().run()
    press(app, "go-join")
    state_of(app).profile = OTHER
    code = app.code[0].value
    press(app, "go-code-saved")
    stored = matcher.membership.find(code).listener.artists
    assert {artist_key(name) for name, _ in stored} <= set(ME.artists)


def test_a_join_that_was_not_confirmed_is_deleted_with_the_music(visit):
    app = visit()
    app.checkbox(key="join-findable").check().run()
    press(app, "go-join")
    app.switch_page("privacy.py").run()
    press(app, "privacy-remove")
    assert state_of(app).membership.pending is None


def test_a_member_is_not_their_own_neighbour_and_others_see_them(visit, matcher):
    app, _ = joined(visit)
    id = state_of(app).membership.member.id
    app.switch_page("neighbours.py").run()
    assert not app.exception
    assert id not in {n.listener.id for n in state_of(app).neighbours.neighbours}
    other = visit(ME, "neighbours.py")
    assert state_of(other).neighbours.neighbours[0].listener.id == id
    assert ":green-badge[member]" in words(other)


def test_the_code_opens_it_in_another_browser_and_choices_change_without_music(visit, matcher):
    app, code = joined(visit)
    there = open_with(visit, code.lower().replace("-", " "))
    assert "What we store" in headings(there) and not there.code
    assert "first bring it on the start page" in words(there)
    there.text_input(key="join-name").set_value("Cobalt Waltz").run()
    kept = there.multiselect(key="join-artists").value[:5]
    there.multiselect(key="join-artists").set_value(kept).run()
    press(there, "change-save")
    assert "Saved. Others see it from now on." in words(there)
    seen = matcher.person(state_of(app).membership.member.id)
    assert seen.name == "Cobalt Waltz" and len(seen.artists) == 5


def test_todays_music_replaces_what_is_stored(visit, matcher):
    app, _ = joined(visit)
    state_of(app).profile = OTHER
    app.run()
    app.checkbox(key="change-today").check().run()
    press(app, "change-save")
    shown = matcher.person(state_of(app).membership.member.id).artists
    assert {artist_key(name) for name, _ in shown} <= set(OTHER.artists)


def test_leaving_takes_one_click_and_one_confirmation_and_gives_a_receipt(visit, matcher):
    app, code = joined(visit)
    id = state_of(app).membership.member.id
    assert "It can't be undone" in words(app)
    press(app, "leave")
    press(app, "leave-stay")
    assert matcher.person(id) is not None
    press(app, "leave")
    press(app, "go-leave")
    assert matcher.person(id) is None
    assert headings(app)[0] == "You have left. Your receipt"
    assert id in words(app)
    removal, digest = receipts.read(joining_receipt(app))
    assert removal.id == id and removal.removed["listeners"] == 1
    assert receipts.verify(removal, digest, matcher.community).holds
    there = open_with(visit, code)
    assert "No member has this access code" in words(there)


def joining_receipt(app) -> str:
    from twotower.ui.community import receipt_json

    return receipt_json(state_of(app).membership.receipt)


def test_downloads_are_made_when_asked_for_and_end_with_the_membership(visit, matcher):
    app = visit()
    app.checkbox(key="join-findable").check().run()
    press(app, "go-join")
    code = app.code[0].value
    (saved,) = offered(app)
    assert saved.make().startswith(code) and saved.ticket not in code
    assert code not in "".join(each.value for each in app.get("html"))
    press(app, "go-code-saved")
    (everything,) = offered(app)
    assert json.loads(everything.make())["name"]
    matcher.membership.leave(code)
    with pytest.raises(UnknownCode):
        everything.make()
    ticket, everything = everything.ticket, None
    app.run()
    gc.collect()
    assert OFFERED.find(ticket) is None and not offered(app)


def offered(app) -> list[Download]:
    """Return the downloads that the page offers now."""
    forms = "".join(each.value for each in app.get("html"))
    found = [OFFERED.find(ticket) for ticket in re.findall('name="ticket" value="([^"]+)"', forms)]
    assert None not in found
    return found


def test_an_open_list_drops_a_member_who_left_at_its_next_run(visit, matcher):
    app, code = joined(visit)
    id = state_of(app).membership.member.id
    other = visit(ME, "neighbours.py")
    assert id in {n.listener.id for n in state_of(other).neighbours.neighbours}
    matcher.membership.leave(code)
    other.run()
    assert id not in {n.listener.id for n in state_of(other).neighbours.neighbours}


def test_deleting_my_music_leaves_nothing_of_it_in_the_session(visit):
    app = visit()
    app.checkbox(key="join-findable").check().run()
    for page in ("map.py", "neighbours.py", "you.py", "privacy.py"):
        app.switch_page(page).run()
    press(app, "privacy-remove")
    state = state_of(app)
    assert state == VisitorState(
        is_restored=True, upload=UploadState(field_number=1), membership=state.membership
    )
    assert set(app.session_state.keys()) == {KEY, COUNT}


def test_a_membership_that_was_left_elsewhere_has_ended_here_too(visit, matcher):
    app, code = joined(visit)
    matcher.membership.leave(code)
    app.run()
    assert "You left from another page" in words(app) and "Join" in headings(app)


@pytest.mark.parametrize(
    ("origin", "reason"),
    [("demo", "made-up listener can't join"), (SPOTIFY_WEB_API, "ask Spotify for your own")],
)
def test_a_profile_that_may_not_join_gets_the_reason_and_a_way_on(visit, origin, reason):
    from dataclasses import replace

    app = visit(replace(ME, origin=origin))
    assert reason in words(app) and not app.checkbox
    assert "Already a member?" in headings(app)


def test_a_profile_of_unknown_artists_gets_advice(visit):
    from dataclasses import replace

    app = visit(replace(ME, artists={"nobody": Artist("Nobody")}))
    assert "We don't know these artists yet" in headings(app)


def test_attempts_at_codes_are_limited(visit, monkeypatch):
    few = RateLimiter({CODE: Rates(Rate(2, 60), Rate(9, 9), Rate(9, 9))})
    monkeypatch.setattr(rate_limiting, "limits", lambda: few)
    app = visit(None)
    for _ in range(3):
        app.text_input(key="code-typed").set_value("MN-WRONG")
        next(b for b in app.button if b.label == "Open").click().run()
    assert "with an access code: nothing was done; try again in 60 seconds" in words(app)


def test_guesses_of_others_keep_no_member_out(visit, matcher, monkeypatch):
    _, code = joined(visit)
    few = RateLimiter({CODE: Rates(Rate(1, 60), Rate(1, 60), Rate(1, 60)), LEAVE: RATES[LEAVE]})
    monkeypatch.setattr(rate_limiting, "limits", lambda: few)
    for _ in range(2):
        wrong = open_with(visit, "MN-WRONG")
    assert "Too many attempts" in words(wrong)
    there = open_with(visit, code)
    assert "What we store" in headings(there)
    press(there, "leave")
    press(there, "go-leave")
    assert matcher.membership.find(code) is None


def test_attempts_to_join_are_limited(visit, monkeypatch, matcher):
    few = RateLimiter({JOIN: Rates(Rate(1, 60), Rate(1, 9), Rate(1, 9))})
    monkeypatch.setattr(rate_limiting, "limits", lambda: few)
    joined(visit)
    before = last_change(matcher.community)
    app = visit()
    app.checkbox(key="join-findable").check().run()
    press(app, "go-join")
    press(app, "go-code-saved")
    assert "Too many attempts to join" in words(app) and last_change(matcher.community) == before
