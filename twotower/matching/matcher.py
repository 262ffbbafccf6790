"""All that a page or a command needs: embed a profile, rank its neighbours, place it on the map."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from twotower.bundle.demos import DEMOS
from twotower.bundle.shipped import Shipped
from twotower.community import Community, MemberSnapshot
from twotower.community.registry import ModelRegistry, catch_up
from twotower.core.domain import Area, Listener, Neighbour, Profile
from twotower.core.errors import CommunityError
from twotower.core.names import artist_key, confusable_skeleton
from twotower.core.settings import Settings
from twotower.matching.local_density import Surroundings
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import artist_plays
from twotower.model.portrait import Portrait, portrait
from twotower.retrieval import projection
from twotower.retrieval.similarity import ListenerBatch, PlayRowReader, candidates_needed, rank_csls

SHARED_SHOWN, DISCOVER_SHOWN = 12, 8


class Matcher:
    """The model and the community together. Safe to share between threads."""

    def __init__(
        self,
        embedder: Embedder,
        community: Community,
        shipped: Shipped,
        *,
        model_name: str | None = None,
    ) -> None:
        self.embedder, self.community, self.shipped = embedder, community, shipped
        self.model_name = model_name  # None is what ships
        self.reader = PlayRowReader.of(embedder)
        self.around = Surroundings(community, self.reader)

    @classmethod
    def load(cls, settings: Settings) -> "Matcher":
        """The model that the community names, or else the shipped one, and the community.

        At first use it is seeded with the invented listeners. MissingData or IncompatibleModel
        where assets are absent or don't belong together, CommunityError where the database can't
        be opened.
        """
        torch.set_num_threads(1)
        opened = Community.open(settings.community, model_version="")
        try:
            model_name = opened.active()
            registry = ModelRegistry.of(settings)
            folder = registry.at(model_name)
            embedder = Embedder.load(folder / "model")
            together = Shipped.load(folder, model_version=embedder.version)
            community = opened.of_model(embedder.version)
            if model_name is None:
                community.seed(together.members(), digest=together.digest)
            else:
                catch_up(community, embedder, together.digest[:12])
        except BaseException:
            opened.close()
            raise
        matcher = cls(embedder, community, together, model_name=model_name)
        matcher.around.ready(matcher.snapshot())
        return matcher

    @property
    def version(self) -> str:
        """Of the model; vectors of another are never compared with its own."""
        return self.embedder.version

    def is_current(self) -> bool:
        """Whether the community is still served by this model, as far as can be told."""
        try:
            return self.community.revision()[1] == self.model_name
        except CommunityError:
            return True

    @property
    def catalogue(self) -> Catalogue:
        return self.embedder.catalogue

    def demos(self) -> tuple[Profile, ...]:
        """Five listeners with different tastes, to try the program with."""
        return DEMOS

    def snapshot(self) -> MemberSnapshot:
        return self.community.snapshot()

    def revision(self) -> tuple[int, str | None]:
        """The community's last change and the model_name of models that it serves."""
        return self.community.revision()

    def areas(self) -> tuple[Area, ...]:
        return self.shipped.areas

    def map_reliability(self) -> float:
        """Mean share, 0..1, of a listener's 15 nearest that are among the 15 nearest on the map."""
        return self.shipped.reliability

    def community_audio(self) -> Mapping[str, tuple[float, float, float]]:
        """Attribute -> 10th, 50th and 90th percentile of the invented listeners' means."""
        return self.shipped.audio

    def people(self, ids: Sequence[str]) -> list[Listener]:
        """Those of them who can be found, in this rank_csls."""
        return self.community.get(ids)

    def named_like(self, text: str, count: int) -> list[Listener]:
        """Some of those whose pseudonyms have a text in them, as it looks at a glance."""
        return self.community.named_like(confusable_skeleton(text), count)

    def person(self, listener_id: str) -> Listener | None:
        found = self.community.get([listener_id])
        return found[0] if found else None

    def portrait(self, profile: Profile) -> Portrait:
        """Embed the profile now. Raises EmptyProfile if the model knows nothing in it."""
        return portrait(self.embedder, profile)

    def neighbours(
        self, portrait: Portrait, count: int = 10, *, own: str | None = None
    ) -> tuple[Neighbour, ...]:
        """Return the `count` most similar listeners, best first, with what explains them.

        The similarity is hub-corrected, and the same from both sides.

        `own` is the id under which the person is in the community: nobody is their own neighbour.
        """
        snapshot, me = self.snapshot(), portrait.profile
        near = self.community.nearest(
            portrait.user_vector, candidates_needed(count), snapshot=snapshot
        )
        near = near.without(own or me.id)
        one = ListenerBatch(
            portrait.user_vector[None],
            portrait.candidate_vector[None],
            self.reader.read([artist_plays(me)]),
        )
        among = ListenerBatch(
            near.user, near.candidate, self.around.listening_of(snapshot, near.ids)
        )
        density = self.around.density_of_visitor(snapshot, one, own or me.id)
        others = self.around.nearness_of(snapshot, near.ids, among)
        rows, similarity = rank_csls(one, among, density, others, count)
        ids = [near.ids[row] for row in rows]
        people = {listener.id: listener for listener in self.community.get(ids)}
        found = [
            (people[id], float(value))
            for id, value in zip(ids, similarity, strict=True)
            if id in people  # or has just left
        ]
        fits = self._fits(portrait, [listener for listener, _ in found])
        return tuple(
            Neighbour(
                listener,
                rank,
                value,
                self.percentile(value),
                self._shared(portrait.profile, listener),
                self._discover(portrait.profile, listener, fits),
            )
            for rank, (listener, value) in enumerate(found, 1)
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
        return self.around.pair_quantiles(self.snapshot()) if stored is None else stored

    def place(self, portrait: Portrait, *, own: str | None = None) -> tuple[float, float]:
        """Where the listener goes on the map, `own` left out; NaN where nobody has a place."""
        count = projection.NEIGHBOURS + (own is not None)
        near = self.community.nearest(portrait.user_vector, count, placed=True).without(own)
        x, y = projection.place(near.places[: projection.NEIGHBOURS])
        return float(x), float(y)

    def _shared(self, profile: Profile, listener: Listener) -> tuple[str, ...]:
        """Artists that both have: rare ones, and those that both play much, come first."""
        theirs = {artist_key(name): plays for name, plays in listener.artists}
        both = [key for key in theirs if key in profile.artists]
        mine_most = max((a.plays for a in profile.artists.values()), default=1.0)
        their_most = max(theirs.values(), default=1.0)

        def telling(key: str) -> float:
            row = self.catalogue.row(key)
            rarity = 1 / np.log(3 + (self.catalogue.df[row] if row is not None else 0))
            mine = np.log1p(profile.artists[key].plays) / np.log1p(mine_most)
            return float(rarity * mine * np.log1p(theirs[key]) / np.log1p(their_most))

        both.sort(key=lambda key: (-telling(key), key))
        return tuple(profile.artists[key].name for key in both[:SHARED_SHOWN])

    def _fits(self, portrait: Portrait, people: Sequence[Listener]) -> Mapping[str, float]:
        """Artist key -> cosine of me and of a listener who has this artist alone."""
        theirs = {artist_key(name) for person in people for name, _ in person.artists}
        missing = sorted(theirs - portrait.profile.artists.keys())
        known = {key: row for key in missing if (row := self.catalogue.row(key)) is not None}
        cosines = self.embedder.embed_alone(list(known.values())) @ portrait.user_vector
        return dict(zip(known, cosines.tolist(), strict=True))

    def _discover(
        self, profile: Profile, listener: Listener, fits: Mapping[str, float]
    ) -> tuple[str, ...]:
        theirs = [(fits.get(artist_key(name), -1.0), name) for name, _ in listener.artists]
        missing = [(fit, name) for fit, name in theirs if artist_key(name) not in profile.artists]
        missing.sort(key=lambda pair: (-pair[0], pair[1]))
        return tuple(name for _, name in missing[:DISCOVER_SHOWN])


def without(profile: Profile, key: str) -> Profile:
    """The profile without one artist and that artist's tracks; groups of the whole stay."""
    artists = {k: a for k, a in profile.artists.items() if k != key}
    tracks = tuple(t for t in profile.tracks if artist_key(t.artist) != key)
    return replace(profile, artists=artists, tracks=tracks)
