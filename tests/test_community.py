import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from twotower.community import Community, Crowd, Member, new_id
from twotower.domain import SPOTIFY_WEB_API, Listener
from twotower.errors import CommunityError

DIM = 8


def member(id: str, *, origin: str = "file", seed: int | None = None, **changes) -> Member:
    """One listener whose vectors follow from its id, or from `seed`."""
    rng = np.random.default_rng(seed if seed is not None else list(id.encode()))
    vectors = rng.standard_normal((2, DIM)).astype(np.float32)
    user, candidate = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    listener = Listener(
        id=id,
        name=f"{id} by night",
        origin=origin,
        artists=(("Sigur Rós", 12.0), ("Low", 3.5)),
        genres=("slowcore", "post-rock"),
        place=(0.5, -1.25),
    )
    return replace(Member(listener, user, candidate, map_version="m1"), **changes)


def invented(count: int, *, seed: int = 0) -> list[Member]:
    return [member(f"made{n}", origin="invented", seed=seed + n) for n in range(count)]


def people(crowd: Crowd) -> dict[str, tuple]:
    """Everything a crowd holds, by id, to compare."""
    return {
        id: (
            crowd.names[row],
            crowd.user[row].tobytes(),
            crowd.candidate[row].tobytes(),
            crowd.places[row].tobytes(),
            bool(crowd.invented[row]),
        )
        for row, id in enumerate(crowd.ids)
    }


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'deep' / 'down' / 'community.sqlite'}"


@pytest.fixture
def community(url: str) -> Iterator[Community]:
    community = Community.open(url, model_version="1", wait_s=0.05)
    yield community
    community.close()


@pytest.fixture
def other(community: Community, url: str) -> Iterator[Community]:
    """The same community as another process has it."""
    other = Community.open(url, model_version="1", wait_s=0.05)
    yield other
    other.close()


def test_a_new_community_is_empty(community: Community):
    crowd = community.crowd()
    assert (len(crowd), community.size(), crowd.seq) == (0, 0, 0)
    assert crowd.places.shape == (0, 2)


def test_who_joins_is_in_the_crowd_as_given(community: Community):
    someone = member("a")
    seq = community.join(someone)
    crowd = community.crowd()
    assert (crowd.ids, crowd.names, crowd.seq) == (("a",), ("a by night",), seq)
    assert (crowd.user[0] == someone.user_vector).all()
    assert (crowd.candidate[0] == someone.candidate_vector).all()
    assert crowd.places.tolist() == [[0.5, -1.25]]
    assert crowd.invented.tolist() == [False]
    assert (crowd.row_of("a"), crowd.row_of("b")) == (0, None)


def test_get_gives_listeners_as_they_joined_in_the_order_asked(community: Community):
    for id in "abc":
        community.join(member(id))
    assert community.get(["c", "nobody", "a"]) == [member("c").listener, member("a").listener]


def test_get_takes_more_ids_than_a_statement_may_hold(community: Community):
    community.seed(invented(1200))
    assert len(community.get([f"made{n}" for n in range(1200)])) == 1200


def test_what_no_text_should_hold_comes_back_as_it_went_in(community: Community):
    strange = (("<b>\ud800\x00'; drop table listeners", 1.0),)
    someone = member("a")
    community.join(replace(someone, listener=replace(someone.listener, artists=strange)))
    assert community.get(["a"])[0].artists == strange


def test_one_without_a_place_has_none_on_the_map(community: Community):
    someone = member("a")
    community.join(replace(someone, listener=replace(someone.listener, place=None)))
    assert community.get(["a"])[0].place is None
    assert np.isnan(community.crowd().places).all()


def test_another_process_sees_join_update_and_leave_at_once(community, other):
    community.join(member("a"))
    assert other.crowd().ids == ("a",)
    community.join(member("b"))
    community.update(member("a", seed=99))
    crowd = other.crowd()
    assert set(crowd.ids) == {"a", "b"}
    assert (crowd.user[crowd.row_of("a")] == member("a", seed=99).user_vector).all()
    community.leave("a")
    assert other.crowd().ids == ("b",)
    assert other.get(["a"]) == []


