"""The check of the set-up: what it finds, and that it tells no secret."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from twotower.cli import doctor, operator
from twotower.cli.doctor import Finding, examine, redirect_problem

KEY = "0123456789abcdef0123456789abcdef"


def quick(env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """All findings but those that load something."""
    monkeypatch.setattr(doctor, "_loaded", lambda settings: iter(()))
    return {finding.name: finding for finding in examine(env)}


def test_nothing_set_is_no_problem_and_says_what_opens_each_door(monkeypatch, tmp_path):
    found = quick({"TWOTOWER_DATA": str(tmp_path)}, monkeypatch)
    assert {name: one.state for name, one in found.items()} == {
        "Python": "good",
        "Spotify sign-in": "note",
        "Redirect URI": "good",
        "Last.fm": "note",
        "ListenBrainz": "note",
        "Audio look-ups": "note",
        "Public data sets": "note",
    }
    assert "SPOTIPY_CLIENT_ID" in found["Spotify sign-in"].said
    assert "http://127.0.0.1:8501/callback" in found["Redirect URI"].said
    assert "open the app as http://127.0.0.1:8501" in found["Redirect URI"].said
    assert "LASTFM_API_KEY" in found["Last.fm"].said
    assert "TWOTOWER_CONTACT" in found["ListenBrainz"].said


def test_what_is_set_is_said_and_no_secret_of_it(monkeypatch, tmp_path):
    (tmp_path / "hetrec2011-lastfm-2k").mkdir()
    env = {
        "SPOTIPY_CLIENT_ID": "client-1d",
        "SPOTIPY_CLIENT_SECRET": "s3cret",
        "SPOTIPY_REDIRECT_URI": "https://neighbours.example.org/callback",
        "LASTFM_API_KEY": KEY,
        "TWOTOWER_CONTACT": "me@example.org",
        "TWOTOWER_AUDIO_LOOKUP": "ReccoBeats",
        "TWOTOWER_DATA": str(tmp_path),
    }
    found = quick(env, monkeypatch)
    assert {one.state for name, one in found.items() if name != "Spotify secret"} == {"good"}
    assert "take it away" in found["Spotify secret"].said
    assert "me@example.org" in found["ListenBrainz"].said
    assert "hetrec" in found["Public data sets"].said
    told = repr(found)
    assert "client-1d" not in told and "s3cret" not in told and KEY not in told


def test_a_key_that_is_none_is_a_problem_and_not_told(monkeypatch):
    found = quick({"LASTFM_API_KEY": "pasted wr0ng"}, monkeypatch)["Last.fm"]
    assert found.state == "problem" and "32 digits" in found.said and "wr0ng" not in found.said


def test_a_look_up_at_a_place_we_don_t_know_is_a_problem(monkeypatch):
    found = quick({"TWOTOWER_AUDIO_LOOKUP": "elsewhere"}, monkeypatch)["Audio look-ups"]
    assert found.state == "problem" and "reccobeats or acousticbrainz" in found.said


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://127.0.0.1:8501/callback", ""),
        ("http://[::1]:8501/callback", ""),
        ("https://example.org/callback", ""),
        ("https://example.org:8443/callback", ""),
        ("http://localhost:8501/callback", "localhost is refused"),
        ("http://example.org/callback", "takes https"),
        ("http://127.0.0.1:9000/callback", "port 8501"),
        ("http://127.0.0.1:8501/", "ending in /callback"),
        ("https://example.org/callback?a=b", "ending in /callback"),
        ("https://me:pw@example.org/callback", "ending in /callback"),
        ("ftp://example.org/callback", "takes https"),
        ("http://[::1/callback", "no address"),
    ],
)
def test_a_redirect_uri_is_what_spotify_takes_and_this_app_answers(uri: str, says: str):
    said = redirect_problem(uri)
    assert (says in said) if says else said == ""


def test_a_wrong_redirect_uri_is_a_problem_only_where_the_door_is_open(monkeypatch):
    wrong = {"SPOTIPY_REDIRECT_URI": "http://localhost:8501/callback"}
    assert quick(wrong, monkeypatch)["Redirect URI"].state == "note"
    wrong["SPOTIPY_REDIRECT_URI"] = "https://me:s3cret@example.org/callback"
    opened = quick({**wrong, "SPOTIPY_CLIENT_ID": "x"}, monkeypatch)
    assert "s3cret" not in opened["Redirect URI"].said
    assert opened["Redirect URI"].state == "problem"


def test_model_and_community_are_loaded_and_counted(planted_assets: Path, tmp_path: Path):
    env = {
        "TWOTOWER_ASSETS": str(planted_assets),
        "TWOTOWER_COMMUNITY": f"sqlite:///{tmp_path / 'community.sqlite'}",
    }
    found = {finding.name: finding for finding in examine(env)}
    assert found["Model"].state == found["Community"].state == "good"
    assert found["Community"].said.startswith("200 listeners, 0 of them people, in sqlite:///")


def test_a_missing_model_is_a_problem_with_the_way_out(tmp_path: Path):
    found = {finding.name: finding for finding in examine({"TWOTOWER_ASSETS": str(tmp_path)})}
    assert found["Model"].state == found["Community"].state == "problem"
    assert "restore" in found["Model"].said


def test_a_community_out_of_reach_is_a_problem_and_its_password_not_told(planted_assets: Path):
    env = {
        "TWOTOWER_ASSETS": str(planted_assets),
        "TWOTOWER_COMMUNITY": "nosuchbase://me:s3cret@127.0.0.1/x",
    }
    found = {finding.name: finding for finding in examine(env)}
    assert found["Community"].state == "problem"
    assert "s3cret" not in repr(found)


def test_the_command_marks_each_line_and_ends_with_1_where_something_is_wrong(monkeypatch, capsys):
    found = [Finding("Model", "good", "loads"), Finding("Last.fm", "problem", "no key\x1b[2J")]
    monkeypatch.setattr(doctor, "examine", lambda env: iter(found))
    with pytest.raises(operator.typer.Exit) as ended:
        operator.doctor()
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out == "ok  Model: loads\n!!  Last.fm: no key [2J\n"
    monkeypatch.setattr(doctor, "examine", lambda env: iter(found[:1]))
    operator.doctor()
    assert "ok  Model: loads" in capsys.readouterr().out
