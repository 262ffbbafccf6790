"""Facade of the model and the community: embed a profile, rank neighbours, find its map place."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch

from twotower.bundle.demos import DEMOS
from twotower.bundle.shipped import Shipped
from twotower.community import Community, MemberSnapshot, queries
from twotower.community.membership import Membership
from twotower.community.model_registry import ModelRegistry, catch_up
from twotower.core.domain import Area, Listener, Neighbour, Profile
from twotower.core.errors import CommunityError
from twotower.core.names import confusable_skeleton
from twotower.core.settings import Settings
from twotower.matching.explanations import artist_fits, artists_to_discover, shared_artists
from twotower.matching.local_density import LocalDensity
from twotower.matching.rarity import Rarity
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import artist_plays
from twotower.model.portrait import Portrait, portrait
from twotower.retrieval.band import Band
from twotower.retrieval.pair_table import PairTable
from twotower.retrieval.similarity import ListenerBatch, PlayRowReader, candidates_needed, rank_csls
from twotower.sources.credits import split_credits


class Matcher:
    """The model and the community together. Safe to share between threads."""

    def __init__(
        self,
        embedder: Embedder,
        community: Community,
        shipped: Shipped,
        *,
        model_name: str | None = None,
        band: Band | None = None,
    ) -> None:
        """`model_name` is the registry's name of the model, None for the shipped one.

        `band` is the model's band of a match; without it no band is shown.
        """
        self.embedder, self.community, self.shipped = embedder, community, shipped
        self.model_name = model_name
        self.membership = Membership(community, embedder, map_version=shipped.digest[:12])
        self.reader = PlayRowReader.of(embedder)
        self.local_density = LocalDensity(community, self.reader)
        self.rarity = Rarity(community, self.local_density, shipped, band)

    @classmethod
    def load(cls, settings: Settings) -> "Matcher":
        """Open the community and load its active model, or the shipped model if it has none.

        At first use the community is filled with the synthetic listeners. Raises MissingData or
        IncompatibleModel if the assets are absent or don't belong together, CommunityError if the
        database can't be opened.
        """
        torch.set_num_threads(1)
        opened = Community.open(settings.community, model_version="")
        try:
            model_name = queries.active_model(opened)
            folder = ModelRegistry.of(settings).folder_of(model_name)
            embedder = Embedder.load(folder / "model")
            shipped = Shipped.load(folder, model_version=embedder.version)
            community = opened.with_model(embedder.version)
            if model_name is None:
                community.seed(shipped.members(), digest=shipped.digest)
            else:
                catch_up(community, embedder, shipped.digest[:12])
        except BaseException:
            opened.close()
            raise
        matcher = cls(embedder, community, shipped, model_name=model_name, band=Band.load(folder))
        matcher.local_density.prepare(matcher.snapshot())
        return matcher

    @property
    def version(self) -> str:
        """Version of the model; vectors of different versions are never compared."""
        return self.embedder.version

    def is_current(self) -> bool:
        """Return whether this is still the active model; True if the database can't be reached."""
        try:
            return self.community.revision()[1] == self.model_name
        except CommunityError:
            return True

    @property
    def catalogue(self) -> Catalogue:
        return self.embedder.catalogue

    def demos(self) -> tuple[Profile, ...]:
        """Return demo profiles of different regions and tastes."""
        return DEMOS

    def suggestions(self, count: int) -> tuple[str, ...]:
        """Return names of well-known artists of different tastes, at most `count`."""
        suggested: Sequence[str] = self.shipped.about.get("suggestions", ())
        return tuple(suggested or self.catalogue.names)[:count]

    def snapshot(self) -> MemberSnapshot:
        return self.community.snapshot()

    def revision(self) -> tuple[int, str | None]:
        """Return the number of the community's last change and the name of its active model."""
        return self.community.revision()

    def areas(self) -> tuple[Area, ...]:
        return self.shipped.areas

    def map_reliability(self) -> float:
        """Return the mean share, 0..1, of people's 15 nearest who are also nearest on the map."""
        return self.shipped.reliability

    def community_audio(self) -> Mapping[str, tuple[float, float, float]]:
        """Return attribute -> 10th, 50th and 90th percentile of the synthetic listeners' means."""
        return self.shipped.audio

    def people(self, ids: Sequence[str]) -> list[Listener]:
        """Return those of these listeners who can be found, in this order."""
        return self.community.get(ids)

    def named_like(self, text: str, count: int) -> list[Listener]:
        """Return up to `count` listeners whose pseudonym contains a text that looks like this."""
        return queries.search_names(self.community, confusable_skeleton(text), count)

    def person(self, listener_id: str) -> Listener | None:
        listeners = self.community.get([listener_id])
        return listeners[0] if listeners else None

    def portrait(self, profile: Profile) -> Portrait:
        """Embed the profile now, with its credits of several artists split (`split_credits`).

        Raises EmptyProfile if the model knows nothing in it.
        """
        return portrait(self.embedder, split_credits(profile, self.catalogue.name_of)[0])

    def neighbours(
        self, portrait: Portrait, count: int = 10, *, own: str | None = None
    ) -> tuple[Neighbour, ...]:
        """Return the `count` most similar listeners, best first, with what explains them.

        The similarity is hub-corrected and the same from both sides. `own` is the visitor's id in
        the community if it differs from the profile's; that member is left out.
        """
        ranking = self._rank(portrait, count, own or portrait.profile.id)
        members = {listener.id: listener for listener in self.community.get(list(ranking))}
        # a member who left since the snapshot is missing here
        matches = [(members[id], score) for id, score in ranking.items() if id in members]
        fits = artist_fits(self.embedder, portrait, [listener for listener, _ in matches])
        table = self.rarity.table(self.snapshot())
        return tuple(
            self._neighbour(portrait, listener, rank, similarity, fits, table)
            for rank, (listener, similarity) in enumerate(matches, 1)
        )

    def _neighbour(
        self,
        portrait: Portrait,
        listener: Listener,
        rank: int,
        similarity: float,
        fits: Mapping[str, float],
        table: PairTable | None,
    ) -> Neighbour:
        close = self.rarity.closeness(similarity, portrait.effective_dimensions, table)
        return Neighbour(
            listener,
            rank,
            similarity,
            self.percentile(similarity),
            shared_artists(self.catalogue, portrait.profile, listener),
            artists_to_discover(portrait.profile, listener, fits),
            close.low,
            close.high,
            close.one_in,
            close.words,
        )

    def _rank(self, portrait: Portrait, count: int, own: str) -> dict[str, float]:
        """Return id -> similarity of the `count` most similar members, best first."""
        snapshot = self.snapshot()
        nearest = self.community.nearest(
            portrait.user_vector, candidates_needed(count), snapshot=snapshot
        ).without(own)
        visitor = self.batch_of(portrait)
        candidates = ListenerBatch(
            nearest.user, nearest.candidate, self.local_density.play_rows(snapshot, nearest.ids)
        )
        rows, similarity = rank_csls(
            visitor,
            candidates,
            self.local_density.of_visitor(snapshot, visitor, own),
            self.local_density.of_members(snapshot, nearest.ids, candidates),
            count,
        )
        return {nearest.ids[row]: float(value) for row, value in zip(rows, similarity, strict=True)}

    def batch_of(self, portrait: Portrait) -> ListenerBatch:
        """Return the owner of a portrait as a batch of one listener."""
        return ListenerBatch(
            portrait.user_vector[None],
            portrait.candidate_vector[None],
            self.reader.read([artist_plays(portrait.profile)]),
        )

    def percentile(self, similarity: float) -> float:
        """Return the share of random pairs of the community, 0..100, that are less similar."""
        shares = np.linspace(0, 100, len(self._pair_quantiles))
        return float(np.interp(similarity, self._pair_quantiles, shares))

    def typical_similarity(self) -> float:
        """Return the median similarity of random pairs of the community."""
        return float(np.median(self._pair_quantiles))

    @cached_property
    def _pair_quantiles(self) -> np.ndarray:
        stored = self.shipped.quantiles
        return self.local_density.pair_quantiles(self.snapshot()) if stored is None else stored

    def place(self, portrait: Portrait, *, own: str | None = None) -> tuple[float, float]:
        """Return the listener's point on the map, or NaN if nobody has one.

        The member with the id `own` doesn't count.
        """
        return self.community.place(portrait.user_vector, own=own)
