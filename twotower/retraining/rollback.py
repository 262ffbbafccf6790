"""Rollback of the community to the previous model."""

from twotower.bundle.shipped import Shipped
from twotower.community import Community, queries
from twotower.community.model_registry import ModelRegistry
from twotower.core.errors import CommunityError, IncompatibleModel
from twotower.core.jobs import Progress, silent
from twotower.core.settings import Settings
from twotower.model.embedder import Embedder
from twotower.retraining.switch import activate


def roll_back(settings: Settings, *, progress: Progress = silent) -> tuple[str, str]:
    """Activate the previous model; return the versions before and after.

    Members who joined since are embedded with it first. Raises CommunityError if there is no
    previous model.
    """
    registry = ModelRegistry.of(settings)
    with registry.lock():
        community = Community.open(settings.community, model_version="", sample=None)
        try:
            name = queries.active_model(community)
            if name is None:
                raise CommunityError(
                    "there is no previous model to go back to: the shipped model is active"
                )
            target = _previous(registry, community, name)
            folder = registry.folder_of(target)
            progress(0.1, "loading the previous model")
            embedder = Embedder.load(folder / "model")
            shipped = Shipped.load(folder, model_version=embedder.version)
            progress(0.3, "embedding new members")
            under_it = community.with_model(embedder.version)
            activate(under_it, embedder, target, shipped.digest[:12])
            return name, embedder.version
        finally:
            community.close()


def _previous(registry: ModelRegistry, community: Community, name: str) -> str | None:
    """Return the model before `name`; from the community if the folder of `name` is gone."""
    try:
        return registry.previous_of(name)
    except IncompatibleModel:
        return queries.previous_model(community)
