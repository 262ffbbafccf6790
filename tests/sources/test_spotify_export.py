"""Spotify's data export: every form it has had, real files if present, and broken ones."""

import gzip
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.domain import Play
from twotower.core.errors import SourceError, UnreadableExport
from twotower.core.settings import Settings
from twotower.sources.files.spotify_export import is_history_file, read_spotify_export

DATA = Settings.from_env().data
PERSONAL = sorted((DATA / "spotify-user-exports").glob("*/*.json.gz"))
FIXTURES = sorted((DATA / "import-format-fixtures").glob("spotify_streaming_*.json"))

EXTENDED = {
    "ts": "2024-05-01T22:55:30Z",
    "username": "someone-private",
    "platform": "ios-private",
    "ms_played": 255609,
    "conn_country": "XX-private",
    "ip_addr": "10.0.0.private",
    "user_agent_decrypted": "agent-private",
    "master_metadata_track_name": "Sunflower",
    "master_metadata_album_artist_name": "Low",
    "master_metadata_album_album_name": "Things We Lost in the Fire",
    "spotify_track_uri": "spotify:track:1",
    "episode_name": None,
    "episode_show_name": None,
    "spotify_episode_uri": None,
    "audiobook_title": None,
}
ACCOUNT = {
    "endTime": "2024-01-05 14:23",
    "artistName": "Low",
    "trackName": "Monkey",
    "msPlayed": 184000,
}


def read(data: object, name: str = "Streaming_History_Audio_2024_0.json"):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    left_out: Counter[str] = Counter()
    return list(read_spotify_export(io.BytesIO(raw), name, left_out=left_out)), dict(left_out)


def test_a_row_of_the_extended_history_is_a_play_that_ended_at_its_time():
    plays, left_out = read([EXTENDED])
    at = datetime(2024, 5, 1, 22, 55, 30, tzinfo=UTC)
    assert plays == [Play("Low", "Sunflower", at=at, ms_played=255609)]
    assert left_out == {}


def test_the_account_history_has_minutes_and_is_utc():
    plays, _ = read([ACCOUNT], "StreamingHistory0.json")
    at = datetime(2024, 1, 5, 14, 23, tzinfo=UTC)
    assert plays == [Play("Low", "Monkey", at=at, ms_played=184000)]


def test_private_columns_are_in_no_play():
    plays, left_out = read([EXTENDED])
    assert "private" not in repr(plays) + repr(left_out)


def test_podcasts_audiobooks_and_videos_are_left_out_and_counted():
    nothing = {**EXTENDED, "master_metadata_track_name": None}
    nothing["master_metadata_album_artist_name"] = None
    rows = [
        {**nothing, "episode_name": "One"},
        {**nothing, "spotify_episode_uri": "spotify:episode:1"},
        {**nothing, "audiobook_title": "A book"},
        nothing,
        {"endTime": "2024-01-05 14:23", "podcastName": "A", "episodeName": "B", "msPlayed": 1},
        {"endTime": "2024-01-05 14:23", "audiobookName": "A", "msPlayed": 1},
        EXTENDED,
    ]
    plays, left_out = read(rows)
    assert [play.track for play in plays] == ["Sunflower"]
    assert left_out == {"podcasts": 3, "audiobooks": 2, "no artist": 1}
    plays, left_out = read([EXTENDED, ACCOUNT], "Streaming_History_Video_2024.json")
    assert plays == []
    assert left_out == {"videos": 2}


def test_a_library_gives_saved_tracks_and_counts_the_rest():
    library = {
        "tracks": [
            {"artist": "Low", "album": 1999, "track": "Monkey", "uri": "spotify:track:1"},
            {"artist": 311, "album": "Music", "track": 1999, "uri": "spotify:track:2"},
            {"artist": "", "track": "Nobody's"},
        ],
        "albums": [{"artist": "Low", "album": "Hey What", "uri": "spotify:album:1"}],
        "shows": [{"name": "A show"}],
        "episodes": [],
        "bannedTracks": [{"artist": "Hidden", "track": "Hidden"}],
        "artists": [{"name": "Followed", "uri": "spotify:artist:1"}],
        "bannedArtists": [],
        "other": ["spotify:user:someone"],
    }
    plays, left_out = read(library, "YourLibrary.json")
    assert plays == [
        Play("Low", "Monkey", kind="saved"),
        Play("311", "1999", kind="saved"),
    ]
    assert left_out == {
        "no artist": 1,
        "saved albums": 1,
        "podcasts": 1,
        "hidden tracks": 1,
        "followed artists": 1,
    }