def test_the_crowd_is_the_same_object_until_something_changes(community, other):
    community.join(member("a"))
    crowd = other.crowd()
    assert other.crowd() is crowd
    assert not other.changed_since(crowd.seq)
    community.leave("nobody")
    assert other.crowd() is crowd
    community.join(member("b"))
    assert other.changed_since(crowd.seq)
    assert other.crowd() is not crowd
    assert crowd.ids == ("a",)  # whoever holds the old one keeps it whole


def test_a_crowd_kept_up_to_date_is_the_crowd_read_afresh(community, other, url):
    rng = np.random.default_rng(5)
    community.seed(invented(20))
    inside: list[str] = []
    for step in range(120):
        act = rng.integers(4)
        if act <= 1 or not inside:
            inside.append(f"p{step}")
            community.join(member(inside[-1], findable=bool(rng.integers(4))))
        elif act == 2:
            someone = inside[rng.integers(len(inside))]
            community.update(member(someone, seed=step, findable=bool(rng.integers(4))))
        else:
            community.leave(inside.pop(rng.integers(len(inside))))
        if step % 7 == 0:
            other.crowd()
    fresh = Community.open(url, model_version="1").crowd()
    assert fresh.ids == other.crowd().ids
    assert people(fresh) == people(other.crowd())
    assert community.size() == len(fresh) > 20


def test_who_may_not_be_found_is_nowhere(community: Community):
    community.join(member("a", findable=False))
    assert (len(community.crowd()), community.size(), community.get(["a"])) == (0, 0, [])
    community.update(member("a"))
    assert community.crowd().ids == ("a",)
    community.update(member("a", findable=False))
    assert community.crowd().ids == ()


def test_rows_of_another_model_are_never_in_the_crowd(community: Community, url: str):
    community.join(member("a"))
    newer = Community.open(url, model_version="2")
    assert (len(newer.crowd()), newer.size(), newer.get(["a"])) == (0, 0, [])
    newer.join(member("b"))
    assert newer.crowd().ids == ("b",)
    assert community.crowd().ids == ("a",)
    newer.update(member("a"))  # the same person, embedded anew
    assert community.crowd().ids == ()


def test_arrays_of_the_crowd_can_not_be_written_to(community: Community):
    community.join(member("a"))
    community.crowd()
    community.join(member("b"))
    crowd = community.crowd()
    for array in (crowd.user, crowd.candidate, crowd.places, crowd.invented):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_seq_rises_with_every_change_and_no_two_rows_share_one(community, url):
    seqs = [community.join(member(id)) for id in "abc"] + [community.update(member("a"))]
    community.seed(invented(5))
    assert seqs == sorted(set(seqs))
    with sqlite3.connect(sa.make_url(url).database) as rows:
        stored = [seq for (seq,) in rows.execute("select seq from listeners")]
    assert len(stored) == len(set(stored)) == 8
    assert community.seq() == max(stored)


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


def test_joining_twice_is_refused_and_changes_nothing(community: Community):
    community.join(member("a"))
    before = community.crowd()
    with pytest.raises(CommunityError, match="a is in the community already"):
        community.join(member("a", seed=4))
    assert community.crowd() is before


def test_updating_nobody_is_refused(community: Community):
    with pytest.raises(CommunityError, match="nobody in the community has the id a"):
        community.update(member("a"))
    assert community.seq() == 0


@pytest.mark.parametrize("origin", [SPOTIFY_WEB_API, " Spotify-Web-API "])
def test_what_came_through_spotifys_web_api_is_never_stored(community, origin):
    for write in (community.join, community.update, lambda one: community.seed([one])):
        with pytest.raises(CommunityError, match="is never stored"):
            write(member("a", origin=origin))
    community.join(member("a"))
    with pytest.raises(CommunityError, match="is never stored"):
        community.update(member("a", origin=origin))
    assert community.get(["a"])[0].origin == "file"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"user_vector": np.ones(DIM, np.float32)}, "length 2.83"),
        ({"candidate_vector": np.full(DIM, np.nan, np.float32)}, "length nan"),
        ({"user_vector": np.eye(DIM, dtype=np.float32)}, r"shape \(8, 8\)"),
        ({"user_vector": np.eye(1, 5, dtype=np.float32)[0]}, "vector of 5 and .* vector of 8"),
    ],
)
def test_vectors_that_are_not_two_unit_vectors_are_refused(community, changes, says):
    with pytest.raises(ValueError, match=says):
        community.join(member("a", **changes))
    assert community.seq() == 0


