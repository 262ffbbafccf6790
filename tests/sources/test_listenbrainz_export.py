"""A person's own export from ListenBrainz: valid, damaged and broken rows."""

import io
import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins import NEWEST, listen

from twotower.core.errors import TwoTowerError, UnreadableExport
from twotower.core.settings import Settings
from twotower.sources.files.listenbrainz_export import is_listens_file, read_listenbrainz_export

FIXTURES = Settings.from_env().data / "import-format-fixtures" / "listenbrainz_listens.jsonl"


def read(raw: bytes, left_out: Counter[str] | None = None):
    return list(read_listenbrainz_export(io.BytesIO(raw), "5.jsonl", left_out=left_out))


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_a_listen_is_a_play_at_its_time_with_the_artists_of_its_credit():
    (play,) = read(lines(listen("Low feat. Slint", "T\x00une", NEWEST, "Low", "Slint")))
    assert (play.artist, play.guests, play.track) == ("Low", ("Slint",), "T une")
    assert play.at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert (play.kind, play.count, play.ms_played) == ("played", 1, None)
    assert read(lines(listen("Low feat. Slint", "T", NEWEST)))[0].artist == "Low feat. Slint"


def test_rows_that_are_no_listen_are_counted_by_reason():
    left_out: Counter[str] = Counter()
    good, nameless = listen("Low", "T", NEWEST), listen(" ", "T", NEWEST)
    assert len(read(lines(good, nameless, 3, {"a": 1}) + b"{half\n", left_out)) == 1
    assert left_out == {"no artist": 1, "other rows": 3}


def test_a_list_that_breaks_off_is_one_clear_error():
    raw = json.dumps([listen("Low", "T", NEWEST)] * 3).encode()
    assert len(read(raw)) == 3
    with pytest.raises(UnreadableExport, match=r"5\.jsonl, row 3.*ends too early"):
        read(raw[:-9])


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("listens/2024/5.jsonl", True),
        ("me/LISTENS/2024/12.jsonl", True),
        ("listens\\2024\\5.jsonl", True),
        ("feedback.jsonl", False),
        ("listens/2024/5.json.exe", False),
        ("mylistens/2024/5.jsonl", False),
    ],
)
def test_files_of_the_export_are_recognised_by_their_path(name: str, is_one: bool):
    assert is_listens_file(name) == is_one


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(["artist_name", "track_name", "mbid_mapping"])
MANGLED = JSON | st.builds(
    lambda field, value: {"track_metadata": {field: value}, "listened_at": value}, FIELDS, JSON
)


@given(st.lists(st.none() | MANGLED.map(lambda row: (row,))), st.booleans())
def test_damaged_rows_never_hide_a_valid_one(rows: list[tuple[object] | None], listed: bool):
    good = listen("Good One", "T", NEWEST)
    made = [good, *(good if row is None else row[0] for row in rows)]
    raw = json.dumps(made).encode() if listed else lines(*made)
    left_out: Counter[str] = Counter()
    found = read(raw, left_out)
    assert sum(play.artist == "Good One" for play in found) > rows.count(None)
    assert len(found) + left_out.total() == len(made)


@given(st.binary(max_size=300))
def test_any_bytes_lead_to_plays_or_our_errors(raw: bytes):
    try:
        read(raw)
    except TwoTowerError as error:
        told = str(error)
        assert told.startswith("5.jsonl")


@pytest.mark.skipif(not FIXTURES.exists(), reason="no import-format-fixtures in the data folder")
def test_a_real_export_agrees_with_a_count_by_hand():
    raw = FIXTURES.read_bytes()
    rows = [json.loads(line) for line in raw.splitlines() if line.strip()]
    found = read(raw)
    assert len(found) == len(rows)
    for play, row in zip(found, rows, strict=True):
        told = row["track_metadata"]
        credit = [one["artist_credit_name"] for one in told["mbid_mapping"]["artists"]]
        assert [play.artist, *play.guests] == credit
        assert play.track == told["track_name"]
        assert play.at is not None and play.at.timestamp() == row["listened_at"]
