"""The listeners that can be found: rows in a database are the truth, the arrays are made of them.

Each change is one transaction and takes the next number `seq`, so another process sees that
something changed by reading one number, and reads only what came after the last it knows.
"""

import hashlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from twotower.domain import SPOTIFY_WEB_API, Listener
from twotower.errors import CommunityError

INVENTED = "invented"  # origin of the listeners that ship
SCHEMA = 1

_tables = sa.MetaData()
_meta = sa.Table(
    "meta",
    _tables,
    sa.Column("key", sa.Text, primary_key=True),  # "schema": its version; "shipped": which set
    sa.Column("value", sa.Text, nullable=False),
)
_clock = sa.Table(  # one row; its update is what makes writers wait for each other
    "clock",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the last change
)
_listeners = sa.Table(
    "listeners",
    _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("artists", sa.Text, nullable=False),  # JSON [[name, plays], ...]
    sa.Column("genres", sa.Text, nullable=False),  # JSON [tag, ...]
    sa.Column("user_vector", sa.LargeBinary, nullable=False),  # little-endian float32
    sa.Column("candidate_vector", sa.LargeBinary, nullable=False),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("x", sa.Float),
    sa.Column("y", sa.Float),
    sa.Column("map_version", sa.Text, nullable=False),
    sa.Column("findable", sa.Boolean, nullable=False),
    sa.Column("training", sa.Boolean, nullable=False),
    sa.Column("created", sa.Text, nullable=False),  # UTC, ISO
    sa.Column("updated", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False, unique=True),
)
_removals = sa.Table(  # so that other processes learn of those who left
    "removals",
    _tables,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False),
)


def new_id() -> str:
    """A random id that tells nothing, 16 hexadecimal digits."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One listener with what only the program sees: vectors and what the owner said yes to."""

    listener: Listener
    user_vector: np.ndarray  # (D,) float32, unit
    candidate_vector: np.ndarray  # (D,) float32, unit
    findable: bool = True  # may be found by others
    training: bool = False  # may be learned from
    map_version: str = ""  # of the map that listener.place is on


@dataclass(frozen=True, eq=False)
class Crowd:
    """Everyone who can be found, as arrays in step with one another; row i is ids[i].

    In the order in which the rows last changed. The arrays can't be written to.
    """

    seq: int  # the last change that is in it
    ids: tuple[str, ...]
    names: tuple[str, ...]
    user: np.ndarray  # (N, D) float32, unit
    candidate: np.ndarray  # (N, D) float32, unit
    places: np.ndarray  # (N, 2) float32, NaN for one without a place
    invented: np.ndarray  # (N,) bool

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self.ids)}

    def row_of(self, id: str) -> int | None:
        return self._rows.get(id)


