"""Vectors of the halves that were asked about, which ship so that anyone can rank them again.

No ids, no names and no artists are among them: row i of the queries belongs to row i of the
candidates, and the rows stand in a drawn order.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import atomic_write
from twotower.evaluation.methods.base import HasVectors, Scorer
from twotower.evaluation.report import QUALITY, Report, how_to_make
from twotower.evaluation.specs import scaled_label
from twotower.evaluation.summary import is_towers, means_by_method, plain_towers
from twotower.evaluation.tasks import Retrieval, Task
from twotower.model.play_matrix import unit_rows

FILE = "halves.npz"
HOW_TO_MAKE = how_to_make(QUALITY)
TIED = "half-vectors"  # where the header of a report has the SHA-256 of the file
CHECKS = ("halves", "halves-head", "halves-playlists", "cold-3", "cold-5", "cold-10")
ALIKE = ("halves-playlists",)  # asked of the same people in every split, and kept in one order
BESIDE = (2, 1)  # baselines beside the towers in a check: so many, or fewer where it is too much
LARGEST = 8_000_000  # bytes
_SIDES = ("query", "candidate")
Key = tuple[int, str, str]  # split, check, method


@dataclass(frozen=True)
class Halves:
    """What one method made of those asked in one check of one split."""

    queries: np.ndarray  # (n, k) float32, of length one
    candidates: np.ndarray  # (n, k) the other halves, in the same order
    two_sided: bool = False  # whether a vector has one half to ask by, and one to be found by

    @property
    def asking(self) -> np.ndarray:
        """(n, k) the candidates as they ask: what is asked by and what is found change places."""
        if not self.two_sided:
            return self.candidates
        return np.roll(self.candidates, self.candidates.shape[1] // 2, axis=1)


class Keeper:
    """Keeps the vectors of the halves while `evaluate` asks for them: its `on_asked`."""

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._kept: dict[Key, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, name: str, number: int, task: Task, method: Scorer) -> None:
        """Those of method `name` in split `number`, where the check ships and it has vectors."""
        if (
            task.spec.label not in CHECKS
            or not isinstance(task, Retrieval)
            or not isinstance(method, HasVectors)
        ):
            return
        order = np.random.default_rng(self._seed).permutation(len(task.ids))
        self._kept[number, task.spec.label, name] = (
            method.vectors(task.queries, asking=True)[order].astype(np.float16),
            method.vectors(task.candidates, asking=False)[order].astype(np.float16),
        )

    def write(self, path: Path, report: Report) -> Report:
        """Write those of the towers and of the best baselines; the report, tied to the file.

        The best are those with the highest MRR in a check, by the report, as they are or after
        local scaling, which their vectors tell too. Nothing is written, and the report stays as it
        is, where none of these checks was asked.
        """
        if not self._kept:
            return report
        for beside in BESIDE:
            written = _packed(self._chosen(report, beside))
            if len(written) <= LARGEST:
                break
        with atomic_write(path) as file:
            file.write(written)
        tied = {TIED: hashlib.sha256(written).hexdigest()}
        return replace(report, header={**report.header, **tied})

    def _chosen(self, report: Report, beside: int) -> dict[str, np.ndarray]:
        """Arrays by name; candidates that are those of `halves` too stand there alone."""
        towers = plain_towers(report)
        arrays: dict[str, np.ndarray] = {}
        for check in CHECKS:
            found = means_by_method(report, check, "MRR")
            having = {
                name
                for _, told, name in self._kept
                if told == check
                and name in found
                and (name == towers or not is_towers(report, name))
            }
            highest = {
                name: max(found[name], found.get(scaled_label(name), 0.0)) for name in having
            }
            best = sorted(having, key=lambda name: (name != towers, -highest[name], name))
            for number, told, name in self._kept:
                if told == check and name in best[: beside + (towers in having)]:
                    queries, candidates = self._kept[number, check, name]
                    arrays[_name(number, check, "query", name)] = queries
                    first = self._kept.get((number, "halves", name))
                    same = first is not None and np.array_equal(candidates, first[1])
                    at = "halves" if same else check
                    arrays[_name(number, at, "candidate", name)] = candidates
        return arrays


def _name(number: int, check: str, side: str, method: str) -> str:
    return f"{number}/{check}/{side}/{method}"


def _packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, array in arrays.items():
            with packed.open(zipfile.ZipInfo(f"{name}.npy"), "w") as file:  # a date that stays
                np.lib.format.write_array(file, array, allow_pickle=False)
    return out.getvalue()


def read(path: Path, report: Report) -> dict[Key, Halves]:
    """(split, check, method) -> halves, in the order of the file.

    MissingData where the report is tied to no file or the file is not there; IncompatibleModel
    where it is not the one that was written with the report, which a changed or half a file is not.
    """
    tied = report.header.get(TIED)
    if not isinstance(tied, str):
        raise MissingData(f"{QUALITY} has no half-vectors: write both with {HOW_TO_MAKE}")
    try:
        written = path.read_bytes()
    except OSError as error:
        raise MissingData(f"{FILE} is not there: write it with {HOW_TO_MAKE}") from error
    if hashlib.sha256(written).hexdigest() != tied:
        raise IncompatibleModel(
            f"{FILE} is not the file that was written with {QUALITY}, or one of them was "
            f"changed or damaged since: write both with {HOW_TO_MAKE}"
        )
    try:
        return _unpacked(written, plain_towers(report))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise IncompatibleModel(f"{FILE} can't be read: write it with {HOW_TO_MAKE}") from error


def _unpacked(written: bytes, towers: str) -> dict[Key, Halves]:
    with np.load(io.BytesIO(written), allow_pickle=False) as packed:
        arrays = {name: _rows(packed[name]) for name in packed.files}
    found: dict[Key, Halves] = {}
    for name, queries in arrays.items():
        number, check, side, method = name.split("/", 3)
        if side != _SIDES[0]:
            continue
        at = _name(int(number), check, _SIDES[1], method)
        if at not in arrays:
            at = _name(int(number), "halves", _SIDES[1], method)
        if arrays[at].shape != queries.shape:
            raise ValueError(f"{name}: {queries.shape} queries for {arrays[at].shape} candidates")
        found[int(number), check, method] = Halves(queries, arrays[at], method == towers)
    return found


def _rows(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float16 or array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(f"{array.dtype} of shape {array.shape}")
    return unit_rows(array.astype(np.float32))
