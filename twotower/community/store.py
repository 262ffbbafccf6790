"""Community: the database of all listeners, as one model version sees it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from twotower.community import seeding
from twotower.community.connection import Database, next_seq
from twotower.community.pseudonyms import NAME_IN_USE
from twotower.community.records import Deletion, Member, ModelVectors, new_id
from twotower.community.rows import (
    ROWS_PER_STATEMENT,
    Row,
    batched,
    digest_of,
    listener_of,
    now,
    rows_of,
    vector_row,
)
from twotower.community.scale import hnsw
from twotower.community.schema import (
    clock,
    lacks_vectors,
    listeners,
    meta,
    pair_table_key,
    read_meta,
    removals,
    vectors,
    vectors_version_key,
    write_meta,
)
from twotower.community.snapshot import Candidates, MemberSnapshot
from twotower.community.sync import SnapshotLoader
from twotower.core.domain import SYNTHETIC, Listener
from twotower.core.errors import BadName, CommunityError, DiskFull
from twotower.retrieval import projection

SAMPLE = 30_000  # listeners in the snapshot of an indexed community, about


class Community:
    """All listeners, and the arrays of those that one model version can compare.

    Safe to share between threads. Database failures are raised as CommunityErrors that say what
    to do. Questions that need no arrays are functions in `queries`.
    """

    def __init__(
        self, database: Database, *, model_version: str, sample: int | None = SAMPLE
    ) -> None:
        """If PostgreSQL has a vector index, snapshots hold a `sample` of about this many."""
        self.model_version = model_version
        self.database = database
        self._sample = sample
        self._loader = SnapshotLoader(database, model_version, sample if self.is_indexed else None)

    @classmethod
    def open(
        cls, url: str, *, model_version: str, wait_s: float = 5.0, sample: int | None = SAMPLE
    ) -> "Community":
        """Open the community at a database URL; create an empty one if there is none.

        Vectors of other model versions stay in the database but in no snapshot. A writer waits up
        to `wait_s` seconds for another. A damaged SQLite file is renamed, never overwritten, and
        the CommunityError names the new file.
        """
        database = Database.open(url, community=new_id(), wait_s=wait_s)
        return cls(database, model_version=model_version, sample=sample)

    def with_model(self, model_version: str) -> "Community":
        """Return the same community under another model version, on the same connections."""
        return Community(self.database, model_version=model_version, sample=self._sample)

    @property
    def id(self) -> str:
        """Random id of the community, which its receipts carry."""
        with self.database.read() as connection:
            return read_meta(connection, "community") or ""

    @property
    def is_indexed(self) -> bool:
        """True if an index finds the nearest, so that the snapshot may be a sample."""
        return self.database.is_indexed and self._sample is not None

    @property
    def where(self) -> str:
        """Database URL without the password."""
        return self.database.where

    def close(self) -> None:
        """Close the connections to the database."""
        self.database.close()

    # Reading

    def revision(self) -> tuple[int, str | None]:
        """Return (last change, current model) in one query; None is the shipped model."""
        active = sa.select(meta.c.value).where(meta.c.key == "active").scalar_subquery()
        with self.database.read() as connection:
            seq, model_name = connection.execute(sa.select(clock.c.seq, active)).one()
        return int(seq), model_name

    def snapshot(self) -> MemberSnapshot:
        """Return everyone who can be found, as of now; the same object until something changes."""
        return self._loader.snapshot()

    def get(self, ids: Sequence[str]) -> list[Listener]:
        """Return the findable listeners with these ids, in this order; others are left out."""
        names = ("id", "name", "origin", "artists", "genres")
        columns = [*(listeners.c[name] for name in names), vectors.c.x, vectors.c.y]
        joined = listeners.join(vectors, vectors.c.id == listeners.c.id)
        query = sa.select(*columns).select_from(joined)
        query = query.where(vectors.c.model_version == self.model_version, vectors.c.findable)
        by_id: dict[str, Listener] = {}
        with self.database.read() as connection:
            for part in batched(ids, ROWS_PER_STATEMENT):
                for row in connection.execute(query.where(listeners.c.id.in_(part))):
                    by_id[row.id] = listener_of(row)
        return [by_id[id] for id in ids if id in by_id]

    def nearest(
        self,
        vector: np.ndarray,
        count: int,
        *,
        placed: bool = False,
        snapshot: MemberSnapshot | None = None,
    ) -> Candidates:
        """Return the findable listeners whose candidate vectors are nearest to a unit vector (D,).

        Exact within `snapshot`, by default the current one. If that is a sample, an approximate
        index over everyone answers instead. `placed` leaves out listeners without a map place.
        """
        among = self.snapshot() if snapshot is None else snapshot
        if self.is_indexed and not among.is_whole:
            with self.database.read() as connection:
                return hnsw.nearest(connection, self.model_version, vector, count, placed)
        return among.nearest(vector, count, placed=placed)

    def place(self, vector: np.ndarray, *, own: str | None = None) -> tuple[float, float]:
        """Return the map place for a user vector (D,), without `own`; NaN if nobody has one."""
        count = projection.NEIGHBOURS + (own is not None)
        near = self.nearest(vector, count, placed=True).without(own)
        x, y = projection.place(near.places[: projection.NEIGHBOURS])
        return float(x), float(y)

    # Changes of one member

    def join(self, member: Member) -> int:
        """Add one listener; return the number of the change once it is safely stored.

        Raises BadName if a findable listener has that name or one that looks like it.
        """
        listener, vector = rows_of(member, self.model_version)
        if listener["origin"] == SYNTHETIC:
            raise ValueError(f"{listener['id']} is synthetic: add it with seed()")
        code = listener["code_hash"]
        with self.database.write() as connection:
            seq = next_seq(connection)
            self._check_length(connection, vector)
            taken = sa.select(listeners.c.id).where(listeners.c.code_hash == code)
            if code is not None and connection.scalar(taken) is not None:
                raise CommunityError("that access code is taken: join again with a new one")
            _check_name(connection, listener)
            try:
                connection.execute(sa.insert(listeners), listener | {"seq": seq})
                connection.execute(sa.insert(vectors), vector)
            except IntegrityError as error:
                raise CommunityError(
                    f"{listener['id']} is in the community already: update or leave instead"
                ) from error
        return seq

    def update(self, member: Member) -> int:
        """Replace the whole row with the member's id; return the number of the change.

        Its access code and creation time stay. Its vectors of other models are removed, since they
        come from another profile.
        """
        listener, vector = rows_of(member, self.model_version)
        del listener["created"], listener["code_hash"]
        this_row = listeners.c.id == listener["id"]
        with self.database.write() as connection:
            seq = next_seq(connection)
            self._check_length(connection, vector)
            _check_name(connection, listener)
            before = connection.scalar(sa.select(listeners.c.seq).where(this_row))
            changed = connection.execute(
                sa.update(listeners)
                .where(this_row, listeners.c.origin != SYNTHETIC)
                .values(listener | {"seq": seq})
            )
            if changed.rowcount == 0:
                raise CommunityError(
                    f"nobody in the community has the id {listener['id']}: join first"
                )
            connection.execute(sa.delete(vectors).where(vectors.c.id == listener["id"]))
            connection.execute(sa.insert(vectors), vector)
            self.database.invalidate_segments(before)
        self.database.invalidate_segments(before)
        self.database.purge_deleted()
        return seq

    def leave(self, id: str) -> Deletion | None:
        """Remove everything stored about one listener; None if there is nothing.

        Of the returned record the community keeps number, id, time and digest, as proof. On a full
        disk the reserve is freed first: anybody can leave at any time.
        """
        reserve = self.database.reserve
        try:
            return self._leave(id)
        except DiskFull:
            if reserve is None or not reserve.free():
                raise
            return self._leave(id)
        finally:
            if reserve is not None:
                reserve.keep()

    def _leave(self, id: str) -> Deletion | None:
        with self.database.write() as connection:
            next_seq(connection, 0)  # wait for other writers
            row = connection.execute(sa.select(listeners).where(listeners.c.id == id)).mappings()
            listener = row.first()
            if listener is None:
                return None
            of_models = sa.select(vectors).where(vectors.c.id == id)
            of_models = of_models.order_by(vectors.c.model_version)
            vector_rows = connection.execute(of_models).mappings().all()
            deletion = Deletion(
                id=id,
                seq=next_seq(connection),
                at=now(),
                removed=_removed(dict(listener), [dict(each) for each in vector_rows]),
                content=digest_of([dict(listener), *(dict(each) for each in vector_rows)]),
                was_training=listener["training"],
                community=read_meta(connection, "community") or "",
            )
            connection.execute(sa.delete(vectors).where(vectors.c.id == id))
            connection.execute(sa.delete(listeners).where(listeners.c.id == id))
            record = {"seq": deletion.seq, "id": id, "at": deletion.at, "digest": deletion.digest}
            connection.execute(sa.insert(removals), record)
            self.database.invalidate_segments(listener["seq"])
        self.database.invalidate_segments(listener["seq"])
        self.database.purge_deleted()
        return deletion

    # Changes of many

    def seed(self, members: Iterable[Member], *, digest: str | None = None) -> int:
        """Replace all synthetic listeners by `members`; return how many were written.

        Writes nothing and returns 0 if the same set is in already. `digest` identifies the set; if
        it is that of the set in the database, `members` is not read. By default it is computed
        from the members. Rows of people are never touched.
        """
        return seeding.seed(self.database, members, model_version=self.model_version, digest=digest)

    def put_pair_table(self, text: str) -> None:
        """Store the table that says how rare a match is under this model, as JSON.

        That is no change of the community: no other process reads anything again.
        """
        with self.database.write() as connection:
            next_seq(connection, 0)  # wait for other writers
            write_meta(connection, pair_table_key(self.model_version), text)

    def put_vectors(
        self, model_version: str, rows: Iterable[ModelVectors], *, since: int | None = None
    ) -> int:
        """Store a model's vectors beside those of other models; return how many were stored.

        Each batch is a transaction. Listeners who left, or changed after the change `since`, are
        skipped.
        """
        return sum(
            self._put_batch(model_version, batch, since)
            for batch in batched(rows, ROWS_PER_STATEMENT)
        )

    def _put_batch(
        self, model_version: str, batch: Sequence[ModelVectors], since: int | None
    ) -> int:
        ids = [each.id for each in batch]
        with self.database.write() as connection:
            next_seq(connection, 0)  # wait for other writers
            current = sa.select(listeners.c.id, listeners.c.findable, listeners.c.seq)
            current = current.where(listeners.c.id.in_(ids))
            if since is not None:
                current = current.where(listeners.c.seq <= since)
            here = {row.id: row for row in connection.execute(current)}
            rows = [
                vector_row(each, model_version, findable=here[each.id].findable)
                for each in batch
                if each.id in here
            ]
            if not rows:
                return 0
            old = vectors.c.id.in_([row["id"] for row in rows])
            same_model = vectors.c.model_version == model_version
            connection.execute(sa.delete(vectors).where(old, same_model))
            connection.execute(sa.insert(vectors), rows)
            outdated: list[int] = []
            if model_version == _current_version(connection):
                for row in rows:  # a new seq tells running servers to read exactly these again
                    outdated.append(here[row["id"]].seq)
                    this_row = sa.update(listeners).where(listeners.c.id == row["id"])
                    connection.execute(this_row.values(seq=next_seq(connection)))
            else:
                write_meta(connection, vectors_version_key(model_version), new_id())
            self.database.invalidate_segments(*outdated)
        self.database.invalidate_segments(*outdated)
        return len(rows)

    def drop_vectors(self, model_version: str) -> int:
        """Remove a model's vectors; return how many listeners had some.

        Raises CommunityError if the community uses that model.
        """
        with self.database.write() as connection:
            next_seq(connection, 0)  # wait for a switch of models
            current = read_meta(connection, "active version") or self.model_version
            if model_version == current:
                raise CommunityError(
                    f"model {model_version} is in use: switch to another model first"
                )
            same_model = vectors.c.model_version == model_version
            count = connection.execute(sa.delete(vectors).where(same_model)).rowcount
            write_meta(connection, vectors_version_key(model_version), new_id())
            write_meta(connection, pair_table_key(model_version), None)
        if self.database.segment_cache is not None:
            self.database.segment_cache.clear(model_version)
        self.database.purge_deleted()
        return count

    def activate(self, name: str | None, *, model_version: str) -> int:
        """Make a model the current one in one transaction; return the number of the change.

        `name` is its name in the registry, None for the shipped model. Raises CommunityError if a
        listener has no vectors of it.
        """
        with self.database.write() as connection:
            seq = next_seq(connection)
            lacking = sa.select(sa.func.count()).select_from(listeners)
            lacking = lacking.where(lacks_vectors(model_version))
            count = connection.execute(lacking).scalar_one()
            if count:
                raise CommunityError(
                    f"{count} listeners have no vectors of model {model_version}: embed them first"
                )
            write_meta(connection, "previous", read_meta(connection, "active"))
            write_meta(connection, "active", name)
            write_meta(connection, "active version", model_version)
        return seq

    def _check_length(self, connection: sa.Connection, row: Row) -> None:
        stored = connection.scalar(
            sa.select(vectors.c.user_vector)
            .where(vectors.c.model_version == self.model_version)
            .limit(1)
        )
        if stored is not None and len(stored) != len(row["user_vector"]):
            raise ValueError(
                f"{row['id']}: vector of {len(row['user_vector']) // 4} among vectors of "
                f"{len(stored) // 4} from model {self.model_version}"
            )


def _check_name(connection: sa.Connection, listener: Row) -> None:
    """Raise BadName if another findable listener's name looks like this one."""
    if not listener["findable"] or not listener["look"]:
        return
    same = sa.select(listeners.c.id).where(
        listeners.c.look == listener["look"], listeners.c.findable, listeners.c.id != listener["id"]
    )
    if connection.scalar(same.limit(1)) is not None:
        raise BadName(NAME_IN_USE)


def _removed(listener: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return kind -> count of the removed data; the keys are part of the receipt's format."""
    return {
        "listeners": 1,
        "vectors": 2 * len(rows),
        "places on a map": sum(row["x"] is not None for row in rows),
        "kept profiles": int(listener["profile"] is not None),
        "return codes": int(listener["code_hash"] is not None),
    }


def _current_version(connection: sa.Connection) -> str:
    """Return the version of the current model: before any switch, that of the synthetic ones."""
    shipped = (read_meta(connection, "shipped") or "").partition(" ")[0]
    return read_meta(connection, "active version") or shipped
