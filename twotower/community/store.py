"""The one class that a program asks about a community's listeners."""

from collections.abc import Iterable, Sequence

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from twotower.community.database import Database, next_seq
from twotower.community.queries import Asking, batched
from twotower.community.records import Deletion, Member, new_id
from twotower.community.relearning import Relearning
from twotower.community.rows import Row, digest_of, now, rows_of
from twotower.community.scale import hnsw
from twotower.community.schema import listeners, read_meta, removals, vectors, write_meta
from twotower.community.snapshot import Candidates, MemberSnapshot
from twotower.community.sync import SnapshotLoader
from twotower.core.domain import SYNTHETIC
from twotower.core.errors import BadName, CommunityError
from twotower.core.names import TAKEN, confusable_skeleton

SAMPLE = 30_000  # listeners of a snapshot that is too many to hold, about
SEEDED = 5000  # invented listeners written at a time


class Community(Asking, Relearning):
    """A database of listeners, and the arrays of those that this model can compare.

    May be shared by threads. Whatever the database can't do is a CommunityError that says what
    to do about it.
    """

    def __init__(
        self, database: Database, *, model_version: str, sample: int | None = SAMPLE
    ) -> None:
        """Where PostgreSQL has an index of the vectors, its snapshot is a `sample` of so many."""
        self.model_version = model_version
        self.database = database
        self._sample = sample
        self._reader = SnapshotLoader(database, model_version, sample if self.is_indexed else None)

    @classmethod
    def open(
        cls, url: str, *, model_version: str, wait_s: float = 5.0, sample: int | None = SAMPLE
    ) -> "Community":
        """The community at a database URL, made empty where there is none.

        Vectors of another `model_version` stay in the database and are never in the snapshot. A
        writer waits `wait_s` seconds for another one. A damaged SQLite file is renamed, never
        written over, and the CommunityError says to what.
        """
        opened = Database.open(url, community=new_id(), wait_s=wait_s)
        return cls(opened, model_version=model_version, sample=sample)

    def of_model(self, model_version: str) -> "Community":
        """The same listeners as another model sees them, over the same connections."""
        return Community(self.database, model_version=model_version, sample=self._sample)

    @property
    def is_indexed(self) -> bool:
        """Whether the nearest are found by an index, and the snapshot may be a sample."""
        return self.database.is_indexed and self._sample is not None

    @property
    def where(self) -> str:
        return self.database.where

    def close(self) -> None:
        """Let go of the database's connections."""
        self.database.close()

    def join(self, member: Member) -> int:
        """Add one listener, and give the seq of that change once it is safely stored.

        BadName where another who can be found has that name, or one that looks like it.
        """
        listener, placed = rows_of(member, self.model_version)
        if listener["origin"] == SYNTHETIC:
            raise ValueError(f"{listener['id']} is invented: those come through seed")
        with self.database.write() as connection:
            seq = next_seq(connection)
            self._check_length(connection, placed)
            code = listener["code_hash"]
            taken = sa.select(listeners.c.id).where(listeners.c.code_hash == code)
            if code is not None and connection.scalar(taken) is not None:
                raise CommunityError("that return code is taken: join again with a new one")
            _check_name(connection, listener)
            try:
                connection.execute(sa.insert(listeners), listener | {"seq": seq})
                connection.execute(sa.insert(vectors), placed)
            except IntegrityError as error:
                raise CommunityError(
                    f"{listener['id']} is in the community already: update or leave instead"
                ) from error
        return seq

    def update(self, member: Member) -> int:
        """Put `member` in the place of the row with the same id, whole; gives the change's seq.

        Its return code and when it was made stay; its vectors of other models go, for they tell of
        another profile.
        """
        listener, placed = rows_of(member, self.model_version)
        del listener["created"], listener["code_hash"]
        mine = listeners.c.id == listener["id"]
        with self.database.write() as connection:
            seq = next_seq(connection)
            self._check_length(connection, placed)
            _check_name(connection, listener)
            before = connection.scalar(sa.select(listeners.c.seq).where(mine))
            changed = connection.execute(
                sa.update(listeners)
                .where(mine, listeners.c.origin != SYNTHETIC)
                .values(listener | {"seq": seq})
            )
            if changed.rowcount == 0:
                raise CommunityError(
                    f"nobody in the community has the id {listener['id']}: join first"
                )
            connection.execute(sa.delete(vectors).where(vectors.c.id == listener["id"]))
            connection.execute(sa.insert(vectors), placed)
            self.database.forget(before)
        self.database.forget(before)
        self.database.sweep()
        return seq

    def leave(self, id: str) -> Deletion | None:
        """Remove one listener with all that is stored of them; None where there was none.

        What it gives holds against what the community keeps: the id, when, and a digest.
        """
        theirs, placed = listeners.c.id == id, vectors.c.id == id
        with self.database.write() as connection:
            next_seq(connection, 0)  # wait for who is writing
            row = connection.execute(sa.select(listeners).where(theirs)).mappings().first()
            if row is None:
                return None
            of_models = sa.select(vectors).where(placed).order_by(vectors.c.model_version)
            embedded = connection.execute(of_models).mappings().all()
            seq = next_seq(connection)
            connection.execute(sa.delete(vectors).where(placed))
            connection.execute(sa.delete(listeners).where(theirs))
            removal = Deletion(
                id=id,
                seq=seq,
                at=now(),
                removed={
                    "listeners": 1,
                    "vectors": 2 * len(embedded),
                    "places on a map": sum(each["x"] is not None for each in embedded),
                    "kept profiles": int(row["profile"] is not None),
                    "return codes": int(row["code_hash"] is not None),
                },
                content=digest_of([dict(row), *(dict(each) for each in embedded)]),
                was_training=row["training"],
                community=read_meta(connection, "community") or "",
            )
            connection.execute(
                sa.insert(removals),
                {"seq": seq, "id": id, "at": removal.at, "digest": removal.digest},
            )
            self.database.forget(row["seq"])
        self.database.forget(row["seq"])
        self.database.sweep()
        return removal

    def seed(self, members: Iterable[Member], *, digest: str | None = None) -> int:
        """Make `members` the invented listeners; gives how many rows that wrote, 0 where it is so.

        Which set is in is told by `digest`, for which a caller may give a digest of the file that
        ships (then `members` is only read where it is needed); else it is taken from the members.
        A set that is in already changes nothing; another one takes the place of all invented
        rows. No row of a person is touched.
        """
        with self.database.read() as connection:
            inside = read_meta(connection, "shipped")
        if digest is None:
            members = list(members)
            both = [row for member in members for row in rows_of(member, self.model_version)]
            digest = digest_of(both, without=("created", "updated"))
        mark = f"{self.model_version} {digest}"
        if inside == mark:
            return 0
        with self.database.write() as connection:
            before = next_seq(connection, 0)  # wait for another process that does the same
            if read_meta(connection, "shipped") == mark:  # another process was quicker
                return 0
            old = sa.select(listeners.c.id).where(listeners.c.origin == SYNTHETIC)
            gone = connection.scalars(old).all()
            seq = before
            if gone:
                connection.execute(sa.delete(vectors).where(vectors.c.id.in_(old)))
                connection.execute(sa.delete(listeners).where(listeners.c.origin == SYNTHETIC))
                connection.execute(
                    sa.insert(removals),
                    [{"seq": seq, "id": id} for seq, id in enumerate(gone, before + 1)],
                )
                seq += len(gone)
            people = sa.select(listeners.c.look).where(listeners.c.origin != SYNTHETIC)
            taken = set(connection.scalars(people.where(listeners.c.look != "")))
            for part in batched(members, SEEDED):
                rows = [rows_of(member, self.model_version) for member in part]
                self._insert_invented(connection, rows, seq + 1, taken)
                seq += len(rows)
            next_seq(connection, seq - before)
            write_meta(connection, "shipped", mark)
        if gone and self.database.snapshots is not None:
            self.database.snapshots.forget_all()
        return seq - before - len(gone)

    @staticmethod
    def _insert_invented(
        connection: sa.Connection, rows: Sequence[tuple[Row, Row]], first: int, taken: set[str]
    ) -> None:
        """`taken` are looks of people's names: an invented listener of such a name gets another."""
        people = sum(listener["origin"] != SYNTHETIC for listener, _ in rows)
        if people:
            raise ValueError(f"{people} of {len(rows)} listeners are not invented")
        for listener, _ in rows:
            number, name = 2, listener["name"]
            while listener["look"] in taken:
                listener["name"] = f"{name} {number}"
                listener["look"] = confusable_skeleton(listener["name"])
                number += 1
        try:
            connection.execute(
                sa.insert(listeners),
                [one | {"seq": seq} for seq, (one, _) in enumerate(rows, first)],
            )
            connection.execute(sa.insert(vectors), [placed for _, placed in rows])
        except IntegrityError as error:
            raise CommunityError(
                "two of the listeners that ship have one id, or one has a person's id; "
                "none of them was added"
            ) from error

    def index(self, shards: Sequence[str] = ()) -> int:
        """Make PostgreSQL's index of the vectors, on the servers of the `shards` where rows lie.

        Gives how many numbers the vectors have that it is for. Programs that are started after it
        hold only a sample of the listeners.
        """
        with self.database.read() as connection:
            stored = connection.scalar(
                sa.select(vectors.c.candidate_vector)
                .where(vectors.c.model_version == self.model_version)
                .limit(1)
            )
        if stored is None:
            raise CommunityError("nobody is there yet: an index needs vectors to be made of")
        dim = len(stored) // 4
        url = self.database.engine.url.render_as_string(hide_password=False)
        hnsw.make(shards or [url], dim)
        with self.database.write() as connection:
            write_meta(connection, "index", str(dim))
        return dim

    def nearest(
        self,
        vector: np.ndarray,
        count: int,
        *,
        placed: bool = False,
        snapshot: MemberSnapshot | None = None,
    ) -> Candidates:
        """Those who can be found whose candidate vectors are nearest to a unit vector (D,).

        Of the `snapshot` that one has, else as of now; where that is a sample, by the index of all,
        which may miss one now and then. `placed` leaves out who has no place on the map.
        """
        among = self.snapshot() if snapshot is None else snapshot
        if self.is_indexed and not among.is_whole:
            with self.database.read() as connection:
                return hnsw.nearest(connection, self.model_version, vector, count, placed)
        return among.nearest(vector, count, placed=placed)

    def snapshot(self) -> MemberSnapshot:
        """Everyone who can be found, as of now; the same object until something changes."""
        return self._reader.snapshot()

    def _check_length(self, connection: sa.Connection, placed: Row) -> None:
        stored = connection.scalar(
            sa.select(vectors.c.user_vector)
            .where(vectors.c.model_version == self.model_version)
            .limit(1)
        )
        if stored is not None and len(stored) != len(placed["user_vector"]):
            raise ValueError(
                f"{placed['id']}: vector of {len(placed['user_vector']) // 4} among vectors of "
                f"{len(stored) // 4} from model {self.model_version}"
            )


def _check_name(connection: sa.Connection, listener: Row) -> None:
    """BadName where another who can be found has a name that looks like it."""
    if not listener["findable"] or not listener["look"]:
        return
    same = sa.select(listeners.c.id).where(
        listeners.c.look == listener["look"], listeners.c.findable, listeners.c.id != listener["id"]
    )
    if connection.scalar(same.limit(1)) is not None:
        raise BadName(TAKEN)
