"""Where things are, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Settings:
    """Paths and addresses; nothing here is secret."""

    data: Path  # raw public data sets, for training and evaluation only
    assets: Path  # what ships: model, catalogue, invented listeners
    community: str  # database URL

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
        )
