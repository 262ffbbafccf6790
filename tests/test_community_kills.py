"""Kills at random moments: nothing acknowledged is lost, and no half row is seen."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from members import member

from twotower.community import Community, Member
from twotower.domain import Artist, Profile

ROUNDS = 20
TESTS = Path(__file__).parent
# Forks a child for each line it reads, so that libraries are loaded once. The child does one kind
# of change after another, and says on its pipe which are safely stored.
CHANGER = """
import os, sys
sys.path[:0] = sys.argv[2:]
from test_community_kills import changed
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


def changed(id: str, number: int) -> Member:
    """A member of whom all columns and both vectors follow from id and number."""
    plain = member(id, seed=1000 * int(id[1:]) + number)
    name = f"{id} at {number}"
    profile = Profile(id, {"low": Artist(name, 1.0 + number)}, origin="file")
    return Member(
        type(plain.listener)(id, name, "file", ((name, 1.0),), (name,), (float(number), 0.0)),
        plain.user_vector,
        plain.candidate_vector,
        training=True,
        map_version="m1",
        profile=profile,
        code_hash=f"code of {id}",
    )


def open_at(url: str) -> Community:
    return Community.open(url, model_version="1", wait_s=10)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'c.sqlite'}"


@pytest.fixture
def community(url: str) -> Iterator[Community]:
    opened = open_at(url)
    yield opened
    opened.close()


@pytest.fixture
def changer(url: str) -> "Iterator[subprocess.Popen[str]]":
    args = [sys.executable, "-c", CHANGER, url, str(TESTS), str(TESTS.parent)]
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forker:
        yield forker
        forker.stdin.close()


def killed(changer, kind: str, count: int, start: int, rng: random.Random) -> list[int]:
    """Let a child do changes, and kill it at a random moment; gives what it said was stored."""
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
    return heard


def whole(community: Community, id: str) -> int | None:
    """The number of the change that a stored row is of; None where there is no trace of it.

    Fails where a column, the kept profile or a vector is of another change, or is there alone.
    """
    held = community.held(id)
    if held is None:
        assert community.traces(id) == {"listeners": 0, "vectors": 0}
        return None
    assert community.traces(id) == {"listeners": 1, "vectors": 1}
    number = int(held["name"].rpartition(" ")[2])
    wanted = changed(id, number)
    assert wanted.listener.name in held["profile"] and wanted.listener.name in held["artists"]
    (placed,) = held["vectors"]
    assert placed["user_vector"] == wanted.user_vector.tolist()
    assert placed["candidate_vector"] == wanted.candidate_vector.tolist()
    assert (placed["x"], held["code_hash"]) == (float(number), f"code of {id}")
    return number


def sound(url: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        seqs = plain.execute("SELECT seq FROM listeners UNION ALL SELECT seq FROM removals")
        taken = [seq for (seq,) in seqs]
        (last,) = plain.execute("SELECT seq FROM clock").fetchone()
    assert len(taken) == len(set(taken)) and max(taken, default=0) <= last
    plain.close()


def test_a_kill_during_joins_loses_none_and_leaves_no_half(url: str, changer):
    rng = random.Random(1)
    acknowledged: set[int] = set()
    start = 0
    for _ in range(ROUNDS):
        acknowledged |= set(killed(changer, "join", 100, start, rng))
        community = open_at(url)
        there = {n for n in range(start, start + 100) if whole(community, f"p{n}") is not None}
        earlier = {n for n in range(start) if whole(community, f"p{n}") is not None}
        assert acknowledged <= there | earlier
        assert len(there - acknowledged) <= 1  # stored, and the word of it was cut off
        assert len(community.crowd()) == len(there | earlier)
        acknowledged |= there
        start = max(acknowledged, default=-1) + 1
        community.close()
    sound(url)
    assert start >= ROUNDS


def test_a_kill_during_updates_leaves_row_profile_and_both_vectors_in_step(url: str, changer):
    rng = random.Random(2)
    community = open_at(url)
    community.join(changed("p0", 0))
    last = 0
    for _ in range(ROUNDS):
        heard = killed(changer, "update", 100, last + 1, rng)
        now = whole(community, "p0")
        assert now is not None and now - max(heard, default=last) in (0, 1)
        row = community.crowd().row_of("p0")
        assert row is not None
        assert (community.crowd().candidate[row] == changed("p0", now).candidate_vector).all()
        last = now
    community.close()
    sound(url)
    assert last >= ROUNDS


def test_a_kill_during_leaving_leaves_all_of_one_or_nothing(url: str, changer):
    rng = random.Random(3)
    community = open_at(url)
    people = 160
    for number in range(people):
        community.join(changed(f"p{number}", 0))
    start = 0
    for _ in range(ROUNDS):
        heard = killed(changer, "leave", people - start, start, rng)
        gone = {n for n in range(people) if whole(community, f"p{n}") is None}
        assert set(heard) <= gone and gone == set(range(len(gone)))
        assert len(gone) - max(heard, default=start - 1) - 1 in (0, 1)
        for number in gone:
            kept = community.removal(f"p{number}")
            assert kept is not None and len(kept["digest"]) == 64
        assert len(community.crowd()) == people - len(gone)
        start = len(gone)
    assert start >= ROUNDS
    community.close()
    sound(url)
