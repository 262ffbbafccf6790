"""The towers as scoring methods, so that `evaluate` compares them with the baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from twotower.core.domain import Profile
from twotower.evaluation.methods.base import Scorer
from twotower.model.checkpoint import Record
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit
from twotower.model.play_matrix import artist_plays
from twotower.model.towers import ModelConfig
from twotower.model.train_config import TrainConfig
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
    """The mean of both directions: the query as user and the candidate as user."""

    embedder: Embedder
    name: str = "two towers"

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return mean cosines (Q, N) of both directions."""
        one, other = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return np.asarray(one @ other.T)

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """Return unit vectors (n, 2 dim) of both towers.

        Queries and candidates have them in opposite order, so that a product is the mean of the
        two directions.
        """
        sides = [self.embedder.embed(profiles, side) for side in ("user", "candidate")]
        return np.concatenate(sides if asking else sides[::-1], axis=1) / np.float32(2**0.5)


@dataclass(frozen=True)
class WithItemItem:
    """The towers plus item-item similarity, weighted as in the app.

    It works for two halves of a listener, which share no artist.
    """

    towers: TwoTowers
    name: str = "two towers + companions"

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return scores (Q, N), symmetric."""
        read = PlayRowReader.of(self.towers.embedder).read
        sides = (read([artist_plays(p) for p in side]) for side in (queries, candidates))
        item_item = item_item_similarity(*sides)
        towers = self.towers.scores(queries, candidates)
        return np.asarray((W_VECTOR * towers + W_ITEM_ITEM * item_item) / (W_VECTOR + W_ITEM_ITEM))


@dataclass(frozen=True)
class AppSimilarity:
    """The similarity that the app shows: towers, item-item similarity and artist overlap.

    It is for whole profiles: two halves of a listener share no artist.
    """

    embedder: Embedder
    name: str = "two towers + same artists"

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return similarities (Q, N), symmetric."""
        return similarity(
            ListenerBatch.of(self.embedder, queries), ListenerBatch.of(self.embedder, candidates)
        )


@dataclass(frozen=True)
class OneWay:
    """One direction only: the query in the user tower, the candidate in the candidate tower."""

    embedder: Embedder
    name: str = "two towers, one way"

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return cosines (Q, N)."""
        one, other = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return np.asarray(one @ other.T)

    def vectors(self, profiles: Sequence[Profile], *, asking: bool) -> np.ndarray:
        """Return unit vectors (n, dim) of the user tower for queries, else of the candidate's."""
        return self.embedder.embed(profiles, "user" if asking else "candidate")


def embedder_of(method: Scorer) -> Embedder:
    """Return the model of the towers under item-item weights and hub corrections.

    Raises TypeError for a method without one.
    """
    inner = getattr(method, "method", method)
    inner = getattr(inner, "towers", inner)
    embedder = getattr(inner, "embedder", None)
    if not isinstance(embedder, Embedder):
        raise TypeError(f"{method.name} is no variant of the towers")
    return embedder


def two_towers(
    *,
    config: TrainConfig | None = None,
    model_config: ModelConfig | None = None,
    playlists: bool = True,
    on_record: Callable[[Record], None] | None = None,
) -> Callable[[Training], TwoTowers]:
    """Return a fit that trains the towers on listeners, and on lists and charts if `playlists`."""

    def fitted(training: Training) -> TwoTowers:
        profiles = [*training.listeners]
        if playlists:
            profiles += [*training.playlists, *training.charts]
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
