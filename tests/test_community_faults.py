"""What the community does when something breaks: nothing that was acknowledged is lost."""

import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from twotower.community import Community, Member
from twotower.domain import Artist, Listener, Profile
from twotower.errors import CommunityError

DIM = 16


def of_turn(id: str, turn: int) -> Member:
    """Row, profile and both vectors tell the turn, so that halves of two turns show."""
    user = np.zeros(DIM, np.float32)
    candidate = user.copy()
    user[turn], candidate[turn + 8] = 1, 1
    profile = Profile("", {"a": Artist("A", turn + 1.0)}, origin="file")
    listener = Listener(id, f"{int(id, 16)} {turn}", "file", (("A", turn + 1.0),))
    return Member(listener, user, candidate, training=True, profile=profile, code_hash=f"h{id}")


def turn_in(community: Community, id: str) -> int | None:
    """The turn that is stored, the same in row, profile and vectors; None where nothing is."""
    held = community.held(id)
    if held is None:
        assert not any(community.traces(id).values())
        return None
    (vectors,) = held["vectors"]
    turn = int(held["name"].split()[1])
    assert vectors["user_vector"][turn] == 1 and vectors["candidate_vector"][turn + 8] == 1
    assert f'"plays": {turn + 1}' in held["profile"] and held["code_hash"] == f"h{id}"
    return turn


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "c.sqlite"


@pytest.fixture
def community(file) -> Community:
    community = Community.open(f"sqlite:///{file}", model_version="m1", wait_s=0.05)
    for n in range(3):
        community.join(of_turn(f"{n:016x}", 0))
    return community


def all_kinds(community: Community) -> tuple:
    return (
        lambda: community.join(of_turn("f" * 16, 0)),
        lambda: community.update(of_turn(f"{1:016x}", 1)),
        lambda: community.leave(f"{2:016x}"),
    )


def unchanged(community: Community) -> bool:
    found = [turn_in(community, id) for id in (f"{1:016x}", f"{2:016x}", "f" * 16)]
    return found == [0, 0, None] and community.seq() == 3


def test_a_locked_database_says_so_and_works_again(community, file):
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for change in all_kinds(community):
        with pytest.raises(CommunityError, match="try again in a moment"):
            change()
    assert unchanged(community)
    other.execute("ROLLBACK")
    for change in all_kinds(community):
        change()
    assert community.seq() == 6


def test_a_full_disk_changes_nothing_and_says_so(community):
    pages = 0

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages or 1_000_000}")

    import sqlalchemy as sa

    sa.event.listen(community.database.engine, "checkout", limit)
    pages = 1  # SQLite takes the size that the file has
    with pytest.raises(CommunityError, match="no room"):
        for n in range(500):
            community.join(of_turn(f"{n:015x}e", 0))
    assert unchanged(community) or all(turn_in(community, f"{n:016x}") == 0 for n in range(3))
    before = community.seq()
    assert len(community.crowd()) == before
    pages = 0
    assert community.join(of_turn("f" * 16, 0)) == before + 1


def test_a_database_that_may_only_be_read_serves_and_says_so(community, file):
    import sqlalchemy as sa

    @sa.event.listens_for(community.database.engine, "checkout")
    def only_reading(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA query_only=ON")  # bites for root too

    for change in all_kinds(community):
        with pytest.raises(CommunityError, match="can be read but not written"):
            change()
    assert unchanged(community) and len(community.crowd()) == 3


def test_two_writers_take_every_number_once(file, community):
    seqs: list[int] = []

    def write(name: str) -> None:
        own = Community.open(f"sqlite:///{file}", model_version="m1", wait_s=30)
        seqs.extend(own.join(of_turn(f"{n:015x}{name}", 0)) for n in range(20))

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seqs) == list(range(4, 44)) and len(community.crowd()) == 43


def test_another_models_rows_are_never_compared_and_given_back_to_embed(community):
    other = community.of_model("m2")
    assert len(other.crowd()) == 0
    assert [id for id, _ in other.to_embed("m2")] == [f"{n:016x}" for n in range(3)]
    assert list(other.to_embed("m1")) == []


def test_a_damaged_file_is_set_aside_whole(file, community):
    community.close()
    damaged = b"SQLite format 3\x00" + b"\xff" * 5000
    file.write_bytes(damaged)
    with pytest.raises(CommunityError, match="set aside"):
        Community.open(f"sqlite:///{file}", model_version="m1")
    (aside,) = file.parent.glob("c.sqlite.damaged-*[0-9]")
    assert aside.read_bytes() == damaged and not file.exists()
    assert len(Community.open(f"sqlite:///{file}", model_version="m1").crowd()) == 0
