"""Shared by the readers of data sets: a listener's plays summed by artist."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from twotower.core.domain import Artist, Profile
from twotower.core.placeholders import is_placeholder


class ArtistPlays:
    """Plays of one listener by artist key, each artist under the spelling that came first."""

    def __init__(self) -> None:
        self._artists: dict[str, tuple[str, float]] = {}  # key -> (name, plays)

    def __len__(self) -> int:
        return len(self._artists)

    def add(self, key: str, name: str, plays: float) -> None:
        """Add plays of an artist; placeholders such as "Various Artists" are none."""
        if plays > 0 and not is_placeholder(name):
            first_name, before = self._artists.get(key, (name, 0.0))
            self._artists[key] = (first_name, before + plays)

    def profile(self, id: str, origin: str, **groups: Any) -> Profile:
        """Return the listener's profile; `groups` are further fields of it."""
        artists: Mapping[str, Artist] = MappingProxyType(
            {key: Artist(name, plays) for key, (name, plays) in self._artists.items()}
        )
        return Profile(id, artists, origin=origin, **groups)
