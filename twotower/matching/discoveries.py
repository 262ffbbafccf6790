"""Artists to discover: those that the neighbours play and the listener doesn't, ranked."""

from collections.abc import Sequence
from dataclasses import dataclass

from twotower.core.domain import Neighbour, Profile
from twotower.core.names import artist_key

MAX_DISCOVERIES = 50


@dataclass(frozen=True, slots=True)
class Discovery:
    """An artist that some neighbours play and the listener doesn't."""

    artist: str  # as the best-ranked of them writes it
    heard_by: tuple[str, ...]  # their names, best rank first


def rank_discoveries(
    neighbours: Sequence[Neighbour], mine: Profile, count: int = MAX_DISCOVERIES
) -> tuple[Discovery, ...]:
    """Return up to `count` artists to discover, best first.

    Each neighbour adds 1 / (own rank + the artist's place in their list) to an artist's weight.
    """
    weights: dict[str, float] = {}
    spelling: dict[str, str] = {}
    heard_by: dict[str, list[str]] = {}
    for neighbour in neighbours:
        for position, name in enumerate(neighbour.discover, 1):
            key = artist_key(name)
            if key not in mine.artists:
                weights[key] = weights.get(key, 0.0) + 1.0 / (neighbour.rank + position)
                spelling.setdefault(key, name)
                heard_by.setdefault(key, []).append(neighbour.listener.name)
    ranked = sorted(weights, key=lambda key: -weights[key])[:count]
    return tuple(Discovery(spelling[key], tuple(heard_by[key])) for key in ranked)
