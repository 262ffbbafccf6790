"""What learning on needs of a community: profiles, vectors beside vectors, and a switch."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from twotower.community.database import Database, next_seq
from twotower.community.queries import AT_ONCE, batched
from twotower.community.records import ModelVectors, new_id
from twotower.community.rows import Row, kept_in, shown_in, vectors_of
from twotower.community.schema import epoch_key, listeners, read_meta, vectors, write_meta
from twotower.core.domain import Profile
from twotower.core.errors import CommunityError


def served(connection: sa.Connection) -> str:
    """The version of the model that is served: before any switch, that of the invented ones."""
    shipped = (read_meta(connection, "shipped") or "").partition(" ")[0]
    return read_meta(connection, "active version") or shipped


class Relearning:
    """Profiles that may be learned from, and the vectors of all models."""

    database: Database
    model_version: str

    def kept_profiles(self) -> Iterator[tuple[str, Profile]]:
        """(id, profile) of those who help to train, by id; who leaves meanwhile is left out."""
        yield from self._profiles(kept_in, listeners.c.training, listeners.c.profile.is_not(None))

    def to_embed(self, model_version: str) -> Iterator[tuple[str, Profile]]:
        """(id, profile) of those without vectors of that model, by id.

        Of the artists that others see, as when the listener joined: one that is hidden leaves no
        trace in a vector. Of whom nobody sees anything, the kept profile.
        """
        yield from self._profiles(shown_in, self._lacks(model_version))

    def _profiles(
        self, read: Callable[[Any], Profile], *which: sa.ColumnElement[bool]
    ) -> Iterator[tuple[str, Profile]]:
        names = ("id", "name", "origin", "artists", "profile")
        query = sa.select(*(listeners.c[name] for name in names)).where(*which)
        last = ""
        while True:
            with self.database.read() as connection:
                part = query.where(listeners.c.id > last).order_by(listeners.c.id).limit(AT_ONCE)
                rows = connection.execute(part).all()
            for row in rows:
                yield row.id, read(row)
            if len(rows) < AT_ONCE:
                return
            last = rows[-1].id

    def put_vectors(
        self, model_version: str, placed: Iterable[ModelVectors], *, since: int | None = None
    ) -> int:
        """Store what a model gives these listeners beside the rest; gives how many it is.

        In batches, each of them a transaction. Left out is who has left meanwhile and who has
        changed after the change `since`, as of which their profiles were read.
        """
        count = 0
        for part in batched(placed, AT_ONCE):
            ids = [each.id for each in part]
            with self.database.write() as connection:
                next_seq(connection, 0)  # wait for who is leaving
                same = sa.select(listeners.c.id, listeners.c.findable, listeners.c.seq)
                same = same.where(listeners.c.id.in_(ids))
                if since is not None:
                    same = same.where(listeners.c.seq <= since)
                here = {row.id: row for row in connection.execute(same)}
                rows: list[Row] = [
                    vectors_of(each, model_version, findable=here[each.id].findable)
                    for each in part
                    if each.id in here
                ]
                if rows:
                    old = vectors.c.id.in_([row["id"] for row in rows])
                    of_it = vectors.c.model_version == model_version
                    connection.execute(sa.delete(vectors).where(old, of_it))
                    connection.execute(sa.insert(vectors), rows)
                moved: list[int] = []
                if model_version == served(connection):
                    for row in rows:  # so that a snapshot which is served learns of just these
                        moved.append(here[row["id"]].seq)
                        mine = sa.update(listeners).where(listeners.c.id == row["id"])
                        connection.execute(mine.values(seq=next_seq(connection)))
                elif rows:
                    write_meta(connection, epoch_key(model_version), new_id())
                self.database.forget(*moved)
            self.database.forget(*moved)
            count += len(rows)
        return count

    def drop_vectors(self, model_version: str) -> int:
        """Let go of what a model gave; gives how many listeners had such.

        A CommunityError where that model is served, as far as `activate` knows, or is this one.
        """
        with self.database.write() as connection:
            next_seq(connection, 0)  # wait for who is switching
            served = read_meta(connection, "active version") or self.model_version
            if model_version == served:
                raise CommunityError(f"model {model_version} is served: go back to another first")
            of_it = sa.delete(vectors).where(vectors.c.model_version == model_version)
            count = connection.execute(of_it).rowcount
            write_meta(connection, epoch_key(model_version), new_id())
        if self.database.snapshots is not None:
            self.database.snapshots.forget_all(model_version)
        self.database.sweep()
        return count

    def active(self) -> str | None:
        """The generation that is served; None is the model that ships."""
        with self.database.read() as connection:
            return read_meta(connection, "active")

    def previous(self) -> str | None:
        """The generation that was served before; None is the model that ships, or none was."""
        with self.database.read() as connection:
            return read_meta(connection, "previous")

    def activate(self, generation: str | None, *, model_version: str) -> int:
        """Serve a generation from now on, in one transaction; gives the change's seq.

        A CommunityError while somebody has no vectors of its model; None is the model that ships.
        """
        with self.database.write() as connection:
            seq = next_seq(connection)
            lacking = sa.select(sa.func.count()).select_from(listeners)
            count = connection.execute(lacking.where(self._lacks(model_version))).scalar_one()
            if count:
                raise CommunityError(
                    f"{count} listeners have no vectors of model {model_version} yet: embed them, "
                    "and switch then"
                )
            write_meta(connection, "previous", read_meta(connection, "active"))
            write_meta(connection, "active", generation)
            write_meta(connection, "active version", model_version)
        return seq

    def _lacks(self, model_version: str) -> sa.ColumnElement[bool]:
        there = sa.select(vectors.c.id).where(
            vectors.c.id == listeners.c.id, vectors.c.model_version == model_version
        )
        return ~there.exists()
