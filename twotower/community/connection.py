"""Connections to SQLite and PostgreSQL, and what their errors mean to a person."""

import sqlite3
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

from twotower.core.errors import CommunityError

CONNECT_S = 10  # until a server that doesn't answer is given up


def engine_for(url: str, wait_s: float) -> sa.Engine:
    """An engine for a database URL; a CommunityError where it is none that can be used here."""
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite":
            return _sqlite(address, wait_s)
        if address.get_backend_name() == "postgresql":
            return _postgresql(address, wait_s)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise _unusable(str(error)) from error
    raise _unusable(f"{address.get_backend_name()} is not supported")


def _unusable(why: str) -> CommunityError:
    return CommunityError(
        f"TWOTOWER_COMMUNITY is not a database that can be used here ({why}); write it as "
        "sqlite:////path/to/community.sqlite or postgresql://user@host/name"
    )


@contextmanager
def told(where: str) -> Iterator[None]:
    """Errors of the database as CommunityErrors that say what to do."""
    try:
        yield
    except DBAPIError as error:
        raise CommunityError(_advice(error), where=where) from error
    except SQLAlchemyError as error:
        raise CommunityError(f"the community can't be reached ({error})", where=where) from error


def _advice(error: DBAPIError) -> str:
    text = str(error.orig)
    if "locked" in text or "busy" in text or "lock timeout" in text:
        return "another program is writing to the community just now: try again in a moment"
    if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_READONLY_DIRECTORY":
        return "the community's folder can't be written, which even reading needs: check its rights"
    if "readonly" in text or "read-only" in text:
        return "the community can be read but not written: check the rights of file and folder"
    if "disk is full" in text or "disk I/O" in text or "No space left" in text:
        return "no room to write to the community: nothing was changed; free some disk space"
    if "unable to open" in text:
        return "the community's file can't be opened: check that its folder exists and its rights"
    if _is_damage(error.orig):
        return "the community's file is damaged: start the program again, and it is set aside"
    if "password authentication" in text or "no password supplied" in text:
        return "the database server refuses the user or the password in TWOTOWER_COMMUNITY"
    if 'database "' in text and "does not exist" in text:
        return "the database server has no such database: make it first, with `createdb`"
    if "permission denied" in text:
        return "the database's user may not do that: give it rights on the database and its tables"
    if 'extension "vector"' in text:
        return "the database server has no pgvector: install it, or ask who runs the server to"
    if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
        return "the database server can't be reached: try again in a moment; nothing is lost"
    return f"the database refused ({text})"


def _postgresql(url: sa.URL, wait_s: float) -> sa.Engine:
    """An engine that looks whether a connection still lives before it is used."""
    waiting = f"-c lock_timeout={max(1, round(wait_s * 1000))}"
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_S, "options": waiting},
    )


def _sqlite(url: sa.URL, wait_s: float) -> sa.Engine:
    """An engine for one SQLite file; its folder is made, and a damaged file set aside."""
    if not url.database or url.database == ":memory:":
        raise CommunityError("the community needs a file: sqlite:////path/to/community.sqlite")
    engine = sa.create_engine(url, connect_args={"timeout": wait_s})

    @sa.event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin below and nowhere else
        if connection.execute("PRAGMA page_count").fetchone() == (0,):  # a new file
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # it writes, whatever was set
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # an acknowledged row survives a power cut
        connection.execute("PRAGMA secure_delete=ON")  # who left is not in the file's free pages

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        # A writer takes its turn at once: one that began as a reader could not wait for it.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    @sa.event.listens_for(engine, "handle_error")
    def failed(context: sa.ExceptionContext) -> None:
        # What was opened for reading stays so: with all connections closed, cursors too, the next
        # one finds the rights that were given since.
        if "readonly" in str(context.original_exception):
            if context.execution_context is not None:
                context.execution_context.cursor.close()
            context.is_disconnect = True
            engine.dispose()

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


def sweep(engine: sa.Engine) -> bool:
    """Let SQLite's log and free pages hold nothing more of what was removed.

    False where somebody reads just now, so that it has to be tried again. True for PostgreSQL,
    whose own vacuum sees to it.
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
