"""A trained model in use: profiles in, unit vectors out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from twotower.core.domain import Coverage, Profile
from twotower.core.errors import IncompatibleModel
from twotower.model.artist_features import ArtistFeatures
from twotower.model.batches import (
    ContentMap,
    ExtraItems,
    ItemSet,
    collate,
    coverage_of,
    split_chunks,
    to_items,
)
from twotower.model.catalogue import Catalogue
from twotower.model.confidence import DEFAULT_CURVE, Confidence, ConfidenceCurve
from twotower.model.content import ContentSpace
from twotower.model.ease import ItemItemWeights
from twotower.model.model_folder import StoredModel, read_model, unreadable, write_model
from twotower.model.play_matrix import MEAN_WEIGHT, unit_rows
from twotower.model.stored_items import items_of, round_items, tensors_of
from twotower.model.towers import (
    ARTIST,
    Items,
    ProfileBatch,
    Tower,
    TwoTower,
    from_stored_name,
    to_stored_name,
)

BATCH = 256  # chunks read at once
ENCODED_AT_ONCE = 8192  # artists
UNSAVED = "unsaved"  # version of a model that was never saved
Side = Literal["user", "candidate"]

# Fields in the order of their class, by the names of their tensors in a stored model.
_ITEMS = ("vectors", "log_precision", "df")
_ITEM_ITEM = ("artists", "others", "weights")
_SPACE = ("genre_idf", "genre_basis", "name_idf", "name_basis", "audio_mean", "audio_std")
_MAP = ("mean", "std", "coefficients")


@dataclass(frozen=True)
class Embedder:
    """Two towers with everything they need to read a profile.

    embedder = Embedder.load(Path("assets/model"))
    vectors = embedder.embed([profile], "user")  # (1, 64)
    """

    model: TwoTower
    catalogue: Catalogue
    content: ContentMap  # for artists outside the catalogue
    items: Items  # row 0 is padding, artist row r is item r + 1
    item_item: ItemItemWeights
    version: str  # of the weights; vectors of different versions are never compared
    about: Mapping[str, Any]  # how it was trained
    trained_on: tuple[str, ...] = ()  # hashed ids of the training listeners
    curve: ConfidenceCurve = DEFAULT_CURVE  # from a score of the evidence to an expected MRR

    @classmethod
    def from_training(
        cls,
        model: TwoTower,
        features: ArtistFeatures,
        catalogue: Catalogue,
        item_item: ItemItemWeights,
        *,
        about: Mapping[str, Any],
        trained_on: Sequence[str] = (),
    ) -> "Embedder":
        """Encode every artist once; the features themselves are not kept.

        Everything that is stored in less precision is rounded now, so that the model gives the
        same vectors before and after it is saved.
        """
        padding = torch.zeros(1, features.inputs.shape[1])
        model.eval()
        with torch.inference_mode():
            parts = [model.encoder(padding)]
            for at in range(0, len(features.inputs), ENCODED_AT_ONCE):
                chunk = torch.from_numpy(features.inputs[at : at + ENCODED_AT_ONCE])
                parts.append(model.encoder(chunk))
        items = round_items(Items(*(torch.cat([getattr(p, n) for p in parts]) for n in _ITEMS)))
        items.df[0] = 0
        space = features.content_map.space
        space = replace(
            space,
            genre_basis=_round_to_half(space.genre_basis),
            name_basis=_round_to_half(space.name_basis),
        )
        content = replace(features.content_map, space=space)
        seen = tuple(trained_on)
        return cls(model, catalogue, content, items, item_item, UNSAVED, dict(about), seen)

    @property
    def dim(self) -> int:
        """Number of dimensions of the vectors."""
        return self.model.config.dim

    @torch.inference_mode()
    def embed(self, profiles: Sequence[Profile], tower: Side = "user") -> np.ndarray:
        """Return (n, dim) float32 unit vectors, in the order of the profiles.

        If the model knows nothing in a profile, it gets the vector of no items; check `knows`.
        """
        out = np.zeros((len(profiles), self.dim), np.float32)
        one = self.tower(tower)
        for owner, items, batch in self._batches(profiles):
            np.add.at(out, owner, one(items, batch).numpy())
        return unit_rows(out)

    @torch.inference_mode()
    def effective_dimensions(self, profiles: Sequence[Profile], tower: Side = "user") -> np.ndarray:
        """Return (n,) the number of dimensions that each profile determines, 0..dim.

        This is tr((G + I)^-1 I) with the precision G of the prior and I of the profile: the
        effective number of parameters (MacKay, 1992, "Bayesian interpolation").
        """
        one = self.tower(tower)
        added = np.zeros((len(profiles), self.dim, self.dim))
        for owner, items, batch in self._batches(profiles):
            np.add.at(added, owner, one.information(items, batch).numpy())
        prior = one.prior().numpy().astype(float)
        return np.asarray(np.trace(np.linalg.solve(prior + added, added), axis1=1, axis2=2))

    def embed_alone(self, rows: Sequence[int], tower: Side = "candidate") -> np.ndarray:
        """Return (n, dim) vectors of profiles with one artist each, for catalogue rows (n,)."""
        padded = torch.from_numpy(np.asarray(rows, np.int64).reshape(-1, 1) + 1)  # (n, 1)
        zeros = torch.zeros(padded.shape)
        batch = ProfileBatch(
            padded,
            zeros + MEAN_WEIGHT,
            zeros,
            torch.full_like(padded, ARTIST),
            torch.ones(len(padded)),
        )
        with torch.inference_mode():
            return np.asarray(self.tower(tower)(self.items, batch))

    def knows(self, profile: Profile) -> bool:
        """Return True if anything in the profile means something to the model."""
        extras = ExtraItems(first=len(self.items.vectors))
        return len(to_items(profile, self.catalogue, self.content, extras).rows) > 0

    def coverage(self, profile: Profile) -> Coverage:
        """Return how much of the listening the model knows."""
        return coverage_of(profile, self.catalogue, self.content.space)

    def confidence(self, profile: Profile) -> Confidence:
        """Return how surely the model knows the listener's taste."""
        dimensions = float(self.effective_dimensions([profile])[0])
        return self.curve.confidence(self.coverage(profile), dimensions)

    def select(self, rows: np.ndarray) -> "Embedder":
        """Return the model with a smaller catalogue: these rows of its catalogue, ascending.

        The model is an unsaved one, because a profile may get another vector from it.
        """
        padded = torch.from_numpy(np.append(0, rows + 1))  # row 0 of the items is padding
        return replace(
            self,
            catalogue=self.catalogue.select(rows),
            items=Items(*(getattr(self.items, name)[padded] for name in _ITEMS)),
            item_item=self.item_item.select(rows),
            version=UNSAVED,
        )

    def save(self, folder: Path) -> "Embedder":
        """Write the model to a folder, as a whole, and return it with its version.

        An older model there is replaced. Raises ValueError if the folder holds anything else.
        """
        stored = StoredModel(
            self.model.config,
            self.catalogue,
            _to_tensors(self),
            self.content.space.genre_words,
            self.trained_on,
            self.about,
            self.version,
            self.curve,
        )
        return replace(self, version=write_model(folder, stored))

    @classmethod
    def load(cls, folder: Path) -> "Embedder":
        """Read a model from its folder.

        Raises MissingData if there is no model, IncompatibleModel if its files don't fit.
        """
        stored = read_model(folder)
        try:
            embedder = cls._from_stored(stored)
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise unreadable(folder, error) from error
        artists, items = len(embedder.catalogue), embedder.items
        if not len(items.vectors) == len(items.log_precision) == len(items.df) == artists + 1:
            raise IncompatibleModel(
                f"{len(items.vectors) - 1} encoded artists for {artists} in the catalogue of "
                f"{folder.name}: these files are of different trainings"
            )
        return embedder

    @classmethod
    def _from_stored(cls, stored: StoredModel) -> "Embedder":
        tensors = stored.tensors
        prefix = "model."
        model = TwoTower(stored.config)
        model.load_state_dict(
            {
                from_stored_name(name.removeprefix(prefix)): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
        )
        space = ContentSpace(
            stored.words, *(tensors[f"content.{n}"].float().numpy() for n in _SPACE)
        )
        content = ContentMap(space, *(tensors[f"content.{n}"].float().numpy() for n in _MAP))
        items = items_of(
            {n.removeprefix("items."): t for n, t in tensors.items() if n.startswith("items.")}
        )
        arrays = (tensors[f"companions.{n}"].numpy() for n in _ITEM_ITEM)
        return cls(
            model.eval(),
            stored.catalogue,
            content,
            items,
            ItemItemWeights(len(stored.catalogue), *arrays),
            stored.version,
            stored.about,
            stored.trained_on,
            stored.curve,
        )

    def _batches(
        self, profiles: Sequence[Profile]
    ) -> Iterator[tuple[np.ndarray, Items, ProfileBatch]]:
        """Yield batches of chunks: (profile of each chunk, items, chunks).

        A long profile has several chunks; its vector is the mean direction of theirs.
        """
        items, sets = self.read_items(profiles)
        config = self.model.config
        chunks: list[ItemSet] = []
        owner: list[int] = []
        for at, one in enumerate(sets):
            parts = split_chunks(one, config.chunk)
            chunks += parts
            owner += [at] * len(parts)
        order = np.argsort([len(chunk.rows) for chunk in chunks], kind="stable")
        for at in range(0, len(order), BATCH):
            chosen = order[at : at + BATCH]
            batch = collate([chunks[i] for i in chosen], relative=config.relative_plays)
            yield np.asarray(owner)[chosen], items, batch

    def read_items(self, profiles: Sequence[Profile]) -> tuple[Items, list[ItemSet]]:
        """Return encoded items and each profile's set of them.

        If a profile brings items of its own, only the used rows of the catalogue come back.
        """
        extras = ExtraItems(first=len(self.items.vectors))
        sets = [to_items(p, self.catalogue, self.content, extras) for p in profiles]
        if not extras.content:
            return self.items, sets
        inputs = torch.from_numpy(self.content.inputs(np.stack(extras.content)))
        more = self.model.encoder(inputs, torch.from_numpy(np.stack(extras.extra)))
        return _join_items(self.items, more, sets), sets

    def tower(self, side: Side) -> Tower:
        """Return one of the two towers."""
        if side not in ("user", "candidate"):
            raise ValueError(f"tower is 'user' or 'candidate', not {side!r}")
        return self.model.user if side == "user" else self.model.candidate


def _to_tensors(embedder: Embedder) -> dict[str, torch.Tensor]:
    """Return everything of a model that is stored as tensors, by stored name."""
    tensors = {
        f"model.{to_stored_name(n)}": t.contiguous() for n, t in embedder.model.state_dict().items()
    }
    space = embedder.content.space
    for name in _SPACE:
        half = name.endswith("basis")
        array = torch.from_numpy(np.ascontiguousarray(getattr(space, name)))
        tensors[f"content.{name}"] = array.half() if half else array.float()
    for name in _MAP:
        tensors[f"content.{name}"] = torch.from_numpy(
            np.ascontiguousarray(getattr(embedder.content, name), dtype=np.float32)
        )
    tensors |= {f"items.{name}": t for name, t in tensors_of(embedder.items).items()}
    for name in _ITEM_ITEM:
        tensors[f"companions.{name}"] = torch.from_numpy(getattr(embedder.item_item, name))
    return tensors


def _join_items(items: Items, more: Items, sets: Sequence[ItemSet]) -> Items:
    """Return the used rows of both and renumber the sets, so that the catalogue isn't copied."""
    first = len(items.vectors)
    used = np.unique(np.concatenate([[0], *(s.rows for s in sets)])).astype(np.int64)
    own = torch.from_numpy(used[used < first])
    for one in sets:
        one.rows[:] = np.searchsorted(used, one.rows)
    extra = torch.from_numpy(used[used >= first] - first)
    return Items(*(torch.cat([getattr(items, n)[own], getattr(more, n)[extra]]) for n in _ITEMS))


def _round_to_half(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16).astype(np.float32)
