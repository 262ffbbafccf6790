"""One community spread over several PostgreSQL servers: hash partitions behind foreign tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from twotower.community.connection import engine_for, told
from twotower.community.schema import clock, create, listeners, meta, removals, tables, vectors

SPREAD = (listeners, vectors)  # by the hash of the listener's id, so that both lie on one server
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
FETCHED = 100  # rows a round trip: a search wants few


def create_partitioned(
    url: str, shards: Sequence[str], *, community: str, wait_s: float = 5.0
) -> None:
    """Make an empty community at `url` whose listeners lie on the servers of the `shards` URLs.

    The servers must reach one another as these URLs say. A CommunityError where one can't be
    reached, or `url` has a community already.
    """
    for shard in shards:
        engine = engine_for(shard, wait_s)
        with told(engine.url.render_as_string(hide_password=True)), engine.begin() as connection:
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
            tables.create_all(connection, tables=SPREAD)
        engine.dispose()
    engine = engine_for(url, wait_s)
    with told(engine.url.render_as_string(hide_password=True)), engine.begin() as connection:
        for statement in statements([sa.make_url(shard) for shard in shards]):
            connection.exec_driver_sql(statement)
        create(connection, community)
    engine.dispose()


def statements(shards: Sequence[sa.URL]) -> list[str]:
    """The SQL of the server that is asked, before `create`."""
    found = [
        "CREATE EXTENSION IF NOT EXISTS vector",
        "CREATE EXTENSION IF NOT EXISTS postgres_fdw",
        *(
            str(CreateTable(table).compile(dialect=_DIALECT)).strip()
            for table in (meta, clock, removals)
        ),
    ]
    for number, url in enumerate(shards):
        host = url.query.get("host", url.host) or "127.0.0.1"
        where = {
            "host": host if isinstance(host, str) else host[0],
            "port": str(url.port or 5432),
            "dbname": url.database or "postgres",
            "extensions": "vector",  # so that an order by distance is worked out over there
            "fetch_size": str(FETCHED),
            "use_remote_estimate": "true",  # so that it is, where an index makes that cheap
        }
        user = {"user": url.username or "postgres"}
        if url.password is not None:
            user["password"] = str(url.password)
        found += [
            f"CREATE SERVER shard{number} FOREIGN DATA WRAPPER postgres_fdw {_options(where)}",
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER shard{number} {_options(user)}",
        ]
    for table in SPREAD:
        columns = ", ".join(
            f"{column.name} {column.type.compile(dialect=_DIALECT)}"
            f"{'' if column.nullable else ' NOT NULL'}"
            for column in table.columns
        )
        found.append(f"CREATE TABLE {table.name} ({columns}) PARTITION BY HASH (id)")
        found += [
            f"CREATE FOREIGN TABLE {table.name}_{number} PARTITION OF {table.name} "
            f"FOR VALUES WITH (MODULUS {len(shards)}, REMAINDER {number}) "
            f"SERVER shard{number} OPTIONS (table_name '{table.name}')"
            for number in range(len(shards))
        ]
    return found


def _options(values: dict[str, str]) -> str:
    told = ", ".join(f"{name} '{_quoted(value)}'" for name, value in values.items())
    return f"OPTIONS ({told})"


def _quoted(value: str) -> str:
    return value.replace("'", "''").replace("%", "%%")
