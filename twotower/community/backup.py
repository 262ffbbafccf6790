"""Backup of a community while others read and write it."""

import os
import sqlite3
from pathlib import Path

from twotower.community.store import Community
from twotower.core.errors import CommunityError
from twotower.core.jobs import Progress, silent

PAGES_AT_ONCE = 2_000


def back_up(community: Community, out: Path, progress: Progress = silent) -> int:
    """Copy one consistent state to a new SQLite file; return its size in bytes.

    An incomplete copy never has the name `out`. Raises CommunityError if `out` exists, if copying
    fails, and for PostgreSQL.
    """
    file = community.database.file
    if file is None:
        raise CommunityError(
            "a PostgreSQL community is not copied by this program: use pg_dump --format=custom "
            "--file=community.dump DATABASE, and pg_restore"
        )
    if out.exists():
        raise CommunityError("this file exists already: name a new one", where=str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    part.unlink(missing_ok=True)
    try:
        source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        target = sqlite3.connect(part)
        try:
            source.execute("BEGIN")  # one state, whatever is written meanwhile;
            source.execute("SELECT seq FROM clock").fetchone()  # it is fixed by the first read
            source.backup(
                target,
                pages=PAGES_AT_ONCE,
                progress=lambda _, left, total: progress(1 - left / max(total, 1), "copying"),
            )
            target.execute("PRAGMA journal_mode=DELETE")  # so the copy is one file
        finally:
            target.close()
            source.close()
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(out)
    except (sqlite3.Error, OSError) as error:
        raise CommunityError(f"copying failed ({error}) and left no file: try again") from error
    finally:
        part.unlink(missing_ok=True)
    return out.stat().st_size
