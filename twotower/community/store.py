"""The one class that a program asks about a community's listeners."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from twotower.community import near
from twotower.community.crowd import Crowd, Found
from twotower.community.database import Database, next_seq, now_seq
from twotower.community.members import INVENTED, Member, Owned, Placed, Removal
from twotower.community.reading import CrowdReader
from twotower.community.rows import (
    Row,
    digest_of,
    kept_in,
    listener_of,
    now,
    rows_of,
    shown_in,
    told_of,
    vectors_of,
)
from twotower.community.schema import (
    clock,
    epoch_key,
    listeners,
    meta,
    read_meta,
    removals,
    vectors,
    write_meta,
)
from twotower.domain import Listener, Profile
from twotower.errors import BadName, CommunityError
from twotower.looks import TAKEN, look

_Item = TypeVar("_Item")
AT_ONCE = 500  # rows of one statement: it may have 999 values
SAMPLE = 30_000  # listeners of a crowd that is too many to hold, about
SEEDED = 5000  # invented listeners written at a time


def new_id() -> str:
    """A random id that tells nothing, 16 hexadecimal digits."""
    return secrets.token_hex(8)


class Community:
    """A database of listeners, and the arrays of those that this model can compare.

    May be shared by threads. Whatever the database can't do is a CommunityError that says what
    to do about it.
    """

    def __init__(
        self, database: Database, *, model_version: str, sample: int | None = SAMPLE
    ) -> None:
        """Where PostgreSQL has an index of the vectors, its crowd is a `sample` of so many."""
        self.model_version = model_version
        self.database = database
        self._sample = sample
        self._reader = CrowdReader(database, model_version, sample if self.is_indexed else None)

    @classmethod
    def open(
        cls, url: str, *, model_version: str, wait_s: float = 5.0, sample: int | None = SAMPLE
    ) -> "Community":
        """The community at a database URL, made empty where there is none.

        Vectors of another `model_version` stay in the database and are never in the crowd. A
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
        """Whether the nearest are found by an index, and the crowd may be a sample."""
        return self.database.is_indexed and self._sample is not None

    @property
    def where(self) -> str:
        return self.database.where

    def close(self) -> None:
        """Let go of the database's connections."""
        self.database.close()

    # Changes

    def join(self, member: Member) -> int:
        """Add one listener, and give the seq of that change once it is safely stored.

        BadName where another who can be found has that name, or one that looks like it.
        """
        listener, placed = rows_of(member, self.model_version)
        if listener["origin"] == INVENTED:
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
                .where(mine, listeners.c.origin != INVENTED)
                .values(listener | {"seq": seq})
            )
            if changed.rowcount == 0:
                raise CommunityError(
                    f"nobody in the community has the id {listener['id']}: join first"
                )
            connection.execute(sa.delete(vectors).where(vectors.c.id == listener["id"]))
            connection.execute(sa.insert(vectors), placed)
            self._forget(before)
        self._forget(before)
        self.database.sweep()
        return seq

    def leave(self, id: str) -> Removal | None:
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
            removal = Removal(
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
            self._forget(row["seq"])
        self._forget(row["seq"])
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
            old = sa.select(listeners.c.id).where(listeners.c.origin == INVENTED)
            gone = connection.scalars(old).all()
            seq = before
            if gone:
                connection.execute(sa.delete(vectors).where(vectors.c.id.in_(old)))
                connection.execute(sa.delete(listeners).where(listeners.c.origin == INVENTED))
                connection.execute(
                    sa.insert(removals),
                    [{"seq": seq, "id": id} for seq, id in enumerate(gone, before + 1)],
                )
                seq += len(gone)
            people = sa.select(listeners.c.look).where(listeners.c.origin != INVENTED)
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
        people = sum(listener["origin"] != INVENTED for listener, _ in rows)
        if people:
            raise ValueError(f"{people} of {len(rows)} listeners are not invented")
        for listener, _ in rows:
            number, name = 2, listener["name"]
            while listener["look"] in taken:
                listener["name"] = f"{name} {number}"
                listener["look"] = look(listener["name"])
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

    # Reading

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
        near.make(shards or [url], dim)
        with self.database.write() as connection:
            write_meta(connection, "index", str(dim))
        return dim

    def is_named(self, seen: str, *, but: str | None = None) -> bool:
        """Whether one who can be found, other than `but`, has a name that looks so."""
        same = sa.select(listeners.c.id).where(listeners.c.look == seen, listeners.c.findable)
        if but is not None:
            same = same.where(listeners.c.id != but)
        with self.database.read() as connection:
            return connection.scalar(same.limit(1)) is not None

    def named_like(self, seen: str, count: int) -> list[Listener]:
        """Some of those who can be found whose names have this look in them; by look, then id."""
        query = sa.select(listeners.c.id).select_from(_joined()).where(*self._in_crowd())
        query = query.where(listeners.c.look.contains(seen, autoescape=True))
        with self.database.read() as connection:
            ids = connection.scalars(
                query.order_by(listeners.c.look, listeners.c.id).limit(count)
            ).all()
        return self.get(ids) if seen else []

    def nearest(
        self, vector: np.ndarray, count: int, *, placed: bool = False, crowd: Crowd | None = None
    ) -> Found:
        """Those who can be found whose candidate vectors are nearest to a unit vector (D,).

        Of the `crowd` that one has, else as of now; where that is a sample, by the index of all,
        which may miss one now and then. `placed` leaves out who has no place on the map.
        """
        among = self.crowd() if crowd is None else crowd
        if self.is_indexed and not among.is_whole:
            with self.database.read() as connection:
                return near.nearest(connection, self.model_version, vector, count, placed)
        return among.nearest(vector, count, placed=placed)

    def seq(self) -> int:
        """The number of the last change; it never falls."""
        with self.database.read() as connection:
            return now_seq(connection)

    def changed_since(self, seq: int) -> bool:
        return self.seq() > seq

    def epoch(self) -> tuple[int, str | None]:
        """(seq, the generation that is served) in one reading; None is the model that ships."""
        active = sa.select(meta.c.value).where(meta.c.key == "active").scalar_subquery()
        with self.database.read() as connection:
            seq, generation = connection.execute(sa.select(clock.c.seq, active)).one()
        return int(seq), generation

    def crowd(self) -> Crowd:
        """Everyone who can be found, as of now; the same object until something changes."""
        return self._reader.crowd()

    def stats(self) -> Mapping[str, Any]:
        """Counts of what is stored, of nobody in particular."""
        counts = {
            "listeners": sa.true(),
            "findable": listeners.c.findable,
            "training": listeners.c.training,
            "invented": listeners.c.origin == INVENTED,
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

    def owned(self, code_hash: str) -> Owned | None:
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
        return Owned(
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

    # Learning on

    def kept_profiles(self) -> Iterator[tuple[str, Profile]]:
        """(id, profile) of those who help to train, by id; who leaves meanwhile is left out."""
        yield from self._profiles(kept_in, listeners.c.training, listeners.c.profile.is_not(None))

    def to_embed(self, model_version: str) -> Iterator[tuple[str, Profile]]:
        """(id, profile) of those without vectors of that model, by id.

        Of the artists that others see, as when the listener joined: one that is hidden leaves no
        trace in a vector. Of whom nobody sees anything, the kept profile.
        """
        yield from self._profiles(shown_in, self._lacks(model_version))

    def _profiles(
        self, read: Callable[[Any], Profile], *which: sa.ColumnElement[bool]
    ) -> Iterator[tuple[str, Profile]]:
        names = ("id", "name", "origin", "artists", "profile")
        query = sa.select(*(listeners.c[name] for name in names)).where(*which)
        last = ""
        while True:
            with self.database.read() as connection:
                part = query.where(listeners.c.id > last).order_by(listeners.c.id).limit(AT_ONCE)
                rows = connection.execute(part).all()
            for row in rows:
                yield row.id, read(row)
            if len(rows) < AT_ONCE:
                return
            last = rows[-1].id

    def put_vectors(
        self, model_version: str, placed: Iterable[Placed], *, since: int | None = None
    ) -> int:
        """Store what a model gives these listeners beside the rest; gives how many it is.

        In batches, each of them a transaction. Left out is who has left meanwhile and who has
        changed after the change `since`, as of which their profiles were read.
        """
        count = 0
        for part in batched(placed, AT_ONCE):
            ids = [each.id for each in part]
            with self.database.write() as connection:
                next_seq(connection, 0)  # wait for who is leaving
                same = sa.select(listeners.c.id, listeners.c.findable, listeners.c.seq)
                same = same.where(listeners.c.id.in_(ids))
                if since is not None:
                    same = same.where(listeners.c.seq <= since)
                here = {row.id: row for row in connection.execute(same)}
                rows: list[Row] = [
                    vectors_of(each, model_version, findable=here[each.id].findable)
                    for each in part
                    if each.id in here
                ]
                if rows:
                    old = vectors.c.id.in_([row["id"] for row in rows])
                    of_it = vectors.c.model_version == model_version
                    connection.execute(sa.delete(vectors).where(old, of_it))
                    connection.execute(sa.insert(vectors), rows)
                moved: list[int] = []
                if model_version == read_meta(connection, "active version"):
                    for row in rows:  # so that a crowd which is served learns of just these
                        moved.append(here[row["id"]].seq)
                        mine = sa.update(listeners).where(listeners.c.id == row["id"])
                        connection.execute(mine.values(seq=next_seq(connection)))
                elif rows:
                    write_meta(connection, epoch_key(model_version), new_id())
                self._forget(*moved)
            self._forget(*moved)
            count += len(rows)
        return count

    def drop_vectors(self, model_version: str) -> int:
        """Let go of what a model gave; gives how many listeners had such.

        A CommunityError where that model is served, as far as `activate` knows, or is this one.
        """
        with self.database.write() as connection:
            next_seq(connection, 0)  # wait for who is switching
            served = read_meta(connection, "active version") or self.model_version
            if model_version == served:
                raise CommunityError(f"model {model_version} is served: go back to another first")
            of_it = sa.delete(vectors).where(vectors.c.model_version == model_version)
            count = connection.execute(of_it).rowcount
            write_meta(connection, epoch_key(model_version), new_id())
        if self.database.snapshots is not None:
            self.database.snapshots.forget_all(model_version)
        self.database.sweep()
        return count

    def active(self) -> str | None:
        """The generation that is served; None is the model that ships."""
        return self.epoch()[1]

    def previous(self) -> str | None:
        """The generation that was served before; None is the model that ships, or none was."""
        with self.database.read() as connection:
            return read_meta(connection, "previous")

    def activate(self, generation: str | None, *, model_version: str) -> int:
        """Serve a generation from now on, in one transaction; gives the change's seq.

        A CommunityError while somebody has no vectors of its model; None is the model that ships.
        """
        with self.database.write() as connection:
            seq = next_seq(connection)
            lacking = sa.select(sa.func.count()).select_from(listeners)
            count = connection.execute(lacking.where(self._lacks(model_version))).scalar_one()
            if count:
                raise CommunityError(
                    f"{count} listeners have no vectors of model {model_version} yet: embed them, "
                    "and switch then"
                )
            write_meta(connection, "previous", read_meta(connection, "active"))
            write_meta(connection, "active", generation)
            write_meta(connection, "active version", model_version)
        return seq

    def _lacks(self, model_version: str) -> sa.ColumnElement[bool]:
        there = sa.select(vectors.c.id).where(
            vectors.c.id == listeners.c.id, vectors.c.model_version == model_version
        )
        return ~there.exists()

    def _in_crowd(self) -> tuple[sa.ColumnElement[bool], ...]:
        return vectors.c.model_version == self.model_version, vectors.c.findable

    def _forget(self, *seqs: int | None) -> None:
        """Let no derived file have the rows whose last changes were these.

        Called twice: before a change is stored, so that a kill leaves none behind, and after it,
        for a file that was made meanwhile.
        """
        if self.database.snapshots is not None:
            self.database.snapshots.forget([seq for seq in seqs if seq is not None])

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


def _joined() -> sa.Join:
    return listeners.join(vectors, vectors.c.id == listeners.c.id)


def batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Lists of `size` items; the last may have fewer."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
