"""A copy of a community for safe keeping, made while others read and write."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from twotower.community.store import Community
from twotower.core.errors import CommunityError

PAGES = 2_000  # copied at a time


def copy_to(community: Community, out: Path, tell: Callable[[float, str], None]) -> int:
    """Copy all of one moment to a file that is not there yet; gives its bytes.

    A copy that isn't whole never has the name `out`.
    """
    file = community.database.file
    if file is None:
        raise CommunityError(
            "a PostgreSQL community is copied by PostgreSQL's own program: "
            "pg_dump --format=custom --file=community.dump DATABASE, and put back by pg_restore"
        )
    if out.exists():
        raise CommunityError("there is a file of that name: name a new one", where=str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    part.unlink(missing_ok=True)
    try:
        source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        target = sqlite3.connect(part)
        try:
            source.execute("BEGIN")  # one moment, whatever is written meanwhile,
            source.execute("SELECT seq FROM clock").fetchone()  # which begins with this reading
            source.backup(
                target,
                pages=PAGES,
                progress=lambda _, left, total: tell(1 - left / max(total, 1), "copying"),
            )
            target.execute("PRAGMA journal_mode=DELETE")  # the copy is one file
        finally:
            target.close()
            source.close()
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(out)
    except (sqlite3.Error, OSError) as error:
        raise CommunityError(f"the copy failed ({error}); nothing is left of it") from error
    finally:
        part.unlink(missing_ok=True)
    return out.stat().st_size
