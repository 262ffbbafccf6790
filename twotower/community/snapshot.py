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

SEGMENT = 1 << 16  # listeners of a full segment
LEAST_ROOM = 256  # rows of the smallest array that can take in more
COLUMNS = ("seqs", "ids", "user", "candidate", "places", "synthetic")


@dataclass(frozen=True, eq=False)
class Segment:
    """Part of a snapshot by rising seq; row i of each array is one listener. Read-only arrays."""

    seqs: np.ndarray  # (n,) int64, the last change of each
    ids: np.ndarray  # (n,) bytes, UTF-8
    user: np.ndarray  # (n, D) float32, unit
    candidate: np.ndarray  # (n, D) float32, unit
    places: np.ndarray  # (n, 2) float32, NaN for one without a place
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
        """The row of each id (m,) bytes, -1 where it isn't here."""
        if not len(self):
            return np.full(len(keys), -1)
        at = np.searchsorted(self.ids, keys, sorter=self._by_id)
        rows = self._by_id[np.minimum(at, len(self) - 1)]
        return np.where(self.ids[rows] == keys, rows, -1)

    def kept(self, rows: np.ndarray) -> "Segment":
        """Only these rows (n,) bool, as a copy."""
        return Segment(**{name: getattr(self, name)[rows] for name in COLUMNS})


class AppendBuffer:
    """The last segment of a snapshot, with room behind it for who joins next.

    What is written behind a segment is no part of it, so that segments which were given before
    stay as they are. Used by one thread at a time.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._room: dict[str, np.ndarray] | None = None

    def take_in(self, more: Segment) -> Segment:
        """The segment followed by `more`."""
        first, last = len(self.segment), len(self.segment) + len(more)
        room = self._room
        if room is None or last > len(room["seqs"]) or more.ids.itemsize > room["ids"].itemsize:
            room = {name: self._wider(name, more, max(2 * first, last)) for name in COLUMNS}
        for name, array in room.items():
            array[first:last] = getattr(more, name)
        self._room = room
        self.segment = Segment(**{name: array[:last] for name, array in room.items()})
        return self.segment

    def _wider(self, name: str, more: Segment, rows: int) -> np.ndarray:
        old, new = getattr(self.segment, name), getattr(more, name)
        kind = np.promote_types(old.dtype, new.dtype)
        size = min(max(rows, LEAST_ROOM), max(SEGMENT, len(old) + len(new)))
        room = np.zeros((size, *new.shape[1:]), kind)
        if len(old):  # of an empty one the width of vectors isn't known
            room[: len(old)] = old
        return room


@dataclass(frozen=True, eq=False)
class Candidates:
    """The nearest to a vector, nearest first; row i of all is one listener."""

    ids: tuple[str, ...]
    user: np.ndarray  # (K, D) float32, unit
    candidate: np.ndarray  # (K, D) float32, unit
    places: np.ndarray  # (K, 2) float32, NaN for one without a place

    def without(self, id: str | None) -> "Candidates":
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
    """Everyone who can be found, or a sample of them where those are too many to hold.

    In the order in which they last changed.
    """

    seq: int  # the last change that is in it
    segments: tuple[Segment, ...]
    total: int  # listeners who can be found; in a sample as of a short time ago
    total_synthetic: int  # of them
    is_whole: bool = True  # else a sample

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
        """A snapshot of arrays whose row i is ids[i]."""
        seqs = np.arange(seq - len(ids) + 1, seq + 1)
        one = Segment(seqs, encoded(ids), user, candidate, places, synthetic)
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
        """(N,) the last change of each, rising"""
        return self._joined([segment.seqs for segment in self.segments], (0,), np.int64)

    @cached_property
    def synthetic(self) -> np.ndarray:
        """(N,)"""
        return self._joined([segment.synthetic for segment in self.segments], (0,), np.bool_)

    def row_of(self, id: str) -> int | None:
        (row,) = self.rows_of([id])
        return int(row) if row >= 0 else None

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """(m,) rows of these ids, -1 where one isn't here."""
        keys, rows = encoded(ids), np.full(len(ids), -1, np.int64)
        for segment, start in zip(self.segments, self._ends, strict=False):
            here = segment.rows_of(keys)
            rows = np.where(here >= 0, here + start, rows)
        return rows

    def nearest(self, vector: np.ndarray, count: int, *, placed: bool = False) -> Candidates:
        """Those whose candidate vectors are nearest to one unit vector (D,), of these rows.

        Of equally near ones who changed first; `placed` leaves out who has no place.
        """
        mask = np.isfinite(self.places).all(axis=1) if placed else None
        rows = np.zeros(0, np.int64)
        if len(self):
            rows, _ = top_k(self.candidate, vector, count, mask=mask)
        places = Stacked([each.places for each in self.segments] or [np.zeros((0, 2), np.float32)])
        ids = tuple(self.ids[row] for row in rows)
        return Candidates(ids, self.user[rows], self.candidate[rows], places[rows])

    def _stacked(self, of: Callable[[Segment], np.ndarray]) -> Stacked:
        return Stacked([of(each) for each in self.segments] or [np.zeros((0, 0), np.float32)])

    @staticmethod
    def _joined(parts: list[np.ndarray], empty: tuple[int, ...], kind: type) -> np.ndarray:
        if len(parts) == 1:
            return parts[0]
        whole = np.concatenate(parts) if parts else np.zeros(empty, kind)
        whole.flags.writeable = False
        return whole


