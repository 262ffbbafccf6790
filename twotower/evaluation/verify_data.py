"""Embeddings of the evaluation queries, shipped so metrics can be recomputed.

The file holds no ids, names or artists: row i of the queries belongs to row i of the candidates,
and the rows are in random order. If a task is a mean over sources, the rows of a source are
together, and the sources are in the order of their names.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import atomic_write
from twotower.evaluation.methods.base import HasVectors, Scorer
from twotower.evaluation.report import QUALITY, Report, how_to_make
from twotower.evaluation.specs import scaled_label
from twotower.evaluation.summary import is_towers, means_by_method, plain_towers
from twotower.evaluation.tasks import Retrieval, Task
from twotower.model.play_matrix import unit_rows

VECTORS = "halves.npz"
HEADER_KEY = "half-vectors"  # in the header of a report: SHA-256 of the file
STORED_TASKS = (
    "halves",
    "halves-head",
    "halves-playlists",
    "halves-today",
    "cold-3",
    "cold-5",
    "cold-10",
)
BASELINES_PER_TASK = (2, 1)  # beside the towers; the second number if the file gets too large
MAX_BYTES = 5_000_000
QUERY, CANDIDATE = "query", "candidate"


class VectorKey(NamedTuple):
    """The split, task and method of stored vectors."""

    split: int
    check: str
    method: str

    def entry(self, side: str) -> str:
        """Return the name of an array in the file."""
        return f"{self.split}/{self.check}/{side}/{self.method}"


@dataclass(frozen=True)
class QueryCandidateVectors:
    """Vectors of one method in one task of one split."""

    queries: np.ndarray  # (n, k) float32, unit vectors
    candidates: np.ndarray  # (n, k), row i is the other half of query i
    two_sided: bool = False  # True: a vector is the user tower's, then the candidate tower's

    @property
    def candidates_as_queries(self) -> np.ndarray:
        """Vectors (n, k) of the candidates in the role of queries: the two towers swap places."""
        if not self.two_sided:
            return self.candidates
        return np.roll(self.candidates, self.candidates.shape[1] // 2, axis=1)


class VectorRecorder:
    """Record the vectors of queries and candidates during `evaluate`, as its `on_measured`."""

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        # (queries, candidates) in float16, each (n, k) in the same random order
        self.recorded: dict[VectorKey, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, name: str, number: int, task: Task, method: Scorer) -> None:
        """Record the vectors of a method in a split, if the task is stored and it has vectors."""
        check = task.spec.label
        if (
            check not in STORED_TASKS
            or not isinstance(task, Retrieval)
            or not isinstance(method, HasVectors)
            or len(task.candidates) != len(task.queries)
        ):
            return
        order = np.random.default_rng(self._seed).permutation(len(task.ids))
        if task.source_of:
            order = order[np.argsort(np.array(task.source_of)[order], kind="stable")]
        self.recorded[VectorKey(number, check, name)] = (
            method.vectors(task.queries, asking=True)[order].astype(np.float16),
            method.vectors(task.candidates, asking=False)[order].astype(np.float16),
        )

    def write(self, path: Path, report: Report) -> Report:
        """Write the vectors of the towers and the best baselines of each task.

        The best have the highest MRR in the report, as they are or after local scaling. Returns
        the report with the file's digest in its header; if nothing was recorded, the report as it
        is, and nothing is written.
        """
        if not self.recorded:
            return report
        for baselines in BASELINES_PER_TASK:
            content = _pack(self._chosen_arrays(report, baselines))
            if len(content) <= MAX_BYTES:
                break
        with atomic_write(path) as file:
            file.write(content)
        digest = {HEADER_KEY: hashlib.sha256(content).hexdigest()}
        return replace(report, header={**report.header, **digest})

    def _chosen_arrays(self, report: Report, baselines: int) -> dict[str, np.ndarray]:
        """Return entry -> array; candidates equal to those of `halves` are stored only there."""
        arrays: dict[str, np.ndarray] = {}
        for check in STORED_TASKS:
            methods = self._best_methods(report, check, baselines)
            for key, (queries, candidates) in self.recorded.items():
                if key.check == check and key.method in methods:
                    arrays[key.entry(QUERY)] = queries
                    of_halves = key._replace(check="halves")
                    first = self.recorded.get(of_halves)
                    same = first is not None and np.array_equal(candidates, first[1])
                    arrays[(of_halves if same else key).entry(CANDIDATE)] = candidates
        return arrays

    def _best_methods(self, report: Report, check: str, baselines: int) -> list[str]:
        """Return the towers, if they were recorded, and the best baselines of a task."""
        towers = plain_towers(report)
        mrr = means_by_method(report, check, "MRR")
        recorded = {
            key.method
            for key in self.recorded
            if key.check == check
            and key.method in mrr
            and (key.method == towers or not is_towers(report, key.method))
        }
        highest = {name: max(mrr[name], mrr.get(scaled_label(name), 0.0)) for name in recorded}
        best = sorted(recorded, key=lambda name: (name != towers, -highest[name], name))
        return best[: baselines + (towers in recorded)]


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return a .npz file, the same for the same arrays."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, array in arrays.items():
            with packed.open(zipfile.ZipInfo(f"{name}.npy"), "w") as file:  # has a fixed date
                np.lib.format.write_array(file, array, allow_pickle=False)
    return out.getvalue()


def read_vectors(path: Path, report: Report) -> dict[VectorKey, QueryCandidateVectors]:
    """Read the vectors that were written with a report, in the order of the file.

    Raises MissingData if the report has none or the file is not there, IncompatibleModel if the
    file is another one, or damaged.
    """
    how = how_to_make(QUALITY)
    digest = report.header.get(HEADER_KEY)
    if not isinstance(digest, str):
        raise MissingData(f"{QUALITY} has no half-vectors: write both with {how}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingData(f"{VECTORS} is not there: write it with {how}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise IncompatibleModel(
            f"{VECTORS} is not the file that was written with {QUALITY}, or one of them was "
            f"changed or damaged since: write both with {how}"
        )
    try:
        return _unpack(content, plain_towers(report))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise IncompatibleModel(f"{VECTORS} can't be read: write it with {how}") from error


def _unpack(content: bytes, towers: str) -> dict[VectorKey, QueryCandidateVectors]:
    with np.load(io.BytesIO(content), allow_pickle=False) as packed:
        arrays = {name: _parse_vectors(packed[name]) for name in packed.files}
    vectors: dict[VectorKey, QueryCandidateVectors] = {}
    for name, queries in arrays.items():
        split, check, side, method = name.split("/", 3)
        if side != QUERY:
            continue
        key = VectorKey(int(split), check, method)
        candidates = arrays.get(key.entry(CANDIDATE))
        if candidates is None:
            candidates = arrays[key._replace(check="halves").entry(CANDIDATE)]
        if candidates.shape != queries.shape:
            raise ValueError(f"{name}: {queries.shape} queries, {candidates.shape} candidates")
        vectors[key] = QueryCandidateVectors(queries, candidates, method == towers)
    return vectors


def _parse_vectors(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float16 or array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(f"{array.dtype} of shape {array.shape}")
    return unit_rows(array.astype(np.float32))
