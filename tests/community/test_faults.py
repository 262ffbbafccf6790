"""Faults of disk and file: nothing that was acknowledged is lost."""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from changes import all_kinds, limit_files, of_turn

from twotower.community import Community
from twotower.community.queries import count_rows, export, last_change, profiles_without_vectors
from twotower.community.stored_profile import MOST_BYTES
from twotower.core.errors import CommunityError

ROOM = 100_000  # bytes that a disk has left when it is nearly full
TESTS = Path(__file__).parents[1] / "helpers"


def turn_in(community: Community, id: str) -> int | None:
    """Return the stored turn, checked in row, profile and vectors; None if nothing is stored."""
    held = export(community, id)
    if held is None:
        assert not any(count_rows(community, id).values())
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


def unchanged(community: Community) -> bool:
    found = [turn_in(community, id) for id in (f"{1:016x}", f"{2:016x}", "f" * 16)]
    return found == [0, 0, None] and last_change(community) == 3


def test_a_locked_database_is_an_error_and_works_after_unlocking(community, file):
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for change in all_kinds(community):
        with pytest.raises(CommunityError, match="try again in a moment"):
            change()
    assert unchanged(community)
    other.execute("ROLLBACK")
    for change in all_kinds(community):
        change()
    assert last_change(community) == 6


def whole_file(file: Path) -> bool:
    with sqlite3.connect(file) as plain:
        return plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)


class Limit:
    """A nearly full disk: no file can grow by more than 100 kB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        files = (path for path in self.folder.iterdir() if not path.name.endswith("-reserve"))
        limit_files(max(path.stat().st_size for path in files) + ROOM)

    def free(self) -> None:
        limit_files(None)


class Small(Limit):
    """A small disk that another file nearly fills."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ballast = folder / "ballast"

    def fill(self) -> None:
        room = shutil.disk_usage(self.folder).free
        self.ballast.write_bytes(bytes(room - ROOM))

    def free(self) -> None:
        self.ballast.unlink(missing_ok=True)


@pytest.fixture(params=[Limit, Small])
def disk(request, tmp_path: Path) -> Iterator[Limit]:
    disk = request.param(tmp_path)
    mounted = request.param is Small
    if mounted:
        kind = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
        try:
            subprocess.run(kind, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no disk can be mounted here")
    try:
        yield disk
    finally:
        disk.free()
        if mounted:
            subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_is_an_error_and_loses_nothing(disk, file, community):
    disk.fill()
    stored: list[str] = []
    with pytest.raises(CommunityError, match="the disk is full and nothing was changed"):
        for n in range(3, 2000):
            community.join(of_turn(f"{n:016x}", 0))
            stored.append(f"{n:016x}")
    shipped = [of_turn(f"{n:015x}f", 0) for n in range(400)]
    shipped = [replace(m, listener=replace(m.listener, origin="invented")) for m in shipped]
    with pytest.raises(CommunityError, match="the disk is full and nothing was changed"):
        community.seed([replace(m, training=False, profile=None) for m in shipped])
    assert stored
    everyone = [*(f"{n:016x}" for n in range(3)), *stored]
    again = Community.open(f"sqlite:///{file}", model_version="m1")
    for reader in (community, again):
        assert sorted(reader.snapshot().ids) == everyone
        assert [turn_in(reader, id) for id in everyone] == [0] * len(everyone)
        assert turn_in(reader, f"{len(everyone):016x}") is None
    before = last_change(community)
    disk.free()
    for number, change in enumerate(all_kinds(community), 1):
        change()
        assert last_change(community) == before + number
    assert len(again.snapshot()) == len(everyone) and last_change(again) == before + 3
    again.close()
    community.close()
    assert whole_file(file)


def test_anybody_can_leave_when_the_disk_is_full(file, community):
    reserve = file.with_name(f"{file.name}-reserve")
    assert reserve.stat().st_size >= 2 * MOST_BYTES

    @sa.event.listens_for(community.database.engine, "before_cursor_execute")
    def is_full(connection, cursor, statement, *_):
        if statement.startswith(("DELETE", "INSERT")) and reserve.exists():
            raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(CommunityError, match="the disk is full"):
        community.join(of_turn("f" * 16, 0))
    assert reserve.exists(), "only leaving takes the reserve"
    assert community.leave(f"{2:016x}") is not None
    assert turn_in(community, f"{2:016x}") is None
    assert reserve.exists(), "the next one can leave, too"


# Gives up the rights of root, then tries everything it can for each line it reads. It must import
# all modules before, because the user "nobody" may not read the folders of root.
NOBODY = """
import json, os, sys
sys.path[:0] = sys.argv[3:]
from changes import all_kinds
from twotower.community import Community
from twotower.core.errors import CommunityError
def tried(act):
    try:
        return act()
    except CommunityError as error:
        return str(error)
Community.open(f"sqlite:///{sys.argv[2]}", model_version="m1").close()
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
community = None
for _ in sys.stdin:
    if not isinstance(community, Community):
        community = tried(lambda: Community.open(f"sqlite:///{sys.argv[1]}", model_version="m1"))
    if isinstance(community, Community):
        said = [tried(act) for act in all_kinds(community)]
        said = [one if isinstance(one, str) else "done" for one in said]
        print(json.dumps([len(community.snapshot()), *said]), flush=True)
    else:
        print(json.dumps([community]), flush=True)
"""
READABLE, WRITABLE = 0o444, 0o666  # to everybody


@pytest.fixture
def open_to_all(tmp_path) -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="c") as folder:
        yield Path(folder)


