"""One community on several PostgreSQL servers: hash partitions behind foreign tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from twotower.community.connection import create_engine, translate_errors
from twotower.community.schema import clock, create, listeners, meta, removals, tables, vectors
from twotower.core.database_url import describe_database

PARTITIONED = (listeners, vectors)  # by hash of the id, so both rows of a listener share a server
FETCH_SIZE = 100  # rows a round trip; a search wants few
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def create_partitioned(
    url: str, shards: Sequence[str], *, community: str, wait_s: float = 5.0
) -> None:
    """Create an empty community at `url` whose listeners lie on the servers at the `shards` URLs.

    The servers must reach one another at these URLs. Raises CommunityError if one can't be
    reached, or if there is a community at `url` already.
    """
    for shard in shards:
        engine = create_engine(shard, wait_s)
        where = describe_database(shard)
        with translate_errors(where), engine.begin() as connection:
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
            tables.create_all(connection, tables=PARTITIONED)
        engine.dispose()
    engine = create_engine(url, wait_s)
    where = describe_database(url)
    with translate_errors(where), engine.begin() as connection:
        for statement in statements([sa.make_url(shard) for shard in shards]):
            connection.exec_driver_sql(statement)
        create(connection, community)
    engine.dispose()


def statements(shards: Sequence[sa.URL]) -> list[str]:
    """Return the SQL that prepares the main server, before `create`."""
    sql = [
        "CREATE EXTENSION IF NOT EXISTS vector",
        "CREATE EXTENSION IF NOT EXISTS postgres_fdw",
        *(
            str(CreateTable(table).compile(dialect=_DIALECT)).strip()
            for table in (meta, clock, removals)
        ),
    ]
    for number, url in enumerate(shards):
        sql += _server_statements(number, url)
    for table in PARTITIONED:
        sql += _partition_statements(table, len(shards))
    return sql


def _server_statements(number: int, url: sa.URL) -> list[str]:
    host = url.query.get("host", url.host) or "127.0.0.1"
    server = {
        "host": host if isinstance(host, str) else host[0],
        "port": str(url.port or 5432),
        "dbname": url.database or "postgres",
        "extensions": "vector",  # lets the remote server order by distance
        "fetch_size": str(FETCH_SIZE),
        "use_remote_estimate": "true",  # so the planner knows that its index makes that cheap
    }
    user = {"user": url.username or "postgres"}
    if url.password is not None:
        user["password"] = str(url.password)
    return [
        f"CREATE SERVER shard{number} FOREIGN DATA WRAPPER postgres_fdw {_options(server)}",
        f"CREATE USER MAPPING FOR CURRENT_USER SERVER shard{number} {_options(user)}",
    ]


def _partition_statements(table: sa.Table, shards: int) -> list[str]:
    columns = ", ".join(
        f"{column.name} {column.type.compile(dialect=_DIALECT)}"
        f"{'' if column.nullable else ' NOT NULL'}"
        for column in table.columns
    )
    return [
        f"CREATE TABLE {table.name} ({columns}) PARTITION BY HASH (id)",
        *(
            f"CREATE FOREIGN TABLE {table.name}_{number} PARTITION OF {table.name} "
            f"FOR VALUES WITH (MODULUS {shards}, REMAINDER {number}) "
            f"SERVER shard{number} OPTIONS (table_name '{table.name}')"
            for number in range(shards)
        ),
    ]


def _options(values: dict[str, str]) -> str:
    pairs = ", ".join(f"{name} '{_quoted(value)}'" for name, value in values.items())
    return f"OPTIONS ({pairs})"


def _quoted(value: str) -> str:
    return value.replace("'", "''").replace("%", "%%")
