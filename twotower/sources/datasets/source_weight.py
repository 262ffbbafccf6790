"""The weight of each source of listening, by the origin of its profiles."""

from collections.abc import Mapping
from types import MappingProxyType

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
