"""What a program asks of the rows, without arrays: people, counts, names, what owners may see."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from twotower.community.database import Database, now_seq
from twotower.community.records import MemberRecord
from twotower.community.rows import listener_of, told_of
from twotower.community.schema import clock, listeners, meta, read_meta, removals, vectors
from twotower.core.domain import SYNTHETIC, Listener

_Item = TypeVar("_Item")
AT_ONCE = 500  # rows of one statement: it may have 999 values


class Asking:
    """Questions to one database, as one model sees it."""

    database: Database
    model_version: str

    def size(self) -> int:
        """How many listeners can be found."""
        with self.database.read() as connection:
            count = sa.select(sa.func.count()).select_from(_joined())
            return connection.execute(count.where(*self._in_crowd())).scalar_one()

    def get(self, ids: Sequence[str]) -> list[Listener]:
        """The listeners with these ids, in this order, without those that can't be found."""
        names = ("id", "name", "origin", "artists", "genres")
        columns = [*(listeners.c[name] for name in names), vectors.c.x, vectors.c.y]
        query = sa.select(*columns).select_from(_joined()).where(*self._in_crowd())
        found: dict[str, Listener] = {}
        with self.database.read() as connection:
            for part in batched(ids, AT_ONCE):
                for row in connection.execute(query.where(listeners.c.id.in_(part))):
                    found[row.id] = listener_of(row)
        return [found[id] for id in ids if id in found]

    def findable(self, ids: Sequence[str]) -> set[str]:
        """Those of them who can be found, by whichever model."""
        found: set[str] = set()
        query = sa.select(listeners.c.id).where(listeners.c.findable)
        with self.database.read() as connection:
            for part in batched(ids, AT_ONCE):
                found.update(connection.scalars(query.where(listeners.c.id.in_(part))))
        return found

    def is_named(self, seen: str, *, but: str | None = None) -> bool:
        """Whether one who can be found, other than `but`, has a name that looks so."""
        same = sa.select(listeners.c.id).where(listeners.c.look == seen, listeners.c.findable)
        if but is not None:
            same = same.where(listeners.c.id != but)
        with self.database.read() as connection:
            return connection.scalar(same.limit(1)) is not None

    def named_like(self, seen: str, count: int) -> list[Listener]:
        """Some of those who can be found whose names have this look in them, in its order."""
        query = sa.select(listeners.c.id).where(
            listeners.c.look.contains(seen, autoescape=True), listeners.c.findable
        )
        with self.database.read() as connection:
            ids = connection.scalars(query.order_by(listeners.c.look).limit(count)).all()
        return self.get(ids) if seen else []

    def seq(self) -> int:
        """The number of the last change; it never falls."""
        with self.database.read() as connection:
            return now_seq(connection)

    def changed_since(self, seq: int) -> bool:
        return self.seq() > seq

    def revision(self) -> tuple[int, str | None]:
        """(seq, the generation that is served) in one reading; None is the model that ships."""
        active = sa.select(meta.c.value).where(meta.c.key == "active").scalar_subquery()
        with self.database.read() as connection:
            seq, generation = connection.execute(sa.select(clock.c.seq, active)).one()
        return int(seq), generation

    def stats(self) -> Mapping[str, Any]:
        """Counts of what is stored, of nobody in particular."""
        counts = {
            "listeners": sa.true(),
            "findable": listeners.c.findable,
            "training": listeners.c.training,
            "invented": listeners.c.origin == SYNTHETIC,
            "kept profiles": listeners.c.profile.is_not(None),
        }
        with self.database.read() as connection:
            told: dict[str, Any] = {
                name: connection.scalar(
                    sa.select(sa.func.count()).select_from(listeners).where(which)
                )
                for name, which in counts.items()
            }
            by_model = sa.select(vectors.c.model_version, sa.func.count())
            pairs = connection.execute(by_model.group_by(vectors.c.model_version)).all()
            left = sa.select(sa.func.count()).select_from(removals)
            return {
                **told,
                "left": connection.scalar(left),
                "vectors by model": {str(version): int(count) for version, count in pairs},
                "seq": now_seq(connection),
                "schema": int(read_meta(connection, "schema") or 0),
                "community": read_meta(connection, "community"),
                "active": read_meta(connection, "active"),
            }

    # What owners ask

    def owned(self, code_hash: str) -> MemberRecord | None:
        """The row whose owner has this return code."""
        with self.database.read() as connection:
            query = sa.select(listeners, vectors.c.x, vectors.c.y).select_from(
                listeners.outerjoin(
                    vectors,
                    (vectors.c.id == listeners.c.id)
                    & (vectors.c.model_version == self.model_version),
                )
            )
            row = connection.execute(query.where(listeners.c.code_hash == code_hash)).first()
        if row is None or not code_hash:
            return None
        return MemberRecord(
            row.id,
            listener_of(row),
            row.findable,
            row.training,
            row.profile is not None,
            row.created,
            row.updated,
        )

    def held(self, id: str) -> Mapping[str, Any] | None:
        """All that is stored of one listener, as plain values; None where there is none."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(listeners).where(listeners.c.id == id)).mappings()
            listener = row.first()
            query = sa.select(vectors).where(vectors.c.id == id).order_by(vectors.c.model_version)
            embedded = connection.execute(query).mappings().all()
        if listener is None:
            return None
        return {**told_of(dict(listener)), "vectors": [told_of(dict(each)) for each in embedded]}

    def removal(self, id: str) -> Mapping[str, Any] | None:
        """What is kept of one who left: seq, id, at, digest; None where nobody of that id did."""
        query = sa.select(removals).where(removals.c.id == id).order_by(removals.c.seq.desc())
        with self.database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)

    def traces(self, id: str) -> Mapping[str, int]:
        """How many rows of each table are of this listener, those of who left aside."""
        with self.database.read() as connection:
            return {
                table.name: int(
                    connection.execute(
                        sa.select(sa.func.count()).select_from(table).where(table.c.id == id)
                    ).scalar_one()
                )
                for table in (listeners, vectors)
            }

    @property
    def id(self) -> str:
        """The community's own random id, by which a receipt says where it is from."""
        with self.database.read() as connection:
            return read_meta(connection, "community") or ""

    def _in_crowd(self) -> tuple[sa.ColumnElement[bool], ...]:
        return vectors.c.model_version == self.model_version, vectors.c.findable


def _joined() -> sa.Join:
    return listeners.join(vectors, vectors.c.id == listeners.c.id)


def batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Lists of `size` items; the last may have fewer."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
