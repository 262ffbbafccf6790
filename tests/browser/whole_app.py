"""The app that the browser tests share, and stand-ins for the services that it uses."""

import threading
from dataclasses import dataclass
from pathlib import Path

from spotify_standin import CLIENT_ID, StandIn
from standins import lastfm, listenbrainz
from webservice import Reply, Request

HEARD = {"Radiohead": 90, "Portishead": 60, "Massive Attack": 55, "Low": 40}
TRACKS = (("Radiohead", "Airbag", 20),)
PATIENCE_S = 60


class MusicServices:
    """ListenBrainz and Last.fm, which answer as soon as `go_on` is set."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()

    def answer(self, request: Request) -> Reply:
        self.go_on.wait(PATIENCE_S)
        standin = lastfm if request.path == "/2.0/" else listenbrainz
        return standin(HEARD, TRACKS, 50)(request)


@dataclass
class Site:
    """The app, with stand-ins for the services that it uses."""

    address: str
    assets: Path  # what ships, and a report of made-up figures
    services: MusicServices
    spotify: StandIn
    theirs: str  # the address of what stands in for Spotify


def environment(spotify: StandIn, theirs: str, folder: Path) -> dict[str, str]:
    return {
        "SPOTIPY_CLIENT_ID": CLIENT_ID,
        "SPOTIPY_REDIRECT_URI": spotify.redirect_uri,
        "TWOTOWER_SPOTIFY_ACCOUNTS": theirs,
        "TWOTOWER_SPOTIFY_API": f"{theirs}/v1",
        "TMPDIR": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "PYTHONFAULTHANDLER": "1",
    }
