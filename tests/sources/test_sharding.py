"""Shards of files: read, packed and embedded separately, they equal the whole."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from planted import make_profile, ring, ring_content

from twotower.core.domain import Playlist, Profile
from twotower.core.errors import BadProfile, IncompatibleModel, MissingData
from twotower.model import packed_profiles, vector_files
from twotower.model.packed_profiles import PackedProfiles, pack
from twotower.model.pipeline import prepare
from twotower.model.vector_files import VectorInfo, VectorWriter
from twotower.sources import sharding
from twotower.sources.profile_jsonl import profile_to_json, write_profiles
from twotower.sources.sharding import Shard, read_shard

LISTENERS = ring(47, artists=6)


@pytest.fixture
def files(tmp_path, monkeypatch) -> list[Path]:
    """Three files of 47 listeners in blocks of five lines, one packed, one with a blank line."""
    monkeypatch.setattr(sharding, "BLOCK", 5)
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl")]
    for path, people in zip(paths, (LISTENERS[:12], LISTENERS[12:34], LISTENERS[34:]), strict=True):
        write_profiles(people, path)
    text = paths[2].read_text(encoding="utf-8").splitlines()
    paths[2].write_text("\n".join([*text[:3], "", *text[3:]]), encoding="utf-8")
    return paths


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_shards_have_each_listener_once_in_the_same_blocks_as_the_whole(files, count):
    whole = list(read_shard(files))
    assert [p.id for _, block in whole for p in block] == [p.id for p in LISTENERS]
    assert max(len(block) for _, block in whole) == 5
    parts = [list(read_shard(files, Shard(number, count))) for number in range(count)]
    assert sorted(chain(*parts), key=lambda found: found[0]) == whole
    assert all(part == sorted(part, key=lambda found: found[0]) for part in parts)
    if count == 3:  # whole files
        assert all(len({place // sharding.LINES for place, _ in part}) == 1 for part in parts)


def test_lines_of_other_shards_are_not_read(files):
    lines = files[0].read_text(encoding="utf-8").splitlines()
    files[0].write_text("\n".join(["spoilt"] * 5 + lines[5:]), encoding="utf-8")
    first, second = ([files[0]], Shard(0, 2)), ([files[0]], Shard(1, 2))
    assert [p.id for _, block in read_shard(*second) for p in block] == [
        p.id for p in LISTENERS[5:10]
    ]
    with pytest.raises(BadProfile, match=r"a\.jsonl, line 1"):
        list(read_shard(*first))
    with pytest.raises(MissingData):
        next(read_shard([files[0], files[0].with_name("none")]))


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/3", "1/0", "a/b", "1/2/3"])
def test_an_invalid_shard_is_refused(text):
    with pytest.raises(ValueError, match="is not a shard"):
        Shard.parse(text)
    assert Shard.parse("3/8") == Shard(3, 8)


def plain(profile: Profile) -> dict[str, object]:
    """Return the fields that training reads of a profile."""
    told = profile_to_json(profile)
    return {name: told.get(name) for name in ("id", "origin", "artists", "playlists")}


def test_joined_packed_shards_equal_the_packed_whole(files):
    whole = pack(read_shard(files))
    assert [plain(p) for p in whole] == [plain(p) for p in LISTENERS]
    for count in (2, 5):
        parts = [pack(read_shard(files, Shard(number, count))) for number in range(count)]
        joined = packed_profiles.join(parts)
        assert [plain(p) for p in joined] == [plain(p) for p in LISTENERS]
        assert joined.positions.tolist() == whole.positions.tolist()


def test_packing_keeps_titles_and_the_first_spelling():
    one = Profile("a", make_profile("", {"x": 2.5}).artists, playlists=(Playlist("Gym"),))
    shouting = make_profile("b", {"x": 3.0})
    object.__setattr__(shouting.artists["x"], "name", "X")
    early, late = pack([(7, [one])]), pack([(3, [shouting])])
    both = packed_profiles.join([early, late])
    assert [p.id for p in both] == ["b", "a"]
    assert {p.artists["x"].name for p in both} == {"X"}
    assert both[1].playlists == (Playlist("Gym"),) and both[-1].artists["x"].plays == 2.5
    assert isinstance(both[:1], PackedProfiles) and [p.id for p in both[1:]] == ["a"]
    assert packed_profiles.join([pack([]), pack([])]).sizes.tolist() == []


def test_training_reads_packed_profiles_as_any_others():
    people = [*ring(45, artists=6), make_profile("small", {"artist 1": 1.0})]
    usual = prepare(people, ring_content())
    lean = prepare(pack([(0, people)]), ring_content())
    assert isinstance(lean.used, PackedProfiles) and len(lean.used) == 45
    assert lean.data.keys == usual.data.keys and lean.data.names == usual.data.names
    assert (lean.data.weights != usual.data.weights).nnz == 0
    for one, other in zip(lean.features.per_fold, usual.features.per_fold, strict=True):
        assert np.array_equal(one.inputs, other.inputs)


def write(path: Path, made: VectorInfo, *blocks: tuple[int, list[str]]) -> Path:
    with VectorWriter(path, made, dim=3) as to:
        for place, ids in blocks:
            vectors = np.arange(3 * len(ids), dtype=np.float32).reshape(-1, 3) + place
            to(place, ids, vectors, np.full((len(ids), 3), (0.5, 0.25, 0.75), np.float32))
    return path


A, LONG = ["a", "b"], ["a much longer id", "é"]


def test_joined_vector_shards_equal_the_file_of_one_process(tmp_path):
    whole = write(tmp_path / "w.npz", VectorInfo("m", "user"), (0, A), (9, LONG), (20, ["z"]))
    parts = [
        write(tmp_path / "0.npz", VectorInfo("m", "user", Shard(0, 3)), (9, LONG)),
        write(tmp_path / "1.npz", VectorInfo("m", "user", Shard(1, 3)), (0, A), (20, ["z"])),
        write(tmp_path / "2.npz", VectorInfo("m", "user", Shard(2, 3))),
    ]
    found = vector_files.join(parts[::-1], tmp_path / "joined.npz")
    means = {"coverage": 0.5, "known_from_listening": 0.25, "confidence": 0.75}
    assert found == (VectorInfo("m", "user"), 5, 3, means)
    assert (tmp_path / "joined.npz").read_bytes() == whole.read_bytes()
    with np.load(whole, allow_pickle=False) as arrays:
        assert arrays["ids"].tolist() == [*A, *LONG, "z"]
        assert arrays["vectors"][2].tolist() == [9, 10, 11]


def test_shards_of_an_earlier_version_are_joined_by_the_columns_they_have(tmp_path):
    older = write(tmp_path / "0.npz", VectorInfo("m", "user", Shard(0, 2)), (0, A))
    newer = write(tmp_path / "1.npz", VectorInfo("m", "user", Shard(1, 2)), (2, LONG))
    with np.load(older) as arrays:
        kept = {name: arrays[name] for name in arrays if "known" not in name}
    np.savez(older, **{name: each for name, each in kept.items() if name != "confidence"})
    _, rows, _, means = vector_files.join([older, newer], tmp_path / "joined.npz")
    assert (rows, means) == (4, {"coverage": 0.5})
    with np.load(tmp_path / "joined.npz") as arrays:
        assert sorted(arrays) == ["coverage", "ids", "vectors"]


@pytest.mark.parametrize(
    ("second", "error", "said"),
    [
        (VectorInfo("m", "user", Shard(0, 2)), MissingData, "0/2, 0/2 are not a complete set"),
        (VectorInfo("m", "user", Shard(1, 3)), MissingData, "0/2, 1/3 are not a complete set"),
        (VectorInfo("n", "user", Shard(1, 2)), IncompatibleModel, "is of model n, user tower"),
        (VectorInfo("m", "candidate", Shard(1, 2)), IncompatibleModel, "candidate tower"),
        (VectorInfo("m", "user"), BadProfile, "1.npz: is not a file of"),
    ],
)
def test_shards_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path, second, error, said):
    first = write(tmp_path / "0.npz", VectorInfo("m", "user", Shard(0, 2)), (0, A))
    other = write(tmp_path / "1.npz", second, (2, A))
    with pytest.raises(error, match=said):
        vector_files.join([first, other], tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_a_damaged_shard_is_named(tmp_path):
    first = write(tmp_path / "0.npz", VectorInfo("m", "user", Shard(0, 1)), (0, A))
    first.write_bytes(first.read_bytes()[:200])
    with pytest.raises(BadProfile, match=r"0.npz: is not a file"):
        vector_files.join([first], tmp_path / "out.npz")


def test_failed_writing_leaves_nothing(tmp_path):
    with (
        pytest.raises(KeyError),
        VectorWriter(tmp_path / "v.npz", VectorInfo("m", "user"), dim=3) as to,
    ):
        to(0, A, np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32))
        raise KeyError
    assert list(tmp_path.iterdir()) == []
