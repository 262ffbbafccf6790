"""Files of any kind, recognised by content: mixed, packed, broken and hostile."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from twotower.core.domain import HOURS, SPOTIFY_WEB_API
from twotower.core.errors import (
    BadProfile,
    NoMusic,
    SourceError,
    TooLarge,
    UnreadableExport,
)
from twotower.core.names import artist_key
from twotower.core.settings import Settings
from twotower.sources import collector, reader
from twotower.sources.files import archives, unpacking
from twotower.sources.reader import NamedFile, read_files

DATA = Settings.from_env().data
PERSONAL = sorted((DATA / "spotify-user-exports").glob("*/*.gz"))

ACCOUNT = "StreamingHistory_music_0.json"
EXTENDED = "Streaming_History_Audio_2024_0.json"
CSV = "artist,track,plays\nSlint,Washer,3\n"
PROFILE = '{"id": "u1", "artists": [{"name": "Codeine", "plays": 5}]}\n'


def account(*times: str, artist: str = "Low", ms: int = 184_000) -> bytes:
    return json.dumps(
        [
            {"endTime": time, "artistName": artist, "trackName": "Monkey", "msPlayed": ms}
            for time in times
        ]
    ).encode()


def extended(*times: str, artist: str = "Low", ms: int = 184_000) -> bytes:
    return json.dumps(
        [
            {
                "ts": time,
                "ms_played": ms,
                "ip_addr": "private",
                "master_metadata_track_name": "Monkey",
                "master_metadata_album_artist_name": artist,
            }
            for time in times
        ]
    ).encode()


def podcasts(count: int) -> bytes:
    row = {"endTime": "2024-01-05 14:23", "podcastName": "P", "episodeName": "E", "msPlayed": 9}
    return json.dumps([row] * count).encode()


def zipped(members: Mapping[str, bytes], **options: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def read(*named: tuple[str, bytes]):
    return read_files([(name, io.BytesIO(raw)) for name, raw in named])


def plays_of(*named: tuple[str, bytes]) -> dict[str, int]:
    plays: dict[str, int] = {}
    for play in read(*named).plays:
        plays[play.artist] = plays.get(play.artist, 0) + play.count
    return plays


def test_plays_of_one_track_are_one_entry_with_count_and_days():
    reading = read((ACCOUNT, account("2024-01-05 14:23", "2024-03-01 10:00", "2024-02-01 10:00")))
    (play,) = reading.plays
    assert (play.artist, play.track, play.count) == ("Low", "Monkey", 3)
    assert play.at is not None
    assert play.at.date().isoformat() == "2024-03-01"
    assert (str(reading.since), str(reading.until)) == ("2024-01-05", "2024-03-01")
    (report,) = reading.reports
    assert (report.name, report.plays, report.artists) == (ACCOUNT, 3, 1)
    assert (str(report.since), str(report.until)) == ("2024-01-05", "2024-03-01")
    assert reading.origin == "file"


def test_the_clock_counts_plays_by_hour_of_the_week():
    saved = {"tracks": [{"artist": "Low", "track": "Monkey"}]}
    monday, sunday = account("2024-01-01 00:05", "2024-01-08 00:59"), "2024-01-07T23:59:59Z"
    reading = read(
        ("StreamingHistory0.json", monday),
        (EXTENDED, extended(sunday)),
        ("YourLibrary.json", json.dumps(saved).encode()),
        ("short.json", account("2024-01-02 10:00", ms=5)),
        ("days.csv", b"artist,date\nLow,2024-01-03\n"),
    )
    assert len(reading.clock) == HOURS
    assert {hour: count for hour, count in enumerate(reading.clock) if count} == {0: 2, 167: 1}
    assert read(("days.csv", b"artist,date\nLow,2024-01-03\n")).clock == ()


def test_a_play_counts_from_thirty_seconds():
    short, long = account("2024-01-05 14:23", ms=29_999), account("2024-01-06 14:23", ms=30_000)
    reading = read(("StreamingHistory0.json", short), ("StreamingHistory1.json", long))
    assert [play.count for play in reading.plays] == [1]
    assert reading.reports[0].left_out == {"shorter than 30 s": 1}


def test_kinds_are_recognised_by_content_whatever_the_name():
    raw = account("2024-01-05 14:23")
    named = ("download", "a.txt", "music.csv", "x.json")
    for name in named:
        assert plays_of((name, raw)) == {"Low": 1}
        assert plays_of((name, gzip.compress(raw))) == {"Low": 1}
        assert plays_of((name, zipped({f"MyData/{ACCOUNT}": raw}))) == {"Low": 1}
    assert plays_of(("x.jsonl.txt", CSV.encode())) == {"Slint": 3}


def test_several_files_of_every_kind_are_one_reading():
    library = {"tracks": [{"artist": "Bark Psychosis", "album": "Hex", "track": "Fingerspit"}]}
    playlist = {
        "playlists": [
            {"name": "P", "items": [{"track": {"trackName": "T", "artistName": "Tortoise"}}]}
        ]
    }
    reading = read(
        ("me.jsonl", PROFILE.encode()),
        ("plain.csv", CSV.encode("utf-16")),
        ("Playlist1.json", json.dumps(playlist).encode()),
        ("my_spotify_data.zip", zipped({f"a/b/c/{EXTENDED}": extended("2024-05-01T22:55:30Z")})),
        ("YourLibrary.json.gz", gzip.compress(json.dumps(library).encode())),
    )
    assert {play.artist: play.kind for play in reading.plays} == {
        "Low": "played",
        "Slint": "played",
        "Bark Psychosis": "saved",
        "Tortoise": "listed",
    }
    assert [profile.id for profile in reading.profiles] == ["u1"]
    assert [report.name for report in reading.reports] == [
        "me.jsonl",
        "plain.csv",
        "Playlist1.json",
        f"my_spotify_data.zip/{EXTENDED}",
        "YourLibrary.json.gz",
    ]


def test_one_file_of_exportify_sets_the_origin_of_the_whole_reading():
    exportify = b"Track URI,Track Name,Artist Name(s)\nspotify:track:1,Monkey,Low\n"
    reading = read((ACCOUNT, account("2024-01-05 14:23")), ("liked.csv", exportify))
    assert reading.origin == SPOTIFY_WEB_API


def test_a_zip_of_playlists_as_exportify_makes_it_is_read():
    exportify = b"Track URI,Track Name,Artist Name(s)\nspotify:track:1,Monkey,Low\n"
    reading = read(("spotify_playlists.zip", zipped({"rainy_days.csv": exportify})))
    assert [(play.kind, play.playlist) for play in reading.plays] == [("listed", "rainy days")]


def test_a_file_given_twice_counts_once():
    raw = account("2024-01-05 14:23")
    both = ((ACCOUNT, raw), ("again.zip", zipped({ACCOUNT: raw})), ("b.gz", gzip.compress(raw)))
    assert plays_of(*both) == {"Low": 1}
    assert [dict(report.left_out) for report in read(*both).reports] == [
        {},
        {"the same as another file": 1},
        {"the same as another file": 1},
    ]


def test_days_that_the_extended_history_has_are_not_counted_again():
    long = extended("2024-01-01T10:00:30Z", "2024-02-01T10:00:30Z")
    year = account("2023-12-31 09:00", "2024-01-01 10:00", "2024-02-01 10:00", "2024-02-02 09:00")
    reading = read((ACCOUNT, year), (EXTENDED, long))
    assert sum(play.count for play in reading.plays) == 4
    assert reading.reports[0].left_out == {"in the extended history too": 2}


def scrobbled(*times: str, track: str = "Monkey") -> bytes:
    """Return an export of ListenBrainz: one listen per line."""
    return "".join(
        json.dumps(
            {
                "listened_at": int(datetime.fromisoformat(time).timestamp()),
                "track_metadata": {"artist_name": "Low", "track_name": track},
            }
        )
        + "\n"
        for time in times
    ).encode()


def test_an_export_of_listenbrainz_is_read_from_its_zip_and_from_its_files():
    may, june = scrobbled("2024-05-01T10:00:00+00:00"), scrobbled("2024-06-01T10:00:00+00:00")
    members = {
        "user.json": b'{"email": "private"}',
        "feedback.jsonl": b'{"score": 1, "track_metadata": {"artist_name": "Slint"}}\n',
        "listens/2024/5.jsonl": may,
        "listens/2024/6.jsonl": june,
    }
    reading = read(("listenbrainz.zip", zipped(members)))
    assert [(play.artist, play.count) for play in reading.plays] == [("Low", 2)]
    assert [report.name for report in reading.reports] == [
        "listenbrainz.zip/2024/5.jsonl",
        "listenbrainz.zip/2024/6.jsonl",
    ]
    assert (str(reading.since), str(reading.until)) == ("2024-05-01", "2024-06-01")
    listed = json.dumps([json.loads(line) for line in june.splitlines()]).encode()
    for name, raw in (("5.jsonl", may), ("a.jsonl.gz", gzip.compress(june)), ("a.json", listed)):
        assert plays_of((name, raw)) == {"Low": 1}


def test_a_play_in_two_exports_counts_once():
    spotify = extended("2024-05-01T10:03:04Z", "2024-05-02T10:03:04Z", "2024-05-03T10:03:04Z")
    brainz = scrobbled("2024-05-01T10:00:01+00:00", "2024-05-02T10:03:04+00:00")
    more = scrobbled("2024-05-04T10:00:00+00:00")  # heard somewhere else
    fm = b"artist,track,date\nLow,Monkey,01 May 2024 10:00\nLow,Monkey,05 May 2024 10:00\n"
    named = ((EXTENDED, spotify), ("5.jsonl", brainz + more), ("scrobbles.csv", fm))
    reading = read(*named)
    assert sum(play.count for play in reading.plays) == 5
    assert [report.plays for report in reading.reports] == [3, 1, 1]
    assert [dict(report.left_out) for report in reading.reports] == [
        {},
        {"in another file too": 2},
        {"in another file too": 1},
    ]
    assert read(*reversed(named)).plays == reading.plays
    assert sum(reading.clock) == 5


def test_two_exports_that_overlap_count_each_play_once():
    old = extended("2024-05-01T10:00:00Z", "2024-05-02T10:00:00Z")
    new = extended("2024-05-02T10:00:00Z", "2024-05-03T10:00:00Z", "2024-05-03T10:04:00Z")
    reading = read(("Streaming_History_Audio_1.json", old), ("Streaming_History_Audio_2.json", new))
    assert sum(play.count for play in reading.plays) == 4


def test_within_one_file_every_row_is_a_play():
    twice = extended(*["2024-05-01T10:00:00Z"] * 2)
    assert plays_of((EXTENDED, twice), ("p.json", account("2024-07-01 10:00"))) == {"Low": 3}


def test_profiles_are_reported_file_by_file():
    one = b'{"id": "a", "artists": [{"name": "Low", "plays": 3}], "from": "2024-01-01"}\n'
    two = b'{"id": "b", "artists": [{"name": "Slint", "plays": 2}]}\n'
    reports = read(("a.jsonl", one), ("b.jsonl", two)).reports
    assert [(report.plays, report.artists) for report in reports] == [(3, 1), (2, 1)]
    assert [str(report.since) for report in reports] == ["2024-01-01", "None"]


def test_other_members_of_a_zip_are_never_opened(monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    real = zipfile.ZipFile.open

    def watched(self: zipfile.ZipFile, member: zipfile.ZipInfo, *rest: str):
        opened.append(member.filename)
        return real(self, member, *rest)

    members = {
        "MyData/Identity.json": b'{"email": "private"}',
        "MyData/Payments.json": b"[]",
        "MyData/Notes.csv": b"artist\nPrivate\n",
        f"__MACOSX/MyData/._{ACCOUNT}": b"\x00\x05",
        f"__MACOSX/MyData/{ACCOUNT}": account("2024-01-05 14:23", artist="Ghost"),
        f"MYDATA/{ACCOUNT.upper()}": account("2024-01-05 14:23"),
        "MyData/Streaming_History_Video_2024.json": extended("2024-01-05T14:23:00Z"),
    }
    raw = zipped(members)
    monkeypatch.setattr(zipfile.ZipFile, "open", watched)
    reading = read(("my_spotify_data.zip", raw))
    assert {play.artist for play in reading.plays} == {"Low"}
    assert set(opened) == {f"MYDATA/{ACCOUNT.upper()}", "MyData/Streaming_History_Video_2024.json"}
    assert reading.reports[1].left_out == {"videos": 1}


def test_private_columns_are_nowhere_in_a_reading():
    assert "private" not in repr(read((EXTENDED, extended("2024-05-01T22:55:30Z"))))


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    read(("a.zip", zipped({ACCOUNT: account("2024-01-05 14:23")})))
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_one_and_names_the_file():
    told: list[tuple[float, str]] = []
    raw = account(*["2024-01-05 14:23"] * 20_000)
    named: list[NamedFile] = [
        ("a.json", io.BytesIO(raw)),
        ("b.json.gz", io.BytesIO(gzip.compress(account("2024-01-06 14:23")))),
    ]
    read_files(named, lambda share, text: told.append((share, text)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert shares[-1] == 1.0
    assert {text for _, text in told} == {"Reading a.json", "Reading b.json.gz"}


def test_no_file_is_a_value_error():
    with pytest.raises(ValueError, match="0 files"):
        read_files([])


ESCAPES = ["../../etc/StreamingHistory0.json", "/etc/passwd", "C:\\a.json", "a\\..\\..\\b.json"]


@pytest.mark.parametrize("name", ESCAPES)
def test_a_zip_with_a_path_outside_itself_is_refused(name: str):
    raw = zipped({name: account("2024-01-05 14:23"), ACCOUNT: account("2024-01-05 14:23")})
    with pytest.raises(UnreadableExport, match="points outside"):
        read(("export.zip", raw))


def encrypted() -> bytes:
    raw = bytearray(zipped({ACCOUNT: account("2024-01-05 14:23")}))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def gzipped(raw: bytes) -> bytes:
    """Compress without the time, so that all test processes have the same test names."""
    return gzip.compress(raw, mtime=0)


GOOD_ZIP = zipped({ACCOUNT: account(*["2024-01-05 14:23"] * 200)})
CORRUPT_ZIP = GOOD_ZIP[:80] + b"\xff" * 20 + GOOD_ZIP[100:]
HISTORY = account(*["2024-01-05 14:23"] * 200)


@pytest.mark.parametrize(
    ("name", "raw", "error", "says"),
    [
        ("a.zip", b"", UnreadableExport, "empty"),
        ("a.json", b"", UnreadableExport, "empty"),
        ("a.json.gz", gzipped(b""), UnreadableExport, "isn't JSON|empty"),
        ("a.gz", gzipped(b""), UnreadableExport, "empty"),
        ("a.zip", b"this is no zip at all", UnreadableExport, "isn't a ZIP"),
        ("a.gz", HISTORY, UnreadableExport, "isn't a ZIP or gzip"),
        ("a.zip", GOOD_ZIP[:-30], UnreadableExport, "incomplete"),
        ("a.zip", b"PK\x03\x04", UnreadableExport, "incomplete"),
        ("a.zip", CORRUPT_ZIP, UnreadableExport, "damaged"),
        ("a.zip", encrypted(), UnreadableExport, "password"),
        ("a.zip", zipped({}), NoMusic, "no music in it"),
        ("a.zip", zipped({"Userdata.json": b"{}", "a.pdf": b""}), NoMusic, "no music in it"),
        ("a.zip", zipped({ACCOUNT: gzipped(HISTORY)}), UnreadableExport, "packed twice"),
        ("a.zip", zipped({ACCOUNT: HISTORY[:-9]}), UnreadableExport, "row 200.*ends too early"),
        ("a.gz", gzipped(gzipped(HISTORY)), UnreadableExport, "packed twice"),
        ("a.gz", gzipped(GOOD_ZIP), UnreadableExport, "packed twice"),
        ("a.gz", gzipped(HISTORY)[:-20], UnreadableExport, "incomplete"),
        ("a.gz", gzipped(HISTORY)[:9], UnreadableExport, "incomplete"),
        ("a.json", HISTORY[:-9], UnreadableExport, "row 200.*ends too early"),
        ("a.json", b"<html>", UnreadableExport, "isn't JSON"),
        ("a.json", podcasts(3), NoMusic, "no music in it, but 3 podcasts"),
        ("a.json", b"[]", NoMusic, "no music in it"),
        ("a.json", account("2024-01-05 14:23", ms=5), NoMusic, "1 shorter than 30 s"),
        ("a.json", account("2024-01-05 14:23", artist="\u200b"), NoMusic, "1 no artist"),
        ("a.json", b'{"username": "x"}', UnreadableExport, "choose"),
        ("a.csv", b"artist,track\n", NoMusic, "no music in it"),
        ("a.csv", b"song\nMonkey\n", UnreadableExport, "no column is named artist"),
        ("a.jsonl", b'{"id": "u1", "artists": [{}]}', BadProfile, r"line 1: artists\[0\].name"),
        ("a.jsonl", PROFILE[:-9].encode(), BadProfile, "line 1: isn't valid JSON"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0", UnreadableExport, "isn't a music file"),
    ],
)
def test_a_bad_file_is_one_clear_line(name: str, raw: bytes, error: type[Exception], says: str):
    good = ("good.json", account("2024-01-05 14:23"))
    with pytest.raises(error, match=says) as caught:
        read((name, raw))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    if caught.type is UnreadableExport:  # half of a file is not used, nor are the files beside it
        with pytest.raises(error, match=says):
            read(good, (name, raw))
    elif error is not BadProfile:  # a file of another kind is passed over
        assert plays_of(good, (name, raw)) == {"Low": 1}


def test_a_podcast_file_beside_music_is_no_error():
    reading = read((ACCOUNT, account("2024-01-05 14:23")), ("p.json", podcasts(3)))
    assert reading.reports[1].left_out == {"podcasts": 3}
    assert len(reading.plays) == 1


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archives, "SMALL", 1 << 16)
    bomb = zipped({ACCOUNT: b"[" + b" " * (1 << 24) + b"]"})
    assert len(bomb) < 1 << 16
    with pytest.raises(TooLarge, match="200 times its size"):
        read(("bomb.zip", bomb))


def test_a_gzip_bomb_stops_while_it_unpacks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archives, "SMALL", 1 << 16)
    bomb = gzip.compress(b"[" + b" " * (1 << 24) + b"]")
    with pytest.raises(TooLarge, match="200 times its size"):
        read(("bomb.json.gz", bomb))


def test_small_files_may_exceed_the_ratio():
    rows = account(*["2024-01-05 14:23"] * 20_000)
    packed = zipped({ACCOUNT: rows}, compresslevel=9)
    assert len(rows) > 200 * len(packed)
    assert plays_of(("a.zip", packed)) == {"Low": 20_000}


def test_files_that_unpack_to_too_much_in_total_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archives, "LARGEST_UNPACKED", 1 << 16)
    one, two = account(*["2024-01-05 14:23"] * 400), account(*["2024-01-06 14:23"] * 400)
    assert len(one) < 1 << 16 < len(one) + len(two)
    read(("a.json", one))
    with pytest.raises(TooLarge, match="unpacks to more than"):
        read(("a.json", one), ("b.json", two))


def test_a_too_large_upload_is_refused_unread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "LARGEST_UPLOAD", 50)
    with pytest.raises(TooLarge, match="choose fewer files"):
        read((ACCOUNT, account("2024-01-05 14:23")))


def test_a_zip_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unpacking, "LARGEST_DIRECTORY", 300)
    with pytest.raises(TooLarge, match="too many files in it"):
        read(("a.zip", zipped({f"{n}.txt": b"" for n in range(6)})))


def test_thousands_of_small_tables_are_read():
    song = "Title,Album,Artist,Duration (ms),Rating,Play Count,Removed\nSong {},A,Low,1000,5,2,\n"
    files = {f"Tracks/{n}.csv": song.format(n).encode() for n in range(2_050)}
    assert plays_of(("takeout.zip", zipped(files))) == {"Low": 4_100}


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({f"{n:04000d}.json": b"" for n in range(2_200)}, "too many files in it"),
        ({ACCOUNT: b"[" + b" " * (20 << 20) + b"]"}, "more than 200 times its size"),
        ({ACCOUNT: b"[]", f"../{ACCOUNT}": b"[]"}, "points outside the ZIP"),
    ],
    ids=["9 MB of names", "1000 to 1", "../"],
)
def test_hostile_zips_are_refused_by_the_real_limits(members: dict[str, bytes], says: str):
    with pytest.raises(SourceError, match=says) as caught:
        read(("my_spotify_data.zip", zipped(members, compresslevel=9)))
    assert str(caught.value).startswith("my_spotify_data.zip")
    assert "\n" not in str(caught.value)


def test_a_list_of_members_that_is_too_long_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(unpacking, "LARGEST_DIRECTORY", 512)
    monkeypatch.setattr(zipfile, "ZipFile", None)  # must not be reached
    raw = bytearray(b"PK" + bytes(1 << 20) + GOOD_ZIP)
    end = bytes(raw).rindex(b"PK\x05\x06")
    struct.pack_into("<I", raw, end + 12, 1 << 20)
    with pytest.raises(TooLarge, match="too many files"):
        read(("a.zip", bytes(raw)))


def test_too_many_artists_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collector, "MOST_ARTISTS", 3)
    text = "artist\n" + "".join(f"Artist {n}\n" for n in range(4))
    with pytest.raises(TooLarge, match="one person"):
        read(("a.csv", text.encode()))


def test_beyond_the_most_tracks_plays_still_count_for_their_artists(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(collector, "MOST_TRACKS", 3)
    text = "artist,track\n" + "".join(f"Low,Song {n}\n" for n in range(10))
    reading = read(("a.csv", text.encode()))
    assert sum(play.count for play in reading.plays) == 10
    assert len(reading.plays) == 4


def test_every_truncated_zip_is_one_of_our_errors():
    for cut in range(0, len(GOOD_ZIP), 7):
        with pytest.raises(SourceError):
            read(("a.zip", GOOD_ZIP[:cut]))


def test_every_flipped_byte_of_a_zip_leads_to_plays_or_our_errors():
    good = zipped({ACCOUNT: account("2024-01-05 14:23")})
    read_well = 0
    for at in range(len(good)):
        raw = bytearray(good)
        raw[at] ^= 0xFF
        try:
            read(("a.zip", bytes(raw)))
        except SourceError:
            continue
        read_well += 1
    assert 0 < read_well < len(good)


@pytest.mark.skipif(not PERSONAL, reason="no personal exports in the data folder")
def test_real_files_agree_with_a_count_by_hand():
    history = next(path for path in PERSONAL if "_music_" in path.name)
    rows = json.loads(gzip.decompress(history.read_bytes()))
    counted = [row for row in rows if row["msPlayed"] >= 30_000]
    with history.open("rb") as file:
        reading = read_files([(history.name, file)])
    (report,) = reading.reports
    assert sum(play.count for play in reading.plays) == report.plays == len(counted)
    assert report.artists == len({artist_key(row["artistName"]) for row in counted})
    assert report.left_out == {"shorter than 30 s": len(rows) - len(counted)}
    assert str(reading.since) == min(row["endTime"] for row in counted)[:10]
    assert str(reading.until) == max(row["endTime"] for row in counted)[:10]


@pytest.mark.skipif(not PERSONAL, reason="no personal exports in the data folder")
def test_a_real_export_as_a_zip_equals_its_files():
    exports = [path for path in PERSONAL if path.name.endswith(".json.gz")]
    one = [(path.name, path.read_bytes()) for path in exports]
    archive = zipped({f"Data/{path.stem}": gzip.decompress(path.read_bytes()) for path in exports})
    assert read(*one).plays == read(("my_spotify_data.zip", archive)).plays


@pytest.mark.skipif(not PERSONAL, reason="no personal exports in the data folder")
def test_a_real_file_of_podcasts_has_no_music_in_it():
    path = next(path for path in PERSONAL if "podcast" in path.name)
    with path.open("rb") as file, pytest.raises(NoMusic, match="no music in it"):
        read_files([(path.name, file)])


def test_a_zip_may_have_a_member_without_a_name():
    nameless = zipfile.ZipInfo("a")
    nameless.filename = ""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(nameless, b"x")
        archive.writestr("b.csv", CSV)
    assert plays_of(("a.zip", packed.getvalue())) == {"Slint": 3}
