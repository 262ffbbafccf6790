"""Registry of retrained models, and vectors for members who lack some.

Each model is a folder laid out like `assets/`. The name of the current one is in the community's
database, so one transaction switches every server. Only one process at a time works on the
folders; the next one removes what a killed one left behind.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twotower.community import queries
from twotower.community.records import ModelVectors
from twotower.community.rows import batched
from twotower.community.store import Community
from twotower.core.errors import CommunityError, IncompatibleModel
from twotower.core.settings import Settings
from twotower.model.embedder import Embedder
from twotower.retrieval.projection import place_all

ABOUT_FILE = "generation.json"  # written last: a folder with it is complete
WORK = ".work"  # folder of the model that is being made
REFUSED = "refused"  # folder with the report about the last model that regressed
BATCH = 512  # listeners embedded and stored at once


@dataclass(frozen=True)
class ModelRegistry:
    """The retrained models of one community. The shipped model is None, in `assets`."""

    folder: Path
    assets: Path

    @classmethod
    def of(cls, settings: Settings) -> "ModelRegistry":
        """Return the registry in the settings' folder."""
        return cls(settings.registry_folder, settings.assets)

    def folder_of(self, name: str | None) -> Path:
        """Return the folder of a model. Raises IncompatibleModel if it is missing."""
        if name is None:
            return self.assets
        folder = self.folder / name
        if not (folder / ABOUT_FILE).is_file():
            raise IncompatibleModel(
                f"the community uses model {name}, which is not in {self.folder}: set "
                "TWOTOWER_MODELS to the folder that has it, restore it from a backup, or go back "
                "to the previous model with `refresh --back`"
            )
        return folder

    def about(self, name: str) -> Mapping[str, Any]:
        """Return what was stored with a model. Raises IncompatibleModel if that can't be read."""
        try:
            text = (self.folder_of(name) / ABOUT_FILE).read_text("utf-8")
            about: Mapping[str, Any] = json.loads(text)
        except (OSError, ValueError) as error:
            raise IncompatibleModel(
                f"{ABOUT_FILE} of model {name} can't be read ({error}): restore it from a backup"
            ) from error
        return about

    def previous_of(self, name: str) -> str | None:
        """Return the model that was active before this one; None is the shipped one."""
        return self.about(name).get("before")

    def version(self, name: str | None) -> str:
        """Return a model's version, which is its name, except for the shipped model."""
        if name is not None:
            return name
        try:
            document = json.loads((self.assets / "model" / "config.json").read_text("utf-8"))
            return str(document["version"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IncompatibleModel(
                f"the shipped model can't be read ({error}): restore {self.assets.name}/model"
            ) from error

    @property
    def work(self) -> Path:
        """Folder of the model that is being made."""
        return self.folder / WORK

    def begin(self) -> Path:
        """Create an empty work folder and return it."""
        self.discard_work()
        self.work.mkdir(parents=True)
        return self.work

    def discard_work(self) -> None:
        """Remove the work folder, if there is one."""
        shutil.rmtree(self.work, ignore_errors=True)

    def finish(self, name: str, about: Mapping[str, Any]) -> Path:
        """Rename the work folder to `name` in one step, and return it."""
        text = json.dumps(about, ensure_ascii=False, indent=1, allow_nan=False)
        with (self.work / ABOUT_FILE).open("w", encoding="utf-8") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        self.work.rename(target)
        return target

    def names(self) -> list[str]:
        """Return the names of all models, complete or not, without work folder and refused one."""
        if not self.folder.is_dir():
            return []
        folders = {each.name for each in self.folder.iterdir() if each.is_dir()}
        return sorted(folders - {WORK, REFUSED})

    def is_of_another(self, name: str, community: str) -> bool:
        """Return True if the model may belong to another community that shares this folder.

        False for an incomplete model, True for one whose description can't be read.
        """
        if not (self.folder / name / ABOUT_FILE).is_file():
            return False
        try:
            return bool(self.about(name).get("community", community) != community)
        except IncompatibleModel:
            return True

    def remove(self, name: str) -> None:
        """Remove a model; its description goes first, so that the rest counts as incomplete."""
        (self.folder / name / ABOUT_FILE).unlink(missing_ok=True)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def discard_refused_model(self) -> None:
        """Remove a refused model that an earlier version of the program kept, not its report."""
        shutil.rmtree(self.folder / REFUSED / "model", ignore_errors=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process at a time work on the folders. Raises CommunityError for the second.

        The lock ends with the block, or with the process.
        """
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CommunityError(
                    "another retraining of this community is running: wait for it to end"
                ) from error
            yield


def embed_missing(
    community: Community,
    embedder: Embedder,
    *,
    placed: bool = False,
    map_version: str = "",
) -> int:
    """Embed everyone who has no vectors of this model; return how many those were.

    If `placed`, findable listeners get a place on the current map, too.
    """
    snapshot, since = community.snapshot(), queries.last_change(community)
    count = 0
    for batch in batched(queries.profiles_without_vectors(community, embedder.version), BATCH):
        ids, profiles = [id for id, _ in batch], [profile for _, profile in batch]
        users, candidates = embedder.embed(profiles, "user"), embedder.embed(profiles, "candidate")
        places = np.full((len(ids), 2), np.nan)
        if placed and len(snapshot):
            places = place_all(users, snapshot.candidate, snapshot.places)
        findable = queries.findable_ids(community, ids) if placed else ()
        rows = []
        for at, id in enumerate(ids):
            has_place = id in findable and np.isfinite(places[at]).all()
            place = (float(places[at, 0]), float(places[at, 1])) if has_place else None
            rows.append(ModelVectors(id, users[at], candidates[at], place, map_version))
        community.put_vectors(embedder.version, rows, since=since)
        count += len(rows)
    return count


def catch_up(community: Community, embedder: Embedder, map_version: str) -> int:
    """Embed and place members who joined through a server that still used the previous model.

    Returns how many those were.
    """
    missing = queries.profiles_without_vectors(community, embedder.version)
    if next(missing, None) is None:
        return 0
    other = community.with_model(embedder.version)  # `community` must not load a snapshot yet
    return embed_missing(other, embedder, placed=True, map_version=map_version)
