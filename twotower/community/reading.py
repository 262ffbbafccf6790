"""The crowd of one model, read from the database once and then kept up to date."""

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import sqlalchemy as sa

from twotower.community.crowd import SEGMENT, Crowd, Growing, Segment, Totals, encoded
from twotower.community.database import Database, now_seq
from twotower.community.members import INVENTED
from twotower.community.rows import matrix_of
from twotower.community.schema import LOTS, listeners, removals, vectors
from twotower.community.snapshots import Span
from twotower.errors import CommunityError

STREAMED = 8192  # rows read at a time
COUNTED_S = 30  # for so long a count of too many to hold may stand


class CrowdReader:
    """Gives the crowd as of now; the same object until something changes. For many threads."""

    def __init__(self, database: Database, model_version: str, sample: int | None) -> None:
        """`sample` is how many are held at most, about; everyone without one."""
        self._database, self._model, self._sample = database, model_version, sample
        self._snapshots = database.snapshots
        self._lock = threading.Lock()
        self._crowd: Crowd | None = None
        self._growing = Growing()
        self._share = 1.0  # of all listeners who are in the sample
        self._counted: tuple[float, Totals | None] = 0.0, None

    def crowd(self) -> Crowd:
        with self._database.read() as connection:
            seq = now_seq(connection)
        known = self._crowd
        if known is not None and known.seq == seq:
            return known
        with self._lock:
            with self._database.read() as connection:
                seq = now_seq(connection)
                known = self._crowd
                if known is not None and known.seq == seq:
                    return known
                # a seq that fell is another database in the same place: a backup put back
                crowd = None
                if known is not None and known.seq < seq:
                    crowd = self._brought_up(connection, known, seq)
                new: list[Span] = []
                if crowd is None:
                    crowd, new = self._read_anew(connection, seq)
            self._crowd = crowd
            self._keep(new, len(crowd))
            return crowd

    def _brought_up(self, connection: sa.Connection, known: Crowd, seq: int) -> Crowd | None:
        """What was known with what changed since; None where that is so much that all is read."""
        touched: set[str] = set()
        for table in (listeners, removals):
            changed = sa.select(table.c.id).where(table.c.seq > known.seq).limit(SEGMENT + 1)
            touched.update(connection.scalars(changed))
        if len(touched) > SEGMENT:
            return None
        rows = connection.execute(self._rows(known.seq, seq)).all()
        width = next((each.user.shape[1] for each in known.segments), None)
        totals = self._totals(connection)
        self._growing.change(touched, self._segment([rows], width))
        crowd = self._growing.crowd(seq, totals)
        grown = self._sample is not None and len(crowd) > 2 * self._sample
        return None if grown else crowd

    def _read_anew(self, connection: sa.Connection, seq: int) -> tuple[Crowd, list[Span]]:
        """Everyone, and the segments that are in no file yet."""
        totals = self._totals(connection)
        self._share = 1.0
        if self._sample is not None and totals is not None and totals.listeners > self._sample:
            self._share = self._sample / totals.listeners
        growing, new, low = Growing(), [], 0
        for kept in self._kept(connection, seq):
            for span in (*self._spans(connection, low, kept.low), kept):
                growing.add(span.segment)
                if span is not kept:
                    new.append(span)
            low = kept.high
        last = list(self._spans(connection, low, seq))
        for span in last:
            growing.add(span.segment)
        new += [span for span in last if len(span.segment) == SEGMENT]
        widths = {span.segment.user.shape[1] for span in (*new, *last) if len(span.segment)}
        if len(widths) > 1:
            raise self._uneven(widths)
        self._growing = growing
        return growing.crowd(seq, totals), new

    def _kept(self, connection: sa.Connection, seq: int) -> Iterator[Span]:
        """The segments in files that are as the database has them; other files go."""
        if self._snapshots is None or self._share < 1:
            return
        for span in self._snapshots.load(self._model):
            if span.high <= seq and self._holds(connection, span):
                yield span
            else:
                self._snapshots.drop(self._model, span)

    def _keep(self, spans: Iterable[Span], size: int) -> None:
        kept = self._snapshots
        if kept is None or self._share < 1 or size < kept.least:
            return
        for span in spans:
            if not kept.save(self._model, span):
                return
            with self._database.read() as connection:
                holds = self._holds(connection, span)
            if not holds:  # somebody left meanwhile
                kept.drop(self._model, span)

    def _holds(self, connection: sa.Connection, span: Span) -> bool:
        """Whether nobody of the segment has left or changed: rows never come to old changes."""
        return self._count(connection, span.low, span.high) == span.count and self._stamp(
            connection, span.segment
        ) == (span.stamp)

    def _spans(self, connection: sa.Connection, low: int, high: int) -> Iterator[Span]:
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
        for segment, (first, last) in zip(segments, pairwise(bounds), strict=True):
            count = self._count(connection, first, last)
            yield Span(first, last, count, self._stamp(connection, segment), segment)

    def _rows(self, low: int, high: int) -> sa.Select[Any]:
        joined = listeners.join(vectors, vectors.c.id == listeners.c.id)
        query = sa.select(
            *(listeners.c[name] for name in ("seq", "id")),
            (listeners.c.origin == INVENTED).label("invented"),
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
            np.array([bool(row.invented) for row in rows], np.bool_),
        )

    def _uneven(self, widths: Iterable[float]) -> CommunityError:
        told = " and ".join(f"{width:g}" for width in sorted(widths))
        return CommunityError(
            f"vectors of model {self._model} have {told} numbers: put a backup of the community "
            "in its place",
            where=self._database.where,
        )

    def _totals(self, connection: sa.Connection) -> Totals | None:
        """How many can be found, where not all of them are held; told anew from time to time."""
        if self._sample is None:
            return None
        when, known = self._counted
        if known is None or time.monotonic() - when > COUNTED_S:
            invented = sa.func.count().filter(listeners.c.origin == INVENTED)
            counted = sa.select(sa.func.count(), invented).where(listeners.c.findable)
            known = Totals(*connection.execute(counted).one())
            self._counted = time.monotonic(), known
        return known

    @staticmethod
    def _count(connection: sa.Connection, low: int, high: int) -> int:
        count = sa.select(sa.func.count()).select_from(listeners)
        between = listeners.c.seq > low, listeners.c.seq <= high
        return int(connection.execute(count.where(*between)).scalar_one())

    @staticmethod
    def _stamp(connection: sa.Connection, segment: Segment) -> str:
        """Who the last row is and since when, as the database has it."""
        told = sa.select(listeners.c.id, listeners.c.updated)
        row = connection.execute(told.where(listeners.c.seq == int(segment.seqs[-1]))).first()
        return "" if row is None else f"{row.id} {row.updated}"
