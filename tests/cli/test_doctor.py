"""Command `doctor`: its findings, which never have a secret."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from twotower.cli import doctor
from twotower.cli.doctor import Finding, examine, redirect_problem

KEY = "0123456789abcdef0123456789abcdef"


def quick(env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """Return the findings of the checks that load nothing."""
    monkeypatch.setattr(doctor, "_loaded", lambda settings: iter(()))
    return {finding.name: finding for finding in examine(env)}


def test_without_configuration_each_note_says_what_to_set(monkeypatch, tmp_path):
    findings = quick({"TWOTOWER_DATA": str(tmp_path)}, monkeypatch)
    assert {name: one.state for name, one in findings.items()} == {
        "Python": "good",
        "Spotify sign-in": "note",
        "Redirect URI": "good",
        "Last.fm": "note",
        "ListenBrainz": "note",
        "Audio look-ups": "note",
        "Public data sets": "note",
    }
    assert "SPOTIPY_CLIENT_ID" in findings["Spotify sign-in"].message
    assert "http://127.0.0.1:8501/callback" in findings["Redirect URI"].message
    assert "open the app as http://127.0.0.1:8501" in findings["Redirect URI"].message
    assert "LASTFM_API_KEY" in findings["Last.fm"].message
    assert "TWOTOWER_CONTACT" in findings["ListenBrainz"].message


def test_configured_services_are_good_and_no_secret_is_printed(monkeypatch, tmp_path):
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
    findings = quick(env, monkeypatch)
    assert {one.state for name, one in findings.items() if name != "Spotify secret"} == {"good"}
    assert "remove it" in findings["Spotify secret"].message
    assert "me@example.org" in findings["ListenBrainz"].message
    assert "hetrec" in findings["Public data sets"].message
    text = repr(findings)
    assert "client-1d" not in text and "s3cret" not in text and KEY not in text


def test_a_malformed_key_is_a_problem_and_is_not_printed(monkeypatch):
    finding = quick({"LASTFM_API_KEY": "pasted wr0ng"}, monkeypatch)["Last.fm"]
    assert finding.state == "problem"
    assert "32 digits" in finding.message and "wr0ng" not in finding.message


def test_an_unknown_look_up_service_is_a_problem(monkeypatch):
    finding = quick({"TWOTOWER_AUDIO_LOOKUP": "elsewhere"}, monkeypatch)["Audio look-ups"]
    assert finding.state == "problem" and "reccobeats or acousticbrainz" in finding.message


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("http://127.0.0.1:8501/callback", ""),
        ("http://[::1]:8501/callback", ""),
        ("https://example.org/callback", ""),
        ("https://example.org:8443/callback", ""),
        ("http://localhost:8501/callback", "localhost is refused"),
        ("http://example.org/callback", "accepts https"),
        ("http://127.0.0.1:9000/callback", "port 8501"),
        ("http://127.0.0.1:8501/", "ending in /callback"),
        ("https://example.org/callback?a=b", "ending in /callback"),
        ("https://me:pw@example.org/callback", "ending in /callback"),
        ("ftp://example.org/callback", "accepts https"),
        ("http://[::1/callback", "not a web address"),
    ],
)
def test_a_redirect_uri_must_suit_spotify_and_this_app(uri: str, problem: str):
    message = redirect_problem(uri)
    assert (problem in message) if problem else message == ""


def test_a_wrong_redirect_uri_is_a_problem_only_if_sign_in_is_on(monkeypatch):
    wrong = {"SPOTIPY_REDIRECT_URI": "http://localhost:8501/callback"}
    assert quick(wrong, monkeypatch)["Redirect URI"].state == "note"
    wrong["SPOTIPY_REDIRECT_URI"] = "https://me:s3cret@example.org/callback"
    findings = quick({**wrong, "SPOTIPY_CLIENT_ID": "x"}, monkeypatch)
    assert "s3cret" not in findings["Redirect URI"].message
    assert findings["Redirect URI"].state == "problem"


def test_model_and_community_are_loaded_and_counted(planted_assets: Path, tmp_path: Path):
    env = {
        "TWOTOWER_ASSETS": str(planted_assets),
        "TWOTOWER_COMMUNITY": f"sqlite:///{tmp_path / 'community.sqlite'}",
    }
    findings = {finding.name: finding for finding in examine(env)}
    assert findings["Model"].state == findings["Community"].state == "good"
    assert findings["Community"].message.startswith(
        "200 listeners, 0 of them people, in sqlite:///"
    )


def test_a_missing_model_is_a_problem_with_a_remedy(tmp_path: Path):
    findings = {finding.name: finding for finding in examine({"TWOTOWER_ASSETS": str(tmp_path)})}
    assert findings["Model"].state == findings["Community"].state == "problem"
    assert "restore" in findings["Model"].message


def test_an_unreachable_community_is_a_problem_without_its_password(
    planted_assets: Path,
):
    env = {
        "TWOTOWER_ASSETS": str(planted_assets),
        "TWOTOWER_COMMUNITY": "nosuchbase://me:s3cret@127.0.0.1/x",
    }
    findings = {finding.name: finding for finding in examine(env)}
    assert findings["Community"].state == "problem"
    assert "s3cret" not in repr(findings)


def test_the_command_marks_each_line_and_ends_with_1_after_a_problem(monkeypatch, capsys):
    findings = [Finding("Model", "good", "loads"), Finding("Last.fm", "problem", "no key\x1b[2J")]
    monkeypatch.setattr(doctor, "examine", lambda env: iter(findings))
    with pytest.raises(doctor.typer.Exit) as ended:
        doctor.doctor()
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out == "ok  Model: loads\n!!  Last.fm: no key [2J\n"
    monkeypatch.setattr(doctor, "examine", lambda env: iter(findings[:1]))
    doctor.doctor()
    assert "ok  Model: loads" in capsys.readouterr().out
