"""The page Privacy: what is read, stored and sent, and how to delete it."""

import pytest
from visiting import words
from world import state_of


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


def test_each_source_says_what_is_read_and_for_how_long(app):
    app.switch_page("privacy.py").run()
    assert not app.exception
    assert app.title[0].value == "Privacy"
    assert [each.value for each in app.subheader] == [
        "A demo, or artists you pick", "Files", "ListenBrainz and Last.fm",
        "How your tracks sound, if this server allows it", "Spotify sign-in",
        "Joining the community", "A playlist in your Spotify account",
    ]  # fmt: skip
    assert words(app).count("**How long:**") == 7


def test_it_names_every_service_that_the_server_may_ask(app):
    app.switch_page("privacy.py").run()
    (text,) = (each.value for each in app.markdown if "The log has errors" in each.value)
    for service in ("ListenBrainz or Last.fm", "Spotify: while you are", "An audio service"):
        assert service in text
    assert "are made up and marked" in text


def test_it_says_what_is_stored_of_members_and_what_stays_after_leaving(app):
    app.switch_page("privacy.py").run()
    text = words(app)
    assert "We store it only if you join. Nobody else sees it unless you join." in text
    assert "leaves no trace in them" in text and "fingerprint (hash) of your access code" in text
    assert "your random id, the time and a checksum (digest)" in text
    assert "may keep faint traces until it is next trained, without you" in text


def test_without_music_it_leads_to_the_start(app):
    app.switch_page("privacy.py").run()
    assert "We have no music of yours" in words(app)


def test_one_click_deletes_the_music_for_good(app):
    app.run()
    app.button(key="add-amara jazz").click().run()
    app.switch_page("privacy.py").run()
    app.button(key="privacy-remove").click().run()
    assert state_of(app).profile is None
    assert state_of(app).steps == []
    assert "artist" not in app.query_params


def test_music_read_from_spotify_is_deleted_from_the_server_too(visit):
    session = visit.sign_in()
    app = visit.read(visit.tab(signin="done"))
    app.switch_page("privacy.py").run()
    assert any('action="/disconnect"' in each.value for each in app.get("html"))
    app.button(key="privacy-remove").click().run()
    assert state_of(app).profile is None
    assert session.get("reading") is None
    assert state_of(visit.tab()).profile is None
