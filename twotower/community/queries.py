"""Questions about the rows of a community: names, counts, consent, and what an owner may see."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from twotower.community.connection import last_seq
from twotower.community.records import MemberRecord
from twotower.community.rows import (
    ROWS_PER_STATEMENT,
    batched,
    listener_of,
    plain_values,
    stored_profile,
    visible_profile,
)
from twotower.community.schema import (
    lacks_vectors,
    listeners,
    pair_table_key,
    read_meta,
    removals,
    vectors,
)
from twotower.community.store import Community
from twotower.core.domain import SYNTHETIC, Listener, Profile

# People and names


def findable_ids(community: Community, ids: Sequence[str]) -> set[str]:
    """Return the ids of listeners who agreed to be found, out of `ids`."""
    findable: set[str] = set()
    query = sa.select(listeners.c.id).where(listeners.c.findable)
    with community.database.read() as connection:
        for part in batched(ids, ROWS_PER_STATEMENT):
            findable.update(connection.scalars(query.where(listeners.c.id.in_(part))))
    return findable


def is_name_taken(community: Community, skeleton: str, *, but: str | None = None) -> bool:
    """Return True if a findable listener other than `but` has a name with this skeleton."""
    query = sa.select(listeners.c.id).where(listeners.c.look == skeleton, listeners.c.findable)
    if but is not None:
        query = query.where(listeners.c.id != but)
    with community.database.read() as connection:
        return connection.scalar(query.limit(1)) is not None


def search_names(community: Community, skeleton: str, count: int) -> list[Listener]:
    """Return up to `count` findable listeners whose name's skeleton contains this one."""
    if not skeleton:
        return []
    query = sa.select(listeners.c.id).where(
        listeners.c.look.contains(skeleton, autoescape=True), listeners.c.findable
    )
    with community.database.read() as connection:
        ids = connection.scalars(query.order_by(listeners.c.look).limit(count)).all()
    return community.get(ids)


# Counts and versions


def last_change(community: Community) -> int:
    """Return the number of the last change; it never falls."""
    with community.database.read() as connection:
        return last_seq(connection)


def active_model(community: Community) -> str | None:
    """Return the name of the current model in the registry; None for the shipped model."""
    with community.database.read() as connection:
        return read_meta(connection, "active")


def previous_model(community: Community) -> str | None:
    """Return the name of the previous model; None for the shipped model, or if there was none."""
    with community.database.read() as connection:
        return read_meta(connection, "previous")


def stored_pair_table(community: Community) -> str | None:
    """Return the table that `Community.put_pair_table` stored for this model, as JSON."""
    with community.database.read() as connection:
        return read_meta(connection, pair_table_key(community.model_version))


