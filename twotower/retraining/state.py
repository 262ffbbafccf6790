"""State of the community and its model when a retraining begins, and time per stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from twotower.bundle.shipped import Shipped
from twotower.community import Community, queries
from twotower.community.model_registry import ModelRegistry, embed_missing
from twotower.core.settings import Settings
from twotower.model.embedder import Embedder


class Stopwatch:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Measure the block as one stage."""
        began = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - began, 2)


@dataclass(frozen=True)
class CurrentState:
    """The current model with its synthetic listeners, and the community under it."""

    registry: ModelRegistry
    name: str | None  # in the registry; None for the shipped model
    embedder: Embedder
    shipped: Shipped
    community: Community

    @classmethod
    def open(cls, settings: Settings) -> "CurrentState":
        """Open the community and load its model; everyone is in the snapshot, without sampling."""
        registry = ModelRegistry.of(settings)
        community = Community.open(settings.community, model_version="", sample=None)
        try:
            name = queries.active_model(community)
            folder = registry.folder_of(name)
            embedder = Embedder.load(folder / "model")
            shipped = Shipped.load(folder, model_version=embedder.version)
        except BaseException:
            community.close()
            raise
        return cls(registry, name, embedder, shipped, community.with_model(embedder.version))

    def complete(self) -> None:
        """Add what is missing of the current model, and remove what is older than the previous."""
        self.registry.discard_refused_model()
        if self.name is None:
            self.community.seed(self.shipped.members(), digest=self.shipped.digest)
        previous = None if self.name is None else self.registry.previous_of(self.name)
        self.remove_outdated(self.name, previous)
        embed_missing(self.community, self.embedder)

    def remove_outdated(self, current: str | None, previous: str | None) -> None:
        """Remove all models and vectors except those of the current and the previous model.

        These are leftovers of a killed retraining, and models of two retrainings ago.
        """
        kept = {current, previous} - {None}
        for name in self.registry.names():
            if name not in kept and not self.registry.is_of_another(name, self.community.id):
                self.registry.remove(name)
        needed = {*kept, self.embedder.version}
        if current is None or previous is None:
            needed.add(self.registry.version(None))
        for version in queries.stats(self.community)["vectors by model"]:
            if version not in needed:
                self.community.drop_vectors(version)
