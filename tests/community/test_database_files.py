"""SQLite files: crashes, damage, locks and upgrades."""

import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from members import invented, member, people

from twotower.community import SCHEMA, Community, queries
from twotower.community.queries import export, find_deletion, is_name_taken, last_change
from twotower.community.schema import sample_key
from twotower.core.errors import CommunityError


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'deep' / 'down' / 'community.sqlite'}"


def test_leave_removes_the_row_and_its_bytes_from_the_file(community, url):
    community.join(member("a"))
    community.join(member("b"))
    assert community.leave("a")
    assert not community.leave("a")
    community.close()
    file = Path(sa.make_url(url).database)
    everything = b"".join(part.read_bytes() for part in file.parent.iterdir())
    assert b"b by night" in everything
    assert b"a by night" not in everything
    assert member("a").candidate_vector.tobytes() not in everything


def together(*acts) -> list[BaseException]:
    """Run the functions at once, each in a thread; return the exceptions."""
    start, raised = threading.Barrier(len(acts)), []

    def run(act) -> None:
        start.wait()
        try:
            act()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_many_threads_can_create_and_seed_one_community_at_once(url: str):
    def start() -> None:
        Community.open(url, model_version="1").seed(invented(50))

    assert together(*[start] * 6) == []
    assert len(Community.open(url, model_version="1").snapshot()) == 50


def test_threads_that_write_and_read_lose_nothing(url: str):
    community = Community.open(url, model_version="1")

    def work(name: str) -> None:
        for n in range(15):
            community.join(member(f"{name}{n}"))
            assert community.snapshot().row_of(f"{name}{n}") is not None
            if n % 3 == 0:
                community.leave(f"{name}{n}")
                assert community.snapshot().row_of(f"{name}{n}") is None

    assert together(*[lambda name=name: work(name) for name in "abcd"]) == []
    assert len(community.snapshot()) == 40


WRITER = """
import sys
sys.path[:0] = sys.argv[2:]
from members import member
from twotower.community import Community
community = Community.open(sys.argv[1], model_version="1")
done = len(community.snapshot())
while True:
    community.join(member(f"r{done}"))
    print(f"r{done}", flush=True)
    done += 1
"""