def member_vectors(community: Community, id: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return user and candidate vector (D,) of a findable listener; None if there are none."""
    query = sa.select(vectors.c.user_vector, vectors.c.candidate_vector).where(
        vectors.c.id == id,
        vectors.c.model_version == community.model_version,
        vectors.c.findable,
    )
    with community.database.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    return np.frombuffer(row.user_vector, "<f4"), np.frombuffer(row.candidate_vector, "<f4")


def stats(community: Community) -> Mapping[str, Any]:
    """Return counts of the rows and the versions of tables and models; nothing about a person."""
    conditions = {
        "listeners": sa.true(),
        "findable": listeners.c.findable,
        "training": listeners.c.training,
        "invented": listeners.c.origin == SYNTHETIC,
        "kept profiles": listeners.c.profile.is_not(None),
    }
    with community.database.read() as connection:
        counts: dict[str, Any] = {
            name: connection.scalar(
                sa.select(sa.func.count()).select_from(listeners).where(condition)
            )
            for name, condition in conditions.items()
        }
        by_model = sa.select(vectors.c.model_version, sa.func.count())
        pairs = connection.execute(by_model.group_by(vectors.c.model_version)).all()
        return {
            **counts,
            "left": connection.scalar(sa.select(sa.func.count()).select_from(removals)),
            "vectors by model": {str(version): int(count) for version, count in pairs},
            "seq": last_seq(connection),
            "schema": int(read_meta(connection, "schema") or 0),
            "community": read_meta(connection, "community"),
            "active": read_meta(connection, "active"),
        }


# Owners


def find_by_code(community: Community, code_hash: str) -> MemberRecord | None:
    """Return the member whose access code has this hash; None if there is none."""
    if not code_hash:
        return None
    same_model = vectors.c.model_version == community.model_version
    joined = listeners.outerjoin(vectors, (vectors.c.id == listeners.c.id) & same_model)
    query = sa.select(listeners, vectors.c.x, vectors.c.y).select_from(joined)
    with community.database.read() as connection:
        row = connection.execute(query.where(listeners.c.code_hash == code_hash)).first()
    if row is None:
        return None
    return MemberRecord(
        row.id,
        listener_of(row),
        row.findable,
        row.training,
        row.profile is not None,
        row.created,
        row.updated,
    )


def export(community: Community, id: str) -> Mapping[str, Any] | None:
    """Return everything stored about one listener as plain values; None if there is nothing.

    Keys are the columns of `listeners`, and "vectors" for a list of rows of `vectors`.
    """
    of_models = sa.select(vectors).where(vectors.c.id == id).order_by(vectors.c.model_version)
    with community.database.read() as connection:
        query = sa.select(listeners).where(listeners.c.id == id)
        listener = connection.execute(query).mappings().first()
        rows = connection.execute(of_models).mappings().all()
    if listener is None:
        return None
    return {**plain_values(dict(listener)), "vectors": [plain_values(dict(row)) for row in rows]}


def find_deletion(community: Community, id: str) -> Mapping[str, Any] | None:
    """Return the row (seq, id, at, digest) of a member who left; None if there is none."""
    query = sa.select(removals).where(removals.c.id == id).order_by(removals.c.seq.desc())
    with community.database.read() as connection:
        row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def count_rows(community: Community, id: str) -> Mapping[str, int]:
    """Return table -> number of this listener's rows, in `listeners` and `vectors`."""
    with community.database.read() as connection:
        return {
            table.name: int(
                connection.execute(
                    sa.select(sa.func.count()).select_from(table).where(table.c.id == id)
                ).scalar_one()
            )
            for table in (listeners, vectors)
        }


# Profiles for training and embedding


def training_profiles(
    community: Community, *, joined_before: str = ""
) -> Iterator[tuple[str, Profile]]:
    """Yield (id, profile) of all who consent to training, by id.

    Members who leave in the meantime are left out, and so are those who joined since
    `joined_before` (UTC, ISO).
    """
    consented = [listeners.c.training, listeners.c.profile.is_not(None)]
    if joined_before:
        consented.append(listeners.c.created <= joined_before)
    yield from _profiles(community, stored_profile, *consented)


def profiles_without_vectors(
    community: Community, model_version: str
) -> Iterator[tuple[str, Profile]]:
    """Yield (id, profile) of all listeners without vectors of that model, by id.

    The profile has only the artists that others see: a hidden artist leaves no trace in a vector.
    For a listener who shows none it is the profile stored for training.
    """
    yield from _profiles(community, visible_profile, lacks_vectors(model_version))


def _profiles(
    community: Community, read: Callable[[Any], Profile], *conditions: sa.ColumnElement[bool]
) -> Iterator[tuple[str, Profile]]:
    """Yield (id, profile) page by page, so that no transaction stays open meanwhile."""
    names = ("id", "name", "origin", "artists", "profile")
    query = sa.select(*(listeners.c[name] for name in names)).where(*conditions)
    last = ""
    while True:
        page = query.where(listeners.c.id > last).order_by(listeners.c.id)
        with community.database.read() as connection:
            rows = connection.execute(page.limit(ROWS_PER_STATEMENT)).all()
        for row in rows:
            yield row.id, read(row)
        if len(rows) < ROWS_PER_STATEMENT:
            return
        last = rows[-1].id
