"""The page Privacy: what is read, kept and shown, and the ways to be rid of it."""

import pytest
from visiting import words


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


def test_it_says_what_each_door_reads_and_how_long_it_is_kept(app):
    app.switch_page("privacy.py").run()
    assert not app.exception
    assert app.title[0].value == "Privacy"
    assert [each.value for each in app.subheader] == [
        "A demo listener, or artists you pick", "Files", "ListenBrainz and Last.fm",
        "How your tracks sound, where whoever runs the server allows it", "Spotify sign-in",
        "Joining the community", "A playlist in your Spotify account",
    ]  # fmt: skip
    assert words(app).count("**How long:**") == 7


def test_it_names_everyone_whom_the_server_may_ask(app):
    app.switch_page("privacy.py").run()
    (said,) = (each.value for each in app.markdown if "Its log holds" in each.value)
    for asked in ("ListenBrainz or Last.fm", "Spotify while you are signed in", "tracks sound"):
        assert asked in said
    assert "are invented, and marked so" in said


def test_it_says_what_is_stored_of_who_joins_and_what_stays_of_who_left(app):
    app.switch_page("privacy.py").run()
    said = words(app)
    assert "unless you join the community" in said
    assert "leaves no trace in them" in said and "a hash of your return code" in said
    assert "your random id, the time and a digest" in said
    assert "may keep faint traces of it until it is trained again" in said


def test_without_music_it_leads_to_the_start(app):
    app.switch_page("privacy.py").run()
    assert "There is no music of yours here" in words(app)


def test_one_click_removes_what_was_brought_with_no_way_back(app):
    app.run()
    app.button(key="add-amara jazz").click().run()
    app.switch_page("privacy.py").run()
    app.button(key="privacy-remove").click().run()
    assert app.session_state["profile"] is None
    assert "steps" not in app.session_state
    assert "artist" not in app.query_params


def test_what_was_read_from_spotify_goes_from_the_server_too(visit):
    session = visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    app.switch_page("privacy.py").run()
    assert any('action="/disconnect"' in each.value for each in app.get("html"))
    app.button(key="privacy-remove").click().run()
    assert app.session_state["profile"] is None
    assert session.get("reading") is None
    assert visit.tab().session_state["profile"] is None
