"""Profiles of members who consent to training, and the artists that a model may learn."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from twotower.core.domain import Artist, Profile
from twotower.evaluation.data import MIN_ARTISTS
from twotower.retraining.new_artist_rules import NewArtistRules
from twotower.sources.datasets.artist_content import ArtistContent

HELD_OUT = 0.1  # share of consenting members who are never trained on
MAX_GENRES = 8  # of a new artist


@dataclass(frozen=True)
class Consented:
    """Profiles for training and for the gate, without artists that too few listeners share."""

    training: tuple[Profile, ...]
    held_out: tuple[Profile, ...]  # for the gate; no retraining ever trains on them
    new_artists: tuple[ArtistContent, ...]  # unknown to the shipped model; genres of the profiles
    rare_artists: int  # unknown to the shipped model, left out
    unconfirmed: tuple[str, ...] = ()  # names with enough listeners that nobody has confirmed


def select_consented(
    profiles: Iterable[tuple[str, Profile]],
    known: Collection[str],
    rules: NewArtistRules,
) -> Consented:
    """Split consenting members' (id, profile) into training and held out.

    `known` are the artist keys of the shipped model. Another artist enters, or stays from an
    earlier retraining, if the `rules` admit it by its listeners among the training profiles.
    """
    training: list[Profile] = []
    held_out: list[Profile] = []
    for id, profile in profiles:
        (held_out if is_held_out(id) else training).append(replace(profile, id=id))
    listeners = Counter(key for p in training for key in p.artists if key not in known)
    enough = {key for key, count in listeners.items() if rules.has_enough(key, count)}
    new = enough & rules.names.keys()
    allowed = set(known) | new
    return Consented(
        tuple(each for p in training if (each := _restrict(p, allowed)) is not None),
        tuple(each for p in held_out if (each := _restrict(p, allowed)) is not None),
        tuple(_artist_content(key, rules.names[key], training) for key in sorted(new)),
        len(listeners) - len(enough),
        tuple(_usual_name(key, training) for key in sorted(enough - new)),
    )


def is_held_out(id: str) -> bool:
    """Return True for a tenth of all ids, by a hash: it is the same in every retraining."""
    drawn = hashlib.sha256(f"held out of learning on:{id}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") / 2**64 < HELD_OUT


def _restrict(profile: Profile, allowed: Collection[str]) -> Profile | None:
    """Return the profile with only these artists; None if they are too few to split in half."""
    artists = {key: artist for key, artist in profile.artists.items() if key in allowed}
    if len(artists) < MIN_ARTISTS:
        return None
    return replace(profile, artists=artists, tracks=(), playlists=())


def _usual_name(key: str, profiles: Sequence[Profile]) -> str:
    names = Counter(p.artists[key].name for p in profiles if key in p.artists)
    return min(names, key=lambda each: (-names[each], each))


def _artist_content(key: str, name: str, profiles: Sequence[Profile]) -> ArtistContent:
    """Return an artist with the genres that at least two profiles give it."""
    entries: list[Artist] = [p.artists[key] for p in profiles if key in p.artists]
    genres = Counter(word for artist in entries for word in dict.fromkeys(artist.genres))
    ordered = sorted(genres, key=lambda word: (-genres[word], word))
    shared = tuple(word for word in ordered if genres[word] > 1)
    return ArtistContent(key, name, shared[:MAX_GENRES], {}, None)
