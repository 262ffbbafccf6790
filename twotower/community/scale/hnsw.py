"""Approximate nearest neighbours by a pgvector index, for communities larger than memory.

The index is HNSW (Malkov and Yashunin, 2016) over half-precision vectors, so it is not exact. Its
results are ordered by the stored full-precision vectors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from twotower.community.connection import Database, create_engine, translate_errors
from twotower.community.rows import matrix_of
from twotower.community.schema import Vector, vectors, write_meta
from twotower.community.snapshot import Candidates
from twotower.core.database_url import describe_database
from twotower.core.errors import CommunityError

INDEX = "vectors_near"
BUILD_OPTIONS = "m = 24, ef_construction = 128"  # a fifth of the misses of m = 16, in 3x the time
EF_SEARCH = 1000  # pgvector's maximum
BUILD_MEMORY = "1GB"
# relaxed_order: the search goes on if a condition drops rows.
SETTINGS = {"hnsw.ef_search": str(EF_SEARCH), "hnsw.iterative_scan": "relaxed_order"}
OVERFETCH = 1.1  # half precision swaps close ranks, so ask for this many times as many


def build_index(database: Database, model_version: str, shards: Sequence[str] = ()) -> int:
    """Build PostgreSQL's vector index, on the servers at the `shards` URLs if rows lie there.

    Takes minutes per million vectors, and joining waits until the end. Returns the vectors' length.
    Programs started afterwards hold only a sample of the listeners. Raises CommunityError for
    SQLite, and if no vectors are stored.
    """
    with database.read() as connection:
        stored = connection.scalar(
            sa.select(vectors.c.candidate_vector)
            .where(vectors.c.model_version == model_version)
            .limit(1)
        )
    if stored is None:
        raise CommunityError("the community is empty: an index needs stored vectors")
    dim = len(stored) // 4
    for url in shards or [database.engine.url.render_as_string(hide_password=False)]:
        _build_on(url, dim)
    with database.write() as connection:
        write_meta(connection, "index", str(dim))
    return dim


def index_statement(dim: int) -> str:
    """Return the SQL that creates the index for vectors of this length."""
    return (
        f"CREATE INDEX IF NOT EXISTS {INDEX} ON {vectors.name} USING hnsw "
        f"((candidate_vector::halfvec({dim})) halfvec_ip_ops) WITH ({BUILD_OPTIONS}) "
        f"WHERE findable AND vector_dims(candidate_vector) = {dim}"
    )


def _build_on(url: str, dim: int) -> None:
    engine = create_engine(url, wait_s=60.0)
    if engine.name != "postgresql":
        raise CommunityError(
            "only PostgreSQL has a vector index: an SQLite community is searched in memory"
        )
    where = describe_database(url)
    with translate_errors(where), engine.begin() as connection:
        connection.exec_driver_sql("SELECT '[1]'::vector")  # loads pgvector, which has the settings
        # For all sessions: a foreign table's server plans with its own settings.
        name = connection.dialect.identifier_preparer.quote(engine.url.database or "")
        for setting, value in SETTINGS.items():
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET {setting} = '{value}'")
        connection.exec_driver_sql(f"SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}'")
        connection.exec_driver_sql(index_statement(dim))
    engine.dispose()


def nearest(
    connection: sa.Connection, model_version: str, vector: np.ndarray, count: int, placed: bool
) -> Candidates:
    """Return the `count` findable listeners nearest to a unit vector (D,); ties ordered by id."""
    dim, limit = len(vector), int(np.ceil(OVERFETCH * count))
    for setting, value in SETTINGS.items():
        connection.exec_driver_sql(f"SET LOCAL {setting} = '{value}'")
    # The planner uses the index only if the condition is the same, letter for letter.
    query = sa.text(
        "SELECT id, vector_send(user_vector) AS user_vector, "
        "vector_send(candidate_vector) AS candidate_vector, x, y FROM vectors "
        f"WHERE findable AND vector_dims(candidate_vector) = {dim} AND model_version = :model "
        f"{'AND x IS NOT NULL ' if placed else ''}"
        f"ORDER BY candidate_vector::halfvec({dim}) <#> "
        f"CAST(CAST(:vector AS text) AS halfvec({dim})) LIMIT {limit}"
    ).columns(
        sa.column("id", sa.Text),
        sa.column("user_vector", Vector),
        sa.column("candidate_vector", Vector),
        sa.column("x", sa.Float),
        sa.column("y", sa.Float),
    )
    values = {"model": model_version, "vector": f"[{','.join(map(repr, map(float, vector)))}]"}
    rows: Sequence[Any] = connection.execute(query, values).all()
    user = matrix_of([row.user_vector for row in rows], dim)
    candidate = matrix_of([row.candidate_vector for row in rows], dim)
    ids = np.array([row.id for row in rows], np.str_)
    best = np.lexsort((ids, -(candidate @ vector.astype(np.float32))))[: max(count, 0)]
    places = np.array([(row.x, row.y) for row in rows], np.float32).reshape(-1, 2)
    return Candidates(tuple(rows[at].id for at in best), user[best], candidate[best], places[best])