def allow(folder: Path, *, file: int, inside: int) -> None:
    """Set the permissions of the community's files and folder."""
    for path in folder.iterdir():
        path.chmod(file)
    folder.chmod(inside | 0o111)


@pytest.mark.parametrize(
    ("in_use", "inside", "readable"),
    [(True, READABLE, True), (False, WRITABLE, True), (False, READABLE, False)],
    ids=["while another writes", "the file alone", "file and folder"],
)
def test_read_only_files_give_an_error_until_the_permission_is_granted(
    open_to_all, tmp_path, in_use, inside, readable
):
    file = open_to_all / "c.sqlite"
    community = Community.open(f"sqlite:///{file}", model_version="m1")
    for n in range(3):
        community.join(of_turn(f"{n:016x}", 0))
    if not in_use:
        community.close()
    allow(open_to_all, file=READABLE, inside=inside)
    args = [sys.executable, "-c", NOBODY, file, tmp_path / "other", TESTS, TESTS.parents[1]]
    with subprocess.Popen(
        list(map(str, args)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nobody:

        def tries() -> list:
            nobody.stdin.write("go\n")
            nobody.stdin.flush()
            return json.loads(nobody.stdout.readline())

        for _ in range(2):
            found = tries()
            if readable:
                assert found[0] == 3 and len(found) == 4
                assert all(
                    "can be read but not written: check the permissions" in s for s in found[1:]
                )
            else:
                (said,) = found
                assert "folder can't be written, which SQLite needs even to read" in said
        allow(open_to_all, file=WRITABLE, inside=WRITABLE)
        tries()  # the first change may find that what is open was opened for reading
        assert tries()[0] == 3
        nobody.stdin.close()
    assert [turn_in(community, id) for id in (f"{1:016x}", f"{2:016x}", "f" * 16)] == [1, None, 0]
    community.close()
    assert whole_file(file)


def test_two_writers_use_every_number_once(file, community):
    seqs: list[int] = []

    def write(name: str) -> None:
        own = Community.open(f"sqlite:///{file}", model_version="m1", wait_s=30)
        seqs.extend(own.join(of_turn(f"{n:015x}{name}", 0)) for n in range(20))

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seqs) == list(range(4, 44)) and len(community.snapshot()) == 43


def test_rows_of_another_model_are_not_in_the_snapshot_but_to_be_embedded(community):
    other = community.with_model("m2")
    assert len(other.snapshot()) == 0
    assert [id for id, _ in profiles_without_vectors(other, "m2")] == [
        f"{n:016x}" for n in range(3)
    ]
    assert list(profiles_without_vectors(other, "m1")) == []


def test_a_damaged_file_is_renamed_unchanged(file, community):
    community.close()
    damaged = b"SQLite format 3\x00" + b"\xff" * 5000
    file.write_bytes(damaged)
    with pytest.raises(CommunityError, match="was renamed to"):
        Community.open(f"sqlite:///{file}", model_version="m1")
    (aside,) = file.parent.glob("c.sqlite.damaged-*[0-9]")
    assert aside.read_bytes() == damaged and not file.exists()
    assert len(Community.open(f"sqlite:///{file}", model_version="m1").snapshot()) == 0