def test_a_kill_in_mid_write_loses_nothing_that_was_acknowledged(url: str):
    acknowledged: list[str] = []
    for lines in (1, 23, 60):
        tests = Path(__file__).parents[1] / "helpers"
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(tests), str(tests.parents[1])],
            stdout=subprocess.PIPE,
            text=True,
        )
        with writer:
            acknowledged += [writer.stdout.readline().strip() for _ in range(lines)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
        community = Community.open(url, model_version="1")
        snapshot = community.snapshot()
        assert set(acknowledged) <= set(snapshot.ids)
        assert len(snapshot) <= len(acknowledged) + lines  # at most one unheard a round
        for row, id in enumerate(snapshot.ids):
            assert (snapshot.candidate[row] == member(id).candidate_vector).all()
        community.close()
    assert len(acknowledged) >= 84


@pytest.mark.parametrize("content", [b"not a database " * 600, b"SQLite format 3\0" + b"\7" * 9000])
def test_a_damaged_file_is_renamed_and_the_error_says_so(tmp_path: Path, content: bytes):
    file = tmp_path / "community.sqlite"
    file.write_bytes(content)
    with pytest.raises(CommunityError, match=r"renamed to community\.sqlite\.damaged-"):
        Community.open(f"sqlite:///{file}", model_version="1")
    (aside,) = tmp_path.iterdir()
    assert aside.read_bytes() == content
    assert len(Community.open(f"sqlite:///{file}", model_version="1").snapshot()) == 0


def test_a_damaged_page_in_the_middle_is_noticed_on_opening(community, url):
    community.seed(invented(400))
    community.close()
    file = Path(sa.make_url(url).database)
    content = bytearray(file.read_bytes())
    content[20_000:60_000] = bytes(range(250)) * 160
    file.write_bytes(content)
    with pytest.raises(CommunityError, match="damaged and was renamed"):
        Community.open(url, model_version="1")
    (aside,) = file.parent.glob("*.damaged-*[0-9]")
    assert aside.read_bytes() == content


def test_a_locked_database_can_be_read_but_not_written(community: Community, url: str):
    community.join(member("a"))
    holder = sqlite3.connect(sa.make_url(url).database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(CommunityError, match="try again in a moment"):
        community.join(member("b"))
    assert community.snapshot().ids == ("a",)
    holder.execute("ROLLBACK")
    community.join(member("b"))
    assert community.snapshot().ids == ("a", "b")


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(CommunityError, match="the folder can't be created"):
        Community.open(f"sqlite:///{tmp_path}/file/community.sqlite", model_version="1")


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path):
    with pytest.raises(CommunityError, match="can't be opened"):
        Community.open(f"sqlite:///{tmp_path}", model_version="1")


@pytest.mark.parametrize(
    "url", ["", "nonsense", "nosuch://host/name", "sqlite://", "postgresql://h:port/n"]
)
def test_an_unusable_url_is_an_error(url: str):
    with pytest.raises(CommunityError, match="sqlite:////path/to/community"):
        Community.open(url, model_version="1")


def test_a_community_of_a_newer_program_is_left_alone(community: Community, url: str):
    file = sa.make_url(url).database
    with sqlite3.connect(file) as database:
        database.execute("update meta set value = '99' where key = 'schema'")
    with pytest.raises(CommunityError, match="format 99"):
        Community.open(url, model_version="1")


def test_a_restored_backup_is_loaded_anew(community: Community, tmp_path: Path, url: str):
    community.join(member("a"))
    with sqlite3.connect(sa.make_url(url).database) as now:
        backup = sqlite3.connect(tmp_path / "backup.sqlite")
        now.backup(backup)
    community.join(member("b"))
    assert community.snapshot().ids == ("a", "b")
    with sqlite3.connect(sa.make_url(url).database) as now:
        backup.backup(now)
    assert community.snapshot().ids == ("a",)


def test_the_settings_that_keep_rows_safe_are_on(community: Community):
    with community.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


V1 = """
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE clock (id INTEGER NOT NULL PRIMARY KEY, seq BIGINT NOT NULL);
CREATE TABLE listeners (
    id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, origin TEXT NOT NULL, artists TEXT NOT NULL,
    genres TEXT NOT NULL, user_vector BLOB NOT NULL, candidate_vector BLOB NOT NULL,
    model_version TEXT NOT NULL, x FLOAT, y FLOAT, map_version TEXT NOT NULL,
    findable BOOLEAN NOT NULL, training BOOLEAN NOT NULL, created TEXT NOT NULL,
    updated TEXT NOT NULL, seq BIGINT NOT NULL, UNIQUE (seq)
);
CREATE TABLE removals (seq BIGINT NOT NULL PRIMARY KEY, id TEXT NOT NULL);
INSERT INTO meta VALUES ('schema', '1');
INSERT INTO clock VALUES (1, 9);
INSERT INTO removals VALUES (3, 'gone');
"""


def test_a_file_of_schema_1_is_upgraded_with_every_row(url: str, other_v1):
    with Community.open(url, model_version="1").database.read() as connection:
        columns = {c["name"] for c in sa.inspect(connection).get_columns("listeners")}
    assert "user_vector" not in columns and {"code_hash", "profile"} <= columns
    upgraded = Community.open(url, model_version="1")
    assert people(upgraded.snapshot()) == other_v1
    assert (
        last_change(upgraded) == 9 and find_deletion(upgraded, "gone")["seq"] == 3 and upgraded.id
    )
    upgraded.join(member("new"))
    assert upgraded.leave("a").removed["vectors"] == 2
    assert set(upgraded.snapshot().ids) == {"b", "new"}


V2 = """
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE clock (id INTEGER NOT NULL PRIMARY KEY, seq BIGINT NOT NULL);
CREATE TABLE listeners (
    id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, origin TEXT NOT NULL, artists TEXT NOT NULL,
    genres TEXT NOT NULL, findable BOOLEAN NOT NULL, training BOOLEAN NOT NULL, code_hash TEXT,
    profile TEXT, created TEXT NOT NULL, updated TEXT NOT NULL, seq BIGINT NOT NULL
);
CREATE TABLE vectors (
    id TEXT NOT NULL, model_version TEXT NOT NULL, user_vector BLOB NOT NULL,
    candidate_vector BLOB NOT NULL, x FLOAT, y FLOAT, map_version TEXT NOT NULL,
    PRIMARY KEY (id, model_version)
);
CREATE TABLE removals (seq BIGINT NOT NULL PRIMARY KEY, id TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL DEFAULT '');
INSERT INTO meta VALUES ('schema', '2'), ('community', 'c0ffee');
INSERT INTO clock VALUES (1, 7);
"""


def test_a_file_of_schema_2_gets_skeletons_sample_keys_and_consent(url: str):
    file = Path(sa.make_url(url).database)
    file.parent.mkdir(parents=True)
    with sqlite3.connect(file) as old:
        old.executescript(V2)
        for seq, (id, findable) in enumerate((("a", True), ("b", False)), 6):
            row = (id, "Amber Otter", "file", '[["Low", 3.5]]', "[]", findable, True, id, None)
            old.execute(
                f"INSERT INTO listeners VALUES ({', '.join('?' * 12)})", (*row, "then", "then", seq)
            )
            both = member(id).user_vector.tobytes(), member(id).candidate_vector.tobytes()
            old.execute("INSERT INTO vectors VALUES (?, '1', ?, ?, 0.5, -1.25, 'm1')", (id, *both))
    old.close()
    upgraded = Community.open(url, model_version="1")
    assert (
        upgraded.snapshot().ids == ("a",) and upgraded.id == "c0ffee" and last_change(upgraded) == 7
    )
    assert (upgraded.snapshot().user[0] == member("a").user_vector).all()
    assert is_name_taken(upgraded, "amberotter") and not is_name_taken(
        upgraded, "amberotter", but="a"
    )
    assert (
        export(upgraded, "b")["lot"] == sample_key("b")
        and queries.stats(upgraded)["schema"] == SCHEMA
    )
    assert not export(upgraded, "b")["vectors"][0]["findable"]


@pytest.fixture
def other_v1(url: str, tmp_path: Path) -> dict[str, tuple]:
    """Write a file of schema 1 with two listeners; return their snapshot as a dictionary."""
    today = Community.open(f"sqlite:///{tmp_path / 'today.sqlite'}", model_version="1")
    file = Path(sa.make_url(url).database)
    file.parent.mkdir(parents=True)
    with sqlite3.connect(file) as old:
        old.executescript(V1)
        for seq, id in ((4, "a"), (9, "b")):
            today.join(member(id))
            someone = member(id)
            row = (
                *(id, f"{id} by night", "file", '[["Low", 3.5]]', "[]"),
                *(someone.user_vector.tobytes(), someone.candidate_vector.tobytes()),
                *("1", 0.5, -1.25, "m1", True, False, "2026-01-01", "2026-01-01", seq),
            )
            old.execute(f"INSERT INTO listeners VALUES ({', '.join('?' * 16)})", row)
    return people(today.snapshot())
