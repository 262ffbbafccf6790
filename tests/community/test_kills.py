"""Kills at random moments: nothing acknowledged is lost, and no row is partial."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from changes import changed
from rounds import rounds
from servers import fresh, killed_whole, postgres

from twotower.community import Community
from twotower.community.queries import count_rows, export, find_deletion
from twotower.core.errors import CommunityError

ROUNDS = rounds(5, 100)
TESTS = Path(__file__).parents[1] / "helpers"
# Forks a child for each line it reads, so that libraries are loaded once. The child does one kind
# of change after another, and says on its pipe which are safely stored.
CHANGER = """
import os, sys
sys.path[:0] = sys.argv[2:]
from changes import changed
from twotower.community import Community
for line in sys.stdin:
    kind, count, start = line.split(":")
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print("dead", flush=True)
        continue
    community = Community.open(sys.argv[1], model_version="1", wait_s=30)
    print("ready", os.getpid(), flush=True)
    for number in range(int(start), int(start) + int(count)):
        if kind == "leave":
            community.leave(f"p{number}")
        elif kind == "join":
            community.join(changed(f"p{number}", 0))
        else:
            community.update(changed("p0", number))
        print(number, flush=True)
    os._exit(0)
"""


def open_at(url: str) -> Community:
    return Community.open(url, model_version="1", wait_s=10)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request, tmp_path: Path) -> str:
    if request.param == "SQLite":
        return f"sqlite:///{tmp_path / 'c.sqlite'}"
    return fresh(request.getfixturevalue("server"))


@pytest.fixture
def changer(url: str) -> "Iterator[subprocess.Popen[str]]":
    args = [sys.executable, "-c", CHANGER, url, str(TESTS), str(TESTS.parents[1])]
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forker:
        yield forker
        forker.stdin.close()


def killed(changer, url: str, kind: str, count: int, start: int, rng: random.Random) -> list[int]:
    """Let a child make changes and kill it at a random moment; return the acknowledged ones."""
    changer.stdin.write(f"{kind}:{count}:{start}\n")
    changer.stdin.flush()
    ready, pid = changer.stdout.readline().split()
    assert ready == "ready"
    heard = [int(changer.stdout.readline()) for _ in range(rng.randrange(4))]
    threading.Event().wait(rng.random() * 0.02)  # anywhere within a change
    os.kill(int(pid), signal.SIGKILL)
    while not (line := changer.stdout.readline()).endswith("dead\n"):  # a word may be cut off
        assert line
        heard.append(int(line))
    settled(url)
    return heard


@contextmanager
def database(url: str) -> Iterator[sa.Connection]:
    """Open a separate connection."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


BUSY = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
AND pid <> pg_backend_pid() AND state <> 'idle' AND backend_type = 'client backend'
"""


def settled(url: str) -> None:
    """Wait until the server has finished the killed process's last statement."""
    with database(url) as plain:
        while plain.dialect.name == "postgresql" and plain.scalar(sa.text(BUSY)):
            plain.rollback()  # to see the next moment
            threading.Event().wait(0.005)


def whole(community: Community, id: str) -> int | None:
    """Return the number of the change that a stored row comes from; None if no row is left.

    Fails if a column, the profile or a vector comes from another change, or is there alone.
    """
    held = export(community, id)
    if held is None:
        assert count_rows(community, id) == {"listeners": 0, "vectors": 0}
        return None
    assert count_rows(community, id) == {"listeners": 1, "vectors": 1}
    number = int(held["name"].rpartition(" ")[2])
    wanted = changed(id, number)
    assert wanted.listener.name in held["profile"] and wanted.listener.name in held["artists"]
    (placed,) = held["vectors"]
    assert placed["user_vector"] == wanted.user_vector.tolist()
    assert placed["candidate_vector"] == wanted.candidate_vector.tolist()
    assert (placed["x"], held["code_hash"]) == (float(number), f"code of {id}")
    return number


def sound(url: str) -> None:
    """Check that all numbers of changes differ and none is beyond the last."""
    with database(url) as plain:
        if plain.dialect.name == "sqlite":
            assert plain.scalar(sa.text("PRAGMA integrity_check")) == "ok"
        seqs = "SELECT seq FROM listeners UNION ALL SELECT seq FROM removals"
        taken = plain.scalars(sa.text(seqs)).all()
        last = plain.scalar(sa.text("SELECT seq FROM clock"))
    assert len(taken) == len(set(taken)) and max(taken, default=0) <= last


