"""Models that learned on: each a folder laid out like `assets/`, and which one is served.

Which one stands in the community, so that one transaction switches every server over. Only one
process works on the folders at a time; what a killed one left behind the next one clears away.
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

from twotower.community import Community, ModelVectors, queries
from twotower.community.rows import batched
from twotower.core.errors import CommunityError, IncompatibleModel
from twotower.core.settings import Settings
from twotower.model.embedder import Embedder
from twotower.retrieval.projection import place_all

ABOUT = "generation.json"
WORK = ".work"  # a generation that isn't whole yet
REFUSED = "refused"  # the last that fell in a check
BATCH = 512  # listeners embedded and stored at once


@dataclass(frozen=True)
class ModelRegistry:
    """The folder with all registry of one community; `assets` is the one before all others."""

    folder: Path
    assets: Path

    @classmethod
    def of(cls, settings: Settings) -> "ModelRegistry":
        return cls(settings.registry_folder, settings.assets)

    def at(self, name: str | None) -> Path:
        """The folder of a generation; IncompatibleModel where it isn't there."""
        if name is None:
            return self.assets
        folder = self.folder / name
        if not (folder / ABOUT).is_file():
            raise IncompatibleModel(
                f"the community is served by model {name}, which is not in {self.folder}: name the "
                "folder that has it in TWOTOWER_MODELS, put a backup of it there, or go back to "
                "the model before with `refresh --back`"
            )
        return folder

    def about(self, name: str) -> Mapping[str, Any]:
        """What was written down of a generation when it was made."""
        try:
            found: Mapping[str, Any] = json.loads((self.at(name) / ABOUT).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise IncompatibleModel(
                f"{ABOUT} of model {name} can't be read ({error}): put a backup of it in its place"
            ) from error
        return found

    def before(self, name: str) -> str | None:
        """The generation that this one came from; None is what ships."""
        return self.about(name).get("before")

    def version(self, name: str | None) -> str:
        """Of the model of a generation, which is its name, but for the one that ships."""
        if name is not None:
            return name
        try:
            document = json.loads((self.assets / "model" / "config.json").read_text("utf-8"))
            return str(document["version"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IncompatibleModel(
                f"the model that ships can't be read ({error}): restore {self.assets.name}/model"
            ) from error

    @property
    def work(self) -> Path:
        return self.folder / WORK

    def begin(self) -> Path:
        """An empty folder to make a generation in."""
        self.discard()
        self.work.mkdir(parents=True)
        return self.work

    def discard(self) -> None:
        """Let go of what is worked on; nothing where it has become a generation."""
        shutil.rmtree(self.work, ignore_errors=True)

    def finish(self, name: str, about: Mapping[str, Any]) -> Path:
        """What was worked on becomes the generation `name`, whole or not at all."""
        text = json.dumps(about, ensure_ascii=False, indent=1, allow_nan=False)
        with (self.work / ABOUT).open("w", encoding="utf-8") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        self.work.rename(target)
        return target

    def names(self) -> list[str]:
        """All that are there, whole or not, but for what is worked on and a refused one."""
        if not self.folder.is_dir():
            return []
        there = (each.name for each in self.folder.iterdir() if each.is_dir())
        return sorted(set(there) - {WORK, REFUSED})

    def is_of_another(self, name: str, community: str) -> bool:
        """Whether it was made for another community that keeps its models in this folder too.

        One that isn't whole is nobody's; one that can't be read may be anybody's.
        """
        if not (self.folder / name / ABOUT).is_file():
            return False
        try:
            return bool(self.about(name).get("community", community) != community)
        except IncompatibleModel:
            return True

    def drop(self, name: str) -> None:
        """First it is no longer whole, then it is gone."""
        (self.folder / name / ABOUT).unlink(missing_ok=True)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time; CommunityError for the second. Ends with the process too."""
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CommunityError(
                    "another refresh is at work on this community: wait for it"
                ) from error
            yield


def embed_missing(
    community: Community,
    embedder: Embedder,
    *,
    placed: bool = False,
    map_version: str = "",
) -> int:
    """Embed everyone who has no vectors of this model; gives how many that were.

    If `placed`, those who can be found get a place on the current map, too.
    """
    snapshot, since = community.snapshot(), queries.last_change(community)
    done = 0
    for batch in batched(queries.profiles_without_vectors(community, embedder.version), BATCH):
        profiles = [profile for _, profile in batch]
        users, candidates = embedder.embed(profiles, "user"), embedder.embed(profiles, "candidate")
        places = place_all(users, snapshot.candidate, snapshot.places) if len(snapshot) else None
        rows = []
        findable = queries.findable_ids(community, [id for id, _ in batch]) if placed else ()
        for at, (id, _) in enumerate(batch):
            place = None
            if places is not None and id in findable and np.isfinite(places[at]).all():
                place = (float(places[at, 0]), float(places[at, 1]))
            rows.append(ModelVectors(id, users[at], candidates[at], place, map_version))
        community.put_vectors(embedder.version, rows, since=since)
        done += len(rows)
    return done


def catch_up(community: Community, embedder: Embedder, mark: str) -> int:
    """Embed who joined by a server that was not yet switched over to this generation's model.

    Those of them who can be found get a place on the map `mark`.
    """
    if next(iter(queries.profiles_without_vectors(community, embedder.version)), None) is None:
        return 0
    now = community.with_model(embedder.version)  # of its own: its snapshot lacks them
    return embed_missing(now, embedder, placed=True, map_version=mark)
