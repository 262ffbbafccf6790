"""Whether a server is set up: what is configured, loads or is missing; no secret is told."""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from twotower.core.errors import TwoTowerError
from twotower.core.settings import NO_CONTACT, ROOT, Settings
from twotower.sources.datasets.tables import FOLDERS
from twotower.sources.services.audio_features import LOOKUPS

State = Literal["good", "note", "problem"]  # a note is about a door that may stay closed

_KEY = re.compile(r"[0-9a-f]{32}")
_PASSWORD = re.compile(r"(?<=:)[^:/@\s]+(?=@)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `said` has what to do about it, and no secret."""

    name: str
    state: State
    said: str


def examine(env: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding at a time, the slow ones last."""
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
        said = "closed: SPOTIPY_CLIENT_ID of an app in Spotify's developer dashboard opens it"
        yield Finding("Spotify sign-in", "note", said)
    if problem := redirect_problem(uri):
        said = f"{_without_password(uri)}: {problem}"
        yield Finding("Redirect URI", "problem" if is_open else "note", said)
    else:
        said = f"{uri}: register exactly this at Spotify, and open the app as {uri[:-9]}"
        yield Finding("Redirect URI", "good", said)
    if env.get("SPOTIPY_CLIENT_SECRET"):
        said = "SPOTIPY_CLIENT_SECRET is set and not needed: better take it away"
        yield Finding("Spotify secret", "note", said)


def redirect_problem(uri: str) -> str:
    """Why signing in to Spotify can't work with this redirect URI; "" where it can."""
    from twotower.sources.spotify.api import Registration

    if problem := Registration("", uri).problem():
        return problem
    parts = urlsplit(uri)
    if parts.scheme == "http" and (parts.port or 80) != (here := _port()):
        return f"the app answers on port {here} (.streamlit/config.toml)"
    return ""


def _port() -> int:
    try:
        config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 8501
    port = config.get("server", {}).get("port", 8501)
    return port if isinstance(port, int) else 8501


def _lastfm(settings: Settings) -> Finding:
    if not settings.lastfm_key:
        said = "closed: LASTFM_API_KEY, which Last.fm gives for nothing, opens it"
        return Finding("Last.fm", "note", said)
    if not _KEY.fullmatch(settings.lastfm_key):
        said = "LASTFM_API_KEY is no key of Last.fm: these are 32 digits and letters from a to f"
        return Finding("Last.fm", "problem", said)
    return Finding("Last.fm", "good", "LASTFM_API_KEY is set")


def _contact(settings: Settings) -> Finding:
    if settings.contact == NO_CONTACT:
        said = "TWOTOWER_CONTACT should be your mail or web address, which ListenBrainz asks for"
        return Finding("ListenBrainz", "note", f"open, but {said}")
    return Finding("ListenBrainz", "good", f"open; it is told to write to {settings.contact}")


def _audio(settings: Settings) -> Finding:
    places = " or ".join(LOOKUPS)
    if not settings.audio_lookup:
        said = f"closed: TWOTOWER_AUDIO_LOOKUP={places} lets people look up how their tracks sound"
        return Finding("Audio look-ups", "note", said)
    if settings.audio_lookup not in LOOKUPS:
        return Finding("Audio look-ups", "problem", f"TWOTOWER_AUDIO_LOOKUP must be {places}")
    return Finding("Audio look-ups", "good", f"open, at {LOOKUPS[settings.audio_lookup].name}")


def _data(settings: Settings) -> Finding:
    found = [name for name, folder in FOLDERS.items() if (settings.data / folder).is_dir()]
    if not found:
        said = f"none in {settings.data}: only training and judging need them (docs/data.md)"
        return Finding("Public data sets", "note", said)
    return Finding("Public data sets", "good", f"{', '.join(found)} in {settings.data}")


def _loaded(settings: Settings) -> Iterator[Finding]:
    """The model, then the community, which is made where there is none."""
    from twotower.matching.matcher import Matcher
    from twotower.model.embedder import Embedder  # torch takes a moment

    try:
        embedder = Embedder.load(settings.model)
    except TwoTowerError as error:
        yield Finding("Model", "problem", str(error))
        yield Finding("Community", "problem", "not looked at: it needs the model")
        return
    said = f"{embedder.version} in {settings.model}, {len(embedder.catalogue):,} artists"
    yield Finding("Model", "good", said)
    where = _without_password(settings.community)
    try:
        snapshot = Matcher.load(settings).snapshot()
    except TwoTowerError as error:
        yield Finding("Community", "problem", _without_password(str(error)))
        return
    people = snapshot.total - snapshot.total_synthetic
    said = f"{snapshot.total:,} listeners, {people:,} of them people, in {where}"
    yield Finding("Community", "good", said)


def _without_password(text: str) -> str:
    """`text` with what may be a password in an address blotted out."""
    return _PASSWORD.sub("…", text)
