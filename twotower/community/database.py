"""One database of a community: its transactions, and its tables made or brought up to date."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from twotower.community.connection import engine_for, sweep, told
from twotower.community.scale.segment_cache import SegmentCache
from twotower.community.schema import SCHEMA, clock, create, meta, read_meta, upgrade
from twotower.core.errors import CommunityError

SWEEPS, SWEEP_WAIT_S = 20, 0.05  # tries to let go of what was removed, and the time between


class Database:
    """May be shared by threads. Whatever it can't do is a CommunityError that says what to do."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.where = engine.url.render_as_string(hide_password=True)
        self._unswept = threading.Event()
        file = self.file
        self.is_indexed = False  # whether PostgreSQL had an index of the vectors when it was opened
        self.snapshots = (
            None if file is None else SegmentCache(file.with_name(f"{file.name}-crowd"))
        )

    @classmethod
    def open(cls, url: str, *, community: str, wait_s: float) -> "Database":
        """The database at a URL, with today's tables; `community` is the id of a new one."""
        database = cls(engine_for(url, wait_s))
        try:
            database._prepare(community)
        except CommunityError:
            database.close()
            raise
        return database

    @property
    def file(self) -> Path | None:
        """Of an embedded database."""
        url = self.engine.url
        return Path(url.database) if self.engine.name == "sqlite" and url.database else None

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the database, whatever others write meanwhile."""
        if self._unswept.is_set():
            self.sweep(tries=1)
        with told(self.where), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction: everything in it is stored, or after an error nothing."""
        writing = self.engine.execution_options(writing=True)
        with told(self.where), writing.begin() as connection:
            yield connection

    def forget(self, *seqs: int | None) -> None:
        """Let no derived file have the rows whose last changes were these.

        Called twice: before a change is stored, so that a kill leaves none behind, and after it,
        for a file that was made meanwhile.
        """
        if self.snapshots is not None:
            self.snapshots.forget([seq for seq in seqs if seq is not None])

    def sweep(self, *, tries: int = SWEEPS) -> bool:
        """Let no byte of what was removed stay in log and free pages.

        False where others read all the time; then each later read tries again.
        """
        for turn in range(tries):
            if turn:
                time.sleep(SWEEP_WAIT_S)
            if sweep(self.engine):
                self._unswept.clear()
                return True
        self._unswept.set()
        return False

    def _prepare(self, community: str) -> None:
        with self.read() as connection:
            known = sa.inspect(connection).has_table(meta.name)
            version = read_meta(connection, "schema") if known else None
        if version is None:
            with self.write() as connection:
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(744119)")
                    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
                create(connection, community)
                version = read_meta(connection, "schema")
        if version is not None and version.isdecimal() and int(version) < SCHEMA:
            with self.write() as connection:
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(744119)")
                if int(read_meta(connection, "schema") or SCHEMA) < SCHEMA:  # or another has
                    upgrade(connection, community)
                version = read_meta(connection, "schema")
            self.sweep()
        with self.read() as connection:
            indexed = read_meta(connection, "index") if version == str(SCHEMA) else None
        self.is_indexed = indexed is not None
        if version != str(SCHEMA):
            raise CommunityError(
                f"the community has format {version} and this program knows {SCHEMA}: "
                "use the program's newest version",
                where=self.where,
            )


def now_seq(connection: sa.Connection) -> int:
    """The number of the last change."""
    return int(connection.execute(sa.select(clock.c.seq)).scalar_one())


def next_seq(connection: sa.Connection, count: int = 1) -> int:
    """The last of the next `count` numbers; other writers wait until this transaction ends."""
    step = sa.update(clock).values(seq=clock.c.seq + count).returning(clock.c.seq)
    return int(connection.execute(step).scalar_one())
