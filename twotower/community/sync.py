"""The snapshot of one model, read from the database once and then kept up to date."""

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import sqlalchemy as sa

from twotower.community.database import Database
from twotower.community.rows import matrix_of
from twotower.community.scale.segment_cache import CachedSegment, SegmentKey
from twotower.community.schema import (
    LOTS,
    clock,
    epoch_key,
    listeners,
    meta,
    read_meta,
    removals,
    vectors,
)
from twotower.community.snapshot import (
    SEGMENT,
    MemberCounts,
    MemberSnapshot,
    Segment,
    SnapshotBuilder,
    encoded,
)
from twotower.core.domain import SYNTHETIC
from twotower.core.errors import CommunityError

STREAMED = 8192  # rows read at a time
COUNTED_S = 30  # for so long a count of too many to hold may stand


class SnapshotLoader:
    """Gives the snapshot as of now; the same object until something changes. For many threads."""

    def __init__(self, database: Database, model_version: str, sample: int | None) -> None:
        """`sample` is how many are held at most, about; everyone without one."""
        self._database, self._model, self._sample = database, model_version, sample
        self._snapshots = database.snapshots
        self._lock = threading.Lock()
        self._snapshot: MemberSnapshot | None = None
        self._growing = SnapshotBuilder()
        self._share = 1.0  # of all listeners who are in the sample
        self._epoch = ""
        self._counted: tuple[float, MemberCounts | None] = 0.0, None

    def snapshot(self) -> MemberSnapshot:
        with self._database.read() as connection:
            now = self._now(connection)
        known = self._snapshot
        if known is not None and (known.seq, self._epoch) == now:
            return known
        with self._lock:
            with self._database.read() as connection:
                seq, epoch = self._now(connection)
                known = self._snapshot
                if known is not None and (known.seq, self._epoch) == (seq, epoch):
                    return known
                # a seq that fell is another database in the same place: a backup put back
                snapshot = None
                if known is not None and known.seq < seq and epoch == self._epoch:
                    snapshot = self._brought_up(connection, known, seq)
                new: list[CachedSegment] = []
                if snapshot is None:
                    snapshot, new = self._read_anew(connection, seq, epoch)
            self._snapshot, self._epoch = snapshot, epoch
            self._keep(new, len(snapshot))
            return snapshot

    def _now(self, connection: sa.Connection) -> tuple[int, str]:
        """The last change, and the epoch of this model's vectors."""
        epoch = sa.select(meta.c.value).where(meta.c.key == epoch_key(self._model))
        told = sa.select(clock.c.seq, epoch.scalar_subquery())
        seq, found = connection.execute(told).one()
        return int(seq), found or ""

    def _brought_up(
        self, connection: sa.Connection, known: MemberSnapshot, seq: int
    ) -> MemberSnapshot | None:
        """What was known with what changed since; None where that is so much that all is read."""
        touched: set[str] = set()
        for table in (listeners, removals):
            changed = sa.select(table.c.id).where(table.c.seq > known.seq).limit(SEGMENT + 1)
            touched.update(connection.scalars(changed))
        if len(touched) > SEGMENT:
            return None
        rows = connection.execute(self._rows(known.seq, seq)).all()
        width = next((each.user.shape[1] for each in known.segments), None)
        totals = self._totals(connection) if self._share < 1 else None
        self._growing.change(touched, self._segment([rows], width))
        snapshot = self._growing.snapshot(seq, totals)
        grown = self._sample is not None and len(snapshot) > 2 * self._sample
        return None if grown else snapshot

    def _read_anew(
        self, connection: sa.Connection, seq: int, epoch: str
    ) -> tuple[MemberSnapshot, list[CachedSegment]]:
        """Everyone, and the segments that are in no file yet."""
        self._share, self._counted, totals = 1.0, (0.0, None), None
        if self._sample is not None:
            totals = self._totals(connection)
            if totals.listeners > self._sample:
                self._share = self._sample / totals.listeners
            else:
                totals = None
        builder, new, low = SnapshotBuilder(), [], 0
        for kept in self._kept(connection):
            between = list(self._spans(connection, low, kept.label.low, epoch))
            for span in (*between, kept):
                builder.add(span.segment)
            new += between
            low = kept.label.high
        last = list(self._spans(connection, low, seq, epoch))
        for span in last:
            builder.add(span.segment)
        new += [span for span in last if len(span.segment) == SEGMENT]
        widths = {each.user.shape[1] for each in builder.snapshot(seq).segments}
        if len(widths) > 1:
            raise self._uneven(widths)
        self._growing = builder
        return builder.snapshot(seq, totals), new

    def _kept(self, connection: sa.Connection) -> Iterator[CachedSegment]:
        """The segments in files that are as the database has them."""
        if self._snapshots is not None and self._share == 1:
            yield from self._snapshots.load(self._model, lambda label: _holds(connection, label))

    def _keep(self, spans: Iterable[CachedSegment], size: int) -> None:
        kept = self._snapshots
        if kept is None or self._share < 1 or size < kept.least:
            return

        def holds(label: SegmentKey) -> bool:
            with self._database.read() as connection:
                return _holds(connection, label)

        for span in spans:
            kept.save(span, holds)

    def _spans(
        self, connection: sa.Connection, low: int, high: int, epoch: str
    ) -> Iterator[CachedSegment]:
        """The segments of the changes after `low` and not after `high`."""
        if low >= high:
            return
        streamed = connection.execution_options(yield_per=STREAMED)
        parts: list[Any] = []
        segments: list[Segment] = []
        for rows in streamed.execute(self._rows(low, high)).partitions():
            parts.append(rows)
            if sum(map(len, parts)) >= SEGMENT:
                segments.append(self._segment(parts))
                parts = []
        if parts:
            segments.append(self._segment(parts))
        bounds = [low, *(int(segment.seqs[-1]) for segment in segments)]
        for segment, (first, end) in zip(segments, pairwise(bounds), strict=True):
            count, last = _told(connection, first, end)
            yield CachedSegment(SegmentKey(self._model, first, end, count, last, epoch), segment)

    def _rows(self, low: int, high: int) -> sa.Select[Any]:
        joined = listeners.join(vectors, vectors.c.id == listeners.c.id)
        query = sa.select(
            *(listeners.c[name] for name in ("seq", "id")),
            (listeners.c.origin == SYNTHETIC).label("synthetic"),
            *(vectors.c[name] for name in ("user_vector", "candidate_vector", "x", "y")),
        ).select_from(joined)
        query = query.where(vectors.c.model_version == self._model, vectors.c.findable)
        query = query.where(listeners.c.seq > low, listeners.c.seq <= high)
        if self._share < 1:
            query = query.where(listeners.c.lot < round(self._share * LOTS))
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
            encoded([row.id for row in rows]),
            matrix_of([row.user_vector for row in rows], dim),
            matrix_of([row.candidate_vector for row in rows], dim),
            np.array([(row.x, row.y) for row in rows], np.float32).reshape(-1, 2),
            np.array([bool(row.synthetic) for row in rows], np.bool_),
        )

    def _uneven(self, widths: Iterable[float]) -> CommunityError:
        told = " and ".join(f"{width:g}" for width in sorted(widths))
        return CommunityError(
            f"vectors of model {self._model} have {told} numbers: put a backup of the community "
            "in its place",
            where=self._database.where,
        )

    def _totals(self, connection: sa.Connection) -> MemberCounts:
        """How many can be found; counted anew from time to time."""
        when, known = self._counted
        if known is None or time.monotonic() - when > COUNTED_S:
            synthetic = sa.func.count().filter(listeners.c.origin == SYNTHETIC)
            counted = sa.select(sa.func.count(), synthetic).where(listeners.c.findable)
            known = MemberCounts(*connection.execute(counted).one())
            self._counted = time.monotonic(), known
        return known


def _holds(connection: sa.Connection, label: SegmentKey) -> bool:
    """Whether nobody of a segment has left or changed, nor a vector: no row takes an old change."""
    key = epoch_key(label.model)
    return (
        _told(connection, label.low, label.high) == (label.count, label.last)
        and (read_meta(connection, key) or "") == label.epoch
    )


def _told(connection: sa.Connection, low: int, high: int) -> tuple[int, str]:
    """Of the changes after `low` and not after `high`: how many are there, and the last."""
    between = listeners.c.seq > low, listeners.c.seq <= high
    count = connection.scalar(sa.select(sa.func.count()).select_from(listeners).where(*between))
    last = sa.select(listeners.c.id, listeners.c.updated).where(*between)
    row = connection.execute(last.order_by(listeners.c.seq.desc()).limit(1)).first()
    return int(count or 0), "" if row is None else f"{row.id} {row.updated}"
