"""The listeners who said yes to training, and which of their artists a model may learn."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from twotower.core.domain import Artist, Profile
from twotower.evaluation.data import MIN_ARTISTS
from twotower.sources.datasets.artist_content import ArtistContent

SHARE_OF = 5  # consenting listeners that an artist unknown so far needs
HELD_OUT = 0.1  # of those who consent are never trained on, only asked
GENRES_KEPT = 8  # of an artist that is new


@dataclass(frozen=True)
class Consented:
    """Profiles as training may read them: without artists that too few share."""

    training: tuple[Profile, ...]
    held: tuple[Profile, ...]  # for the checks; never trained on by any refresh
    new: tuple[ArtistContent, ...]  # artists beside those that ship, with genres of the profiles
    left_out: int  # artists unknown to the model that ships that too few share


def consented(
    profiles: Iterable[tuple[str, Profile]], known: Collection[str], *, share: int = SHARE_OF
) -> Consented:
    """(id, profile) of those who consent; `known` are the artists of the model that ships.

    Another enters, or stays from the refresh before, where at least `share` of those who are
    trained on have it.
    """
    training: list[Profile] = []
    held: list[Profile] = []
    for id, profile in profiles:
        (held if is_held(id) else training).append(replace(profile, id=id))
    having = Counter(key for p in training for key in p.artists if key not in known)
    new = {key for key, count in having.items() if count >= share}
    allowed = set(known) | new
    return Consented(
        tuple(each for p in training if (each := _only(p, allowed)) is not None),
        tuple(each for p in held if (each := _only(p, allowed)) is not None),
        tuple(_told(key, training) for key in sorted(new)),
        len(having) - len(new),
    )


def is_held(id: str) -> bool:
    """Whether a listener is only asked; by a hash, so that no later refresh trains on them."""
    drawn = hashlib.sha256(f"held out of learning on:{id}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") / 2**64 < HELD_OUT


def _only(profile: Profile, allowed: Collection[str]) -> Profile | None:
    """The profile of these artists; None where that are too few to be split in two."""
    artists = {key: artist for key, artist in profile.artists.items() if key in allowed}
    if len(artists) < MIN_ARTISTS:
        return None
    return replace(profile, artists=artists, tracks=(), playlists=())


def _told(key: str, profiles: Sequence[Profile]) -> ArtistContent:
    """What those who have an artist say of it: the usual name, and genres that two of them give."""
    having: list[Artist] = [p.artists[key] for p in profiles if key in p.artists]
    names = Counter(artist.name for artist in having)
    genres = Counter(word for artist in having for word in dict.fromkeys(artist.genres))
    name = min(names, key=lambda each: (-names[each], each))
    said = sorted(genres, key=lambda word: (-genres[word], word))
    return ArtistContent(
        key, name, tuple(word for word in said if genres[word] > 1)[:GENRES_KEPT], {}, None
    )
