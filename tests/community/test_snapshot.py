"""Snapshots in segments behave like one array, and older ones stay valid."""

import numpy as np
import pytest

from twotower.community import snapshot as crowds
from twotower.community.snapshot import MemberSnapshot, Segment, SnapshotBuilder, encode_ids

DIM = 4


def segment(*seqs: int, prefix: str = "p") -> Segment:
    """Return a segment with one listener for each number; all values follow from it."""
    user = np.repeat(np.array(seqs, np.float32)[:, None], DIM, axis=1)
    places = np.stack([user[:, 0], -user[:, 0]], axis=1) if seqs else np.zeros((0, 2), np.float32)
    ids = encode_ids([f"{prefix}{seq}" for seq in seqs])
    synthetic = np.array([seq % 2 == 0 for seq in seqs], bool)
    return Segment(np.array(seqs, np.int64), ids, user, -user, places, synthetic)


def sound(snapshot: MemberSnapshot, numbers: list[int]) -> None:
    """Check that the snapshot has exactly these listeners, in this order, in every array."""
    assert snapshot.ids == [f"p{number}" for number in numbers]
    wanted = np.array(numbers, np.float32)
    assert len(snapshot) == snapshot.total == len(numbers)
    if numbers:
        rows = np.arange(len(snapshot))
        assert (snapshot.user[rows][:, 0] == wanted).all()
        assert (snapshot.candidate[rows][:, -1] == -wanted).all()
        assert (np.asarray(snapshot.user)[:, 0] == wanted).all()
    assert (snapshot.places[:, 1] == -wanted).all()
    assert (snapshot.synthetic == (wanted % 2 == 0)).all()
    assert snapshot.rows_of([f"p{number}" for number in numbers]).tolist() == list(
        range(len(numbers))
    )
    assert snapshot.row_of("nobody") is None


def test_random_changes_agree_with_a_plain_list(monkeypatch):
    monkeypatch.setattr(crowds, "SEGMENT_SIZE", 7)
    monkeypatch.setattr(crowds, "MIN_CAPACITY", 3)
    rng = np.random.default_rng(0)
    builder, numbers, last, before = SnapshotBuilder(), [], 0, []
    for _ in range(400):
        gone = [n for n in numbers if rng.random() < 0.06]
        new = list(range(last + 1, last + 1 + rng.integers(4)))
        last += len(new)
        builder.change([f"p{n}" for n in gone], segment(*new))
        numbers = [n for n in numbers if n not in gone] + new
        snapshot = builder.build(last)
        sound(snapshot, numbers)
        before.append((snapshot, list(numbers)))
    for snapshot, then in before[::17]:
        sound(snapshot, then)  # whoever holds the old one keeps it whole
    assert max(len(each) for each in snapshot.segments) <= 7 < len(numbers)


def test_a_change_shares_all_segments_that_it_does_not_touch(monkeypatch):
    monkeypatch.setattr(crowds, "SEGMENT_SIZE", 10)
    builder = SnapshotBuilder()
    for start in range(0, 50, 10):
        builder.add(segment(*range(start, start + 10)))
    before = builder.build(50)
    builder.change(["p23"], segment(60))
    after = builder.build(60)
    same = [one is other for one, other in zip(before.segments, after.segments, strict=False)]
    assert same == [True, True, False, True, True]
    builder.change([], segment(61))
    with_room = builder.build(61).segments[-1].user
    builder.change([], segment(62))
    assert builder.build(62).segments[-1].user.base is with_room.base is not None  # behind it


def test_an_id_longer_than_earlier_ones_is_stored_whole():
    builder = SnapshotBuilder()
    builder.add(segment(1))
    builder.change([], segment(2, prefix="a much longer id "))
    assert builder.build(2).ids == ("p1", "a much longer id 2")


def test_an_empty_snapshot_finds_nobody():
    nobody = SnapshotBuilder().build(0)
    assert (len(nobody), nobody.row_of("a")) == (0, None)
    assert nobody.nearest(np.ones(DIM, np.float32), 3).ids == ()


@pytest.mark.parametrize("row", [-1, 0, 6, 12])
def test_several_segments_are_indexed_like_one_array(row: int):
    builder = SnapshotBuilder()
    for start in (0, 5, 6):
        builder.add(segment(*range(start, start + 5)))
    stacked = builder.build(20).user
    whole = np.asarray(stacked)
    assert (stacked[row] == whole[row]).all()
    assert (stacked[3:9] == whole[3:9]).all() and (stacked[[9, 0]] == whole[[9, 0]]).all()
    with pytest.raises(IndexError, match="out of range for 15 rows"):
        stacked[[15]]


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        segment(1).user[0] = 0
