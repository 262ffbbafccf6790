"""Vector files (.npz): written block by block, and joined without holding them in memory.

Columns `ids` (n, text), `vectors` (n, d) and those of MEASURES (n,) are in the order of the lines
read. A shard also has `places`, the positions of its lines among those of all shards, and names its
shard, model and tower.
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

# Share of plays whose artist is known at all, and known from listening; expected MRR. All 0..1.
MEASURES = ("coverage", "known_from_listening", "confidence")
COLUMNS = ("ids", "vectors", *MEASURES, "places")
CHUNK = 8192  # rows at once
_DATE = (1980, 1, 1, 0, 0, 0)  # fixed, so that the same vectors give the same bytes


@dataclass(frozen=True)
class VectorInfo:
    """Model, tower and shard of a vector file."""

    model: str  # version
    tower: str
    shard: Shard | None = None


class VectorWriter:
    """Writes a vector file block by block.

        with VectorWriter(path, info, dim=64) as write:
            write(position, ids, vectors, measures)

    The file replaces an older one when the block ends without an error.
    """

    def __init__(self, path: Path, info: VectorInfo, *, dim: int) -> None:
        self.path, self.info = path, info
        self._shape = (dim,)
        self.rows = 0
        self._sums = np.zeros(len(MEASURES))
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
        self, position: int, ids: Sequence[str], vectors: np.ndarray, measures: np.ndarray
    ) -> None:
        """Write a block of n lines; `position` is that of the first.

        vectors   (n, dim)
        measures  (n, MEASURES) float32
        """
        texts = np.array(ids, np.str_)
        self._blocks.append((len(ids), texts.dtype.itemsize // 4))
        self.rows += len(ids)
        self._sums += measures.sum(axis=0, dtype=np.float64)
        positions = position + np.arange(len(ids), dtype=np.int64)
        for name, values in zip(COLUMNS, (texts, vectors, *measures.T, positions), strict=True):
            self._spools[name].write(np.ascontiguousarray(values).tobytes())

    @property
    def means(self) -> dict[str, float]:
        """Mean of each measure over the lines written; 0 without lines."""
        return _means(dict(zip(MEASURES, self._sums, strict=True)), self.rows)

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
            **dict.fromkeys(MEASURES, np.dtype("<f4")),
            "places": np.dtype("<i8"),
        }
        if self.info.shard is None:
            del kinds["places"]
        for spool in self._spools.values():
            spool.seek(0)

        def chunks(name: str) -> Iterator[np.ndarray]:
            for rows, width in self._blocks:
                kind = np.dtype(f"<U{width}") if name == "ids" else kinds[name]
                yield _read(self._spools[name], rows, kind)

        _save(self.path, self.rows, kinds, chunks, _about(self.info))


def join(parts: Sequence[Path], out: Path) -> tuple[VectorInfo, int, int, dict[str, float]]:
    """Join shards into the file that one process would have written.

    Returns (info, rows, dim, mean of each measure). Shards of earlier versions have the coverage
    only; a measure that a shard lacks is left out. Raises MissingData if a shard is missing,
    IncompatibleModel if two are of different models, towers or divisions, BadProfile if a file is
    no shard.
    """
    with ExitStack() as stack:
        archives = [stack.enter_context(_open(path)) for path in parts]
        infos = [_info(archive, path) for archive, path in zip(archives, parts, strict=True)]
        info = _check_complete(infos, parts)
        owners = _owners(archives)
        in_all = set.intersection(*(set(archive.namelist()) for archive in archives))
        measures = [name for name in MEASURES if f"{name}.npy" in in_all]
        kinds = {name: _widest(archives, name) for name in ("ids", "vectors", *measures)}
        sums = dict.fromkeys(measures, 0.0)

        def chunks(name: str) -> Iterator[np.ndarray]:
            for values in _interleave(archives, owners, name):
                if name in sums:
                    sums[name] += float(values.sum(dtype=np.float64))
                yield values

        _save(out, len(owners), kinds, chunks, {})
    return info, len(owners), kinds["vectors"].shape[0], _means(sums, len(owners))


def _means(sums: Mapping[str, float], rows: int) -> dict[str, float]:
    return {name: float(total) / max(1, rows) for name, total in sums.items()}


def _owners(archives: Sequence[zipfile.ZipFile]) -> np.ndarray:
    """Return the shard (n,) of each line of the joined file, in order of position."""
    owner, position = [], []
    for at, archive in enumerate(archives):
        with _column(archive, "places") as (file, kind, rows):
            position.append(_read(file, rows, kind))
        owner.append(np.full(rows, at))
    return np.concatenate(owner)[np.argsort(np.concatenate(position), kind="stable")]


def _widest(archives: Sequence[zipfile.ZipFile], name: str) -> np.dtype[Any]:
    """Return the type of a row that holds those of all shards; ids differ in width."""
    kinds = []
    for archive in archives:
        with _column(archive, name) as (_, kind, rows):
            kinds.append(kind if rows or name != "ids" else np.dtype("<U1"))
    return max(kinds, key=lambda kind: kind.itemsize)


def _interleave(
    archives: Sequence[zipfile.ZipFile], owners: np.ndarray, name: str
) -> Iterator[np.ndarray]:
    """Yield chunks of a column, each read from the shard that has the next lines."""
    starts = np.flatnonzero(np.diff(owners, prepend=-1))  # of runs of lines from one shard
    lengths = np.diff(np.append(starts, len(owners)))
    with ExitStack() as stack:
        files = [stack.enter_context(_column(archive, name)) for archive in archives]
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
            file, kind, _ = files[int(owners[start])]
            for at in range(0, length, CHUNK):
                yield _read(file, min(CHUNK, length - at), kind)


def _about(info: VectorInfo) -> dict[str, np.ndarray]:
    if info.shard is None:
        return {}
    shard = np.array([info.shard.number, info.shard.count])
    return {"shard": shard, "model": np.array(info.model), "tower": np.array(info.tower)}


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
    size = rows * kind.itemsize
    raw = file.read(size)
    if len(raw) != size:
        raise BadProfile("a shard is cut off: write it again with `embed --shard`")
    return np.frombuffer(raw, kind.base).reshape(rows, *kind.shape)


def _open(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise MissingData("no such file: check the path", where=str(path))
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise BadProfile("is not a file of `embed --shard`", where=path.name) from error


class _column:
    """Open column of an archive: (file at the first row, type of a row, number of rows)."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._file = archive.open(f"{name}.npy")

    def __enter__(self) -> tuple[IO[bytes], np.dtype[Any], int]:
        np.lib.format.read_magic(self._file)
        shape, _, base = np.lib.format.read_array_header_1_0(self._file)
        return self._file, np.dtype((base, shape[1:])) if shape[1:] else base, shape[0]

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _info(archive: zipfile.ZipFile, path: Path) -> VectorInfo:
    try:
        arrays = {}
        for name in ("shard", "model", "tower"):
            with archive.open(f"{name}.npy") as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
        number, count = map(int, arrays["shard"])
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise BadProfile("is not a file of `embed --shard`", where=path.name) from error
    return VectorInfo(str(arrays["model"]), str(arrays["tower"]), Shard(number, count))


def _check_complete(infos: Sequence[VectorInfo], parts: Sequence[Path]) -> VectorInfo:
    """Return the info of the joined file. Raises the errors that `join` names."""
    for each, path in zip(infos, parts, strict=True):
        if (each.model, each.tower) != (infos[0].model, infos[0].tower):
            raise IncompatibleModel(
                f"is of model {each.model}, {each.tower} tower, but {parts[0].name} is of "
                f"{infos[0].model}, {infos[0].tower} tower: embed all shards with one model",
                where=path.name,
            )
    counts = {each.shard.count for each in infos if each.shard}
    numbers = sorted(each.shard.number for each in infos if each.shard)
    if len(counts) != 1 or numbers != list(range(*counts)):
        has = ", ".join(f"{e.shard.number}/{e.shard.count}" for e in infos if e.shard)
        raise MissingData(
            f"shards {has} are not a complete set: pass each shard of one set exactly once"
        )
    return VectorInfo(infos[0].model, infos[0].tower)
