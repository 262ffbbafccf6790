"""The profile in a page's address, so that a reload keeps it and a link can be sent to a friend.

Only picked artists and demos: nothing from a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from twotower.core.domain import DEMO, Artist, Profile
from twotower.core.names import artist_key
from twotower.ui import profile_edits

if TYPE_CHECKING:
    from twotower.model.catalogue import Catalogue

DEMO_PARAM, ARTIST = "demo", "artist"  # query parameters
MOST_ARTISTS = 60  # a longer list stays out of the address
MOST_LETTERS = 200  # of a name


def to_query(profile: Profile | None) -> Mapping[str, list[str]]:
    """Return the query parameters of a profile; empty if it must stay out of the address.

    `demo=metal`, or `artist=1 low` and `artist=3 codeine`: plays and artist key.
    """
    if profile is None:
        return {}
    if profile.origin == DEMO:
        return {DEMO_PARAM: [profile.id.removeprefix("demo-")]}
    if profile.origin == profile_edits.PICKED and len(profile.artists) <= MOST_ARTISTS:
        return {ARTIST: [f"{artist.plays:g} {key}" for key, artist in profile.artists.items()]}
    return {}


def from_query(
    demo: str | None, artists: Sequence[str], *, demos: Sequence[Profile], catalogue: "Catalogue"
) -> Profile | None:
    """Return the profile of query parameters, None if there is none. Skips invalid values."""
    for each in demos:
        if each.id == f"demo-{demo}":
            return each
    picked: dict[str, Artist] = {}
    for text in artists[:MOST_ARTISTS]:
        plays, _, name = text.partition(" ")
        try:
            key = artist_key(name[:MOST_LETTERS])
        except ValueError:
            continue
        if plays in _PLAYS:
            row = catalogue.row(key)
            picked[key] = Artist(key if row is None else catalogue.names[row], _PLAYS[plays])
    return replace(profile_edits.picked("-"), artists=picked) if picked else None


_PLAYS = {f"{plays:g}": plays for plays in profile_edits.LIKING.values()}
