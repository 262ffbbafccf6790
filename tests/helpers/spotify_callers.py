"""Callers of the Spotify stand-in, and the calls that docs/spotify.md lists."""

import re
import threading
from pathlib import Path

from spotify_standin import StandIn

from twotower.sources.spotify.api import READ_SCOPES, SAVE_SCOPES, Registration, SpotifyClient
from twotower.sources.spotify.playlist import SavedPlaylist, save_playlist
from twotower.sources.spotify.profile import SpotifyReading, read_spotify

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "spotify.md").read_text(encoding="utf-8")
CALLS = {
    call: int(count)
    for call, count in re.findall(
        r"^\| `GET (/[^`]+)` \|[^|]*\|[^|]*\| (\d+) \|", DOCUMENT, re.MULTILINE
    )
}


class Reading:
    """Reads one person from the stand-in, and records progress and pauses."""

    def __init__(self, spotify: StandIn, address: str, who: str = "ada") -> None:
        self.spotify = spotify
        self.token = spotify.token_for(who, READ_SCOPES)
        self.pauses: list[tuple[float, str]] = []
        self.progress: list[tuple[float, str]] = []
        self.renewals = 0
        self.no_audio = threading.Event()
        registration = Registration("c", "http://127.0.0.1/callback", address, f"{address}/v1")
        self.web = SpotifyClient(
            registration, self.access, pause=lambda *args: self.pauses.append(args)
        )

    def access(self, *, renew: bool) -> str:
        if renew:
            self.renewals += 1
            self.token = self.spotify.token_for("ada", READ_SCOPES)
        return self.token

    def read(self) -> SpotifyReading:
        return read_spotify(
            self.web, lambda *args: self.progress.append(args), no_audio=self.no_audio
        )


class Saving:
    def __init__(self, spotify: StandIn, address: str) -> None:
        self.spotify = spotify
        token = spotify.token_for("ada", SAVE_SCOPES)
        registration = Registration("c", "r", address, f"{address}/v1")
        self.web = SpotifyClient(registration, lambda *, renew: token, pause=lambda *args: None)

    def save(self, *artists: str) -> SavedPlaylist:
        return save_playlist(
            self.web, lambda *args: None, title="T", description="D", artists=artists
        )

    @property
    def made(self) -> list[dict]:
        return self.spotify.people["ada"].saved_playlists
