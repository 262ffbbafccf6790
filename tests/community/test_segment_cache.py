"""Segment cache: never older than the rows, and without members who left."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from members import invented, member, people

from twotower.community import Community, ModelVectors, sync
from twotower.community import snapshot as crowds


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'c.sqlite'}"


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """Segments of eight listeners, cached from twenty listeners on."""
    for module in (crowds, sync):
        monkeypatch.setattr(module, "SEGMENT_SIZE", 8)
    monkeypatch.setattr(sync, "ROWS_AT_ONCE", 4)


def started(url: str, version: str = "1") -> Community:
    community = Community.open(url, model_version=version)
    community.database.segment_cache.min_members = 20
    community.snapshot()
    return community


def files(url: str) -> list[Path]:
    return sorted(Path(f"{url.removeprefix('sqlite:///')}-crowd").glob("*"))


def rows_read(community: Community) -> int:
    """Return how many rows are read for a newly loaded snapshot."""
    seen: list[int] = []
    whole = sync.SnapshotLoader._segment

    def segment(self, parts, width=None):
        seen.append(sum(map(len, parts)))
        return whole(self, parts, width)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sync.SnapshotLoader, "_segment", segment)
        community.snapshot()
    return sum(seen)


def again(url: str) -> Community:
    community = Community.open(url, model_version="1")
    community.database.segment_cache.min_members = 20
    return community


def test_a_start_reads_only_rows_that_are_in_no_file(community: Community, url: str):
    community.seed(invented(30))
    started(url)
    assert len(files(url)) == 3  # the last six are not a whole segment
    second = again(url)
    assert rows_read(second) == 6
    assert people(second.snapshot()) == people(community.snapshot())


def test_a_small_community_is_not_cached(community: Community, url: str):
    community.seed(invented(19))
    started(url)
    assert files(url) == []


def test_a_member_who_left_is_in_no_file(community: Community, url: str):
    community.seed(invented(12))
    for n in range(12):
        community.join(member(f"p{n:02d}", seed=500 + n))
    started(url)
    assert len(files(url)) == 3
    gone = member("p02", seed=502)
    assert any(gone.candidate_vector.tobytes() in path.read_bytes() for path in files(url))
    community.leave("p02")
    assert len(files(url)) == 2
    for path in files(url):
        content = path.read_bytes()
        assert b"p02" not in content
        assert gone.candidate_vector.tobytes() not in content
        assert gone.user_vector.tobytes() not in content
    second = again(url)
    assert rows_read(second) == 7 and second.snapshot().row_of("p02") is None
    assert len(files(url)) == 3 and people(second.snapshot()) == people(community.snapshot())


def test_an_update_removes_the_old_vectors(community: Community, url: str):
    for n in range(24):
        community.join(member(f"p{n:02d}", seed=500 + n))
    started(url)
    community.update(member("p03", seed=99))
    assert not any(
        member("p03", seed=503).user_vector.tobytes() in path.read_bytes() for path in files(url)
    )
    assert people(again(url).snapshot()) == people(community.snapshot())


def test_an_outdated_file_is_not_used(community: Community, url: str):
    """As if the process had died between its commit and the removal of the file."""
    for n in range(24):
        community.join(member(f"p{n:02d}", seed=500 + n))
    started(url)
    kept = {path: path.read_bytes() for path in files(url)}
    community.leave("p02")
    for path, content in kept.items():
        path.write_bytes(content)
    second = again(url)
    assert second.snapshot().row_of("p02") is None
    assert not any(b"p02" in path.read_bytes() for path in files(url))


def test_a_member_who_leaves_while_a_file_is_written_is_not_in_it(community, url, monkeypatch):
    for n in range(24):
        community.join(member(f"p{n:02d}", seed=500 + n))
    keep = sync.SnapshotLoader._cache_segments

    def late(self, spans, size) -> None:
        community.leave("p02")
        keep(self, spans, size)

    monkeypatch.setattr(sync.SnapshotLoader, "_cache_segments", late)
    started(url)
    assert len(files(url)) == 2
    assert not any(b"p02" in path.read_bytes() for path in files(url))


def test_a_restored_backup_is_not_mixed_with_later_files(community, url, tmp_path):
    import sqlite3

    file = url.removeprefix("sqlite:///")
    community.seed(invented(5))
    with sqlite3.connect(file) as now, sqlite3.connect(tmp_path / "backup") as backup:
        now.backup(backup)
    for n in range(24):
        community.join(member(f"p{n:02d}", seed=500 + n))
    started(url)
    with sqlite3.connect(file) as now, sqlite3.connect(tmp_path / "backup") as backup:
        backup.backup(now)
    for n in range(24):
        community.join(member(f"q{n}", seed=900 + n))
    fresh = again(url)
    assert people(fresh.snapshot()) == people(community.snapshot())
    assert fresh.snapshot().row_of("p03") is None and len(fresh.snapshot()) == 29


@pytest.mark.parametrize("damage", [b"", b"PK\3\4 half", None])
def test_a_broken_file_is_written_again(community: Community, url: str, damage: bytes | None):
    community.seed(invented(24))
    started(url)
    first = files(url)[0]
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 255
    first.write_bytes(bytes(content) if damage is None else damage)
    assert people(again(url).snapshot()) == people(community.snapshot())
    assert len(files(url)) == 3


def test_everything_works_if_no_file_can_be_written(community: Community, url: str):
    community.seed(invented(24))
    Path(f"{url.removeprefix('sqlite:///')}-crowd").write_text("in the way")
    assert people(started(url).snapshot()) == people(community.snapshot())
    assert community.leave("made3")


def test_each_model_and_synthetic_set_has_its_own_files(community, url):
    community.seed(invented(24))
    started(url)
    assert len(started(url, "2").snapshot()) == 0 and len(files(url)) == 3
    community.seed(invented(25, seed=7))
    assert files(url) == []
    assert people(again(url).snapshot()) == people(community.snapshot())
    with community.database.write() as connection:
        connection.execute(sa.text("INSERT INTO meta VALUES ('active version', '2')"))
    started(url)
    community.drop_vectors("1")
    assert files(url) == [] and len(again(url).snapshot()) == 0


def test_places_and_synthetic_flags_are_cached(community: Community, url: str):
    community.seed(invented(24))
    started(url)
    snapshot, fresh = community.snapshot(), again(url).snapshot()
    assert np.array_equal(snapshot.places, fresh.places) and fresh.synthetic.all()
    assert fresh.seq == snapshot.seq and (fresh.segments[0].seqs == snapshot.segments[0].seqs).all()


def crowded(community: Community, count: int = 24) -> None:
    for n in range(count):
        community.join(member(f"p{n:02d}", seed=500 + n))


def placed(id: str, seed: int) -> ModelVectors:
    new = member(id, seed=seed)
    return ModelVectors(id, new.user_vector, new.candidate_vector, (1.0, 2.0), "m2")


def test_new_vectors_are_in_the_snapshot_and_old_ones_in_no_file(community, url):
    crowded(community)
    reading_on = started(url)
    assert len(files(url)) == 3
    community.put_vectors("1", [placed("p02", 77)])  # of a model that nobody switched to
    for snapshot in (reading_on.snapshot(), again(url).snapshot()):
        row = snapshot.row_of("p02")
        assert (snapshot.user[row] == placed("p02", 77).user).all()
    community.activate(None, model_version="1")
    again(url).snapshot()
    community.put_vectors("1", [placed("p02", 78)])  # of the one that is served
    old = placed("p02", 77).candidate.tobytes()
    assert not any(old in path.read_bytes() for path in files(url))
    assert (reading_on.snapshot().user[-1] == placed("p02", 78).user).all()
    community.leave("p02")
    assert not any(b"p02" in path.read_bytes() for path in files(url))


def test_a_reader_sees_vectors_that_were_added_for_its_model(community, url):
    """As during a rollback, when members who joined since are embedded."""
    crowded(community)
    community.put_vectors("2", [placed(f"p{n:02d}", n) for n in range(20)])
    old = started(url, "2")
    assert len(old.snapshot()) == 20 and len(files(url)) == 2
    community.put_vectors("2", [placed(f"p{n:02d}", n) for n in range(20, 24)])
    assert len(old.snapshot()) == len(started(url, "2").snapshot()) == 24


def test_the_next_start_removes_what_a_kill_left_behind(community, url, monkeypatch):
    """Including files of other models and unfinished ones."""
    crowded(community)
    started(url)
    kept = {path: path.read_bytes() for path in files(url)}
    community.leave("p02")
    for path, content in kept.items():
        path.write_bytes(content)
        path.with_name(f".{path.name}.half").write_bytes(content[:-100])
    started(url, "2")
    assert len(files(url)) == 2
    assert not any(b"p02" in path.read_bytes() for path in files(url))


def test_a_kill_between_files_and_row_keeps_the_listener(community, url):
    """The files are removed first; if the row stays, they are written again."""
    crowded(community)
    started(url)

    class Killed(BaseException):
        pass

    def die(connection) -> None:
        raise Killed

    sa.event.listen(community.database.engine, "commit", die)
    with pytest.raises(Killed):
        community.leave("p02")
    sa.event.remove(community.database.engine, "commit", die)
    assert len(files(url)) == 2
    assert again(url).snapshot().row_of("p02") is not None and len(files(url)) == 3


def test_a_file_renamed_during_a_departure_is_removed_too(community, url, monkeypatch):
    crowded(community)
    started(url)
    first = files(url)[0]
    unlink = Path.unlink

    def quicker(path: Path, missing_ok: bool = False) -> None:
        """Let another process rename the file just before it is removed."""
        if path.name.startswith(".half"):
            path.replace(first)
        unlink(path, missing_ok=missing_ok)

    first.replace(first.with_name(".half"))
    monkeypatch.setattr(Path, "unlink", quicker)
    community.leave("p02")
    assert not any(b"p02" in path.read_bytes() for path in files(url)) and len(files(url)) == 2


def test_an_update_leaves_no_old_bytes_in_the_log(community: Community, url: str):
    crowded(community, 3)
    community.update(member("p01", seed=99))
    old = member("p01", seed=501).user_vector.tobytes()
    file = Path(url.removeprefix("sqlite:///"))
    assert not any(old in path.read_bytes() for path in file.parent.glob("c.sqlite*"))


def test_a_synthetic_listener_gets_another_name_if_a_person_has_it(community: Community):
    person = member("a")
    taken = invented(1)[0].listener.name
    community.join(replace(person, listener=replace(person.listener, name=taken.upper())))
    community.seed(invented(3))
    assert [each.name for each in community.get(["a", "made0"])] == [taken.upper(), f"{taken} 2"]
