"""Comparison of any two people: the match, how close it is, both ranks, and the reasons."""

from dataclasses import dataclass

import numpy as np

from twotower.community import queries
from twotower.core.domain import Artist, Profile
from twotower.core.names import artist_key
from twotower.matching.attribution import Attribution, Person, attribute
from twotower.matching.matcher import Matcher
from twotower.matching.rarity import Closeness
from twotower.model.portrait import Portrait
from twotower.retrieval.similarity import (
    ListenerBatch,
    candidates_needed,
    hub_corrected,
    similarity,
)

LIST_LENGTH = 10  # of the lists on which mutual neighbours are


@dataclass(frozen=True)
class Comparison:
    """Everything about one pair of people; the same from both sides, with the sides swapped."""

    one: Person
    other: Person
    match: float  # similarity less the hub correction
    percentile: float  # random pairs of the community that are less similar, 0..100
    closeness: Closeness
    rank: int | None  # of the other on the one's list; None beyond the list
    their_rank: int | None  # of the one on the other's list
    reasons: Attribution

    @property
    def is_mutual(self) -> bool:
        """True if each is among the ten nearest of the other."""
        ranks = (self.rank, self.their_rank)
        return all(rank is not None and rank <= LIST_LENGTH for rank in ranks)


class Comparer:
    """Compares people, whoever they are: visitors, files and members of the community."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.snapshot = matcher.snapshot()

    def visitor(self, portrait: Portrait, *, own: str | None = None) -> Person:
        """Return the owner of a portrait, whose artists may all be named.

        `own` is their id in the community if it differs from the profile's.
        """
        batch = self.matcher.batch_of(portrait)
        id = own or portrait.profile.id
        density = self.matcher.local_density.of_visitor(self.snapshot, batch, id)
        name = portrait.profile.name or portrait.profile.id
        return Person(
            id, name, portrait.profile, batch, density, portrait.effective_dimensions, False
        )

    def member(self, id: str) -> Person | None:
        """Return a member of the community, of whom only visible artists are named.

        None if nobody who can be found has this id.
        """
        matcher = self.matcher
        listener = matcher.person(id)
        vectors = queries.member_vectors(matcher.community, id)
        if listener is None or vectors is None:
            return None
        user, candidate = vectors
        play_rows = matcher.local_density.play_rows(self.snapshot, [id])
        batch = ListenerBatch(user[None], candidate[None], play_rows)
        (density,) = matcher.local_density.of_members(self.snapshot, [id], batch)
        artists = {artist_key(name): Artist(name, plays) for name, plays in listener.artists}
        profile = Profile(id, artists, origin=listener.origin, name=listener.name)
        dimensions = float(matcher.embedder.effective_dimensions([profile])[0])
        return Person(id, listener.name, profile, batch, float(density), dimensions, True)

    def compare(self, one: Person, other: Person) -> Comparison:
        """Return the whole account of a pair."""
        matcher = self.matcher
        match = self.match(one, other)
        dimensions = min(_uncertain_dimensions(one, other))
        return Comparison(
            one,
            other,
            match,
            matcher.percentile(match),
            matcher.rarity.closeness(match, dimensions, matcher.rarity.table(self.snapshot)),
            self.rank(one, other, match),
            self.rank(other, one, match),
            attribute(matcher.embedder, matcher.reader, one, other),
        )

    def match(self, one: Person, other: Person) -> float:
        """Return the similarity of two people less the hub correction, as their lists order."""
        density = np.array([other.density])
        scores = similarity(one.batch, other.batch)
        return float(hub_corrected(scores, np.array([one.density]), density)[0, 0])

    def rank(self, person: Person, partner: Person, match: float) -> int | None:
        """Return the place that `partner` has, or would have, on the list of `person`.

        The list is ranked as for a visitor, from some 200 candidates; None beyond its end.
        """
        matcher = self.matcher
        nearest = matcher.community.nearest(
            person.batch.user[0], candidates_needed(0), snapshot=self.snapshot
        )
        nearest = nearest.without(person.id).without(partner.id)
        if not nearest.ids:
            return 1
        candidates = ListenerBatch(
            nearest.user,
            nearest.candidate,
            matcher.local_density.play_rows(self.snapshot, nearest.ids),
        )
        others = matcher.local_density.of_members(self.snapshot, nearest.ids, candidates)
        scores = similarity(person.batch, candidates)
        matches = hub_corrected(scores, np.array([person.density]), others)[0]
        ahead = int((matches > match).sum())
        is_whole = len(nearest.ids) >= self.snapshot.total - 2
        return ahead + 1 if ahead < len(matches) or is_whole else None


def _uncertain_dimensions(one: Person, other: Person) -> list[float]:
    """Return the effective dimensions of those whose listening may be known in part only.

    Members of the community are compared as they are; between two of them, both count.
    """
    visitors = [person.dimensions for person in (one, other) if not person.is_member]
    return visitors or [one.dimensions, other.dimensions]
