"""The dump of ListenBrainz: by month and packed, broken here and there, larger than memory."""

import gzip
import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.domain import Profile
from twotower.core.errors import MissingData, UnreadableExport
from twotower.core.names import artist_key
from twotower.sources.datasets import listenbrainz_dump
from twotower.sources.datasets.listenbrainz_dump import read_listeners
from twotower.sources.datasets.readers import read_dataset

MAY, JUNE = 1_715_000_000, 1_718_000_000  # 6 May and 10 June 2024


def listen(user: Any, artist: str, at: Any = MAY, *credit: str) -> dict[str, Any]:
    """Return a row as the dump has it, mapped to MusicBrainz if there is a `credit`."""
    told: dict[str, Any] = {"artist_name": artist, "track_name": "A song", "additional_info": {}}
    if credit:
        told["mbid_mapping"] = {"artists": [{"artist_credit_name": name} for name in credit]}
    return {"user_id": user, "user_name": f"name {user}", "listened_at": at, "track_metadata": told}


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


FIRST = lines(listen(1, "Low"), listen(2, "Múm"), listen(1, "The Low", JUNE))
SECOND = lines(listen(1, "Low feat. Slint", JUNE, "Low", "Slint"), listen(2, "Múm", None))
SUMS = {"1": {"low": 3.0, "slint": 1.0}, "2": {"mum": 2.0}}


def archive(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"listenbrainz-listens-dump-1-full/{name.replace('_', '/')}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


DUMP = archive(**{
    "COPYING": b"CC0",
    "listens_2024_5.listens": FIRST,
    "listens_2024_6.listens": SECOND,
})  # fmt: skip


def zst(raw: bytes) -> bytes:
    packed = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(packed, "zstd") as out:
        out.write(raw)
    return packed.getvalue().to_pybytes()


def sums(profiles: list[Profile]) -> dict[str, dict[str, float]]:
    return {p.id: {key: artist.plays for key, artist in p.artists.items()} for p in profiles}


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_listens_are_summed_up_by_listener_over_the_months(tmp_path: Path):
    put(tmp_path / "listens" / "2024" / "5.listens", FIRST)
    put(tmp_path / "listens" / "2024" / "6.listens", SECOND)
    found = list(read_listeners(tmp_path))
    assert sums(found) == SUMS
    one, two = found
    assert (one.origin, one.name, one.artists["low"].name) == ("listenbrainz", "", "Low")
    assert (str(one.since), str(one.until)) == ("2024-05-06", "2024-06-10")
    assert (str(two.since), str(two.until)) == ("2024-05-06", "2024-05-06")  # one has no time


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tar", DUMP),
        ("a.tar.zst", zst(DUMP)),
        ("a.tar.gz", gzip.compress(DUMP)),
        ("5.listens", FIRST + SECOND),
        ("5.listens.gz", gzip.compress(FIRST + SECOND)),
        ("5.listens.zst", zst(FIRST + SECOND)),
    ],
)
def test_every_compression_leads_to_the_same_profiles(name: str, content: bytes, tmp_path: Path):
    assert sums(list(read_listeners(put(tmp_path / name, content).parent))) == SUMS
    assert sums(list(read_listeners(tmp_path / name))) == SUMS


def test_an_archive_that_is_unpacked_beside_itself_is_read_once(tmp_path: Path):
    put(tmp_path / "dump-1-full.tar.zst", zst(DUMP))
    put(tmp_path / "dump-1-full" / "listens" / "2024" / "5.listens", FIRST + SECOND)
    put(tmp_path / "dump-2-incremental.tar", archive(**{"listens_2024_7.listens": FIRST}))
    assert sums(list(read_listeners(tmp_path)))["1"] == {"low": 5.0, "slint": 1.0}


def test_a_dump_larger_than_memory_has_the_same_profiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = [listen(n % 7, f"Artist {n % 11}", MAY + 86_400 * n) for n in range(300)]
    put(tmp_path / "5.listens", lines(*rows))
    whole = {profile.id: profile for profile in read_listeners(tmp_path)}
    monkeypatch.setattr(listenbrainz_dump, "MOST_PAIRS", 5)
    sizes: list[int] = []
    real = listenbrainz_dump._PlaySums._write_out
    monkeypatch.setattr(
        listenbrainz_dump._PlaySums,
        "_write_out",
        lambda self: (sizes.append(len(self._in_memory)), real(self)),
    )
    partitioned = {profile.id: profile for profile in read_listeners(tmp_path)}
    assert sums(list(partitioned.values())) == sums(list(whole.values()))
    assert {p.id: (p.since, p.until) for p in partitioned.values()} == {
        p.id: (p.since, p.until) for p in whole.values()
    }
    assert len(sizes) > 20 and max(sizes) == 6