class Ids(Sequence[str]):
    """The ids of a snapshot; kept as bytes, each a text again when it is asked for."""

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
        return _decoded(self._parts[part][at - self._ends[part]])

    def __iter__(self) -> Iterator[str]:
        return (_decoded(id) for part in self._parts for id in part.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))


def _decoded(id: bytes) -> str:
    return id.decode("utf-8", "surrogatepass")


def encoded(ids: Sequence[str]) -> np.ndarray:
    """(n,) bytes, by which segments know listeners."""
    return np.array([id.encode("utf-8", "surrogatepass") for id in ids], np.bytes_)


class MemberCounts(NamedTuple):
    """How many can be found."""

    listeners: int
    synthetic: int


class SnapshotBuilder:
    """The snapshot of one reader, made anew or brought up to date. Used by one thread at a time."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._tail: AppendBuffer | None = None

    def add(self, segment: Segment) -> None:
        """A segment behind the others."""
        if len(segment):
            self._segments.append(segment)
            self._tail = None

    def change(self, gone: Collection[str], new: Segment) -> None:
        """Leave out who is gone or has changed, and take in those who came or come again."""
        keys = encoded(tuple(gone))
        for number, segment in enumerate(self._segments):
            rows = segment.rows_of(keys)
            if (rows >= 0).any():
                stays = np.ones(len(segment), bool)
                stays[rows[rows >= 0]] = False
                self._segments[number] = segment.kept(stays)
        self._segments = [segment for segment in self._segments if len(segment)]
        if not len(new):
            return
        last = self._segments[-1] if self._segments else None
        if last is None or len(last) + len(new) > SEGMENT:
            self._segments.append(new)
            return
        if self._tail is None or self._tail.segment is not last:
            self._tail = AppendBuffer(last)
        self._segments[-1] = self._tail.take_in(new)

    def snapshot(self, seq: int, of: "MemberCounts | None" = None) -> MemberSnapshot:
        """What is held now, and of how many where that is a sample."""
        segments = tuple(self._segments)
        mine = MemberCounts(
            sum(map(len, segments)), sum(int(each.synthetic.sum()) for each in segments)
        )
        total = mine if of is None or of.listeners < mine.listeners else of
        return MemberSnapshot(seq, segments, *total, is_whole=of is None)
