"""Everyone who can be found, as arrays that are cheap to keep up to date.

A snapshot is a list of segments, each of them some thousands of listeners in the order of their
last change. A change makes a new snapshot that shares all segments except those it touches, so
an older snapshot stays valid.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import eq
from typing import Any, NamedTuple, overload

import numpy as np

from twotower.retrieval.topk import Stacked, top_k

SEGMENT_SIZE = 1 << 16  # listeners of a full segment
MIN_CAPACITY = 256  # rows of the smallest append buffer
COLUMNS = ("seqs", "ids", "user", "candidate", "places", "synthetic")


@dataclass(frozen=True, eq=False)
class Segment:
    """Part of a snapshot by rising seq; row i of each array is one listener. Read-only arrays."""

    seqs: np.ndarray  # (n,) int64, each one's last change
    ids: np.ndarray  # (n,) bytes, UTF-8
    user: np.ndarray  # (n, D) float32, unit
    candidate: np.ndarray  # (n, D) float32, unit
    places: np.ndarray  # (n, 2) float32, NaN for a listener without a place
    synthetic: np.ndarray  # (n,) bool

    def __post_init__(self) -> None:
        for name in COLUMNS:
            getattr(self, name).flags.writeable = False

    def __len__(self) -> int:
        return len(self.seqs)

    @cached_property
    def _by_id(self) -> np.ndarray:
        return np.argsort(self.ids, kind="stable").astype(np.int32)

    def rows_of(self, keys: np.ndarray) -> np.ndarray:
        """Return the row of each encoded id (m,), -1 for an id that is not here."""
        if not len(self):
            return np.full(len(keys), -1)
        at = np.searchsorted(self.ids, keys, sorter=self._by_id)
        rows = self._by_id[np.minimum(at, len(self) - 1)]
        return np.where(self.ids[rows] == keys, rows, -1)

    def take(self, mask: np.ndarray) -> "Segment":
        """Return a copy of the rows where mask (n,) is True."""
        return Segment(**{name: getattr(self, name)[mask] for name in COLUMNS})


class AppendBuffer:
    """Append buffer of the newest segment; earlier snapshots stay valid.

    The arrays have room behind the segment. Rows written there are no part of a segment that was
    returned before. Not safe for several threads.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._arrays: dict[str, np.ndarray] | None = None

    def append(self, more: Segment) -> Segment:
        """Return the segment followed by `more`."""
        first, last = len(self.segment), len(self.segment) + len(more)
        arrays = self._arrays
        if (
            arrays is None
            or last > len(arrays["seqs"])
            or more.ids.itemsize > arrays["ids"].itemsize
        ):
            arrays = {name: self._enlarged(name, more, max(2 * first, last)) for name in COLUMNS}
        for name, array in arrays.items():
            array[first:last] = getattr(more, name)
        self._arrays = arrays
        self.segment = Segment(**{name: array[:last] for name, array in arrays.items()})
        return self.segment

    def _enlarged(self, name: str, more: Segment, rows: int) -> np.ndarray:
        old, new = getattr(self.segment, name), getattr(more, name)
        dtype = np.promote_types(old.dtype, new.dtype)
        size = min(max(rows, MIN_CAPACITY), max(SEGMENT_SIZE, len(old) + len(new)))
        array = np.zeros((size, *new.shape[1:]), dtype)
        if len(old):  # an empty segment doesn't know the width of vectors
            array[: len(old)] = old
        return array


@dataclass(frozen=True, eq=False)
class Candidates:
    """Listeners nearest to a vector, nearest first; row i of all arrays is one listener."""

    ids: tuple[str, ...]
    user: np.ndarray  # (K, D) float32, unit
    candidate: np.ndarray  # (K, D) float32, unit
    places: np.ndarray  # (K, 2) float32, NaN for a listener without a place

    def without(self, id: str | None) -> "Candidates":
        """Return the same without one listener."""
        if id not in self.ids:
            return self
        rows = np.array([at for at, each in enumerate(self.ids) if each != id], np.int64)
        return Candidates(
            tuple(self.ids[row] for row in rows),
            self.user[rows],
            self.candidate[rows],
            self.places[rows],
        )


