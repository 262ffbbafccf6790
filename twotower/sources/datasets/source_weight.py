"""Weight of each origin of profiles in training, and the kind of step it is part of."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

# What one profile of an origin counts, compared with a listener of HetRec. Other origins count 1.
SOURCE_WEIGHT: Mapping[str, float] = MappingProxyType(
    {
        "hetrec": 1.0,
        "mpd": 0.3,
        "mpd-withheld": 0.3,
        "netease": 1.0,
        "netease-tv": 0.3,
        "archive": 0.5,
        "editorial": 0.5,
        "philippines": 0.5,
        "vagalume": 0.5,
        "kexp": 0.5,
        "chart": 0.15,  # synthetic listeners drawn from charts
    }
)

Kind = Literal["listener", "playlist", "list", "chart"]
_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "mpd": "playlist",
        "mpd-withheld": "playlist",
        "netease": "list",
        "netease-tv": "list",
        "archive": "list",
        "editorial": "list",
        "philippines": "list",
        "vagalume": "list",
        "kexp": "list",
        "chart": "chart",
    }
)


def kind_of(origin: str) -> Kind:
    """Return the kind of training step that profiles of an origin are part of."""
    return _KINDS.get(origin, "listener")