def test_temporary_files_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    waiting = tmp_path / "tmp"
    waiting.mkdir()
    monkeypatch.setattr(listenbrainz_dump, "MOST_PAIRS", 1)
    monkeypatch.setattr("tempfile.tempdir", str(waiting))
    reading = read_listeners(put(tmp_path / "5.listens", FIRST))
    next(reading)
    assert list(waiting.iterdir())
    reading.close()
    assert not list(waiting.iterdir())


def test_lines_that_are_no_listen_are_counted_and_the_others_are_read(tmp_path: Path):
    rows = [listen(1, "Low"), [], {"track_metadata": 3}, listen(None, "Low"), listen(1, " \u200b")]
    rows[3] = {**rows[3], "user_name": None}
    content = lines(*rows) + b'{"broken": \n\n' + lines(listen("x", "Low", True))
    left_out: Counter[str] = Counter()
    found = list(read_listeners(put(tmp_path / "5.listens", content), left_out=left_out))
    assert sums(found) == {"1": {"low": 1.0}, "x": {"low": 1.0}}
    assert left_out == {
        "other lines": 2,
        "no listener": 1,
        "no artist": 1,
        "broken lines": 1,
        "empty lines": 1,
    }


def test_without_numbers_the_id_is_the_user_name(tmp_path: Path):
    row = listen(1, "Low")
    del row["user_id"]
    (found,) = read_listeners(put(tmp_path / "5.listens", lines(row)))
    assert found.id == "name 1"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tar.zst", zst(DUMP)[:-200]),
        ("a.tar.zst", b"no zstd at all"),
        ("a.tar", DUMP[:3000]),
        ("5.listens.gz", gzip.compress(FIRST)[:-9]),
        ("a.tar.gz", gzip.compress(DUMP)[:200]),
    ],
)
def test_a_damaged_file_is_one_clear_line(name: str, content: bytes, tmp_path: Path):
    with pytest.raises(UnreadableExport, match=r"damaged.*docs/data\.md") as caught:
        list(read_listeners(put(tmp_path / name, content)))
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_dump_without_listens_is_a_clear_error(tmp_path: Path):
    other = put(tmp_path / "a.tar", archive(**{"lbdump_user": b"1\tname\n"}))
    with pytest.raises(UnreadableExport, match="no listens in it"):
        list(read_listeners(other))


def test_a_dump_for_spark_is_recognised(tmp_path: Path):
    put(tmp_path / "0.parquet", b"PAR1")
    with pytest.raises(MissingData, match="Spark dumps"):
        list(read_listeners(tmp_path))


def test_an_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listenbrainz_dump, "LONGEST_LINE", 1 << 20)
    with pytest.raises(UnreadableExport, match="a line has more than"):
        list(read_listeners(put(tmp_path / "5.listens", FIRST + b"x" * (3 << 20))))


def test_progress_rises_and_names_the_month(tmp_path: Path):
    rows = [listen(n % 50, "Low") for n in range(45_000)]
    put(tmp_path / "a.tar", archive(**{"listens_2024_5.listens": lines(*rows)}))
    put(tmp_path / "6.listens", SECOND)
    told: list[tuple[float, str]] = []
    list(read_listeners(tmp_path, progress=lambda share, what: told.append((share, what))))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and len(shares) == 4 and 0 < shares[-1] <= 1
    assert {what for _, what in told} == {"Reading 6.listens", "Reading 2024/5.listens"}


def test_the_data_set_is_read_by_its_name(tmp_path: Path):
    put(tmp_path / "listenbrainz-dump" / "a.tar.zst", zst(DUMP))
    assert sums(list(read_dataset("listenbrainz", tmp_path))) == SUMS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(["user_id", "listened_at", "track_metadata", "user_name"])
MANGLED = st.one_of(
    JSON,
    st.builds(lambda field, value: {**listen(9, "Low"), field: value}, FIELDS, JSON),
    st.builds(lambda value: listen(9, "Low") | {"track_metadata": value}, JSON),
    st.builds(lambda v: listen(9, "x", MAY, "x") | {"track_metadata": {"mbid_mapping": v}}, JSON),
)


@given(st.lists(st.one_of(st.just(None), MANGLED.map(lambda row: (row,)))))
def test_damaged_lines_never_hide_a_valid_one(tmp_path_factory, rows: list[tuple[object] | None]):
    path = tmp_path_factory.mktemp("dump") / "5.listens"
    good = listen("good", "Slint")
    put(path, lines(good, *(good if row is None else row[0] for row in rows)))
    found = sums(list(read_listeners(path)))
    assert found["good"][artist_key("Slint")] == 1 + rows.count(None)
