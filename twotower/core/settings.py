"""Settings, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED_APP = _PACKAGE / "_app"  # made by setup.py; a checkout has none
# Folder of app.py, pages/, assets/ and .streamlit/.
ROOT = _INSTALLED_APP if _INSTALLED_APP.is_dir() else _PACKAGE.parent
# Folder of the public data sets: in the checkout, else in the working directory.
DEFAULT_DATA = Path("data") if ROOT == _INSTALLED_APP else ROOT / "data"
LISTENBRAINZ_API = "https://api.listenbrainz.org"
LASTFM_API = "https://ws.audioscrobbler.com"
NO_CONTACT = "no contact given"
REDIRECT_URI = "http://127.0.0.1:8501/callback"
SPOTIFY_ACCOUNTS, SPOTIFY_API = "https://accounts.spotify.com", "https://api.spotify.com/v1"


@dataclass(frozen=True, slots=True)
class Settings:
    """Paths, addresses and keys of services. Keys are never shown."""

    data: Path  # raw public data sets, for training and evaluation only
    assets: Path  # shipped files: model, catalogue, synthetic listeners
    community: str  # database URL
    models: Path | None = None  # folder of retrained models; default: beside the database
    lastfm_key: str = field(default="", repr=False)  # of the operator; Last.fm is off without it
    contact: str = NO_CONTACT  # mail or web address, sent to services with each request
    listenbrainz_api: str = LISTENBRAINZ_API  # other addresses are for tests, here and below
    lastfm_api: str = LASTFM_API
    audio_lookup: str = ""  # "reccobeats" or "acousticbrainz", if the operator allows one
    audio_api: str = ""
    spotify_client_id: str = ""  # of the operator's app; sign-in is off without it
    spotify_redirect_uri: str = REDIRECT_URI
    spotify_accounts: str = SPOTIFY_ACCOUNTS
    spotify_api: str = SPOTIFY_API

    @property
    def model(self) -> Path:
        return self.assets / "model"

    @property
    def registry_folder(self) -> Path:
        """Folder of the models that were retrained on this community."""
        if self.models is not None:
            return self.models
        scheme, _, rest = self.community.partition("///")
        file = rest.partition("?")[0]
        if scheme.startswith("sqlite") and file and file != ":memory:":
            return Path(f"{file}.models")
        return Path(platformdirs.user_data_dir("musical-neighbours", appauthor=False)) / "models"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment; every variable has a working default (see docs/spotify.md)."""
        home = Path(platformdirs.user_data_dir("musical-neighbours", appauthor=False))
        return cls(
            data=Path(env.get("TWOTOWER_DATA") or DEFAULT_DATA),
            assets=Path(env.get("TWOTOWER_ASSETS") or ROOT / "assets"),
            community=env.get("TWOTOWER_COMMUNITY") or f"sqlite:///{home / 'community.sqlite'}",
            models=Path(env["TWOTOWER_MODELS"]) if env.get("TWOTOWER_MODELS") else None,
            lastfm_key=env.get("LASTFM_API_KEY", "").strip(),
            contact=env.get("TWOTOWER_CONTACT", "").strip() or NO_CONTACT,
            listenbrainz_api=env.get("TWOTOWER_LISTENBRAINZ_API") or LISTENBRAINZ_API,
            lastfm_api=env.get("TWOTOWER_LASTFM_API") or LASTFM_API,
            audio_lookup=env.get("TWOTOWER_AUDIO_LOOKUP", "").strip().lower(),
            audio_api=env.get("TWOTOWER_AUDIO_API", ""),
            spotify_client_id=env.get("SPOTIPY_CLIENT_ID", "").strip(),
            spotify_redirect_uri=env.get("SPOTIPY_REDIRECT_URI", "").strip() or REDIRECT_URI,
            spotify_accounts=env.get("TWOTOWER_SPOTIFY_ACCOUNTS") or SPOTIFY_ACCOUNTS,
            spotify_api=env.get("TWOTOWER_SPOTIFY_API") or SPOTIFY_API,
        )