def test_a_playlist_gives_listed_tracks_under_its_title():
    track = {"trackName": "Monkey", "artistName": "Low", "trackUri": "spotify:track:1"}
    playlists = {
        "playlists": [
            {
                "items": [
                    {"track": track, "addedDate": "2024-03-02"},
                    {"track": None, "episode": {"episodeName": "E"}, "addedDate": "2024-03-02"},
                    {"track": None, "localTrack": {"uri": "spotify:local:a"}},
                    {"track": None},
                    "odd",
                ],
                "name": "Rainy <b>days</b>\u202e",
            },
            {"name": "Empty", "items": []},
        ]
    }
    plays, left_out = read(playlists, "Playlist1.json")
    at = datetime(2024, 3, 2, tzinfo=UTC)
    assert plays == [Play("Low", "Monkey", kind="listed", at=at, playlist="Rainy <b>days</b>")]
    assert left_out == {"podcasts": 1, "local files": 1, "no artist": 1, "other rows": 1}


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_and_utf_16_are_read(mark: str):
    row = {**ACCOUNT, "artistName": "Sơn Tùng M-TP 방탄"}
    plays, _ = read(json.dumps([row], ensure_ascii=False, indent=1).encode(mark))
    assert [play.artist for play in plays] == ["Sơn Tùng M-TP 방탄"]


def test_rows_across_the_edge_of_a_window_are_whole():
    rows = [{**ACCOUNT, "trackName": f'Song \\ "{n}" é' + "x" * (n % 301)} for n in range(5000)]
    plays, _ = read(rows)
    assert [play.track for play in plays] == [row["trackName"] for row in rows]


def test_names_keep_html_and_lose_control_characters():
    row = {**ACCOUNT, "artistName": "<script>alert(1)</script>\x00\n \u2028 & co\ud800"}
    plays, _ = read([row])
    assert plays[0].artist == "<script>alert(1)</script> & co"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"hello", "isn't JSON"),
        (b"[", "ends too early"),
        (json.dumps([ACCOUNT, ACCOUNT]).encode()[:-20], "row 2.*ends too early"),
        (b'{"tracks": [{"artist": "Low", "track": "Mon', "row 1.*ends too early"),
        (b'{"tracks"', "ends too early"),
        (json.dumps([ACCOUNT]).encode() + b"oops", "text after the end"),
        (b'[{"endTime": "2024-01-05 14:23" "msPlayed": 1}, ' + b" " * 99 + b"]", "valid JSON"),
        (b"[" * 300_000, "nested too deeply|ends too early"),
        (b'[{"a":' * 100_000, "nested too deeply|ends too early"),
        (b'{"username": "someone", "email": "x@example.com"}', "choose"),
        (b'[{"some": "thing"}]', "choose"),
        (b"[1, 2, 3]", "choose"),
        (b'{"key" "value"}', "valid JSON"),
        (b"{1: 2}", "valid JSON"),
    ],
)
def test_a_broken_file_is_one_clear_error_that_names_the_file(raw: bytes, says: str):
    with pytest.raises(UnreadableExport, match=says) as caught:
        read(raw, "endsong_0.json")
    assert "endsong_0.json" in caught.value.where
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_an_endless_row_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("twotower.sources.files.json_stream.LARGEST_ROW", 1 << 19)
    with pytest.raises(UnreadableExport, match="too large"):
        read(b'[{"endTime": "' + b"x" * (1 << 21) + b'"}]')


