"""Connections and transactions on SQLite and PostgreSQL, with errors that say what to do."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from twotower.community.reserve import Reserve
from twotower.community.scale.segment_cache import SegmentCache
from twotower.community.schema import SCHEMA, clock, create, meta, read_meta, upgrade
from twotower.core.database_url import describe_database
from twotower.core.errors import CommunityError, DiskFull

CONNECT_TIMEOUT_S = 10
DISK_FULL = "the disk is full and nothing was changed: free some space, then try again"
PURGE_TRIES, PURGE_PAUSE_S = 20, 0.05
_SCHEMA_LOCK = "SELECT pg_advisory_xact_lock(744119)"  # one process at a time changes the tables


class Database:
    """One community's database. Safe to share between threads.

    Every failure is raised as a CommunityError that says what to do.
    """

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self.engine = engine
        self.where = where
        self.is_indexed = False  # True if PostgreSQL had a vector index when it was opened
        file = self.file
        self.segment_cache = (
            None if file is None else SegmentCache(file.with_name(f"{file.name}-crowd"))
        )
        self.reserve = None if file is None else Reserve(file.with_name(f"{file.name}-reserve"))
        self._purge_pending = threading.Event()

    @classmethod
    def open(cls, url: str, *, community: str, wait_s: float) -> "Database":
        """Open the database and create or upgrade its tables.

        `community` becomes the id of a new community. A writer waits up to `wait_s` seconds for
        another one.
        """
        database = cls(create_engine(url, wait_s), describe_database(url))
        try:
            database._prepare(community)
        except CommunityError:
            database.close()
            raise
        if database.reserve is not None:
            database.reserve.keep()
        return database

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        url = self.engine.url
        return Path(url.database) if self.engine.name == "sqlite" and url.database else None

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one state of the database, whatever others write."""
        if self._purge_pending.is_set():
            self.purge_deleted(tries=1)
        with translate_errors(self.where), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield a connection in one transaction: all of it is stored, or after an error nothing."""
        writing = self.engine.execution_options(writing=True)
        with translate_errors(self.where), writing.begin() as connection:
            yield connection

    def invalidate_segments(self, *seqs: int | None) -> None:
        """Delete the cached segments that contain a row whose last change is one of `seqs`.

        Call it twice: before a change is committed, so that a kill leaves no such file behind, and
        after it, for a file that was written meanwhile.
        """
        if self.segment_cache is not None:
            self.segment_cache.invalidate([seq for seq in seqs if seq is not None])

    def purge_deleted(self, *, tries: int = PURGE_TRIES) -> bool:
        """Purge deleted rows from SQLite's write-ahead log and free pages.

        Returns False while other readers hold them; then each later `read` tries again.
        """
        for attempt in range(tries):
            if attempt:
                time.sleep(PURGE_PAUSE_S)
            if _purge(self.engine):
                self._purge_pending.clear()
                return True
        self._purge_pending.set()
        return False

    def _prepare(self, community: str) -> None:
        with self.read() as connection:
            exists = sa.inspect(connection).has_table(meta.name)
            version = read_meta(connection, "schema") if exists else None
        if version is None:
            with self.write() as connection:
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(_SCHEMA_LOCK)
                    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
                create(connection, community)
                version = read_meta(connection, "schema")
        if version is not None and version.isdecimal() and int(version) < SCHEMA:
            with self.write() as connection:
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(_SCHEMA_LOCK)
                if int(read_meta(connection, "schema") or SCHEMA) < SCHEMA:  # not by another yet
                    upgrade(connection, community)
                version = read_meta(connection, "schema")
            self.purge_deleted()
        if version != str(SCHEMA):
            raise CommunityError(
                f"the community has format {version}, and this program reads format {SCHEMA}: "
                "install the newest version of the program",
                where=self.where,
            )
        with self.read() as connection:
            self.is_indexed = read_meta(connection, "index") is not None


def last_seq(connection: sa.Connection) -> int:
    """Return the number of the last change."""
    return int(connection.execute(sa.select(clock.c.seq)).scalar_one())


def next_seq(connection: sa.Connection, count: int = 1) -> int:
    """Reserve the next `count` numbers and return the last of them.

    Other writers wait from here until this transaction ends; with 0 nothing is reserved.
    """
    step = sa.update(clock).values(seq=clock.c.seq + count).returning(clock.c.seq)
    return int(connection.execute(step).scalar_one())


@contextmanager
def translate_errors(where: str) -> Iterator[None]:
    """Raise database errors as CommunityErrors that say what to do."""
    try:
        yield
    except DBAPIError as error:
        advice = _advice(error)
        raise (DiskFull if advice == DISK_FULL else CommunityError)(advice, where=where) from error
    except SQLAlchemyError as error:
        why = type(error).__name__  # its text may have the password
        raise CommunityError(f"the community can't be reached ({why})", where=where) from error


def _advice(error: DBAPIError) -> str:
    text = str(error.orig)
    if "locked" in text or "busy" in text or "lock timeout" in text:
        return "another program is writing to the community: try again in a moment"
    if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_READONLY_DIRECTORY":
        return (
            "the community's folder can't be written, which SQLite needs even to read: check the "
            "folder's permissions"
        )
    if "readonly" in text or "read-only" in text:
        return (
            "the community can be read but not written: check the permissions of its file and "
            "folder"
        )
    if "disk is full" in text or "disk I/O" in text or "No space left" in text:
        return DISK_FULL
    if "unable to open" in text:
        return "the community's file can't be opened: check that its folder exists and is readable"
    if _is_damage(error.orig):
        return "the community's file is damaged: restart the program, which then renames it"
    if "password authentication" in text or "no password supplied" in text:
        return "the database server rejects the user or password in TWOTOWER_COMMUNITY: correct it"
    if 'database "' in text and "does not exist" in text:
        return "the database server has no such database: create it with `createdb`"
    if "permission denied" in text:
        return "the database user lacks permissions: grant them on the database and its tables"
    if 'extension "vector"' in text:
        return "the database server lacks pgvector: install it, or ask the server's operator"
    if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
        return "the database server can't be reached: try again in a moment; nothing is lost"
    why = type(error.orig).__name__  # its text may have a password or somebody's data
    return f"the database refused the request ({why}): try again, or see the database's log"


def create_engine(url: str, wait_s: float) -> sa.Engine:
    """Return an engine for a SQLite or PostgreSQL URL.

    Raises CommunityError for any other URL, and if SQLite's file can't be used.
    """
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite":
            return _sqlite_engine(address, wait_s)
        if address.get_backend_name() == "postgresql":
            return _postgresql_engine(address, wait_s)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError):
        pass  # the error's text may have the password
    raise CommunityError(
        "TWOTOWER_COMMUNITY names no usable database: write sqlite:////path/to/community.sqlite or "
        "postgresql://user@host/name, and @ or / in a password as %40 or %2F"
    )


def _postgresql_engine(url: sa.URL, wait_s: float) -> sa.Engine:
    lock_timeout = f"-c lock_timeout={max(1, round(wait_s * 1000))}"
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,  # notice a dead connection before it is used
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": lock_timeout},
    )


def _sqlite_engine(url: sa.URL, wait_s: float) -> sa.Engine:
    """Return an engine for one SQLite file. Creates its folder; sets a damaged file aside."""
    if not url.database or url.database == ":memory:":
        raise CommunityError("the community needs a file: sqlite:////path/to/community.sqlite")
    _prepare_file(Path(url.database))
    engine = sa.create_engine(url, connect_args={"timeout": wait_s})

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # on_begin starts every transaction
        if connection.execute("PRAGMA page_count").fetchone() == (0,):  # a new file
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # writes, even if already set
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # an acknowledged row survives a power cut
        connection.execute("PRAGMA secure_delete=ON")  # overwrite deleted rows with zeros

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once: a reader that becomes a writer could not wait for it.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    @sa.event.listens_for(engine, "handle_error")
    def on_error(context: sa.ExceptionContext) -> None:
        # A file opened read-only stays so until all its connections and cursors are closed: close
        # them, so that the next connection finds permissions granted since.
        if "readonly" in str(context.original_exception):
            if context.execution_context is not None:
                context.execution_context.cursor.close()
            context.is_disconnect = True
            engine.dispose()

    return engine


def _prepare_file(file: Path) -> None:
    """Create the folder of a SQLite file. Raises CommunityError if that fails or it is damaged."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommunityError(
            f"the folder can't be created ({error.strerror}): set TWOTOWER_COMMUNITY to a writable "
            "place",
            where=str(file.parent),
        ) from error
    if file.is_file() and _is_damaged(file):
        aside = _set_aside(file)
        raise CommunityError(
            f"the file is damaged and was renamed to {aside.name}: put a backup in its place, or "
            "start again with an empty community",
            where=str(file),
        )


def _purge(engine: sa.Engine) -> bool:
    """Vacuum free pages and truncate SQLite's write-ahead log; False if a reader is in the way.

    Always True for PostgreSQL, whose autovacuum does this.
    """
    if engine.dialect.name != "sqlite":
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA incremental_vacuum")
        cursor.fetchall()
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy
    except sqlite3.OperationalError:  # locked
        return False
    finally:
        raw.close()


def _is_damage(error: BaseException | None) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def _is_damaged(file: Path) -> bool:
    """Return True if SQLite finds the file corrupt; a locked or unreadable file is not damaged."""
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        finally:
            connection.close()
    except sqlite3.Error as error:
        return _is_damage(error)


def _set_aside(file: Path) -> Path:
    """Rename the file and its write-ahead log; return the new name."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = file.with_name(f"{file.name}.damaged-{now}")
    try:
        file.rename(aside)
        for end in ("-wal", "-shm"):
            if (log := Path(f"{file}{end}")).exists():
                log.rename(f"{aside}{end}")
    except OSError as error:
        raise CommunityError(
            f"the file is damaged and can't be renamed ({error.strerror}): move it elsewhere",
            where=str(file),
        ) from error
    return aside
