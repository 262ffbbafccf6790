"""The page Start: demos, artists by name, files."""

import io
import json
import threading
import zipfile

from streamlit.testing.v1 import AppTest
from world import INDEX, state_of

from twotower.core.domain import Profile
from twotower.core.errors import CommunityError
from twotower.sources.reader import read_files
from twotower.ui import model_cache, uploads, visitor


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_it_says_what_the_app_does_before_anything_else(app):
    assert not app.exception
    assert app.title[0].value == "Find the people who hear music the way you do"
    assert len([b for b in app.button if b.key.startswith("demo-")]) == 5


def test_a_demo_listener_is_one_click_from_neighbours(app):
    app.button(key="demo-1").click().run()
    assert not app.exception
    assert app.title[0].value == "Your neighbours"
    assert len(app.subheader) == 10
    assert state_of(app).profile.name == "Jazz and more"


def test_typing_finds_artists_and_a_click_adds_one(app):
    app.text_input(key="artist-search").set_value("amara j").run()
    found = [b for b in app.button if b.key.startswith("add-")]
    assert [b.label for b in found] == ["Amara Jazz"]
    found[0].click().run()
    assert list(state_of(app).profile.artists) == ["amara jazz"]
    assert app.text_input(key="artist-search").value == ""
    assert app.button(key="chip-amara jazz")
    assert "pairs are this close" in words(app)


def test_an_unknown_artist_gets_an_answer(app):
    app.text_input(key="artist-search").set_value("<b>qqq").run()
    assert "No artist called “\\<b\\>qqq”" in words(app)


def test_what_is_near_is_suggested_next(app, planted):
    session_groups = planted.catalogue.group_of
    app.button(key="add-amara folk").click().run()
    suggested = [b.key.removeprefix("add-") for b in app.button if b.key.startswith("add-")]
    assert len(suggested) > 3
    assert {session_groups[key] for key in suggested} == {session_groups["amara folk"]}


def test_a_picked_artist_replaces_a_demo(app):
    app.button(key="demo-0").click().run()
    app.switch_page("start.py").run()
    app.button(key="add-amara pop").click().run()
    assert list(state_of(app).profile.artists) == ["amara pop"]
    assert state_of(app).profile.origin == "picked"


def test_picked_artists_can_be_weighed_removed_and_restored(app):
    app.button(key="add-amara jazz").click().run()
    app.text_input(key="artist-search").set_value("amara folk").run()
    app.button(key="add-amara folk").click().run()
    app.segmented_control(key="like-amara folk").set_value("live for").run()
    assert state_of(app).profile.artists["amara folk"].plays == 9
    app.button(key="chip-amara folk").click().run()
    assert list(state_of(app).profile.artists) == ["amara jazz"]
    app.button(key="undo").click().run()
    assert state_of(app).profile.artists["amara folk"].plays == 9


def test_starting_over_can_be_undone(app):
    app.button(key="add-amara jazz").click().run()
    app.button(key="start-over").click().run()
    assert state_of(app).profile is None
    app.button(key="undo").click().run()
    assert list(state_of(app).profile.artists) == ["amara jazz"]


def test_removing_the_last_artist_leaves_a_way_back(app):
    app.button(key="add-amara jazz").click().run()
    app.button(key="chip-amara jazz").click().run()
    assert state_of(app).profile is None
    app.button(key="undo").click().run()
    assert list(state_of(app).profile.artists) == ["amara jazz"]


def history(*artists: str) -> bytes:
    rows = [
        {"endTime": "2024-05-01 10:00", "artistName": name, "trackName": "t", "msPlayed": ms}
        for name in artists
        for ms in (200_000, 5_000)
    ]
    return json.dumps(rows).encode()


def test_an_uploaded_history_becomes_the_profile_and_is_reported(app):
    file = history("Amara Techno", "Ammoth Techno")
    app.file_uploader[0].upload("StreamingHistory0.json", file).run()
    assert not app.exception
    assert set(state_of(app).profile.artists) == {"amara techno", "ammoth techno"}
    assert "**StreamingHistory0\\.json** · 2 plays of 2 artists, May 2024 to May 2024" in words(app)
    assert "2 shorter than 30 s" in words(app)


def test_liked_songs_are_not_called_plays_and_guests_count_as_artists(app):
    file = (
        "Track URI,Track Name,Artist Name(s)\n"
        "spotify:track:1,A,Amara Techno;Ammoth Techno\nspotify:track:2,B,Amara Techno\n"
    )
    app.file_uploader[0].upload("Liked_Songs.csv", file.encode()).run()
    assert "**Liked\\_Songs\\.csv** · 2 saved or listed tracks of 2 artists" in words(app)
    assert len(state_of(app).profile.artists) == 2


