"""Files of vectors: written as they come, in shares that are joined without being held in memory.

`ids` (n, text), `vectors` (n, d) and `coverage` (n,) stand in the order of the lines. A share also
has the `places` of its lines, and says which share of how many it is, of which model and tower.
"""

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from twotower.core.errors import BadProfile, IncompatibleModel, MissingData
from twotower.core.files import atomic_write
from twotower.sources.sharding import Shard

COLUMNS = ("ids", "vectors", "coverage", "places")
CHUNK = 8192  # rows at once
_DATE = (1980, 1, 1, 0, 0, 0)  # in the archive, so that the same vectors are the same file


@dataclass(frozen=True)
class Made:
    """What a file of vectors was made with."""

    model: str
    tower: str
    shard: Shard | None = None


class VectorWriter:
    """Writes block by block: `with VectorWriter(path, made, dim=64) as write: write(place, ...)`.

    The file is there when the block ends well: the old one or the new one, whatever happens.
    """

    def __init__(self, path: Path, made: Made, *, dim: int) -> None:
        self.path, self.made = path, made
        self._shape = (dim,)
        self.rows = 0
        self.covered = 0.0  # sum of coverage
        self._blocks: list[tuple[int, int]] = []  # rows, width of ids
        self._open = ExitStack()

    def __enter__(self) -> "VectorWriter":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._spools = {
            name: self._open.enter_context(tempfile.TemporaryFile(dir=self.path.parent))  # noqa: SIM115
            for name in COLUMNS
        }
        return self

    def __call__(
        self, place: int, ids: Sequence[str], vectors: np.ndarray, coverage: np.ndarray
    ) -> None:
        named = np.array(ids, np.str_)
        self._blocks.append((len(ids), named.dtype.itemsize // 4))
        self.rows += len(ids)
        self.covered += float(coverage.sum())
        places = place + np.arange(len(ids), dtype=np.int64)
        for name, values in zip(COLUMNS, (named, vectors, coverage, places), strict=True):
            self._spools[name].write(np.ascontiguousarray(values).tobytes())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._open:
            if kind is None:
                self._write()

    def _write(self) -> None:
        width = max((width for _, width in self._blocks), default=1)
        kinds = {
            "ids": np.dtype(f"<U{width}"),
            "vectors": np.dtype((np.dtype("<f4"), self._shape)),
            "coverage": np.dtype("<f4"),
            "places": np.dtype("<i8"),
        }
        if self.made.shard is None:
            del kinds["places"]
        for spool in self._spools.values():
            spool.seek(0)

        def chunks(name: str) -> Iterator[np.ndarray]:
            for rows, width in self._blocks:
                kind = np.dtype(f"<U{width}") if name == "ids" else kinds[name]
                yield _read(self._spools[name], rows, kind)

        _save(self.path, self.rows, kinds, chunks, _about(self.made))


def join(parts: Sequence[Path], out: Path) -> tuple[Made, int, int, float]:
    """Write what one process would have written; (made with what, rows, dim, mean coverage).

    MissingData where a share is not there, IncompatibleModel where two are of different models,
    towers or divisions.
    """
    with ExitStack() as stack:
        archives = [stack.enter_context(_opened(path)) for path in parts]
        told = [_made(archive, path) for archive, path in zip(archives, parts, strict=True)]
        made = _all_there(told, parts)
        owner, place = [], []
        for at, archive in enumerate(archives):
            with _column(archive, "places") as (file, kind, rows):
                place.append(_read(file, rows, kind))
            owner.append(np.full(rows, at))
        sequence = np.concatenate(owner)[np.argsort(np.concatenate(place), kind="stable")]
        turns = np.flatnonzero(np.diff(sequence, prepend=-1))  # where another share goes on
        lengths = np.diff(np.append(turns, len(sequence)))
        kinds = {}
        for name in COLUMNS[:3]:
            each = []
            for archive in archives:
                with _column(archive, name) as (_, kind, rows):
                    each.append(kind if rows else np.dtype("<U1") if name == "ids" else kind)
            widest = max(each, key=lambda kind: kind.itemsize)
            kinds[name] = widest
        total = [0.0]

        def chunks(name: str) -> Iterator[np.ndarray]:
            with ExitStack() as inner:
                files = [inner.enter_context(_column(archive, name)) for archive in archives]
                for turn, length in zip(turns.tolist(), lengths.tolist(), strict=True):
                    file, kind, _ = files[int(sequence[turn])]
                    for at in range(0, length, CHUNK):
                        found = _read(file, min(CHUNK, length - at), kind)
                        if name == "coverage":
                            total[0] += float(found.sum(dtype=np.float64))
                        yield found

        _save(out, len(sequence), kinds, chunks, {})
    return made, len(sequence), kinds["vectors"].shape[0], total[0] / max(1, len(sequence))


def _about(made: Made) -> dict[str, np.ndarray]:
    if made.shard is None:
        return {}
    shard = np.array([made.shard.number, made.shard.count])
    return {"shard": shard, "model": np.array(made.model), "tower": np.array(made.tower)}


def _save(
    path: Path,
    rows: int,
    kinds: Mapping[str, np.dtype[Any]],
    chunks: Callable[[str], Iterator[np.ndarray]],
    about: Mapping[str, np.ndarray],
) -> None:
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, kind in kinds.items():
            with archive.open(_member(name), "w", force_zip64=True) as member:
                shape = (rows, *kind.shape)
                descr = np.lib.format.dtype_to_descr(kind.base)
                header = {"descr": descr, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                for chunk in chunks(name):
                    member.write(np.ascontiguousarray(chunk, kind.base).tobytes())
        for name, values in about.items():
            with archive.open(_member(name), "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(f"{name}.npy", _DATE)


def _read(file: IO[bytes], rows: int, kind: np.dtype[Any]) -> np.ndarray:
    wanted = rows * kind.itemsize
    raw = file.read(wanted)
    if len(raw) != wanted:
        raise BadProfile("a share is cut off: make it anew with `embed --shard`")
    return np.frombuffer(raw, kind.base).reshape(rows, *kind.shape)


def _opened(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise MissingData("there is no such file; check the path", where=str(path))
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise BadProfile("is no file that `embed --shard` wrote", where=path.name) from error


class _column:
    """(file at the first row, type of a row, rows) of a column in an archive."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._file = archive.open(f"{name}.npy")

    def __enter__(self) -> tuple[IO[bytes], np.dtype[Any], int]:
        np.lib.format.read_magic(self._file)
        shape, _, base = np.lib.format.read_array_header_1_0(self._file)
        return self._file, np.dtype((base, shape[1:])) if shape[1:] else base, shape[0]

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _made(archive: zipfile.ZipFile, path: Path) -> Made:
    try:
        found = {}
        for name in ("shard", "model", "tower"):
            with archive.open(f"{name}.npy") as file:
                found[name] = np.lib.format.read_array(file, allow_pickle=False)
        number, count = map(int, found["shard"])
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise BadProfile("is no file that `embed --shard` wrote", where=path.name) from error
    return Made(str(found["model"]), str(found["tower"]), Shard(number, count))


def _all_there(told: Sequence[Made], parts: Sequence[Path]) -> Made:
    for each, path in zip(told, parts, strict=True):
        if (each.model, each.tower) != (told[0].model, told[0].tower):
            raise IncompatibleModel(
                f"is of model {each.model}, {each.tower} tower, and {parts[0].name} of "
                f"{told[0].model}, {told[0].tower}: embed all shares with one model",
                where=path.name,
            )
    counts = {each.shard.count for each in told if each.shard}
    numbers = sorted(each.shard.number for each in told if each.shard)
    if len(counts) != 1 or numbers != list(range(*counts)):
        has = ", ".join(f"{e.shard.number}/{e.shard.count}" for e in told if e.shard)
        raise MissingData(
            f"the shares {has} are not one whole: each of one division is wanted once"
        )
    return Made(told[0].model, told[0].tower)
