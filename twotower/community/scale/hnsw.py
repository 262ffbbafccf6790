"""The nearest by an index in PostgreSQL, for communities with more listeners than one can hold.

The index (HNSW, Malkov and Yashunin, 2016, by pgvector) has half floats and is not exact; what it
gives is put in order by the stored vectors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from twotower.community.connection import engine_for, told
from twotower.community.rows import matrix_of
from twotower.community.schema import Vector, vectors
from twotower.community.snapshot import Candidates
from twotower.core.errors import CommunityError

INDEX = "vectors_near"
BUILT = "m = 24, ef_construction = 128"  # a fifth of what m = 16 misses, in thrice the time
LOOKED = 1000  # hnsw.ef_search; no more is possible
MEMORY = "1GB"  # for making it, where the server lets one
# How much of the index is looked at, and that a condition which drops rows makes it go on.
SETTINGS = {"hnsw.ef_search": str(LOOKED), "hnsw.iterative_scan": "relaxed_order"}
WIDER = 1.1  # so many more are asked for than wanted, since half floats are put in a wrong order


def statement(dim: int) -> str:
    """The SQL that makes the index of vectors of so many numbers, on each server that has rows."""
    return (
        f"CREATE INDEX IF NOT EXISTS {INDEX} ON {vectors.name} USING hnsw "
        f"((candidate_vector::halfvec({dim})) halfvec_ip_ops) WITH ({BUILT}) "
        f"WHERE findable AND vector_dims(candidate_vector) = {dim}"
    )


def make(urls: Sequence[str], dim: int) -> None:
    """Make the index on these servers; takes minutes for each million, and joining waits."""
    for url in urls:
        engine = engine_for(url, wait_s=60.0)
        if engine.name != "postgresql":
            raise CommunityError(
                "only PostgreSQL has such an index: an SQLite community is searched in memory"
            )
        with told(engine.url.render_as_string(hide_password=True)), engine.begin() as connection:
            connection.exec_driver_sql("SELECT '[1]'::vector")  # or the settings aren't known yet
            # found by whoever asks, and on other servers than the one that is asked too
            name = connection.dialect.identifier_preparer.quote(engine.url.database or "")
            for setting, value in SETTINGS.items():
                connection.exec_driver_sql(f"ALTER DATABASE {name} SET {setting} = '{value}'")
            connection.exec_driver_sql(f"SET LOCAL maintenance_work_mem = '{MEMORY}'")
            connection.exec_driver_sql(statement(dim))
        engine.dispose()


def nearest(
    connection: sa.Connection, model_version: str, vector: np.ndarray, count: int, placed: bool
) -> Candidates:
    """The nearest (count) to a unit vector (D,) of those who can be found; equal ones by id."""
    dim, wider = len(vector), int(np.ceil(WIDER * count))
    for setting, value in SETTINGS.items():
        connection.exec_driver_sql(f"SET LOCAL {setting} = '{value}'")
    # The condition must be that of the index, letter for letter, for the planner to use it.
    query = sa.text(
        "SELECT id, vector_send(user_vector) AS user_vector, "
        "vector_send(candidate_vector) AS candidate_vector, x, y FROM vectors "
        f"WHERE findable AND vector_dims(candidate_vector) = {dim} AND model_version = :model "
        f"{'AND x IS NOT NULL ' if placed else ''}"
        f"ORDER BY candidate_vector::halfvec({dim}) <#> "
        f"CAST(CAST(:vector AS text) AS halfvec({dim})) LIMIT {wider}"
    ).columns(
        sa.column("id", sa.Text),
        sa.column("user_vector", Vector),
        sa.column("candidate_vector", Vector),
        sa.column("x", sa.Float),
        sa.column("y", sa.Float),
    )
    asked = {"model": model_version, "vector": f"[{','.join(map(repr, map(float, vector)))}]"}
    rows: Sequence[Any] = connection.execute(query, asked).all()
    user = matrix_of([row.user_vector for row in rows], dim)
    candidate = matrix_of([row.candidate_vector for row in rows], dim)
    ids = np.array([row.id for row in rows], np.str_)
    best = np.lexsort((ids, -(candidate @ vector.astype(np.float32))))[: max(count, 0)]
    places = np.array([(row.x, row.y) for row in rows], np.float32).reshape(-1, 2)
    return Candidates(tuple(rows[at].id for at in best), user[best], candidate[best], places[best])
