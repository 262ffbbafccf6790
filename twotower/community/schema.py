"""The tables of a community, and the way from each older form of them to today's.

No foreign keys: the rows of one listener may lie in partitions on several servers. What belongs
together is written and removed in one transaction.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

from twotower.core.names import confusable_skeleton

SCHEMA = 3
LOTS = 1 << 32


class Vector(TypeDecorator[bytes]):
    """float32 numbers: little-endian bytes here, pgvector's `vector` in PostgreSQL."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(_sent())
        return dialect.type_descriptor(sa.LargeBinary())

    def process_bind_param(self, value: bytes | None, dialect: sa.Dialect) -> Any:
        if value is None or dialect.name != "postgresql":
            return value
        return np.frombuffer(value, "<f4")

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> bytes | None:
        if value is None or dialect.name != "postgresql":
            return value
        return np.frombuffer(value, ">f4", offset=4).astype("<f4").tobytes()


def _sent() -> TypeEngine[Any]:
    """pgvector's `vector`, given as the bytes in which it is sent: as text it takes ten times as
    long to read."""
    from pgvector.sqlalchemy import VECTOR

    class Sent(VECTOR):
        def column_expression(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
            return sa.func.vector_send(column, type_=column.type)

        def result_processor(self, dialect: sa.Dialect, coltype: Any) -> None:
            return None

    return Sent()


tables = sa.MetaData()
meta = sa.Table(
    "meta",
    tables,
    # "schema": its version; "community": its own id; "shipped": which invented listeners are in;
    # "active", "previous": the generation that is served, and the one before; "index": of how
    # many numbers the vectors are that PostgreSQL has an index of; "epoch ..." see `epoch_key`
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
clock = sa.Table(  # one row; its update is what makes writers wait for each other
    "clock",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the last change
)
listeners = sa.Table(
    "listeners",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("look", sa.Text, nullable=False, server_default=""),  # of the name, at a glance
    sa.Column("lot", sa.BigInteger, nullable=False, server_default="0"),  # 0..LOTS - 1, of the id
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("artists", sa.Text, nullable=False),  # JSON [[name, plays], ...] that others see
    sa.Column("genres", sa.Text, nullable=False),  # JSON [tag, ...] that others see
    sa.Column("findable", sa.Boolean, nullable=False),
    sa.Column("training", sa.Boolean, nullable=False),
    sa.Column("code_hash", sa.Text),  # of the owner's return code
    sa.Column("profile", sa.Text),  # JSON, only of who helps to train
    sa.Column("created", sa.Text, nullable=False),  # UTC, ISO
    sa.Column("updated", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Index("listeners_seq", "seq"),
    sa.Index("listeners_code", "code_hash"),
    sa.Index("listeners_look", "look"),
    sa.Index("listeners_lot", "lot"),
)
vectors = sa.Table(  # those of a new model stand beside those of the one before
    "vectors",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model_version", sa.Text, primary_key=True),
    sa.Column("user_vector", Vector, nullable=False),
    sa.Column("candidate_vector", Vector, nullable=False),
    sa.Column("x", sa.Float),
    sa.Column("y", sa.Float),
    sa.Column("map_version", sa.Text, nullable=False),
    # as in listeners, so that an index of vectors can leave the others out
    sa.Column("findable", sa.Boolean, nullable=False, server_default=sa.false()),
)
removals = sa.Table(  # so that other processes learn of those who left, and receipts hold
    "removals",
    tables,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False, server_default=""),
    sa.Column("digest", sa.Text, nullable=False, server_default=""),
    sa.Index("removals_id", "id"),
)


def lot_of(id: str) -> int:
    """By which a sample of the listeners is drawn that stays the same."""
    return zlib.crc32(id.encode("utf-8", "surrogatepass"))


def read_meta(connection: sa.Connection, key: str) -> str | None:
    return connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))


def epoch_key(model_version: str) -> str:
    """The key of what changes with vectors of a model whose listeners have not changed."""
    return f"epoch {model_version}"


def write_meta(connection: sa.Connection, key: str, value: str | None) -> None:
    """None takes the key away."""
    connection.execute(sa.delete(meta).where(meta.c.key == key))
    if value is not None:
        connection.execute(sa.insert(meta), {"key": key, "value": value})


def create(connection: sa.Connection, community: str) -> None:
    """Today's tables, empty, where there are none."""
    tables.create_all(connection)
    if read_meta(connection, "schema") is None:
        write_meta(connection, "schema", str(SCHEMA))
        write_meta(connection, "community", community)
        connection.execute(sa.insert(clock), {"id": 1, "seq": 0})


def upgrade(connection: sa.Connection, community: str) -> None:
    """Every step from the schema that is there to today's, in the caller's one transaction."""
    version = int(read_meta(connection, "schema") or 0)
    for step in _STEPS[version - 1 :]:
        step(connection, community)
    write_meta(connection, "schema", str(SCHEMA))


def _vectors_of_their_own(connection: sa.Connection, community: str) -> None:
    """1 to 2: vectors leave the listeners' rows, which take in a code and a profile."""
    vectors.create(connection)
    moved = ("user_vector", "candidate_vector", "model_version", "x", "y", "map_version")
    names = ", ".join(moved)
    statements = [
        f"INSERT INTO vectors (id, {names}) SELECT id, {names} FROM listeners",
        *(f"ALTER TABLE listeners DROP COLUMN {name}" for name in moved),
        "ALTER TABLE listeners ADD COLUMN code_hash TEXT",
        "ALTER TABLE listeners ADD COLUMN profile TEXT",
        "ALTER TABLE removals ADD COLUMN at TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE removals ADD COLUMN digest TEXT NOT NULL DEFAULT ''",
    ]
    for statement in statements:
        connection.exec_driver_sql(statement)
    _index(connection, "listeners_seq", "listeners_code", "removals_id")
    write_meta(connection, "community", community)


def _looks_and_lots(connection: sa.Connection, community: str) -> None:
    """2 to 3: listeners know what their names look like, and vectors who may be found."""
    columns = {column["name"] for column in sa.inspect(connection).get_columns("vectors")}
    statements = [
        "ALTER TABLE listeners ADD COLUMN look TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE listeners ADD COLUMN lot BIGINT NOT NULL DEFAULT 0",
    ]
    if "findable" not in columns:  # made by the step before as it is today
        no = "false" if connection.dialect.name == "postgresql" else "0"
        statements.append(f"ALTER TABLE vectors ADD COLUMN findable BOOLEAN NOT NULL DEFAULT {no}")
    for statement in statements:
        connection.exec_driver_sql(statement)
    of_them = sa.select(listeners.c.findable).where(listeners.c.id == vectors.c.id)
    found = sa.func.coalesce(of_them.scalar_subquery(), sa.false())
    connection.execute(sa.update(vectors).values(findable=found))
    told = connection.execute(sa.select(listeners.c.id, listeners.c.name)).all()
    mine = sa.update(listeners).where(listeners.c.id == sa.bindparam("whose"))
    if told:
        connection.execute(
            mine.values(look=sa.bindparam("seen"), lot=sa.bindparam("drawn")),
            [
                {"whose": id, "seen": confusable_skeleton(name), "drawn": lot_of(id)}
                for id, name in told
            ],
        )
    _index(connection, "listeners_look", "listeners_lot")


def _index(connection: sa.Connection, *names: str) -> None:
    for index in (*listeners.indexes, *removals.indexes):
        if index.name in names:
            index.create(connection, checkfirst=True)


_STEPS: tuple[Callable[[sa.Connection, str], None], ...] = (
    _vectors_of_their_own,
    _looks_and_lots,
)
