"""Loading of a model's member snapshot, and its updates after each change."""

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import sqlalchemy as sa

from twotower.community.connection import Database
from twotower.community.rows import matrix_of
from twotower.community.scale.segment_cache import CachedSegment, SegmentKey
from twotower.community.schema import (
    SAMPLE_KEYS,
    clock,
    listeners,
    meta,
    read_meta,
    removals,
    vectors,
    vectors_version_key,
)
from twotower.community.snapshot import (
    SEGMENT_SIZE,
    MemberCounts,
    MemberSnapshot,
    Segment,
    SnapshotBuilder,
    encode_ids,
)
from twotower.core.domain import SYNTHETIC
from twotower.core.errors import CommunityError

ROWS_AT_ONCE = 8192  # read from the database in one chunk
COUNT_MAX_AGE_S = 30  # in a sample, the total is counted again after this time


class SnapshotLoader:
    """Keeps the snapshot of one model up to date. Safe to share between threads."""

    def __init__(self, database: Database, model_version: str, sample: int | None) -> None:
        """`sample` is about how many listeners a snapshot holds at most; None is everyone."""
        self._database, self._model, self._sample = database, model_version, sample
        self._cache = database.segment_cache
        self._lock = threading.Lock()
        self._snapshot: MemberSnapshot | None = None
        self._builder = SnapshotBuilder()
        self._share = 1.0  # of all listeners, the share in the sample
        self._vectors_version = ""
        self._counts: tuple[float, MemberCounts | None] = 0.0, None  # (when, counts)

    def snapshot(self) -> MemberSnapshot:
        """Return the snapshot as of now; the same object until something changes."""
        with self._database.read() as connection:
            current = self._versions(connection)
        known = self._snapshot
        if known is not None and (known.seq, self._vectors_version) == current:
            return known
        with self._lock:
            with self._database.read() as connection:
                seq, version = self._versions(connection)
                known = self._snapshot
                if known is not None and (known.seq, self._vectors_version) == (seq, version):
                    return known
                snapshot = None
                # A seq that fell means another database in this place: a restored backup.
                if known is not None and known.seq < seq and version == self._vectors_version:
                    snapshot = self._updated(connection, known, seq)
                new: list[CachedSegment] = []
                if snapshot is None:
                    snapshot, new = self._load(connection, seq, version)
            self._snapshot, self._vectors_version = snapshot, version
            self._cache_segments(new, len(snapshot))
            return snapshot

    def _versions(self, connection: sa.Connection) -> tuple[int, str]:
        """Return the last change, and the version of this model's vectors."""
        key = vectors_version_key(self._model)
        version = sa.select(meta.c.value).where(meta.c.key == key).scalar_subquery()
        seq, vectors_version = connection.execute(sa.select(clock.c.seq, version)).one()
        return int(seq), vectors_version or ""

    def _updated(
        self, connection: sa.Connection, known: MemberSnapshot, seq: int
    ) -> MemberSnapshot | None:
        """Return `known` with the changes since; None if there are too many: load all rows."""
        changed_ids: set[str] = set()
        for table in (listeners, removals):
            changed = sa.select(table.c.id).where(table.c.seq > known.seq).limit(SEGMENT_SIZE + 1)
            changed_ids.update(connection.scalars(changed))
        if len(changed_ids) > SEGMENT_SIZE:
            return None
        rows = connection.execute(self._rows(known.seq, seq)).all()
        width = next((each.user.shape[1] for each in known.segments), None)
        counts = self._member_counts(connection) if self._share < 1 else None
        self._builder.change(changed_ids, self._segment([rows], width))
        snapshot = self._builder.build(seq, counts)
        outgrown = self._sample is not None and len(snapshot) > 2 * self._sample
        return None if outgrown else snapshot

    def _load(
        self, connection: sa.Connection, seq: int, version: str
    ) -> tuple[MemberSnapshot, list[CachedSegment]]:
        """Return a snapshot from cached segments and rows, and the segments to cache."""
        counts = self._choose_sample(connection)
        builder, new, low = SnapshotBuilder(), [], 0
        for cached in self._cached_segments(connection):
            between = list(self._read_segments(connection, low, cached.key.low, version))
            for each in (*between, cached):
                builder.add(each.segment)
            new += between
            low = cached.key.high
        last = list(self._read_segments(connection, low, seq, version))
        for each in last:
            builder.add(each.segment)
        new += [each for each in last if len(each.segment) == SEGMENT_SIZE]
        snapshot = builder.build(seq, counts)
        widths = {each.user.shape[1] for each in snapshot.segments}
        if len(widths) > 1:
            raise self._uneven(widths)
        self._builder = builder
        return snapshot, new

    def _choose_sample(self, connection: sa.Connection) -> MemberCounts | None:
        """Set the share of listeners to load; return the counts of all if it is below 1."""
        self._share, self._counts = 1.0, (0.0, None)
        if self._sample is None:
            return None
        counts = self._member_counts(connection)
        if counts.listeners <= self._sample:
            return None
        self._share = self._sample / counts.listeners
        return counts

    def _cached_segments(self, connection: sa.Connection) -> Iterator[CachedSegment]:
        """Yield the cached segments that still agree with the database."""
        if self._cache is not None and self._share == 1:
            yield from self._cache.load(self._model, lambda key: _is_current(connection, key))

    def _cache_segments(self, segments: Iterable[CachedSegment], size: int) -> None:
        cache = self._cache
        if cache is None or self._share < 1 or size < cache.min_members:
            return

        def is_current(key: SegmentKey) -> bool:
            with self._database.read() as connection:
                return _is_current(connection, key)

        for segment in segments:
            cache.save(segment, is_current)

    def _read_segments(
        self, connection: sa.Connection, low: int, high: int, version: str
    ) -> Iterator[CachedSegment]:
        """Yield the segments of the changes after `low` up to `high`."""
        if low >= high:
            return
        streamed = connection.execution_options(yield_per=ROWS_AT_ONCE)
        parts: list[Any] = []
        segments: list[Segment] = []
        for rows in streamed.execute(self._rows(low, high)).partitions():
            parts.append(rows)
            if sum(map(len, parts)) >= SEGMENT_SIZE:
                segments.append(self._segment(parts))
                parts = []
        if parts:
            segments.append(self._segment(parts))
        bounds = [low, *(int(segment.seqs[-1]) for segment in segments)]
        for segment, (first, end) in zip(segments, pairwise(bounds), strict=True):
            count, last = _rows_between(connection, first, end)
            yield CachedSegment(SegmentKey(self._model, first, end, count, last, version), segment)

    def _rows(self, low: int, high: int) -> sa.Select[Any]:
        """Return the query for the rows changed after `low` up to `high`, by rising seq."""
        joined = listeners.join(vectors, vectors.c.id == listeners.c.id)
        query = sa.select(
            *(listeners.c[name] for name in ("seq", "id")),
            (listeners.c.origin == SYNTHETIC).label("synthetic"),
            *(vectors.c[name] for name in ("user_vector", "candidate_vector", "x", "y")),
        ).select_from(joined)
        query = query.where(vectors.c.model_version == self._model, vectors.c.findable)
        query = query.where(listeners.c.seq > low, listeners.c.seq <= high)
        if self._share < 1:
            query = query.where(listeners.c.lot < round(self._share * SAMPLE_KEYS))
        return query.order_by(listeners.c.seq)

    def _segment(self, parts: list[Any], width: int | None = None) -> Segment:
        rows = [row for part in parts for row in part]
        sizes = {len(b) for row in rows for b in (row.user_vector, row.candidate_vector)}
        if width:
            sizes.add(4 * width)
        if len(sizes) > 1 or any(size % 4 for size in sizes):
            raise self._uneven({size / 4 for size in sizes})
        dim = sizes.pop() // 4 if sizes else 0
        return Segment(
            np.array([row.seq for row in rows], np.int64),
            encode_ids([row.id for row in rows]),
            matrix_of([row.user_vector for row in rows], dim),
            matrix_of([row.candidate_vector for row in rows], dim),
            np.array([(row.x, row.y) for row in rows], np.float32).reshape(-1, 2),
            np.array([bool(row.synthetic) for row in rows], np.bool_),
        )

    def _uneven(self, widths: Iterable[float]) -> CommunityError:
        lengths = " and ".join(f"{width:g}" for width in sorted(widths))
        return CommunityError(
            f"vectors of model {self._model} have different lengths ({lengths}): restore a backup "
            "of the community",
            where=self._database.where,
        )

    def _member_counts(self, connection: sa.Connection) -> MemberCounts:
        """Return how many listeners can be found, counted at most every 30 seconds."""
        when, known = self._counts
        if known is None or time.monotonic() - when > COUNT_MAX_AGE_S:
            synthetic = sa.func.count().filter(listeners.c.origin == SYNTHETIC)
            counted = sa.select(sa.func.count(), synthetic).where(listeners.c.findable)
            known = MemberCounts(*connection.execute(counted).one())
            self._counts = time.monotonic(), known
        return known


def _is_current(connection: sa.Connection, key: SegmentKey) -> bool:
    """Return True if no listener of a segment has left or changed, nor any vector."""
    version = read_meta(connection, vectors_version_key(key.model)) or ""
    return (*_rows_between(connection, key.low, key.high), version) == (
        key.count,
        key.last,
        key.vectors_version,
    )


def _rows_between(connection: sa.Connection, low: int, high: int) -> tuple[int, str]:
    """Return how many rows last changed after `low` up to `high`, and id and time of the last."""
    between = listeners.c.seq > low, listeners.c.seq <= high
    count = connection.scalar(sa.select(sa.func.count()).select_from(listeners).where(*between))
    last = sa.select(listeners.c.id, listeners.c.updated).where(*between)
    row = connection.execute(last.order_by(listeners.c.seq.desc()).limit(1)).first()
    return int(count or 0), "" if row is None else f"{row.id} {row.updated}"
