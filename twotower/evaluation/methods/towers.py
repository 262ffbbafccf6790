"""The towers as scoring methods, so that `evaluate` compares them with the baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from twotower.core.domain import Profile
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit
from twotower.model.play_matrix import artist_plays
from twotower.model.towers import ModelConfig
from twotower.model.training import Record, TrainConfig
from twotower.retrieval.similarity import (
    W_ITEM_ITEM,
    W_VECTOR,
    ListenerBatch,
    PlayRowReader,
    item_item_similarity,
    similarity,
)
from twotower.sources.datasets.public import Training


@dataclass(frozen=True)
class TwoTowers:
    """The towers as one of the methods that `evaluate` compares: what each is to the other."""

    embedder: Embedder
    name: str = "two towers"

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N) means of both ways: the user tower's query beside the candidate tower's candidate,
        and the user tower's candidate beside the candidate tower's query."""
        users, found = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return np.asarray(users @ found.T)

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """(n, 2 dim) unit vectors: both towers', in the order that makes the mean of a product."""
        sides = [self.embedder.embed(profiles, side) for side in ("user", "candidate")]
        return np.concatenate(sides if asking else sides[::-1], axis=1) / np.float32(2**0.5)


@dataclass(frozen=True)
class WithCompanions:
    """Taste and artists that go item_item_similarity, in the shares that the app gives them."""

    towers: TwoTowers
    name: str = "two towers + companions"

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N), symmetric, and of use for two halves of a person, who share no artist."""
        read = PlayRowReader.of(self.towers.embedder).read
        sides = (read([artist_plays(p) for p in side]) for side in (queries, candidates))
        goes = item_item_similarity(*sides)
        taste = self.towers.scores(queries, candidates)
        return np.asarray((W_VECTOR * taste + W_ITEM_ITEM * goes) / (W_VECTOR + W_ITEM_ITEM))


@dataclass(frozen=True)
class Similarity:
    """What the app ranks by before it looks at hubs: taste, companions, the very same artists."""

    embedder: Embedder
    name: str = "two towers + same artists"

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N), symmetric; for whole profiles, for two halves of a person share no artist."""
        return similarity(
            ListenerBatch.of(self.embedder, queries), ListenerBatch.of(self.embedder, candidates)
        )


@dataclass(frozen=True)
class OneWay:
    """The plain cosine of the two towers: who asks by the one, who is found by the other."""

    embedder: Embedder
    name: str = "two towers, one way"

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N) cosines of the user tower's queries and the candidate tower's candidates."""
        users, found = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return np.asarray(users @ found.T)

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """(n, dim) unit vectors by the user tower for who asks, else by the candidate tower."""
        return self.embedder.embed(profiles, "user" if asking else "candidate")


def two_towers(
    *,
    config: TrainConfig | None = None,
    model_config: ModelConfig | None = None,
    playlists: bool = True,
    on_record: Callable[[Record], None] | None = None,
) -> Callable[[Training], TwoTowers]:
    """What `evaluate` needs to train and ask the towers."""

    def fitted(training: Training) -> TwoTowers:
        profiles = [*training.listeners, *(training.playlists if playlists else ())]
        return TwoTowers(
            fit(
                profiles,
                training.content,
                training.tags,
                config=config,
                model_config=model_config,
                estimates=False,
                on_record=on_record,
            )
        )

    return fitted
