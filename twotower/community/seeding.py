"""Insertion of the synthetic listeners that ship with a model."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from twotower.community.connection import Database, next_seq
from twotower.community.records import Member
from twotower.community.rows import Row, batched, digest_of, rows_of
from twotower.community.schema import listeners, read_meta, removals, vectors, write_meta
from twotower.core.domain import SYNTHETIC
from twotower.core.errors import CommunityError
from twotower.core.names import confusable_skeleton

BATCH = 5000  # members written at once


def seed(
    database: Database, members: Iterable[Member], *, model_version: str, digest: str | None
) -> int:
    """Replace all synthetic listeners by `members`; see Community.seed."""
    with database.read() as connection:
        stored = read_meta(connection, "shipped")
    if digest is None:
        members = list(members)
        both = [row for member in members for row in rows_of(member, model_version)]
        digest = digest_of(both, without=("created", "updated"))
    wanted = f"{model_version} {digest}"
    if stored == wanted:
        return 0
    with database.write() as connection:
        before = next_seq(connection, 0)  # wait for another process that does the same
        if read_meta(connection, "shipped") == wanted:  # another process was quicker
            return 0
        removed = _remove_synthetic(connection, before + 1)
        seq = before + removed
        real = sa.select(listeners.c.look).where(listeners.c.origin != SYNTHETIC)
        taken = set(connection.scalars(real.where(listeners.c.look != "")))
        for part in batched(members, BATCH):
            rows = [rows_of(member, model_version) for member in part]
            _insert(connection, rows, seq + 1, taken)
            seq += len(rows)
        next_seq(connection, seq - before)
        write_meta(connection, "shipped", wanted)
    if removed and database.segment_cache is not None:
        database.segment_cache.clear()
    return seq - before - removed


def _remove_synthetic(connection: sa.Connection, first_seq: int) -> int:
    """Remove all synthetic listeners; return how many there were."""
    synthetic = sa.select(listeners.c.id).where(listeners.c.origin == SYNTHETIC)
    ids = connection.scalars(synthetic).all()
    if ids:
        connection.execute(sa.delete(vectors).where(vectors.c.id.in_(synthetic)))
        connection.execute(sa.delete(listeners).where(listeners.c.origin == SYNTHETIC))
        connection.execute(
            sa.insert(removals), [{"seq": seq, "id": id} for seq, id in enumerate(ids, first_seq)]
        )
    return len(ids)


def _insert(
    connection: sa.Connection, rows: Sequence[tuple[Row, Row]], first_seq: int, taken: set[str]
) -> None:
    """Insert (listener, vectors) rows. A name whose skeleton is in `taken` gets a number."""
    real = sum(listener["origin"] != SYNTHETIC for listener, _ in rows)
    if real:
        raise ValueError(f"{real} of {len(rows)} listeners are not synthetic")
    for listener, _ in rows:
        number, name = 2, listener["name"]
        while listener["look"] in taken:
            listener["name"] = f"{name} {number}"
            listener["look"] = confusable_skeleton(listener["name"])
            number += 1
    try:
        connection.execute(
            sa.insert(listeners),
            [listener | {"seq": seq} for seq, (listener, _) in enumerate(rows, first_seq)],
        )
        connection.execute(sa.insert(vectors), [vector for _, vector in rows])
    except IntegrityError as error:
        raise CommunityError(
            "the shipped listeners were not added: two of them share an id, or one has a member's "
            "id. Restore the shipped assets"
        ) from error