def test_vectors_of_another_width_are_refused_among_those_of_one_model(community):
    community.join(member("a"))
    narrow = np.eye(1, 5, dtype=np.float32)[0]
    with pytest.raises(ValueError, match="vector of 5 among vectors of 8"):
        community.join(member("b", user_vector=narrow, candidate_vector=narrow))


def test_ids_are_random():
    assert len({new_id() for _ in range(1000)}) == 1000


# The listeners that ship


def test_seeding_again_writes_nothing(community: Community):
    assert community.seed(invented(30)) == 30
    crowd = community.crowd()
    assert crowd.invented.all()
    assert community.seed(invented(30)) == 0
    assert community.crowd() is crowd


def test_a_known_digest_spares_reading_the_set(community: Community):
    def unread() -> Iterator[Member]:
        raise AssertionError("the set was read")
        yield

    assert community.seed(invented(3), digest="d1") == 3
    assert community.seed(unread(), digest="d1") == 0


def test_another_set_takes_the_place_of_the_invented_and_of_nobody_else(community, other):
    community.seed(invented(30))
    community.join(member("a"))
    before = people(other.crowd())
    assert community.seed(invented(10, seed=500)) == 10
    crowd = other.crowd()
    assert len(crowd) == 11
    assert people(crowd)["a"] == before["a"]
    assert people(crowd)["made3"] != before["made3"]


def test_a_set_with_a_persons_id_is_refused_whole(community: Community):
    community.seed(invented(3))
    community.join(member("a"))
    before = community.crowd()
    with pytest.raises(CommunityError, match="none of them was added"):
        community.seed([*invented(5, seed=9), member("a", origin="invented")])
    assert community.crowd() is before


def test_people_can_not_be_seeded_nor_the_invented_join(community: Community):
    with pytest.raises(ValueError, match="1 of 4 listeners are not invented"):
        community.seed([*invented(3), member("a")])
    with pytest.raises(ValueError, match="made0 is invented"):
        community.join(invented(1)[0])
    community.seed(invented(1))
    with pytest.raises(CommunityError, match="nobody"):
        community.update(member("made0"))


# Faults


def together(*acts) -> list[BaseException]:
    """Run the acts at the same moment in a thread each; gives what they raised."""
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


def test_many_may_make_and_seed_the_same_community_at_once(url: str):
    def start() -> None:
        Community.open(url, model_version="1").seed(invented(50))

    assert together(*[start] * 6) == []
    assert Community.open(url, model_version="1").size() == 50


def test_threads_that_write_and_read_lose_nothing(url: str):
    community = Community.open(url, model_version="1")

    def work(name: str) -> None:
        for n in range(15):
            community.join(member(f"{name}{n}"))
            assert community.crowd().row_of(f"{name}{n}") is not None
            if n % 3 == 0:
                community.leave(f"{name}{n}")
                assert community.crowd().row_of(f"{name}{n}") is None

    assert together(*[lambda name=name: work(name) for name in "abcd"]) == []
    assert len(community.crowd()) == community.size() == 40


WRITER = """
import sys
sys.path[:0] = sys.argv[2:]
from test_community import member
from twotower.community import Community
community = Community.open(sys.argv[1], model_version="1")
done = community.size()
while True:
    community.join(member(f"r{done}"))
    print(f"r{done}", flush=True)
    done += 1
"""


