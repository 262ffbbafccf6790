"""Where things are, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parents[1]
LISTENBRAINZ_API = "https://api.listenbrainz.org"
LASTFM_API = "https://ws.audioscrobbler.com"
NO_CONTACT = "no contact given"


@dataclass(frozen=True, slots=True)
class Settings:
    """Paths, addresses, and the keys of services, which are never shown."""

    data: Path  # raw public data sets, for training and evaluation only
    assets: Path  # what ships: model, catalogue, invented listeners
    community: str  # database URL
    lastfm_key: str = field(default="", repr=False)  # of the operator; without it no Last.fm
    contact: str = NO_CONTACT  # mail or web address that services get to see
    listenbrainz_api: str = LISTENBRAINZ_API  # another place is for tests
    lastfm_api: str = LASTFM_API
    audio_lookup: str = ""  # "reccobeats" or "acousticbrainz": allowed by the operator
    audio_api: str = ""  # another place is for tests

    @property
    def model(self) -> Path:
        return self.assets / "model"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """TWOTOWER_DATA, TWOTOWER_ASSETS and TWOTOWER_COMMUNITY, each with a default that works."""
        home = Path(platformdirs.user_data_dir("musical-neighbours", appauthor=False))
        return cls(
            data=Path(env.get("TWOTOWER_DATA") or ROOT / "data"),
            assets=Path(env.get("TWOTOWER_ASSETS") or ROOT / "assets"),
            community=env.get("TWOTOWER_COMMUNITY") or f"sqlite:///{home / 'community.sqlite'}",
            lastfm_key=env.get("LASTFM_API_KEY", "").strip(),
            contact=env.get("TWOTOWER_CONTACT", "").strip() or NO_CONTACT,
            listenbrainz_api=env.get("TWOTOWER_LISTENBRAINZ_API") or LISTENBRAINZ_API,
            lastfm_api=env.get("TWOTOWER_LASTFM_API") or LASTFM_API,
            audio_lookup=env.get("TWOTOWER_AUDIO_LOOKUP", "").strip().lower(),
            audio_api=env.get("TWOTOWER_AUDIO_API", ""),
        )
