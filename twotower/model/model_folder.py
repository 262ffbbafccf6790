"""The folder of a stored model: its files, their hashes, and the version made of them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import atomic_folder, sha256_of_file
from twotower.core.names import HASH_DIGITS
from twotower.model.catalogue import Catalogue
from twotower.model.confidence import DEFAULT_CURVE, ConfidenceCurve
from twotower.model.towers import ModelConfig

FORMAT = 4
READABLE = (3, 4)  # 3 has the artists' vectors in half precision
FILES = (
    "catalogue.json.gz",
    "catalogue.npz",
    "weights.safetensors",
    "words.json",
    "trained_on.json",
)


@dataclass(frozen=True)
class StoredModel:
    """Content of a model folder."""

    config: ModelConfig
    catalogue: Catalogue
    tensors: Mapping[str, Tensor]  # of the model, the content map, items and item-item weights
    words: tuple[str, ...]  # genre words
    trained_on: tuple[str, ...]  # hashed ids of the training listeners
    about: Mapping[str, Any]  # how the model was trained
    version: str
    curve: ConfidenceCurve = DEFAULT_CURVE


def write_model(folder: Path, stored: StoredModel) -> str:
    """Write the folder as a whole and return the version of its files.

    An older model there is replaced. Raises ValueError if the folder holds anything else.
    """
    folder = folder.absolute()
    if folder.exists() and not _is_replaceable(folder):
        raise ValueError(f"{folder.name} has other files than a model: name a new folder")
    with atomic_folder(folder) as fresh:
        stored.catalogue.save(fresh)
        if stored.curve != DEFAULT_CURVE:
            stored.curve.save(fresh)
        save_file(dict(stored.tensors), fresh / "weights.safetensors")
        words = json.dumps(stored.words, ensure_ascii=False)
        (fresh / "words.json").write_text(words, encoding="utf-8")
        (fresh / "trained_on.json").write_text(json.dumps(stored.trained_on), encoding="utf-8")
        hashes = {name: sha256_of_file(fresh / name) for name in FILES}
        version = _version(hashes)
        document = {
            "format": FORMAT,
            "version": version,
            "model": asdict(stored.config),
            "files": hashes,
            "about": dict(stored.about),
        }
        (fresh / "config.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return version


def read_model(folder: Path) -> StoredModel:
    """Read a model folder and check its hashes.

    Raises MissingData if there is no model, IncompatibleModel if its files are damaged, of another
    format, or of different trainings.
    """
    if not (folder / "config.json").is_file():
        raise MissingData(
            f"no model in {folder}: train one with `python -m twotower train`, or restore "
            "the shipped one"
        )
    try:
        document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        _check_files(folder, document)
        return StoredModel(
            ModelConfig(**document["model"]),
            Catalogue.load(folder),
            load_file(folder / "weights.safetensors"),
            tuple(json.loads((folder / "words.json").read_text(encoding="utf-8"))),
            _read_hashed_ids(folder / "trained_on.json"),
            dict(document["about"]),
            str(document["version"]),
            ConfidenceCurve.load(folder),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise unreadable(folder, error) from error


def _read_hashed_ids(path: Path) -> tuple[str, ...]:
    """Return hashed ids; those of older models, with all 64 digits, are cut to today's length."""
    return tuple(text[:HASH_DIGITS] for text in json.loads(path.read_text(encoding="utf-8")))


def unreadable(folder: Path, error: Exception) -> IncompatibleModel:
    """Return the error for a folder whose files don't hold what they should."""
    return IncompatibleModel(
        f"the model in {folder.name} can't be read ({error}): restore it or train a new one"
    )


def _check_files(folder: Path, document: Mapping[str, Any]) -> None:
    if document["format"] not in READABLE:
        raise IncompatibleModel(
            f"the model in {folder.name} has format {document['format']}, this program reads "
            f"formats {READABLE[0]} to {FORMAT}: train a new one"
        )
    for name in FILES:
        if sha256_of_file(folder / name) != document["files"][name]:
            raise IncompatibleModel(
                f"{name} in {folder.name} is damaged or of another training: restore the folder "
                "or train a new model"
            )
    if document["version"] != _version(document["files"]):
        raise IncompatibleModel(
            f"config.json in {folder.name} doesn't belong to its files: restore the folder or "
            "train a new model"
        )


def _version(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(hashes[name] for name in FILES).encode()).hexdigest()[:12]


def _is_replaceable(folder: Path) -> bool:
    """Return True for an empty folder and for one with a model."""
    return folder.is_dir() and ((folder / "config.json").is_file() or not any(folder.iterdir()))
