"""A trained model as it is used and kept: profiles in, unit vectors out."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from twotower.core.domain import Coverage, Profile
from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import sha256_of_file
from twotower.model.artist_features import Table
from twotower.model.batches import (
    ContentMap,
    ExtraItems,
    ItemSet,
    chunked,
    collate,
    coverage_of,
    read_profile,
)
from twotower.model.catalogue import Catalogue
from twotower.model.content import ContentSpace
from twotower.model.ease import ItemItemWeights
from twotower.model.play_matrix import MEAN_WEIGHT
from twotower.model.towers import ARTIST, Items, ModelConfig, ProfileBatch, Tower, TwoTower

FORMAT = 3
BATCH = 256  # chunks read at once
FILES = (
    "catalogue.json.gz",
    "catalogue.npz",
    "weights.safetensors",
    "words.json",
    "trained_on.json",
)
Side = Literal["user", "candidate"]


@dataclass(frozen=True)
class Embedder:
    """Two towers, the artists they know, and the map for artists that they don't."""

    model: TwoTower
    catalogue: Catalogue
    content: ContentMap
    items: Items  # row 0 is padding, artist row r is r + 1
    item_item: ItemItemWeights
    version: str  # of the weights; vectors of different versions are never compared
    about: Mapping[str, Any]  # how it was trained
    trained_on: tuple[str, ...] = ()  # hashed ids of the listeners it has seen

    @classmethod
    def from_training(
        cls,
        model: TwoTower,
        table: Table,
        catalogue: Catalogue,
        item_item: ItemItemWeights,
        *,
        about: Mapping[str, Any],
        trained_on: Sequence[str] = (),
    ) -> "Embedder":
        """Encode every artist once; nothing of the table but this is kept.

        What is stored in half precision is rounded now, so that a saved model gives the same.
        """
        padding = torch.zeros(1, table.inputs.shape[1])
        model.eval()
        with torch.inference_mode():
            parts = [
                model.encoder(torch.from_numpy(table.inputs[at : at + 8192]))
                for at in range(0, len(table.inputs), 8192)
            ]
            parts.insert(0, model.encoder(padding))
        items = Items(*(torch.cat([getattr(p, n) for p in parts]).half().float() for n in _ITEMS))
        items.df[0] = 0
        space = table.content_map.space
        space = replace(
            space, genre_basis=_halved(space.genre_basis), name_basis=_halved(space.name_basis)
        )
        content = replace(table.content_map, space=space)
        seen = tuple(trained_on)
        return cls(model, catalogue, content, items, item_item, "unsaved", dict(about), seen)

    @property
    def dim(self) -> int:
        return self.model.config.dim

    @torch.inference_mode()
    def embed(self, profiles: Sequence[Profile], tower: Side = "user") -> np.ndarray:
        """(n, dim) float32 unit vectors, one a profile, in order.

        A profile in which the model knows nothing gets the tower's answer to "no items": ask
        `knows` first.
        """
        out = np.zeros((len(profiles), self.dim), np.float32)
        one = self._tower(tower)
        for owner, items, batch in self._batches(profiles):
            np.add.at(out, owner, one(items, batch).numpy())
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.maximum(norms, 1e-9))

    @torch.inference_mode()
    def effective_dimensions(self, profiles: Sequence[Profile], tower: Side = "user") -> np.ndarray:
        """(n,) how many of the space's dimensions a profile settles, 0..dim; more with more known.

        tr((G + I)^-1 I), G being the precision of a listener of whom nothing is known and I what
        the profile adds to it: the effective number of parameters (MacKay, 1992, "Bayesian
        interpolation").
        """
        one = self._tower(tower)
        added = np.zeros((len(profiles), self.dim, self.dim))
        for owner, items, batch in self._batches(profiles):
            np.add.at(added, owner, one.information(items, batch).numpy())
        prior = one.prior().numpy().astype(float)
        return np.asarray(np.trace(np.linalg.solve(prior + added, added), axis1=1, axis2=2))

    def embed_alone(self, rows: Sequence[int], tower: Side = "candidate") -> np.ndarray:
        """(n, dim) what a listener of one artist alone gets, for catalogue rows (n,)."""
        padded = torch.from_numpy(np.asarray(rows, np.int64).reshape(-1, 1) + 1)
        numbers = torch.zeros(padded.shape)
        with torch.inference_mode():
            batch = ProfileBatch(
                padded,
                numbers + MEAN_WEIGHT,
                numbers,
                torch.full_like(padded, ARTIST),
                torch.ones(len(padded)),
            )
            return np.asarray(self._tower(tower)(self.items, batch))

    def knows(self, profile: Profile) -> bool:
        """Whether anything in the profile says something to the model."""
        extras = ExtraItems(first=len(self.items.gates))
        return len(read_profile(profile, self.catalogue, self.content, extras).rows) > 0

    def coverage(self, profile: Profile) -> Coverage:
        return coverage_of(profile, self.catalogue, self.content.space)

    def _batches(
        self, profiles: Sequence[Profile]
    ) -> Iterator[tuple[np.ndarray, Items, ProfileBatch]]:
        """(whose each chunk is, items, chunks) a batch; a long profile has several chunks."""
        extras = ExtraItems(first=len(self.items.gates))
        sets = [read_profile(p, self.catalogue, self.content, extras) for p in profiles]
        items = self.items
        if extras.content:
            inputs = torch.from_numpy(self.content.inputs(np.stack(extras.content)))
            more = self.model.encoder(inputs, torch.from_numpy(np.stack(extras.extra)))
            items = _joined(items, more, sets)
        config = self.model.config
        pieces: list[ItemSet] = []
        owner: list[int] = []
        for at, one in enumerate(sets):
            chunks = chunked(one, config.chunk)
            pieces += chunks
            owner += [at] * len(chunks)
        order = np.argsort([len(p.rows) for p in pieces], kind="stable")
        for at in range(0, len(order), BATCH):
            chosen = order[at : at + BATCH]
            batch = collate([pieces[i] for i in chosen], relative=config.relative_plays)
            yield np.asarray(owner)[chosen], items, batch

    def _tower(self, side: Side) -> Tower:
        if side not in ("user", "candidate"):
            raise ValueError(f"tower is 'user' or 'candidate', not {side!r}")
        return self.model.user if side == "user" else self.model.candidate

    def save(self, folder: Path) -> "Embedder":
        """Write a folder to look into, all or nothing, and give the model with its version.

        An older model there is replaced; a folder that holds something else is a ValueError.
        """
        folder = folder.absolute()
        if folder.exists() and not _replaceable(folder):
            raise ValueError(f"{folder.name} holds something else than a model: name a new folder")
        if folder.exists() and any(folder.iterdir()) and not (folder / "config.json").is_file():
            raise IncompatibleModel(
                f"{folder} holds something else than a model: choose an empty folder"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            self.catalogue.save(fresh)
            save_file(_tensors(self), fresh / "weights.safetensors")
            (fresh / "weights.safetensors").chmod(0o644)
            words = json.dumps(self.content.space.genre_words, ensure_ascii=False)
            (fresh / "words.json").write_text(words, encoding="utf-8")
            (fresh / "trained_on.json").write_text(json.dumps(self.trained_on), encoding="utf-8")
            hashes = {name: sha256_of_file(fresh / name) for name in FILES}
            version = _version(hashes)
            document = {
                "format": FORMAT,
                "version": version,
                "model": asdict(self.model.config),
                "files": hashes,
                "about": dict(self.about),
            }
            (fresh / "config.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
            for path in fresh.iterdir():
                path.chmod(0o644)
            fresh.chmod(0o755)
            _put(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return replace(self, version=version)

    @classmethod
    def load(cls, folder: Path) -> "Embedder":
        """MissingData without a model there, IncompatibleModel where its files don't fit."""
        if not (folder / "config.json").is_file():
            raise MissingData(
                f"no model in {folder}: train one with `python -m twotower train`, or restore "
                "the shipped one"
            )
        try:
            document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                raise IncompatibleModel(
                    f"the model in {folder.name} has format {document['format']}, this program "
                    f"reads {FORMAT}: train anew"
                )
            for name in FILES:
                if sha256_of_file(folder / name) != document["files"][name]:
                    raise IncompatibleModel(
                        f"{name} in {folder.name} is damaged or of another training run: restore "
                        "the folder or train anew"
                    )
            catalogue = Catalogue.load(folder)
            tensors = load_file(folder / "weights.safetensors")
            words = tuple(json.loads((folder / "words.json").read_text(encoding="utf-8")))
            model = TwoTower(ModelConfig(**document["model"]))
            prefix = "model."
            model.load_state_dict(
                {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            )
            arrays = {
                n.removeprefix("content."): t.float().numpy()
                for n, t in tensors.items()
                if n.startswith("content.")
            }
            space = ContentSpace(words, *(arrays[n] for n in _SPACE))
            content = ContentMap(space, *(arrays[n] for n in _MAP))
            items = Items(*(tensors[f"items.{n}"].float() for n in _ITEMS))
            beside = (tensors[f"companions.{n}"].numpy() for n in _COMPANIONS)
            item_item = ItemItemWeights(len(catalogue), *beside)
            version, about = str(document["version"]), dict(document["about"])
            if version != _version(document["files"]):
                raise IncompatibleModel(
                    f"config.json in {folder.name} is not of its files: restore the folder or "
                    "train anew"
                )
            trained_on = tuple(json.loads((folder / "trained_on.json").read_text("utf-8")))
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RuntimeError,
            SafetensorError,
        ) as error:
            raise IncompatibleModel(
                f"the model in {folder.name} can't be read ({error}): restore it or train anew"
            ) from error
        if not len(items.vectors) == len(items.gates) == len(items.df) == len(catalogue) + 1:
            raise IncompatibleModel(
                f"{len(items.gates) - 1} encoded artists for {len(catalogue)} in the catalogue of "
                f"{folder.name}: files of different training runs"
            )
        return cls(model.eval(), catalogue, content, items, item_item, version, about, trained_on)


_ITEMS = ("vectors", "gates", "df")
_COMPANIONS = ("artists", "others", "weights")
_SPACE = ("genre_idf", "genre_basis", "name_idf", "name_basis", "audio_mean", "audio_std")
_MAP = ("mean", "std", "coefficients")


def _tensors(embedder: Embedder) -> dict[str, torch.Tensor]:
    tensors = {f"model.{n}": t.contiguous() for n, t in embedder.model.state_dict().items()}
    space = embedder.content.space
    for name in _SPACE:
        half = name.endswith("basis")
        array = torch.from_numpy(np.ascontiguousarray(getattr(space, name)))
        tensors[f"content.{name}"] = array.half() if half else array.float()
    for name in _MAP:
        tensors[f"content.{name}"] = torch.from_numpy(
            np.ascontiguousarray(getattr(embedder.content, name), dtype=np.float32)
        )
    for name in _ITEMS:
        tensors[f"items.{name}"] = getattr(embedder.items, name).half().contiguous()
    for name in _COMPANIONS:
        tensors[f"companions.{name}"] = torch.from_numpy(getattr(embedder.item_item, name))
    return tensors


def _joined(items: Items, more: Items, sets: Sequence[ItemSet]) -> Items:
    """The used rows of both, so that a live profile never copies the whole catalogue."""
    first = len(items.gates)
    used = np.unique(np.concatenate([[0], *(s.rows for s in sets)])).astype(np.int64)
    own = torch.from_numpy(used[used < first])
    for one in sets:
        one.rows[:] = np.searchsorted(used, one.rows)
    extra = torch.from_numpy(used[used >= first] - first)
    return Items(*(torch.cat([getattr(items, n)[own], getattr(more, n)[extra]]) for n in _ITEMS))


def _halved(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16).astype(np.float32)


def _version(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(hashes[name] for name in FILES).encode()).hexdigest()[:12]


def _replaceable(folder: Path) -> bool:
    """Whether `folder` is one that a model may take the place of: a model's, or empty."""
    return folder.is_dir() and ((folder / "config.json").is_file() or not any(folder.iterdir()))


def _put(fresh: Path, folder: Path) -> None:
    """Let `fresh` take the place of `folder`, which stays as it is where that fails."""
    if not folder.exists():
        os.replace(fresh, folder)
        return
    aside = fresh.with_name(fresh.name + "-old")
    os.replace(folder, aside)
    try:
        os.replace(fresh, folder)
    except BaseException:
        os.replace(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
