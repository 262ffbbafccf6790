"""Everything of an export dropped at once: music is read, the rest is passed over and named."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.errors import NoMusic, NotListening, TwoTowerError
from twotower.sources.collector import Reading
from twotower.sources.reader import read_files


def read(*files: tuple[str, bytes]) -> Reading:
    return read_files([(name, io.BytesIO(raw)) for name, raw in files])


def zipped(members: Mapping[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return raw.getvalue()


def account(*ends: str, track: str = "Monkey") -> bytes:
    return json.dumps(
        [
            {"endTime": end, "artistName": "Low", "trackName": track, "msPlayed": 200_000}
            for end in ends
        ]
    ).encode()


def extended(*ends: str, **more: object) -> bytes:
    return json.dumps(
        [
            {
                "ts": end,
                "ms_played": 200_000,
                "master_metadata_track_name": "Monkey",
                "master_metadata_album_artist_name": "Low",
                **more,
            }
            for end in ends
        ]
    ).encode()


MUSIC = ("StreamingHistory_music_0.json", account("2025-06-02 10:00"))
FOREIGN = {
    "Follow.json": b'{"followerCount": 0}',
    "Inferences.json": b'{"inferences": ["a"]}',
    "SearchQueries.json": b'[{"searchQuery": "low", "searchTime": "2025-06-01"}]',
    "Read Me First.pdf": b"%PDF-1.7\n\x00\xff",
    "subscriptions.csv": b"Channel Id,Channel Title\nUCx,Wheel Shed\n",
    "empty.csv": b"",
    "blank.jsonl": b"\n",
    "feedback.jsonl": b'{"recording_mbid": "x", "score": 1, "created": 1772478321}\n',
    "notes.zip": zipped({"notes.txt": b"x"}),
}


def passed_over(reading: Reading) -> set[str]:
    return {report.name for report in reading.reports if report.passed_over}


def test_files_without_listening_are_passed_over_and_named():
    reading = read(*FOREIGN.items(), MUSIC)
    assert sum(play.count for play in reading.plays) == 1
    assert passed_over(reading) == set(FOREIGN)
    assert [report.plays for report in reading.reports if not report.passed_over] == [1]


@pytest.mark.parametrize("name", FOREIGN)
def test_alone_they_are_one_clear_line(name: str):
    with pytest.raises((NotListening, NoMusic)) as caught:
        read((name, FOREIGN[name]))
    assert str(caught.value).startswith(name)
    with pytest.raises(NoMusic, match=r"^2 files: no music in it, but 2 files of another kind"):
        read((name, FOREIGN[name]), ("Userdata.json", b'{"username": "x"}'))


def test_foreign_and_empty_tables_in_a_zip_are_passed_over():
    raw = zipped({"plays.csv": b"artist,plays\nLow,3\n", "a.csv": b"", "b.csv": b"x,y\n1,2\n"})
    reading = read(("export.zip", raw))
    assert sum(play.count for play in reading.plays) == 3
    assert passed_over(reading) == {"export.zip/a.csv", "export.zip/b.csv"}


def test_a_zip_in_a_zip_is_opened_one_level_deep():
    inner = zipped({f"Data/{MUSIC[0]}": MUSIC[1], "Data/Notes.csv": b"artist\nPrivate\n"})
    reading = read(("Archive.zip", zipped({"more/my_data.zip": inner, "bills.csv": b"x\n1\n"})))
    assert [report.name for report in reading.reports] == [f"Archive.zip/my_data.zip/{MUSIC[0]}"]
    with pytest.raises(NoMusic):
        read(("a.zip", zipped({"b.zip": zipped({"c.zip": inner})})))


def test_a_damaged_zip_in_a_zip_is_one_clear_line():
    inner = zipped({MUSIC[0]: MUSIC[1]})
    with pytest.raises(TwoTowerError, match=r"a.zip/b.zip: the ZIP is damaged or incomplete"):
        read(("a.zip", zipped({"b.zip": inner[:-30]})))


def tar() -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return raw.getvalue()


def open_document() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    return raw.getvalue()


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("a.tar", tar(), "this is a tar archive: unpack it and choose the files inside"),
        ("a.tgz", gzip.compress(tar(), mtime=0), "this is a tar archive: unpack it"),
        ("a.rar", b"Rar!\x1a\x07\x01\x00" + bytes(50), "this is a RAR archive: unpack it"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(50), "this is a 7z archive: unpack it"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "save its sheet as CSV"),
        ("a.ods", open_document(), "this is a workbook: save its sheet as CSV"),
    ],
)
def test_archives_of_other_kinds_say_what_to_do(name: str, raw: bytes, says: str):
    with pytest.raises(NotListening, match=says):
        read((name, raw))


def test_the_account_history_fills_the_gaps_between_extended_files():
    reading = read(
        ("StreamingHistory_music_0.json", account("2025-06-01 10:00", "2026-05-01 10:00")),
        ("Streaming_History_Audio_2014_0.json", extended("2014-05-01T10:00:00Z")),
        ("Streaming_History_Audio_2026_9.json", extended("2026-05-01T10:00:30Z")),
    )
    assert reading.reports[0].left_out == {"in the extended history too": 1}
    assert sum(play.count for play in reading.plays) == 3


def test_plays_of_a_private_session_are_left_out_and_counted():
    private = extended("2026-05-01T10:00:00Z", "2026-05-01T10:05:00Z", incognito_mode=True)
    public = extended("2026-05-02T10:00:00Z", incognito_mode=False)
    reading = read(("endsong_0.json", private), ("endsong_1.json", public))
    assert reading.reports[0].left_out == {"in private sessions": 2}
    assert sum(play.count for play in reading.plays) == 1


def test_loved_and_pinned_tracks_of_listenbrainz_are_no_plays():
    listen = {"track_metadata": {"artist_name": "Low", "track_name": "Monkey"}}
    rows = [{**listen, "listened_at": 1772478321}, {**listen, "score": 1}]
    raw = "\n".join(map(json.dumps, rows)).encode()
    (report,) = read(("5.jsonl", raw)).reports
    assert (report.plays, dict(report.left_out)) == (1, {"loved, hated or pinned tracks": 1})


def test_placeholders_give_way_to_the_artist_beside_them():
    raw = b"Track URI,Track Name,Artist Name(s),Record Label\n1,Monkey,Various Artists;Low,x\n"
    (play,) = read(("Liked_Songs.csv", raw)).plays
    assert (play.artist, play.guests) == ("Low", ())


def table(number: int, plays: list[int]) -> bytes:
    rows = "".join(f"Band {number} {n},{count}\n" for n, count in enumerate(plays))
    return f"artist,plays\n{rows}".encode()


PLAYS = st.lists(st.integers(1, 9), min_size=1, max_size=3)


@given(
    st.lists(PLAYS, max_size=3),
    st.lists(st.sampled_from(sorted(FOREIGN)), max_size=4),
    st.lists(st.binary(max_size=30).map(lambda raw: b"~" + raw), max_size=2),
    st.booleans(),
)
def test_any_mixture_of_files_loses_no_play(
    tables: list[list[int]], foreign: list[str], noise: list[bytes], in_zip: bool
):
    named = {f"t{number}.csv": table(number, plays) for number, plays in enumerate(tables)}
    named |= {f"noise{number}.csv": raw for number, raw in enumerate(noise)}
    files = [("all.zip", zipped(named))] if in_zip else list(named.items())
    reading = read(*files, *((name, FOREIGN[name]) for name in foreign), MUSIC)
    found = {play.artist: play.count for play in reading.plays}
    for number, plays in enumerate(tables):
        assert [found[f"Band {number} {n}"] for n in range(len(plays))] == plays