class Community:
    """A database of listeners, and the arrays of those that this model can compare.

    May be shared by threads. Whatever the database can't do is a CommunityError that says what
    to do about it.
    """

    def __init__(self, engine: sa.Engine, *, model_version: str) -> None:
        self.model_version = model_version
        self.where = engine.url.render_as_string(hide_password=True)
        self._engine = engine
        self._lock = threading.Lock()
        self._crowd: Crowd | None = None

    @classmethod
    def open(cls, url: str, *, model_version: str, wait_s: float = 5.0) -> "Community":
        """The community at a database URL, made empty where there is none.

        Vectors of another `model_version` stay in the database and are never in the crowd. A
        writer waits `wait_s` seconds for another one. A damaged SQLite file is renamed, never
        written over, and the CommunityError says to what.
        """
        try:
            address = sa.make_url(url)
            if address.get_backend_name() == "sqlite":
                engine = _sqlite(address, wait_s)
            else:
                engine = sa.create_engine(address, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise CommunityError(
                f"TWOTOWER_COMMUNITY is not a database that can be used here ({error}); "
                "write it as sqlite:////path/to/community.sqlite"
            ) from error
        community = cls(engine, model_version=model_version)
        try:
            community._prepare()
        except CommunityError:
            community.close()
            raise
        return community

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    # Changes

    def join(self, member: Member) -> int:
        """Add one listener, and give the seq of that change once it is safely stored."""
        row = self._row(member)
        if row["origin"] == INVENTED:
            raise ValueError(f"{row['id']} is invented: those come through seed")
        with self._write() as connection:
            self._check_length(connection, row)
            seq = _next_seq(connection)
            try:
                connection.execute(sa.insert(_listeners), row | {"seq": seq})
            except IntegrityError as error:
                raise CommunityError(
                    f"{row['id']} is in the community already: update or leave instead"
                ) from error
        return seq

    def update(self, member: Member) -> int:
        """Put `member` in the place of the row with the same id, whole; gives the change's seq."""
        row = self._row(member)
        del row["created"]
        with self._write() as connection:
            self._check_length(connection, row)
            seq = _next_seq(connection)
            changed = connection.execute(
                sa.update(_listeners)
                .where(_listeners.c.id == row["id"], _listeners.c.origin != INVENTED)
                .values(row | {"seq": seq})
            )
            if changed.rowcount == 0:
                raise CommunityError(f"nobody in the community has the id {row['id']}: join first")
        return seq

    def leave(self, id: str) -> bool:
        """Remove one listener with all that is stored of them; False where there was none."""
        theirs = _listeners.c.id == id
        with self._write() as connection:
            if connection.scalar(sa.select(_listeners.c.id).where(theirs)) is None:
                return False
            seq = _next_seq(connection)
            connection.execute(sa.delete(_listeners).where(theirs))
            connection.execute(sa.insert(_removals), {"seq": seq, "id": id})
        return True

    def seed(self, members: Iterable[Member], *, digest: str | None = None) -> int:
        """Make `members` the invented listeners; gives how many rows that wrote, 0 where it is so.

        Which set is in is told by `digest`, for which a caller may give a digest of the file that
        ships (then `members` is only read where it is needed); else it is taken from the members.
        A set that is in already changes nothing; another one takes the place of all invented
        rows. No row of a person is touched.
        """
        inside = self._shipped()
        if digest is not None and inside == f"{self.model_version} {digest}":
            return 0
        rows = [self._row(member) for member in members]
        people = [row["id"] for row in rows if row["origin"] != INVENTED]
        if people:
            raise ValueError(f"{len(people)} of {len(rows)} listeners are not invented")
        mark = f"{self.model_version} {digest or _digest(rows)}"
        if inside == mark:
            return 0
        with self._write() as connection:
            if _read_meta(connection, "shipped") == mark:  # another process was quicker
                return 0
            old = sa.select(_listeners.c.id).where(_listeners.c.origin == INVENTED)
            gone = connection.scalars(old).all()
            last = _next_seq(connection, len(gone) + len(rows))
            first = last - len(gone) - len(rows) + 1
            if gone:
                connection.execute(sa.delete(_listeners).where(_listeners.c.origin == INVENTED))
                connection.execute(
                    sa.insert(_removals),
                    [{"seq": seq, "id": id} for seq, id in enumerate(gone, first)],
                )
            if rows:
                try:
                    connection.execute(
                        sa.insert(_listeners),
                        [row | {"seq": seq} for seq, row in enumerate(rows, first + len(gone))],
                    )
                except IntegrityError as error:
                    raise CommunityError(
                        "two of the listeners that ship have one id, or one has a person's id; "
                        "none of them was added"
                    ) from error
            connection.execute(sa.delete(_meta).where(_meta.c.key == "shipped"))
            connection.execute(sa.insert(_meta), {"key": "shipped", "value": mark})
        return len(rows)

    # Reading

    def size(self) -> int:
        """How many listeners can be found."""
        with self._read() as connection:
            count = sa.select(sa.func.count()).select_from(_listeners).where(*self._in_crowd())
            return connection.execute(count).scalar_one()

    def get(self, ids: Sequence[str]) -> list[Listener]:
        """The listeners with these ids, in this order, without those that can't be found."""
        columns = [_listeners.c[name] for name in ("id", "name", "origin", "artists", "genres")]
        found: dict[str, Listener] = {}
        with self._read() as connection:
            for start in range(0, len(ids), 500):  # a statement may have 999 values
                asked = _listeners.c.id.in_(ids[start : start + 500])
                query = sa.select(*columns, _listeners.c.x, _listeners.c.y)
                for row in connection.execute(query.where(asked, *self._in_crowd())):
                    found[row.id] = Listener(
                        id=row.id,
                        name=row.name,
                        origin=row.origin,
                        artists=tuple((name, plays) for name, plays in json.loads(row.artists)),
                        genres=tuple(json.loads(row.genres)),
                        place=None if row.x is None else (row.x, row.y),
                    )
        return [found[id] for id in ids if id in found]

    def seq(self) -> int:
        """The number of the last change; it never falls."""
        with self._read() as connection:
            return int(connection.execute(sa.select(_clock.c.seq)).scalar_one())

    def changed_since(self, seq: int) -> bool:
        return self.seq() > seq

    def crowd(self) -> Crowd:
        """Everyone who can be found, as of now; the same object until something changes."""
        now = self._crowd
        if now is not None and now.seq == self.seq():
            return now
        with self._lock:
            now, seq = self._crowd, self.seq()
            if now is None or now.seq != seq:
                # a seq that fell is another database in the same place: a backup put back
                before = now if now is not None and now.seq < seq else None
                now = self._crowd = self._read_crowd(before)
            return now

    def _read_crowd(self, before: Crowd | None) -> Crowd:
        """The crowd of the database; of one that is known, only what changed is read."""
        since = -1 if before is None else before.seq
        names = ("id", "name", "origin", "user_vector", "candidate_vector", "x", "y")
        query = (
            sa.select(*(_listeners.c[name] for name in names))
            .where(_listeners.c.seq > since, *self._in_crowd())
            .order_by(_listeners.c.seq)
        )
        with self._read() as connection:
            seq = connection.execute(sa.select(_clock.c.seq)).scalar_one()
            rows = connection.execute(query).all()
            touched: set[str] = set()
            if before is not None:
                for table in (_listeners, _removals):
                    changed = sa.select(table.c.id).where(table.c.seq > since)
                    touched.update(connection.scalars(changed))
        sizes = {len(blob) for row in rows for blob in (row.user_vector, row.candidate_vector)}
        if before is not None and len(before):
            sizes.add(before.user.shape[1] * 4)
        if len(sizes) > 1 or any(size % 4 for size in sizes):
            raise CommunityError(
                f"vectors of model {self.model_version} have {_listed(sizes)} bytes: "
                "put a backup of the community in its place",
                where=self.where,
            )
        dim = max(sizes, default=0) // 4
        new = Crowd(
            seq=seq,
            ids=tuple(row.id for row in rows),
            names=tuple(row.name for row in rows),
            user=_matrix([row.user_vector for row in rows], dim),
            candidate=_matrix([row.candidate_vector for row in rows], dim),
            places=np.array([(row.x, row.y) for row in rows], np.float32).reshape(-1, 2),
            invented=np.array([row.origin == INVENTED for row in rows], bool),
        )
        if before is not None and len(before):
            new = _joined(before, new, without=touched)
        for array in (new.user, new.candidate, new.places, new.invented):
            array.flags.writeable = False
        return new

    def _in_crowd(self) -> tuple[sa.ColumnElement[bool], ...]:
        return _listeners.c.model_version == self.model_version, _listeners.c.findable

    # The database

    def _prepare(self) -> None:
        """Make the tables where there are none, and check that they are of this program."""
        with self._read() as connection:
            known = sa.inspect(connection).has_table(_meta.name)
        if not known:
            with self._write() as connection:
                _tables.create_all(connection)
                if _read_meta(connection, "schema") is None:
                    connection.execute(sa.insert(_meta), {"key": "schema", "value": str(SCHEMA)})
                    connection.execute(sa.insert(_clock), {"id": 1, "seq": 0})
        with self._read() as connection:
            version = _read_meta(connection, "schema")
        if version != str(SCHEMA):
            raise CommunityError(
                f"the community has format {version} and this program knows {SCHEMA}: "
                "use the program's newest version",
                where=self.where,
            )

    def _shipped(self) -> str | None:
        with self._read() as connection:
            return _read_meta(connection, "shipped")

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the database, whatever others write meanwhile."""
        with _told(self.where), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        """One transaction: everything in it is stored, or after an error nothing."""
        writing = self._engine.execution_options(writing=True)
        with _told(self.where), writing.begin() as connection:
            yield connection

    def _row(self, member: Member) -> dict[str, Any]:
        """The columns of one member but seq; a ValueError where the member makes no sense."""
        who = member.listener
        if who.origin.strip().casefold() == SPOTIFY_WEB_API:
            raise CommunityError("what came through Spotify's Web API is never stored")
        if not who.id:
            raise ValueError("a listener needs an id")
        user, candidate = (
            _unit(vector, who.id) for vector in (member.user_vector, member.candidate_vector)
        )
        if len(user) != len(candidate):
            raise ValueError(
                f"{who.id}: user vector of {len(user)} and candidate vector of {len(candidate)}"
            )
        if who.place is not None and not np.isfinite(who.place).all():
            raise ValueError(f"{who.id}: the place {who.place} is not on a map")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {
            "id": who.id,
            "name": who.name,
            "origin": who.origin,
            "artists": json.dumps(who.artists, allow_nan=False),
            "genres": json.dumps(who.genres),
            "user_vector": user.tobytes(),
            "candidate_vector": candidate.tobytes(),
            "model_version": self.model_version,
            "x": None if who.place is None else float(who.place[0]),
            "y": None if who.place is None else float(who.place[1]),
            "map_version": member.map_version,
            "findable": member.findable,
            "training": member.training,
            "created": now,
            "updated": now,
        }

    def _check_length(self, connection: sa.Connection, row: dict[str, Any]) -> None:
        stored = connection.scalar(
            sa.select(sa.func.length(_listeners.c.user_vector))
            .where(_listeners.c.model_version == self.model_version)
            .limit(1)
        )
        if stored is not None and stored != len(row["user_vector"]):
            raise ValueError(
                f"{row['id']}: vector of {len(row['user_vector']) // 4} among vectors of "
                f"{stored // 4} from model {self.model_version}"
            )


def _joined(before: Crowd, new: Crowd, *, without: set[str]) -> Crowd:
    """`before` less the rows of `without`, then `new`."""
    kept = np.array([id not in without for id in before.ids], bool)
    rows = np.flatnonzero(kept)
    return Crowd(
        seq=new.seq,
        ids=tuple(before.ids[row] for row in rows) + new.ids,
        names=tuple(before.names[row] for row in rows) + new.names,
        user=np.concatenate([before.user[kept], new.user]),
        candidate=np.concatenate([before.candidate[kept], new.candidate]),
        places=np.concatenate([before.places[kept], new.places]),
        invented=np.concatenate([before.invented[kept], new.invented]),
    )


def _matrix(blobs: list[bytes], dim: int) -> np.ndarray:
    """(N, dim) float32 of N stored vectors."""
    return np.frombuffer(b"".join(blobs), "<f4").reshape(len(blobs), dim)


def _unit(vector: np.ndarray, id: str) -> np.ndarray:
    """`vector` as it is stored; a ValueError unless it is one finite unit vector."""
    stored = np.asarray(vector, "<f4")
    length = float(np.linalg.norm(stored))
    if stored.ndim != 1 or not abs(length - 1) < 1e-3:
        raise ValueError(
            f"{id}: vector of shape {stored.shape} and length {length:.3g}, not (D,), 1"
        )
    return stored


def _digest(rows: list[dict[str, Any]]) -> str:
    """The same for the same listeners, whenever it is taken."""
    digest = hashlib.sha256()
    for row in rows:
        for key, value in row.items():
            if key not in ("created", "updated"):
                digest.update(value if isinstance(value, bytes) else f"{key}={value}\n".encode())
    return digest.hexdigest()


def _next_seq(connection: sa.Connection, count: int = 1) -> int:
    """The last of the next `count` numbers; other writers wait until this transaction ends."""
    step = sa.update(_clock).values(seq=_clock.c.seq + count).returning(_clock.c.seq)
    return int(connection.execute(step).scalar_one())


def _read_meta(connection: sa.Connection, key: str) -> str | None:
    return connection.scalar(sa.select(_meta.c.value).where(_meta.c.key == key))


def _listed(numbers: Iterable[int]) -> str:
    return " and ".join(str(number) for number in sorted(numbers))


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Errors of the database as CommunityErrors that say what to do."""
    try:
        yield
    except DBAPIError as error:
        raise CommunityError(_advice(error), where=where) from error
    except SQLAlchemyError as error:
        raise CommunityError(f"the community can't be reached ({error})", where=where) from error


def _advice(error: DBAPIError) -> str:
    text = str(error.orig)
    if "locked" in text or "busy" in text:
        return "another program is writing to the community just now: try again in a moment"
    if "readonly" in text or "read-only" in text:
        return "the community can be read but not written: check the rights of file and folder"
    if "disk is full" in text or "disk I/O" in text:
        return "no room to write to the community: nothing was changed; free some disk space"
    if "unable to open" in text:
        return "the community's file can't be opened: check that its folder exists and its rights"
    if _is_damage(error.orig):
        return "the community's file is damaged: start the program again, and it is set aside"
    return f"the database refused ({text})"


# SQLite only


def _sqlite(url: sa.URL, wait_s: float) -> sa.Engine:
    """An engine for one SQLite file; its folder is made, and a damaged file set aside."""
    if not url.database or url.database == ":memory:":
        raise CommunityError("the community needs a file: sqlite:////path/to/community.sqlite")
    engine = sa.create_engine(url, connect_args={"timeout": wait_s})

    @sa.event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin below and nowhere else
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # an acknowledged row survives a power cut
        connection.execute("PRAGMA secure_delete=ON")  # who left is not in the file's free pages

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        # A writer takes its turn at once: one that began as a reader could not wait for it.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    file = Path(url.database)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommunityError(
            f"the folder can't be made ({error.strerror}): set TWOTOWER_COMMUNITY to a place "
            "that can be written",
            where=str(file.parent),
        ) from error
    if file.is_file() and _is_damaged(file):
        aside = _set_aside(file)
        raise CommunityError(
            f"the file is damaged and was set aside as {aside.name}. Put a backup in its place, "
            "or start again: that begins an empty community",
            where=str(file),
        )
    return engine


def _is_damage(error: BaseException | None) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def _is_damaged(file: Path) -> bool:
    """Whether SQLite can't make sense of the file; a locked or unreadable one is not damaged."""
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        finally:
            connection.close()
    except sqlite3.Error as error:
        return _is_damage(error)


def _set_aside(file: Path) -> Path:
    """The new name of the file, to which its write-ahead log goes too."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = file.with_name(f"{file.name}.damaged-{now}")
    try:
        file.rename(aside)
        for end in ("-wal", "-shm"):
            if (log := Path(f"{file}{end}")).exists():
                log.rename(f"{aside}{end}")
    except OSError as error:
        raise CommunityError(
            f"the file is damaged and can't be set aside ({error.strerror}): move it away",
            where=str(file),
        ) from error
    return aside
