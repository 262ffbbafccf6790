"""Readers of public data sets: real files if present, and small made-up ones for errors."""

import gzip
import hashlib
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from twotower.core.domain import AUDIO, AUDIO_RANGE, Profile
from twotower.core.errors import BadProfile, MissingData, UnreadableExport
from twotower.core.names import artist_key
from twotower.core.settings import Settings
from twotower.sources.datasets.hetrec import read_friends, read_tags
from twotower.sources.datasets.readers import DATASETS, read_dataset
from twotower.sources.datasets.tables import FILES, FOLDERS, data_hashes
from twotower.sources.datasets.tags import Tagging, read_tags_file, write_tags

DATA = Settings.from_env().data


def real(name: str) -> Path:
    folder = DATA / FOLDERS[name]
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not in the data folder; docs/data.md says where to get it")
    return folder


@pytest.fixture
def hetrec(tmp_path: Path) -> Path:
    """Two listeners, two artists (one with two spellings), and the oddities of the real files."""
    folder = tmp_path / "small"
    folder.mkdir()
    artists = "id\tname\turl\tpictureURL\n1\tThe Low\tu\tp\n2\tlow\tu\tp\n3\tMúm\tu\n4\t \tu\tp\n"
    (folder / "artists.dat").write_text(artists, encoding="utf-8")
    plays = "userID\tartistID\tweight\r\n7\t1\t10\r\n7\t2\t5\r\n7\t3\t1\r\n9\t3\t4\r\n9\t99\t8\r\n"
    (folder / "user_artists.dat").write_bytes(plays.encode())
    tags = "tagID\ttagValue\r\n1\tSlow  Core\r\n2\tíslenskt\r\n"
    (folder / "tags.dat").write_bytes(tags.encode("latin-1"))
    tagged = (
        "userID\tartistID\ttagID\tday\tmonth\tyear\n7\t1\t1\t1\t4\t2009\n7\t2\t1\t1\t5\t2010\n"
        "9\t3\t2\t1\t1\t1956\n9\t99\t2\t1\t1\t2009\n9\t3\t77\t1\t1\t2009\n"
    )
    (folder / "user_taggedartists.dat.gz").write_bytes(gzip.compress(tagged.encode()))
    (folder / "user_friends_part.dat").write_text("userID\tfriendID\n9\t7\n7\t9\n10\t9\n")
    return folder


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two playlists; the first has one track twice, and one without valid audio."""
    audio = dict.fromkeys(AUDIO, 0.5) | {"loudness": -6.0, "tempo": 100.0}
    rows = [
        {"track_id": "a", "track_name": "One", "track_artist": "Low", "playlist_id": "p", **audio},
        {"track_id": "a", "track_name": "One", "track_artist": "Low", "playlist_id": "p", **audio},
        {"track_id": "b", "track_name": "Two", "track_artist": "low", "playlist_id": "p", **audio}
        | {"energy": 0.7, "tempo": 120.0},
        {"track_id": "c", "track_name": "Three", "track_artist": "Múm", "playlist_id": "p", **audio}
        | {"tempo": 0.0},
        {"track_id": "a", "track_name": "One", "track_artist": "Low", "playlist_id": "q", **audio},
        {"track_id": "d", "track_name": None, "track_artist": None, "playlist_id": "q", **audio},
    ]
    rest = {
        "track_popularity": 50,
        "track_album_release_date": "2019-07",
        "playlist_name": "Slow",
        "duration_ms": 120_000,
    }
    table = pa.Table.from_pylist([{**row, **rest} for row in rows])
    pyarrow.parquet.write_table(table, tmp_path / "spotify_songs.parquet")
    return tmp_path


def test_spellings_of_an_artist_are_merged_and_their_plays_added(hetrec: Path):
    first, second = read_dataset("hetrec", hetrec)
    assert first.id == "7" and first.origin == "hetrec"
    assert {key: artist.plays for key, artist in first.artists.items()} == {"low": 15, "mum": 1}
    assert first.artists["low"].name == "The Low"
    assert {key: artist.plays for key, artist in second.artists.items()} == {"mum": 4}


def test_the_data_folder_works_like_the_folder_of_the_set(hetrec: Path):
    inside = hetrec.rename(hetrec.parent / FOLDERS["hetrec"])
    assert list(read_dataset("hetrec", inside.parent)) == list(read_dataset("hetrec", inside))


def test_tags_are_lower_case_unique_and_without_impossible_days(hetrec: Path):
    assert read_tags(hetrec) == [
        ("7", "low", "slow core", date(2009, 4, 1)),
        ("9", "mum", "íslenskt", None),
    ]


def test_friends_are_unique_pairs_sorted_by_number(hetrec: Path):
    assert read_friends(hetrec) == [("7", "9"), ("9", "10")]


def test_friends_of_the_whole_set_are_read_if_there_is_no_part(hetrec: Path):
    (hetrec / "user_friends_part.dat").rename(hetrec / "user_friends.dat")
    assert read_friends(hetrec) == [("7", "9"), ("9", "10")]


@pytest.mark.parametrize("name", DATASETS)
def test_a_missing_file_is_named_with_the_document_about_it(name: str, tmp_path: Path):
    with pytest.raises(MissingData, match=rf"{FOLDERS[name]}.*docs/data\.md"):
        list(read_dataset(name, tmp_path))


def test_an_unknown_data_set_is_a_value_error(tmp_path: Path):
    with pytest.raises(ValueError, match="unknown data set 'hetrek'; choose from hetrec, germany"):
        read_dataset("hetrek", tmp_path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [("7\t1", "2 fields instead of 3"), ("7\t1\tmany", "'many' is not a number")],
)
def test_a_damaged_line_is_named(hetrec: Path, line: str, problem: str):
    with (hetrec / "user_artists.dat").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UnreadableExport, match=rf"user_artists\.dat line 7: {problem}"):
        list(read_dataset("hetrec", hetrec))


@pytest.mark.parametrize("keep", [30, 60])
def test_a_gzip_file_that_ends_early_is_named(hetrec: Path, keep: int):
    path = hetrec / "user_taggedartists.dat.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableExport, match=r"user_taggedartists\.dat\.gz line"):
        read_tags(hetrec)


def test_a_gzip_file_with_damaged_bytes_is_named(hetrec: Path):
    path = hetrec / "user_taggedartists.dat.gz"
    packed = bytearray(path.read_bytes())
    packed[12:30] = b"\xff" * 18
    path.write_bytes(bytes(packed))
    with pytest.raises(UnreadableExport, match=r"user_taggedartists\.dat\.gz line"):
        read_tags(hetrec)


def test_a_csv_file_without_its_columns_is_named(tmp_path: Path):
    (tmp_path / "playlist_artists.csv").write_text("pid,artist\n1,Low\n")
    with pytest.raises(UnreadableExport, match=r"playlist_artists\.csv line 1: no column part, n_"):
        list(read_dataset("mpd", tmp_path))


def test_an_empty_csv_file_is_named(tmp_path: Path):
    (tmp_path / "lastfm-matrix-germany.csv").write_text("")
    with pytest.raises(UnreadableExport, match=r"germany\.csv line 1: the file is empty"):
        list(read_dataset("germany", tmp_path))


def test_an_invalid_parquet_file_is_named(tmp_path: Path):
    (tmp_path / "spotify_songs.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(UnreadableExport, match=r"spotify_songs\.parquet"):
        list(read_dataset("tidytuesday", tmp_path))


def test_a_listener_without_any_artist_is_no_profile(tmp_path: Path):
    table = "user,low,ac/dc\n1,0,1\n2,0,0\n"
    (tmp_path / "lastfm-matrix-germany.csv").write_text(table)
    (profile,) = read_dataset("germany", tmp_path)
    assert profile.id == "1" and dict(profile.artists).keys() == {"acdc"}


def test_aliases_of_audioscrobbler_are_followed(tmp_path: Path):
    (tmp_path / "artist_alias_small.txt").write_text("11\t1\n12\t404\n")
    (tmp_path / "artist_data_small.txt").write_text("1\tLow\n11\tLow (typo)\n12\tMúm\n13\n")
    (tmp_path / "user_artist_data_small.txt").write_text("5 1 2\n5 11 3\n5 12 4\n5 13 9\n")
    (profile,) = read_dataset("audioscrobbler", tmp_path)
    assert {key: artist.plays for key, artist in profile.artists.items()} == {"low": 5, "mum": 4}


def test_a_playlist_of_songs_is_a_listener_with_its_audio(songs: Path):
    first, second = read_dataset("tidytuesday", songs)
    assert (first.id, second.id) == ("p", "q")
    assert {key: artist.plays for key, artist in first.artists.items()} == {"low": 2, "mum": 1}
    assert [track.name for track in first.tracks] == ["One", "Two", "Three"]
    assert first.tracks[0].duration_s == 120 and first.tracks[0].released == "2019-07"
    assert first.tracks[2].audio == {}  # tempo 0: the values are missing
    # energy .5 and .7: mean .6, each .1 away
    assert first.audio["energy"].mean == pytest.approx(0.6)
    assert first.audio["energy"].std == pytest.approx(0.1)
    (playlist,) = first.playlists
    assert playlist.name == "Slow" and playlist.tracks[1] == ("Two", "low")


def test_tags_survive_writing_and_reading(tmp_path: Path):
    tags: list[Tagging] = [
        ("7", "low", "slow core", date(2009, 4, 1)),
        ("9", artist_key("The The Band"), "rock", None),
        ("9", "!!!", "íslenskt", None),
    ]
    for name in ("tags.jsonl", "tags.jsonl.gz"):
        assert write_tags(tags, tmp_path / name) == 3
        assert read_tags_file(tmp_path / name) == tags
    assert gzip.decompress((tmp_path / "tags.jsonl.gz").read_bytes()).startswith(b'{"listener":"7"')


def test_tags_written_by_others_are_normalised(tmp_path: Path):
    path = tmp_path / "tags.jsonl"
    path.write_text('\ufeff{"listener": "a", "artist": "The Low", "tag": " Slow Core "}\n\n')
    assert read_tags_file(path) == [("a", "low", "slow core", None)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not a line of JSON"),
        ("[1]", r"must be an object \{\.\.\.\}"),
        ('{"listener": "a", "artist": " ", "tag": "x"}', "artist must be a text"),
        ('{"listener": 5, "artist": "Low", "tag": "x"}', "listener must be a text"),
        ('{"listener": "a", "artist": "Low", "tag": "x", "when": "May"}', "when must be a date"),
        ('{"listener": "a", "artist": "Low", "tag": "x", "when": 5}', "when must be a date"),
        ('{"n": ' + "9" * 5000 + "}", "not a line of JSON"),
    ],
)
def test_a_bad_line_of_tags_is_named(line: str, problem: str, tmp_path: Path):
    path = tmp_path / "tags.jsonl"
    path.write_text('{"listener": "a", "artist": "Low", "tag": "x"}\n' + line + "\n")
    with pytest.raises(BadProfile, match=rf"^tags\.jsonl line 2: {problem}"):
        read_tags_file(path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "tags.jsonl"
    write_tags([("7", "low", "slow core", None)], path)
    before = path.read_bytes()

    def stopped() -> "object":
        yield ("7", "mum", "ambient", None)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tags(stopped(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_hashes_cover_the_files_that_are_present(hetrec: Path):
    inside = hetrec.rename(hetrec.parent / FOLDERS["hetrec"])
    hashes = data_hashes(inside.parent)
    assert list(hashes) == [
        f"{FOLDERS['hetrec']}/{file}"
        for file in (
            "artists.dat",
            "tags.dat",
            "user_artists.dat",
            "user_friends_part.dat",
            "user_taggedartists.dat.gz",
        )
    ]
    stored = (inside / "tags.dat").read_bytes()
    assert hashes[f"{FOLDERS['hetrec']}/tags.dat"] == hashlib.sha256(stored).hexdigest()


def test_hashes_cover_every_set_that_is_read_for_training_or_evaluation():
    not_read = {"listenbrainz", "aliases", "aliases-ja"}
    assert FILES.keys() == FOLDERS.keys() - not_read


REAL = [("hetrec", 1892), ("germany", 1226), ("audioscrobbler", 50)]
REAL += [("tidytuesday", 471), ("mpd", 6090)]
REAL += [("netease", 576 + 54), ("archive", 519), ("editorial", 100), ("philippines", 196)]
REAL += [("vagalume", 129), ("kexp", 74), ("charts", 1776)]


@pytest.mark.parametrize(("name", "listeners"), REAL)
def test_every_real_listener_is_valid(name: str, listeners: int):
    profiles = list(read_dataset(name, real(name)))
    assert len(profiles) == len({profile.id for profile in profiles}) == listeners
    for profile in profiles:
        assert profile.artists
        for key, artist in profile.artists.items():
            assert artist.plays > 0 and artist_key(artist.name) == key
        for track in profile.tracks:
            for attribute, value in track.audio.items():
                low, high = AUDIO_RANGE[attribute]
                assert low <= value <= high


def test_real_hetrec_keeps_its_plays():
    profiles = {profile.id: profile for profile in read_dataset("hetrec", real("hetrec"))}
    assert profiles["2"].artists["duran duran"].plays == 13883
    assert sum(len(profile.artists) for profile in profiles.values()) == 92717


def test_real_withheld_playlists_have_their_own_origin():
    profiles = list(read_dataset("mpd", real("mpd")))
    assert Counter(profile.origin for profile in profiles) == {"mpd": 2825, "mpd-withheld": 3265}
    titled = [profile for profile in profiles if profile.playlists]
    assert len(titled) == 1800
    assert all(_title(profile) and profile.origin == "mpd" for profile in titled)


def _title(profile: Profile) -> str:
    (playlist,) = profile.playlists
    return playlist.name


def test_real_tags_and_friends_are_of_real_listeners():
    folder = real("hetrec")
    ids = {profile.id for profile in read_dataset("hetrec", folder)}
    tags = read_tags(folder)
    assert len(tags) == len({tagging[:3] for tagging in tags}) == 184802
    assert {listener for listener, *_ in tags} <= ids
    assert all(artist_key(key) == key for _, key, *_ in tags)  # so that a file keeps them
    days = [when for *_, when in tags if when is not None]
    assert date(2005, 1, 1) <= min(days) and max(days) <= date(2011, 12, 31)
    friends = read_friends(folder)
    assert len(friends) == 3195 and {a for pair in friends for a in pair} <= ids


def test_real_files_are_hashed():
    real("hetrec")
    hashes = data_hashes(DATA)
    found = hashes["hetrec2011-lastfm-2k/user_artists.dat"]
    assert found == "001400dc3c7d2667fca6e4ea6dc6acc31a9dd28ad5cd0f74cea988c019934d3b"
