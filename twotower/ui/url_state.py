"""A profile in the address of a page, so that it outlives a reload and can be sent to a friend.

Only what a visitor picked here, or a demo listener: nothing that came from a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from twotower.core.domain import DEMO, Artist, Profile
from twotower.core.names import artist_key
from twotower.ui import profile_edits

if TYPE_CHECKING:
    from twotower.model.catalogue import Catalogue

DEMO_PARAM, ARTIST = "demo", "artist"  # parameters of the address
LONGEST = 60  # artists; a longer list stays out of the address
LETTERS = 200  # of a name


def told(profile: Profile | None) -> Mapping[str, list[str]]:
    """The parameters that stand for a profile; none for one that stays out of the address.

    `demo=metal`, or `artist=1 low` and `artist=3 codeine`: plays and artist key.
    """
    if profile is None:
        return {}
    if profile.origin == DEMO:
        return {DEMO_PARAM: [profile.id.removeprefix("demo-")]}
    if profile.origin == profile_edits.PICKED and len(profile.artists) <= LONGEST:
        return {ARTIST: [f"{artist.plays:g} {key}" for key, artist in profile.artists.items()]}
    return {}


def meant(
    demo: str | None, artists: Sequence[str], *, demos: Sequence[Profile], catalogue: "Catalogue"
) -> Profile | None:
    """The profile that the parameters stand for; what makes no sense in them is passed over."""
    for each in demos:
        if each.id == f"demo-{demo}":
            return each
    found: dict[str, Artist] = {}
    for text in artists[:LONGEST]:
        plays, _, name = text.partition(" ")
        try:
            key = artist_key(name[:LETTERS])
        except ValueError:
            continue
        if plays in _PLAYS:
            row = catalogue.row(key)
            found[key] = Artist(key if row is None else catalogue.names[row], _PLAYS[plays])
    return replace(profile_edits.picked("-"), artists=found) if found else None


_PLAYS = {f"{plays:g}": plays for plays in profile_edits.LIKING.values()}