@dataclass(frozen=True, eq=False)
class MemberSnapshot:
    """Everyone who can be found, or a sample of them, in the order of their last change."""

    seq: int  # the last change that is included
    segments: tuple[Segment, ...]
    total: int  # listeners who can be found; in a sample, as of a short time ago
    total_synthetic: int  # of them
    is_whole: bool = True  # False for a sample

    @classmethod
    def of(
        cls,
        seq: int,
        ids: Sequence[str],
        user: np.ndarray,
        candidate: np.ndarray,
        places: np.ndarray,
        synthetic: np.ndarray,
    ) -> "MemberSnapshot":
        """Return a snapshot of one segment; row i of each array belongs to ids[i]."""
        seqs = np.arange(seq - len(ids) + 1, seq + 1)
        one = Segment(seqs, encode_ids(ids), user, candidate, places, synthetic)
        return cls(seq, (one,), len(ids), int(synthetic.sum()))

    def __len__(self) -> int:
        return int(self._ends[-1])

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum([0, *map(len, self.segments)])

    @cached_property
    def ids(self) -> "Ids":
        return Ids(tuple(segment.ids for segment in self.segments))

    @cached_property
    def user(self) -> Stacked:
        """(N, D)"""
        return self._stacked(lambda segment: segment.user)

    @cached_property
    def candidate(self) -> Stacked:
        """(N, D)"""
        return self._stacked(lambda segment: segment.candidate)

    @cached_property
    def places(self) -> np.ndarray:
        """(N, 2)"""
        return self._joined([segment.places for segment in self.segments], (0, 2), np.float32)

    @cached_property
    def seqs(self) -> np.ndarray:
        """(N,) each one's last change, rising"""
        return self._joined([segment.seqs for segment in self.segments], (0,), np.int64)

    @cached_property
    def synthetic(self) -> np.ndarray:
        """(N,) bool"""
        return self._joined([segment.synthetic for segment in self.segments], (0,), np.bool_)

    def row_of(self, id: str) -> int | None:
        """Return the row of an id, None if it is not here."""
        (row,) = self.rows_of([id])
        return int(row) if row >= 0 else None

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """Return rows (m,) of these ids, -1 for an id that is not here."""
        keys, rows = encode_ids(ids), np.full(len(ids), -1, np.int64)
        for segment, start in zip(self.segments, self._ends, strict=False):
            here = segment.rows_of(keys)
            rows = np.where(here >= 0, here + start, rows)
        return rows

    def nearest(self, vector: np.ndarray, count: int, *, placed: bool = False) -> Candidates:
        """Return the listeners whose candidate vectors are nearest to a unit vector (D,).

        Equally near ones are ordered by their last change. `placed` leaves out listeners without
        a map place.
        """
        mask = np.isfinite(self.places).all(axis=1) if placed else None
        rows = np.zeros(0, np.int64)
        if len(self):
            rows, _ = top_k(self.candidate, vector, count, mask=mask)
        places = Stacked([each.places for each in self.segments] or [np.zeros((0, 2), np.float32)])
        ids = tuple(self.ids[row] for row in rows)
        return Candidates(ids, self.user[rows], self.candidate[rows], places[rows])

    def _stacked(self, column: Callable[[Segment], np.ndarray]) -> Stacked:
        return Stacked([column(each) for each in self.segments] or [np.zeros((0, 0), np.float32)])

    @staticmethod
    def _joined(parts: list[np.ndarray], empty: tuple[int, ...], dtype: type) -> np.ndarray:
        if len(parts) == 1:
            return parts[0]
        whole = np.concatenate(parts) if parts else np.zeros(empty, dtype)
        whole.flags.writeable = False
        return whole


class Ids(Sequence[str]):
    """Ids of a snapshot, stored as bytes and decoded on access."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, parts: tuple[np.ndarray, ...]) -> None:
        self._parts = parts
        self._ends = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @overload
    def __getitem__(self, row: "int | np.integer[Any]") -> str: ...
    @overload
    def __getitem__(self, row: slice) -> tuple[str, ...]: ...
    def __getitem__(self, row: "int | np.integer[Any] | slice") -> str | tuple[str, ...]:
        if isinstance(row, slice):
            return tuple(self[each] for each in range(*row.indices(len(self))))
        at = range(len(self))[int(row)]
        part = int(np.searchsorted(self._ends, at, side="right")) - 1
        return _decode(self._parts[part][at - self._ends[part]])

    def __iter__(self) -> Iterator[str]:
        return (_decode(id) for part in self._parts for id in part.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))


def _decode(id: bytes) -> str:
    return id.decode("utf-8", "surrogatepass")


def encode_ids(ids: Sequence[str]) -> np.ndarray:
    """Return the ids as an array (n,) of UTF-8 bytes."""
    return np.array([id.encode("utf-8", "surrogatepass") for id in ids], np.bytes_)


class MemberCounts(NamedTuple):
    """Number of listeners who can be found."""

    listeners: int
    synthetic: int  # of them


class SnapshotBuilder:
    """Segments of the next snapshot. Not safe for several threads."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._buffer: AppendBuffer | None = None

    def add(self, segment: Segment) -> None:
        """Add a segment behind the others."""
        if len(segment):
            self._segments.append(segment)
            self._buffer = None

    def change(self, changed_ids: Collection[str], new: Segment) -> None:
        """Remove everyone who left or changed, then append the new rows."""
        keys = encode_ids(tuple(changed_ids))
        for number, segment in enumerate(self._segments):
            rows = segment.rows_of(keys)
            if (rows >= 0).any():
                stays = np.ones(len(segment), bool)
                stays[rows[rows >= 0]] = False
                self._segments[number] = segment.take(stays)
        self._segments = [segment for segment in self._segments if len(segment)]
        if not len(new):
            return
        last = self._segments[-1] if self._segments else None
        if last is None or len(last) + len(new) > SEGMENT_SIZE:
            self._segments.append(new)
            return
        if self._buffer is None or self._buffer.segment is not last:
            self._buffer = AppendBuffer(last)
        self._segments[-1] = self._buffer.append(new)

    def build(self, seq: int, total: "MemberCounts | None" = None) -> MemberSnapshot:
        """Return the snapshot as of a change; `total` counts everyone if this is a sample."""
        segments = tuple(self._segments)
        here = MemberCounts(
            sum(map(len, segments)), sum(int(each.synthetic.sum()) for each in segments)
        )
        counts = here if total is None or total.listeners < here.listeners else total
        return MemberSnapshot(seq, segments, *counts, is_whole=total is None)