def test_a_kill_during_joins_loses_none_and_leaves_no_partial_row(url: str, changer):
    rng = random.Random(1)
    acknowledged: set[int] = set()
    start = 0
    for _ in range(ROUNDS):
        acknowledged |= set(killed(changer, url, "join", 100, start, rng))
        community = open_at(url)
        there = {int(id[1:]) for id in community.snapshot().ids}
        assert acknowledged <= there
        assert len(there - acknowledged) <= 1  # stored, and the word of it was cut off
        for number in range(start, start + 10):  # no half that the snapshot doesn't see
            assert (whole(community, f"p{number}") is not None) == (number in there)
        acknowledged |= there
        start = max(acknowledged, default=-1) + 1
        community.close()
    community = open_at(url)
    assert all(whole(community, f"p{number}") == 0 for number in acknowledged)
    community.close()
    sound(url)
    assert start >= ROUNDS


def test_a_kill_during_updates_leaves_row_profile_and_vectors_consistent(url: str, changer):
    rng = random.Random(2)
    community = open_at(url)
    community.join(changed("p0", 0))
    last = 0
    for _ in range(ROUNDS):
        heard = killed(changer, url, "update", 100, last + 1, rng)
        now = whole(community, "p0")
        assert now is not None and now - max(heard, default=last) in (0, 1)
        row = community.snapshot().row_of("p0")
        assert row is not None
        assert (community.snapshot().candidate[row] == changed("p0", now).candidate_vector).all()
        last = now
    community.close()
    sound(url)
    assert last >= ROUNDS


def test_a_kill_during_leaving_removes_a_member_completely_or_not_at_all(url: str, changer):
    rng = random.Random(3)
    community = open_at(url)
    people = 40 + 8 * ROUNDS  # more than can leave between the kills
    for number in range(people):
        community.join(changed(f"p{number}", 0))
    start = 0
    for _ in range(ROUNDS):
        heard = killed(changer, url, "leave", people - start, start, rng)
        there = {int(id[1:]) for id in community.snapshot().ids}
        gone = set(range(people)) - there
        assert set(heard) <= gone and gone == set(range(len(gone)))
        assert len(gone) - max(heard, default=start - 1) - 1 in (0, 1)
        for number in range(start, len(gone)):
            assert whole(community, f"p{number}") is None
            kept = find_deletion(community, f"p{number}")
            assert kept is not None and len(kept["digest"]) == 64
        start = len(gone)
    assert start >= ROUNDS
    assert all(whole(community, f"p{number}") == 0 for number in range(start, people))
    community.close()
    sound(url)


def test_a_server_killed_in_mid_write_loses_nothing_that_was_acknowledged():
    with postgres() as (server,):
        server.psql("ALTER SYSTEM RESET ALL;")  # what is acknowledged is written
        server.psql("SELECT pg_reload_conf();")
        url = fresh(server)
        community = open_at(url)
        community.join(changed("p0", 0))
        acknowledged: list[tuple[str, int]] = [("p0", 0)]
        heard = threading.Semaphore(0)
        said: list[str] = []

        def write(start: int) -> None:
            """Join and update until the server is gone."""
            try:
                for number in range(start, start + 10_000):
                    community.join(changed(f"p{number}", 0))
                    acknowledged.append((f"p{number}", 0))
                    community.update(changed("p0", number))
                    acknowledged.append(("p0", number))
                    heard.release()
            except CommunityError as error:
                said.append(str(error))

        start = 1
        for wanted in (3, 8):
            writer = threading.Thread(target=write, args=(start,))
            writer.start()
            for _ in range(wanted):
                assert heard.acquire(timeout=30)
            killed_whole(server)
            writer.join(30)
            assert len(said) == 1 and "can't be reached: try again" in said.pop()
            with pytest.raises(CommunityError, match="can't be reached: try again"):
                community.snapshot()
            server.ensure_postgres_running()
            last = dict(acknowledged)  # of each, the last change that was acknowledged
            there = set(community.snapshot().ids)
            assert set(last) <= there and len(there - set(last)) <= 1
            found = {id: whole(community, id) for id in there}
            assert found.pop("p0") - last.pop("p0") in (0, 1) and set(found.values()) == {0}
            start = len(there)
        sound(url)
        community.close()