def test_a_kill_in_mid_write_loses_nothing_that_was_acknowledged(url: str):
    acknowledged: list[str] = []
    for lines in (1, 23, 60):
        tests = Path(__file__).parent
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(tests), str(tests.parent)],
            stdout=subprocess.PIPE,
            text=True,
        )
        with writer:
            acknowledged += [writer.stdout.readline().strip() for _ in range(lines)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
        community = Community.open(url, model_version="1")
        crowd = community.crowd()
        assert set(acknowledged) <= set(crowd.ids)
        assert len(crowd) <= len(acknowledged) + lines  # at most one unheard a round
        for row, id in enumerate(crowd.ids):
            assert (crowd.candidate[row] == member(id).candidate_vector).all()
        community.close()
    assert len(acknowledged) >= 84


@pytest.mark.parametrize("content", [b"not a database " * 600, b"SQLite format 3\0" + b"\7" * 9000])
def test_a_damaged_file_is_set_aside_and_said_so(tmp_path: Path, content: bytes):
    file = tmp_path / "community.sqlite"
    file.write_bytes(content)
    with pytest.raises(CommunityError, match=r"set aside as community\.sqlite\.damaged-"):
        Community.open(f"sqlite:///{file}", model_version="1")
    (aside,) = tmp_path.iterdir()
    assert aside.read_bytes() == content
    assert Community.open(f"sqlite:///{file}", model_version="1").size() == 0


def test_a_page_damaged_in_the_middle_is_found_when_it_is_opened(community, url):
    community.seed(invented(400))
    community.close()
    file = Path(sa.make_url(url).database)
    content = bytearray(file.read_bytes())
    content[20_000:60_000] = bytes(range(250)) * 160
    file.write_bytes(content)
    with pytest.raises(CommunityError, match="damaged and was set aside"):
        Community.open(url, model_version="1")
    (aside,) = file.parent.glob("*.damaged-*[0-9]")
    assert aside.read_bytes() == content


def pragma(community: Community, statement: str) -> None:
    """Have every connection of the community from now on start with a statement."""
    community.close()
    sa.event.listen(community.database.engine, "connect", lambda raw, _: raw.execute(statement))


def test_a_full_disk_is_told_and_loses_nothing(community: Community):
    community.seed(invented(5))
    before = community.crowd()
    pragma(community, "PRAGMA max_page_count=1")  # raised by SQLite to the pages there are
    with pytest.raises(CommunityError, match="no room to write"):
        community.seed(invented(500))
    assert people(community.crowd()) == people(before)
    assert community.leave("made0")


def test_a_read_only_community_is_told_and_can_be_read(community: Community):
    community.seed(invented(5))
    pragma(community, "PRAGMA query_only=1")
    with pytest.raises(CommunityError, match="can be read but not written"):
        community.join(member("a"))
    assert len(community.crowd()) == 5


def test_a_locked_database_is_told_and_can_be_read(community: Community, url: str):
    community.join(member("a"))
    holder = sqlite3.connect(sa.make_url(url).database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(CommunityError, match="try again in a moment"):
        community.join(member("b"))
    assert community.crowd().ids == ("a",)
    holder.execute("ROLLBACK")
    community.join(member("b"))
    assert community.crowd().ids == ("a", "b")


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(CommunityError, match="the folder can't be made"):
        Community.open(f"sqlite:///{tmp_path}/file/community.sqlite", model_version="1")


def test_a_folder_in_the_files_place_is_told(tmp_path: Path):
    with pytest.raises(CommunityError, match="can't be opened"):
        Community.open(f"sqlite:///{tmp_path}", model_version="1")


@pytest.mark.parametrize("url", ["", "nonsense", "nosuch://host/name", "sqlite://"])
def test_an_address_that_is_none_is_told(url: str):
    with pytest.raises(CommunityError, match="sqlite:////path/to/community"):
        Community.open(url, model_version="1")


def test_a_community_of_a_newer_program_is_left_alone(community: Community, url: str):
    file = sa.make_url(url).database
    with sqlite3.connect(file) as database:
        database.execute("update meta set value = '99' where key = 'schema'")
    with pytest.raises(CommunityError, match="format 99"):
        Community.open(url, model_version="1")


def test_a_backup_put_back_is_read_afresh(community: Community, tmp_path: Path, url: str):
    community.join(member("a"))
    with sqlite3.connect(sa.make_url(url).database) as now:
        backup = sqlite3.connect(tmp_path / "backup.sqlite")
        now.backup(backup)
    community.join(member("b"))
    assert community.crowd().ids == ("a", "b")
    with sqlite3.connect(sa.make_url(url).database) as now:
        backup.backup(now)
    assert community.crowd().ids == ("a",)


def test_the_settings_that_keep_rows_safe_are_on(community: Community):
    with community.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