def test_credits_and_files_without_listening_are_reported(app):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("plays.csv", "artist,plays\nAmara Techno & Ammoth Techno,3\n")
        archive.writestr("bills.csv", "day,sum\n1,2\n")
    app.file_uploader[0].upload("export.zip", packed.getvalue()).run()
    assert not app.exception
    assert set(state_of(app).profile.artists) == {"amara techno", "ammoth techno"}
    assert "1 credit of several artists split" in words(app)
    (passed_over,) = (line for line in words(app).splitlines() if "Passed over" in line)
    assert "bills" in passed_over and "No column is named artist" in passed_over


def test_of_a_long_history_the_most_played_artists_are_shown(app, planted):
    names = planted.catalogue.names[:30]
    file = history(*names, *names[20:], *names[29:])
    app.file_uploader[0].upload("StreamingHistory0.json", file).run()
    chips = [b.label for b in app.button if b.key.startswith("chip-")]
    assert len(chips) == 12
    assert chips[0] == names[29]
    assert set(names[20:]) <= set(chips)
    assert "18 more on the page You" in words(app)


def test_a_file_without_music_says_so_and_the_profile_stays(app):
    app.button(key="add-amara jazz").click().run()
    app.file_uploader[0].upload("notes.txt", b"").run()
    assert not app.exception
    assert "notes\\.txt" in app.error[0].value
    assert "Your earlier music is still here" in app.error[0].value
    assert list(state_of(app).profile.artists) == ["amara jazz"]


def test_a_long_reading_shows_progress_and_can_be_stopped(app, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(files, progress):
        progress(0.4, "Reading a file")
        begun.set()
        go_on.wait(20)
        progress(0.5, "Reading on")
        return read_files(files, progress)

    monkeypatch.setattr(uploads, "read_files", slow)
    monkeypatch.setattr(uploads, "WAIT_S", 0.0)
    app.button(key="add-amara jazz").click().run()
    app.file_uploader[0].upload("StreamingHistory0.json", history("Amara Techno")).run()
    assert begun.wait(20)
    job = state_of(app).upload.job
    app.button(key="upload-stop").click().run()
    go_on.set()
    job.join(20)
    app.run()
    assert not app.exception
    assert "Stopped. Nothing changed." in words(app)
    assert list(state_of(app).profile.artists) == ["amara jazz"]


def test_a_history_of_unknown_artists_is_an_error_and_the_profile_stays(app):
    app.button(key="add-amara jazz").click().run()
    app.file_uploader[0].upload("StreamingHistory0.json", history("Nobody At All")).run()
    assert "the model knows none of the" in app.error[0].value
    assert list(state_of(app).profile.artists) == ["amara jazz"]


def test_the_spotify_card_leads_to_the_data_export(app):
    assert "https://www.spotify.com/account/privacy/" in words(app)


def test_the_number_of_undo_steps_is_limited(app):
    for number in range(visitor.MOST_STEPS + 5):
        key = "like-amara jazz"
        if number == 0:
            app.button(key="add-amara jazz").click().run()
        else:
            app.segmented_control(key=key).set_value(["love", "like"][number % 2]).run()
    assert len(state_of(app).steps) == visitor.MOST_STEPS
    assert isinstance(state_of(app).profile, Profile)


def test_an_address_with_artists_is_a_profile_and_follows_it(planted, monkeypatch):
    monkeypatch.setattr(model_cache, "load_matcher", lambda: planted)
    app = AppTest.from_file(str(INDEX), default_timeout=20)
    app.query_params["artist"] = ["3 amara jazz", "1 amara folk"]
    app.run()
    assert state_of(app).profile.artists["amara jazz"].plays == 3
    app.button(key="chip-amara folk").click().run()
    assert app.query_params["artist"] == "3 amara jazz"


def test_the_address_of_a_demo_listener_goes_along_from_page_to_page(app):
    app.button(key="demo-1").click().run()
    assert app.query_params["demo"] == "jazz"
    app.switch_page("map.py").run()
    assert app.query_params["demo"] == "jazz"


def test_visitors_do_not_see_where_the_server_keeps_its_data(new_app, monkeypatch):
    def fail():
        raise CommunityError("can't be reached: try again", where="postgresql://db.internal/music")

    monkeypatch.setattr(model_cache, "load_matcher", fail)
    new_app.switch_page("neighbours.py").run()
    (shown,) = (each.value for each in new_app.error)
    assert "Can't be reached: try again" in shown.replace("\\", "") and "internal" not in shown
