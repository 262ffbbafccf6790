"""Files with all values of an evaluation run, so that several runs can be joined to one report.

Splits can then be evaluated in separate processes. A report has means only; its intervals need one
value per listener, and `halves.npz` needs the vectors.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import atomic_write
from twotower.evaluation.tally import Tally
from twotower.evaluation.verify_data import VectorKey, VectorRecorder

SAME = ("part", "seed", "data", "missing data", "versions")  # header fields of runs to be joined


@dataclass(frozen=True)
class Run:
    """The values, and the vectors, that one evaluation has measured."""

    header: Mapping[str, Any]  # of the report
    tally: Tally
    vectors: VectorRecorder


def save_run(path: Path, run: Run) -> None:
    """Write a run as .npz: values as they are, vectors as 16-bit numbers, names as JSON."""
    entries = list(run.tally.entries())
    ids = list(dict.fromkeys(entry.ids for entry in entries))
    number_of = {each: number for number, each in enumerate(ids)}
    recorded = run.vectors.recorded
    index = {
        "header": dict(run.header),
        "ids": ids,
        "entries": [
            [e.check, e.metric, e.method, e.split, number_of[e.ids], len(e.values)] for e in entries
        ],
        "vectors": [list(key) for key in recorded],
    }
    arrays = {
        "index": np.array(json.dumps(index)),
        "values": np.concatenate([np.zeros(0), *(entry.values for entry in entries)]),
    }
    for number, sides in enumerate(recorded.values()):
        arrays[f"{number}/query"], arrays[f"{number}/candidate"] = sides
    with atomic_write(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_run(path: Path) -> Run:
    """Read a run that `save_run` wrote.

    Raises MissingData if there is no such file, IncompatibleModel if it is another or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingData("there is no such file; check the path", where=str(path)) from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return _parse(stored)
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise IncompatibleModel(
            "not a run's values, or damaged: write it again with evaluate --save-values",
            where=str(path),
        ) from error


def _parse(stored: Mapping[str, np.ndarray]) -> Run:
    index = json.loads(str(stored["index"]))
    ids = [tuple(each) for each in index["ids"]]
    values, tally, start = stored["values"], Tally(), 0
    for check, metric, method, split, number, length in index["entries"]:
        tally.add(check, metric, method, split, ids[number], values[start : start + length])
        start += length
    vectors = VectorRecorder(seed=index["header"]["seed"])
    vectors.recorded.update(
        (VectorKey(*key), (stored[f"{number}/query"], stored[f"{number}/candidate"]))
        for number, key in enumerate(index["vectors"])
    )
    return Run(index["header"], tally, vectors)


def join_runs(runs: Sequence[Run]) -> Run:
    """Return one run with the values of all, as if all had been measured in one process.

    Raises ValueError if the runs differ in a field of `SAME`, or if two measured the same task with
    the same method on the same split.
    """
    first = runs[0]
    tally, vectors = Tally(), VectorRecorder(seed=first.header["seed"])
    for run in runs:
        for name in SAME:
            if run.header.get(name) != first.header.get(name):
                raise ValueError(f"the runs differ in {name}")
        tally.extend(run.tally)
        vectors.recorded.update(run.vectors.recorded)
    header = {
        **first.header,
        "splits": sorted({split for run in runs for split in run.header["splits"]}),
        "checks": list(dict.fromkeys(check for run in runs for check in run.header["checks"])),
        "command": " && ".join(run.header["command"] for run in runs),
    }
    return Run(header, tally, vectors)
