"""Command `doctor`: check how a server is set up. Prints no secret."""

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import typer

from twotower.cli.options import Json
from twotower.cli.terminal import CHECK_FAILED, ProgressLine, plain, show_result
from twotower.core.database_url import describe_database
from twotower.core.errors import TwoTowerError
from twotower.core.settings import NO_CONTACT, ROOT, Settings

State = Literal["good", "note", "problem"]  # a note is about something optional
MARKS: dict[State, str] = {"good": "ok", "note": "--", "problem": "!!"}
DEFAULT_PORT = 8501  # of Streamlit

_KEY = re.compile(r"[0-9a-f]{32}")
_PASSWORD = re.compile(r"(?<=://)\S*@")


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check. `message` says what to do, and has no secret."""

    name: str
    state: State
    message: str


def doctor(json: Json = False) -> None:
    """Check the configuration, the model, the community and the data.

    Prints no secret. The exit code is 1 if the app can't work yet.
    """
    findings = []
    with ProgressLine() as progress:
        for finding in examine(os.environ):
            findings.append(finding)
            progress(0.5, f"after {finding.name}")
    healthy = all(finding.state != "problem" for finding in findings)
    checks = [{"name": f.name, "state": f.state, "said": f.message} for f in findings]
    lines = [f"{MARKS[f.state]}  {f.name}: {plain(f.message)}" for f in findings]
    show_result({"healthy": healthy, "checks": checks}, "\n".join(lines), json=json)
    if not healthy:
        raise typer.Exit(CHECK_FAILED)


def examine(env: Mapping[str, str]) -> Iterator[Finding]:
    """Yield one finding after the other, the slow ones last."""
    settings = Settings.from_env(env)
    yield Finding("Python", "good", ".".join(map(str, sys.version_info[:3])))
    yield from _spotify(env, settings)
    yield _lastfm(settings)
    yield _contact(settings)
    yield _audio(settings)
    yield _data(settings)
    yield from _loaded(settings)


def _spotify(env: Mapping[str, str], settings: Settings) -> Iterator[Finding]:
    is_open, uri = bool(settings.spotify_client_id), settings.spotify_redirect_uri
    if is_open:
        yield Finding("Spotify sign-in", "good", "SPOTIPY_CLIENT_ID is set")
    else:
        message = "off: set SPOTIPY_CLIENT_ID to the client id of an app at Spotify to turn it on"
        yield Finding("Spotify sign-in", "note", message)
    if problem := redirect_problem(uri):
        message = f"{_without_password(uri)}: {problem}"
        yield Finding("Redirect URI", "problem" if is_open else "note", message)
    else:
        message = f"{uri}: register exactly this at Spotify, and open the app as {uri[:-9]}"
        yield Finding("Redirect URI", "good", message)
    if env.get("SPOTIPY_CLIENT_SECRET"):
        message = "SPOTIPY_CLIENT_SECRET is set but not needed: remove it"
        yield Finding("Spotify secret", "note", message)


def redirect_problem(uri: str) -> str:
    """Return why signing in can't work with this redirect URI; "" if it can."""
    from twotower.sources.spotify.api import Registration

    if problem := Registration("", uri).redirect_uri_problem():
        return problem
    parts = urlsplit(uri)
    if parts.scheme == "http" and (parts.port or 80) != (port := _port()):
        return f"the app answers on port {port} (.streamlit/config.toml)"
    return ""


def _port() -> int:
    """Return the port of the app in Streamlit's configuration."""
    try:
        config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return DEFAULT_PORT
    port = config.get("server", {}).get("port", DEFAULT_PORT)
    return port if isinstance(port, int) else DEFAULT_PORT


def _lastfm(settings: Settings) -> Finding:
    if not settings.lastfm_key:
        message = "off: set LASTFM_API_KEY, a free key of Last.fm, to turn it on"
        return Finding("Last.fm", "note", message)
    if not _KEY.fullmatch(settings.lastfm_key):
        message = "LASTFM_API_KEY is no key of Last.fm: it needs 32 digits and letters a to f"
        return Finding("Last.fm", "problem", message)
    return Finding("Last.fm", "good", "LASTFM_API_KEY is set")


def _contact(settings: Settings) -> Finding:
    if settings.contact == NO_CONTACT:
        message = "on; set TWOTOWER_CONTACT to your mail or web address: ListenBrainz asks for one"
        return Finding("ListenBrainz", "note", message)
    return Finding("ListenBrainz", "good", f"on; your contact there is {settings.contact}")


def _audio(settings: Settings) -> Finding:
    from twotower.sources.services.audio_features import AUDIO_SERVICES

    services = " or ".join(AUDIO_SERVICES)
    if not settings.audio_lookup:
        message = f"off: set TWOTOWER_AUDIO_LOOKUP={services} to offer look-ups of audio attributes"
        return Finding("Audio look-ups", "note", message)
    if settings.audio_lookup not in AUDIO_SERVICES:
        return Finding("Audio look-ups", "problem", f"TWOTOWER_AUDIO_LOOKUP must be {services}")
    return Finding("Audio look-ups", "good", f"on, at {AUDIO_SERVICES[settings.audio_lookup].name}")


def _data(settings: Settings) -> Finding:
    from twotower.sources.datasets.tables import FOLDERS

    names = [name for name, folder in FOLDERS.items() if (settings.data / folder).is_dir()]
    if not names:
        message = f"none in {settings.data}: only `train` and `evaluate` need them (docs/data.md)"
        return Finding("Public data sets", "note", message)
    return Finding("Public data sets", "good", f"{', '.join(names)} in {settings.data}")


def _loaded(settings: Settings) -> Iterator[Finding]:
    """Load the model, then the community, which is created if there is none."""
    from twotower.matching.matcher import Matcher  # torch is slow to import
    from twotower.model.embedder import Embedder

    try:
        embedder = Embedder.load(settings.model)
    except TwoTowerError as error:
        yield Finding("Model", "problem", str(error))
        yield Finding("Community", "problem", "not checked: it needs the model")
        return
    artists = len(embedder.catalogue)
    message = f"{embedder.version} in {settings.model}, {artists:,} artists"
    yield Finding("Model", "good", message)
    try:
        snapshot = Matcher.load(settings).snapshot()
    except TwoTowerError as error:
        yield Finding("Community", "problem", str(error))
        return
    people = snapshot.total - snapshot.total_synthetic
    where = describe_database(settings.community)
    yield Finding(
        "Community", "good", f"{snapshot.total:,} listeners, {people:,} of them people, in {where}"
    )


def _without_password(text: str) -> str:
    """Return `text` with possible names and passwords in addresses replaced."""
    return _PASSWORD.sub("…@", text)