def test_an_endless_number_is_a_row_without_a_duration():
    raw = json.dumps([ACCOUNT]).replace("184000", "9" * 5000).encode()
    assert read(raw) == ([], {"no duration": 1})


def test_a_time_before_2000_is_dropped():
    plays, _ = read([{**EXTENDED, "ts": "1970-01-01T00:00:00Z"}, {**EXTENDED, "ts": "soon"}])
    assert [play.at for play in plays] == [None, None]


def test_only_files_with_music_are_recognised_by_name():
    opened = (
        "MyData/StreamingHistory0.json",
        "a/b/StreamingHistory_music_12.json",
        "Spotify Extended Streaming History/Streaming_History_Audio_2010-2013_0.json",
        "MyData\\endsong_3.JSON",
        "YOURLIBRARY.json",
        "Playlist1 (1).json",
    )
    closed = (
        "MyData/Identity.json",
        "Userdata.json",
        "Payments.json",
        "Inferences.json",
        "SearchQueries.json",
        "PlaylistInABottle.json",
        "StreamingHistory0.txt",
        "notes/my StreamingHistory0.json",
    )
    assert all(map(is_history_file, opened))
    assert not any(map(is_history_file, closed))


GOOD = st.sampled_from([EXTENDED, ACCOUNT])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*EXTENDED, *ACCOUNT, "podcastName", "x"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.lists(st.one_of(GOOD.map(lambda row: (True, row)), JUNK.map(lambda row: (False, row)))))
def test_damaged_rows_never_hide_a_valid_one(rows: list[tuple[bool, object]]):
    valid = [row for good, row in rows if good]
    mangled = [row for good, row in rows if not good]
    try:
        plays, left_out = read([row for _, row in rows])
    except UnreadableExport:
        assert not valid
        return
    assert len(plays) >= len(valid)
    assert len(plays) + sum(left_out.values()) == len(valid) + len(mangled)
    assert Counter(p.track for p in plays)["Monkey"] >= valid.count(ACCOUNT)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_damage_to_the_bytes_leads_to_plays_or_our_errors(noise: bytes, at: int):
    whole = json.dumps([EXTENDED, ACCOUNT]).encode()
    with_noise = whole[:at] + noise + whole[at + len(noise) :]
    try:
        read(with_noise)
    except SourceError:
        pass
    else:
        assert with_noise.strip()


@pytest.mark.skipif(not PERSONAL, reason="no personal exports in the data folder")
@pytest.mark.parametrize("path", PERSONAL, ids=lambda path: path.name)
def test_real_exports_agree_with_a_count_by_hand(path: Path):
    data = json.loads(gzip.decompress(path.read_bytes()))
    with gzip.open(path) as file:
        plays = list(read_spotify_export(file, path.name))
    if isinstance(data, list):
        wanted = [(row["artistName"], row["trackName"]) for row in data if "artistName" in row]
        long = sum(row["msPlayed"] >= 30_000 for row in data if "artistName" in row)
        assert sum(play.ms_played >= 30_000 for play in plays) == long
    elif "playlists" in data:
        tracks = [item["track"] for one in data["playlists"] for item in one["items"]]
        wanted = [(t["artistName"], t["trackName"]) for t in tracks if t]
    else:
        wanted = [(row["artist"], row["track"]) for row in data["tracks"]]
    # Blank runs and unseen characters are tidied, so compare without them.
    tidy = ["".join(artist.split()) for artist, _ in wanted]
    assert ["".join(play.artist.split()) for play in plays] == tidy
    assert len(plays) == len(wanted)


@pytest.mark.skipif(not FIXTURES, reason="no import fixtures in the data folder")
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_real_extended_histories_agree_with_a_count_by_hand(path: Path):
    rows = json.loads(path.read_bytes())
    with path.open("rb") as file:
        plays = list(read_spotify_export(file, path.name))
    wanted = [row for row in rows if row["master_metadata_track_name"]]
    assert [(play.artist, play.track, play.ms_played) for play in plays] == [
        (
            row["master_metadata_album_artist_name"],
            row["master_metadata_track_name"],
            row["ms_played"],
        )
        for row in wanted
    ]
