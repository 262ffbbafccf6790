"""Attribution of a match to the artists of both people: reasons that add up to the number shown.

A match is the similarity of two people less the hub correction. `attribute` returns three lists
of reasons, each of which sums to the match: the similarity shared out over the artists of the one,
over those of the other, and the mean of both lists. Never add the first two up: that would be
twice the similarity.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, Literal

import numpy as np

from twotower.core.domain import Profile
from twotower.core.names import artist_key
from twotower.model.attribution import ItemKind, split_taste
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder
from twotower.retrieval.play_attribution import split_item_item, split_overlap
from twotower.retrieval.similarity import HUB_SHARE, W_VECTOR, ListenerBatch, PlayRowReader

NOTHING = 1e-7  # a rest of single precision
ROUNDING = 1e-3  # vectors are stored in half precision: such a rest is no artist that isn't named
OTHER_ARTISTS: Final = "other artists"
BASE_VALUE: Final = "base value"
HUB_CORRECTION: Final = "hub correction"
GROUP_NAMES: Mapping[ItemKind, str] = {
    "genres": "genres",
    "playlists": "playlist titles",
    "audio": "audio attributes",
}

ReasonKind = (
    ItemKind | Literal["other artists", "base value", "hub correction", "genre", "decade", "rest"]
)
Whose = Literal["one", "other", "both"]


@dataclass(frozen=True, slots=True)
class Reason:
    """The contribution of an artist, or of anything else, to a match."""

    kind: ReasonKind
    name: str  # as the profile writes it
    whose: Whose  # of the two people
    key: str = ""  # artist key
    taste: float = 0.0
    overlap: float = 0.0
    item_item: float = 0.0
    hub: float = 0.0

    @property
    def contribution(self) -> float:
        """The sum of the parts. May be negative."""
        return self.taste + self.overlap + self.item_item + self.hub


@dataclass(frozen=True, eq=False)
class Person:
    """One of two people who are compared, with all artists that may be named."""

    id: str
    name: str
    profile: Profile  # for a member: the artists that others may see
    batch: ListenerBatch  # of one
    density: float  # local density
    dimensions: float  # effective dimensions that the profile determines
    is_member: bool = False


@dataclass(frozen=True)
class Attribution:
    """Three lists of reasons for one match, each summing to it, largest contribution first."""

    by_one: tuple[Reason, ...]  # over the artists of the one, the other as they are
    by_other: tuple[Reason, ...]  # the other way round
    by_both: tuple[Reason, ...]  # half of each list, added up by artist


def attribute(embedder: Embedder, reader: PlayRowReader, one: Person, other: Person) -> Attribution:
    """Return the reasons for a match; swapping the two people swaps `by_one` and `by_other`."""
    hub = [
        Reason(HUB_CORRECTION, HUB_CORRECTION, "one", hub=-HUB_SHARE * one.density),
        Reason(HUB_CORRECTION, HUB_CORRECTION, "other", hub=-HUB_SHARE * other.density),
    ]
    by_one = _split_over(embedder, reader, one, other, "one")
    by_other = _split_over(embedder, reader, other, one, "other")
    return Attribution(
        _sorted([*by_one, *hub]),
        _sorted([*by_other, *hub]),
        _sorted([*_mean_of(by_one, by_other), *hub]),
    )


def total(reasons: Iterable[Reason]) -> float:
    """Return the sum of the contributions."""
    return sum(reason.contribution for reason in reasons)


def group_reasons(
    reasons: Iterable[Reason],
    kind: Literal["genre", "decade"],
    groups_of: Callable[[str], Mapping[str, float]],
) -> tuple[Reason, ...]:
    """Return the reasons with their artists added up by genre or decade, the sum unchanged.

    groups_of  artist key -> group -> weight. An artist without any goes to the group "unknown".
    """
    groups: dict[str, Reason] = {}
    others = []
    for reason in reasons:
        if reason.kind != "artist":
            others.append(reason)
            continue
        weights = groups_of(reason.key) or {"unknown": 1.0}
        whole = sum(weights.values())
        for name, weight in weights.items():
            share = _scaled(replace(reason, kind=kind, name=name, key=""), weight / whole)
            groups[name] = _added(groups[name], share) if name in groups else share
    return _sorted([*groups.values(), *others])


def genres_of(people: Sequence[Person], catalogue: Catalogue) -> Callable[[str], dict[str, float]]:
    """Return artist key -> genre -> weight: by the profiles' own genres, else the catalogue's."""

    def weights(key: str) -> dict[str, float]:
        own = chain.from_iterable(
            p.profile.artists[key].genres for p in people if key in p.profile.artists
        )
        return dict.fromkeys(own, 1.0) or dict(catalogue.genre_weights_of(key))

    return weights


def decades_of(people: Sequence[Person]) -> Callable[[str], dict[str, float]]:
    """Return artist key -> decade -> plays of tracks whose release date the profiles know."""
    plays: dict[str, dict[str, float]] = {}
    for track in chain.from_iterable(person.profile.tracks for person in people):
        if track.released:
            decades = plays.setdefault(artist_key(track.artist), {})
            decade = f"{track.released[:3]}0s"
            decades[decade] = decades.get(decade, 0.0) + track.plays
    return lambda key: plays.get(key, {})


def shorten(reasons: Sequence[Reason], artists: int) -> tuple[Reason, ...]:
    """Return the reasons with all but the strongest artists added up to one, the sum unchanged."""
    strongest = sorted(
        (reason for reason in reasons if reason.kind == "artist"),
        key=lambda reason: -abs(reason.contribution),
    )
    rest = strongest[artists:]
    if len(rest) < 2:
        return tuple(reasons)
    left_out = {id(reason) for reason in rest}
    name = f"{len(rest):,} more artists"
    whole = replace(_sum_of(rest), kind="rest", name=name, whose="both", key="")
    return _sorted([*(reason for reason in reasons if id(reason) not in left_out), whole])


def _split_over(
    embedder: Embedder, reader: PlayRowReader, person: Person, partner: Person, whose: Whose
) -> list[Reason]:
    """Share the similarity before the hub correction out over the artists of `person`."""
    artists, own, others = person.profile.artists, person.batch, partner.batch
    split = split_taste(embedder, person.profile, others.candidate[0], others.user[0])
    scale = W_VECTOR / 2
    shares = dict(zip(zip(split.kinds, split.keys, strict=True), split.shares, strict=True))
    overlap = split_overlap(reader, artists.keys(), own.play_rows, others.play_rows)
    item_item = split_item_item(reader, artists.keys(), own.play_rows, others.play_rows)
    reasons = [
        Reason(
            "artist",
            artist.name,
            whose,
            key,
            scale * float(shares.get(("artist", key), 0.0)),
            overlap.get(key, 0.0),
            item_item.get(key, 0.0),
        )
        for key, artist in artists.items()
    ]
    for (kind, _), share in shares.items():
        if kind != "artist":
            reasons.append(Reason(kind, GROUP_NAMES[kind], whose, taste=scale * float(share)))
    taste = float(own.user[0] @ others.candidate[0]) + float(own.candidate[0] @ others.user[0])
    reasons = _with_rest(reasons, scale * (taste - split.total), whose)
    return [*reasons, Reason(BASE_VALUE, BASE_VALUE, whose, taste=scale * split.base_value)]


def _with_rest(reasons: list[Reason], rest: float, whose: Whose) -> list[Reason]:
    """Add what artists contribute that may not be named.

    A rest as small as the rounding of stored vectors goes to the others in proportion.
    """
    if abs(rest) < NOTHING:
        return reasons
    sizes = np.array([abs(reason.taste) for reason in reasons])
    if abs(rest) > ROUNDING or not sizes.any():
        return [*reasons, Reason(OTHER_ARTISTS, OTHER_ARTISTS, whose, taste=rest)]
    parts = rest * sizes / sizes.sum()
    return [
        replace(reason, taste=reason.taste + float(part))
        for reason, part in zip(reasons, parts, strict=True)
    ]


def _mean_of(by_one: Iterable[Reason], by_other: Iterable[Reason]) -> list[Reason]:
    """Return half of each list, added up by artist and kind."""
    joined: dict[tuple[str, str, str], Reason] = {}
    for reason in chain(by_one, by_other):
        half = _scaled(reason, 0.5)
        # base value and groups are one entry; artists that aren't named are one for each person
        whose = reason.whose if reason.kind == OTHER_ARTISTS else ""
        place = (reason.kind, reason.key, whose)
        joined[place] = _added(joined[place], half) if place in joined else half
    return [*joined.values()]


def _scaled(reason: Reason, factor: float) -> Reason:
    return replace(
        reason,
        taste=factor * reason.taste,
        overlap=factor * reason.overlap,
        item_item=factor * reason.item_item,
        hub=factor * reason.hub,
    )


def _added(one: Reason, other: Reason) -> Reason:
    """Return a reason with the parts of both; it is of both people if the two differ."""
    return replace(
        one,
        whose=one.whose if one.whose == other.whose else "both",
        taste=one.taste + other.taste,
        overlap=one.overlap + other.overlap,
        item_item=one.item_item + other.item_item,
        hub=one.hub + other.hub,
    )


def _sum_of(reasons: Sequence[Reason]) -> Reason:
    whole = reasons[0]
    for reason in reasons[1:]:
        whole = _added(whole, reason)
    return whole


def _sorted(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Order by contribution, largest first; artists before the rest, ties by key."""
    return tuple(
        sorted(
            reasons,
            key=lambda each: (each.kind != "artist", -each.contribution, each.key, each.name),
        )
    )
