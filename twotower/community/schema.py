"""Tables of a community, and the upgrade of older ones.

No foreign keys: the rows of one listener may lie in partitions on several servers. Rows that
belong together are written and removed in one transaction.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

from twotower.core.names import confusable_skeleton

SCHEMA = 3
SAMPLE_KEYS = 1 << 32


class Vector(TypeDecorator[bytes]):
    """float32 vector: little-endian bytes in SQLite, pgvector's `vector` in PostgreSQL."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(_binary_vector())
        return dialect.type_descriptor(sa.LargeBinary())

    def process_bind_param(self, value: bytes | None, dialect: sa.Dialect) -> Any:
        if value is None or dialect.name != "postgresql":
            return value
        return np.frombuffer(value, "<f4")

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> bytes | None:
        if value is None or dialect.name != "postgresql":
            return value
        return np.frombuffer(value, ">f4", offset=4).astype("<f4").tobytes()


def _binary_vector() -> TypeEngine[Any]:
    """Return pgvector's `vector`, read in binary: as text it takes ten times as long."""
    from pgvector.sqlalchemy import VECTOR

    class BinaryVector(VECTOR):
        def column_expression(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
            return sa.func.vector_send(column, type_=column.type)

        def result_processor(self, dialect: sa.Dialect, coltype: Any) -> None:
            return None

    return BinaryVector()


tables = sa.MetaData()
meta = sa.Table(
    "meta",
    tables,
    # "schema": version of the tables; "community": the community's id
    # "shipped": model version and digest of the synthetic listeners that are in
    # "active", "previous": current and previous retrained model; absent: the shipped one
    # "active version": version of the current model
    # "index": length of the vectors that PostgreSQL has an index of
    # "secret": see `secret.community_secret`
    # "epoch ...": see `vectors_version_key`; "pairs ...": see `pair_table_key`
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
clock = sa.Table(  # one row; writers update it first, and so wait for each other
    "clock",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),  # number of the last change
)
listeners = sa.Table(
    "listeners",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("look", sa.Text, nullable=False, server_default=""),  # confusable_skeleton(name)
    sa.Column("lot", sa.BigInteger, nullable=False, server_default="0"),  # sample_key(id)
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("artists", sa.Text, nullable=False),  # JSON [[name, plays], ...], public
    sa.Column("genres", sa.Text, nullable=False),  # JSON [tag, ...], public
    sa.Column("findable", sa.Boolean, nullable=False),
    sa.Column("training", sa.Boolean, nullable=False),
    sa.Column("code_hash", sa.Text),  # of the owner's access code
    sa.Column("profile", sa.Text),  # JSON, only with consent to training
    sa.Column("created", sa.Text, nullable=False),  # UTC, ISO
    sa.Column("updated", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Index("listeners_seq", "seq"),
    sa.Index("listeners_code", "code_hash"),
    sa.Index("listeners_look", "look"),
    sa.Index("listeners_lot", "lot"),
)
vectors = sa.Table(  # one row per listener and model version
    "vectors",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model_version", sa.Text, primary_key=True),
    sa.Column("user_vector", Vector, nullable=False),
    sa.Column("candidate_vector", Vector, nullable=False),
    sa.Column("x", sa.Float),
    sa.Column("y", sa.Float),
    sa.Column("map_version", sa.Text, nullable=False),
    # copied from listeners, so that an index of vectors can leave the others out
    sa.Column("findable", sa.Boolean, nullable=False, server_default=sa.false()),
)
removals = sa.Table(  # tells other processes who left, and proves receipts
    "removals",
    tables,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False, server_default=""),
    sa.Column("digest", sa.Text, nullable=False, server_default=""),
    sa.Index("removals_id", "id"),
)


def sample_key(id: str) -> int:
    """Return a hash of the id, 0..2**32 - 1, by which a stable sample of listeners is drawn."""
    return zlib.crc32(id.encode("utf-8", "surrogatepass"))


def lacks_vectors(model_version: str) -> sa.ColumnElement[bool]:
    """Return the condition that a row of `listeners` has no vectors of this model."""
    there = sa.select(vectors.c.id).where(
        vectors.c.id == listeners.c.id, vectors.c.model_version == model_version
    )
    return ~there.exists()


def read_meta(connection: sa.Connection, key: str) -> str | None:
    """Return the value of a key in `meta`, None if it is absent."""
    return connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))


def vectors_version_key(model_version: str) -> str:
    """Return the `meta` key whose value changes when a model's vectors are written or dropped.

    Such a write doesn't change `seq` unless the model is the current one.
    """
    return f"epoch {model_version}"


def pair_table_key(model_version: str) -> str:
    """Return the `meta` key of the table that says how rare a match is under this model."""
    return f"pairs {model_version}"


def write_meta(connection: sa.Connection, key: str, value: str | None) -> None:
    """Set a key in `meta`; None removes it."""
    connection.execute(sa.delete(meta).where(meta.c.key == key))
    if value is not None:
        connection.execute(sa.insert(meta), {"key": key, "value": value})


def create(connection: sa.Connection, community: str) -> None:
    """Create the tables that don't exist yet."""
    tables.create_all(connection)
    if read_meta(connection, "schema") is None:
        write_meta(connection, "schema", str(SCHEMA))
        write_meta(connection, "community", community)
        connection.execute(sa.insert(clock), {"id": 1, "seq": 0})


def upgrade(connection: sa.Connection, community: str) -> None:
    """Upgrade the tables to the current schema, in the caller's transaction."""
    version = int(read_meta(connection, "schema") or 0)
    for step in _STEPS[version - 1 :]:
        step(connection, community)
    write_meta(connection, "schema", str(SCHEMA))


def _separate_vectors(connection: sa.Connection, community: str) -> None:
    """1 to 2: move vectors to a table of their own; add access code, profile and receipt."""
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


def _add_skeletons_and_sample_keys(connection: sa.Connection, community: str) -> None:
    """2 to 3: add name skeletons and sample keys to listeners, `findable` to vectors."""
    columns = {column["name"] for column in sa.inspect(connection).get_columns("vectors")}
    statements = [
        "ALTER TABLE listeners ADD COLUMN look TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE listeners ADD COLUMN lot BIGINT NOT NULL DEFAULT 0",
    ]
    if "findable" not in columns:  # absent unless the step before has just created the table
        no = "false" if connection.dialect.name == "postgresql" else "0"
        statements.append(f"ALTER TABLE vectors ADD COLUMN findable BOOLEAN NOT NULL DEFAULT {no}")
    for statement in statements:
        connection.exec_driver_sql(statement)
    consent = sa.select(listeners.c.findable).where(listeners.c.id == vectors.c.id)
    findable = sa.func.coalesce(consent.scalar_subquery(), sa.false())
    connection.execute(sa.update(vectors).values(findable=findable))
    names = connection.execute(sa.select(listeners.c.id, listeners.c.name)).all()
    row = sa.update(listeners).where(listeners.c.id == sa.bindparam("of_id"))
    if names:
        connection.execute(
            row.values(look=sa.bindparam("skeleton"), lot=sa.bindparam("key")),
            [
                {"of_id": id, "skeleton": confusable_skeleton(name), "key": sample_key(id)}
                for id, name in names
            ],
        )
    _index(connection, "listeners_look", "listeners_lot")


def _index(connection: sa.Connection, *names: str) -> None:
    for index in (*listeners.indexes, *removals.indexes):
        if index.name in names:
            index.create(connection, checkfirst=True)


_STEPS: tuple[Callable[[sa.Connection, str], None], ...] = (
    _separate_vectors,
    _add_skeletons_and_sample_keys,
)
