"""Readers of playlists and radio shows: small planted files, and what the real ones hold."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from twotower.core.domain import Profile
from twotower.core.errors import UnreadableExport
from twotower.core.names import is_artist_name
from twotower.core.settings import Settings
from twotower.sources.datasets.lists import MIN_ARTISTS
from twotower.sources.datasets.playlist_archive import MAX_ARTISTS
from twotower.sources.datasets.readers import read_dataset
from twotower.sources.datasets.tables import FOLDERS

DATA = Settings.from_env().data
LISTS = ("netease", "archive", "editorial", "philippines", "vagalume", "kexp")


def plays(profile: Profile) -> dict[str, float]:
    return {key: artist.plays for key, artist in profile.artists.items()}


def letters(count: int, start: int = 0) -> list[str]:
    """Return names of artists that no list has otherwise."""
    return [f"Artist {number:04}" for number in range(start, start + count)]


@pytest.mark.parametrize("name", ["Various Artists", "VARIOUS", "V.A.", "群星", "Unknown", " "])
def test_a_placeholder_is_no_artist(name: str):
    assert not is_artist_name(name)


@pytest.mark.parametrize("name", ["We Are Various", "VA", "群青", "Unknown Mortal Orchestra"])
def test_a_name_like_a_placeholder_is_an_artist(name: str):
    assert is_artist_name(name)


# NetEase


def netease(folder: Path, *lines: str) -> list[Profile]:
    (folder / "songlist2songs.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return list(read_dataset("netease", folder))


def test_each_artist_of_a_netease_song_has_it(tmp_path: Path):
    songs = ["1::One::Low|Múm::100", "2::Two::low::90", "3::Three::Slint::5", "4::Four::五月天::1"]
    (profile,) = netease(tmp_path, "\t".join(["Slow##华语 流行 ##77##5", *songs]))
    assert (profile.id, profile.origin) == ("77", "netease")
    assert plays(profile) == {"low": 2, "mum": 1, "slint": 1, "mayday": 1}


def test_colons_in_titles_of_songs_and_hashes_in_titles_of_lists_do_no_harm(tmp_path: Path):
    songs = ["1::One::More::Time::Low::100", "2::a::Múm::1", "3::a::Slint::1", "4::a::Can::1"]
    (profile,) = netease(tmp_path, "\t".join(["No ##1 ## hits##欧美 ##8##5", *songs]))
    assert profile.id == "8" and plays(profile)["low"] == 1


def test_a_song_that_is_listed_twice_counts_once(tmp_path: Path):
    songs = ["1::a::Low::1", "1::a::Low::1", "2::a::Múm::1", "3::a::Slint::1", "4::a::Can::1"]
    (profile,) = netease(tmp_path, "\t".join(["t##x ##8##5", *songs]))
    assert plays(profile)["low"] == 1


def test_songs_of_tv_shows_have_their_own_origin(tmp_path: Path):
    songs = "1::a::Low::1\t2::a::Múm::1\t3::a::Slint::1\t4::a::Can::1"
    show, other = netease(tmp_path, f"t##华语 综艺 ##1##5\t{songs}", f"综艺##流行 ##2##5\t{songs}")
    assert (show.origin, other.origin) == ("netease-tv", "netease")


def test_a_list_without_four_artists_is_no_listener(tmp_path: Path):
    songs = "1::a::Low::1\t2::a::Múm::1\t3::a::群星|Various Artists::1\t4::a::Can::1"
    assert netease(tmp_path, f"t##x ##1##5\t{songs}") == []
    assert len(netease(tmp_path, f"t##x ##1##5\t{songs}\t5::a::Slint::1")) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("no header\t1::a::Low::1", "header 'no header' has too few fields"),
        ("t##x##1##5\t1::Low", "song '1::Low' has too few fields"),
    ],
)
def test_a_damaged_netease_line_is_named(tmp_path: Path, line: str, problem: str):
    with pytest.raises(UnreadableExport, match=rf"songlist2songs\.txt line 2: {problem}"):
        netease(tmp_path, "t##x##0##5\t1::a::Low::1", line)


# Playlist archive


def archive(folder: Path, *rows: tuple[str, str, str, str]) -> list[Profile]:
    lines = ["playlist,artist,track,added,removed", *(",".join((*row, "")) for row in rows)]
    (folder / "playlist_tracks.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return list(read_dataset("archive", folder))


def added(day: str, names: list[str], track: str = "t") -> list[tuple[str, str, str, str]]:
    return [("Hits", name, track, day) for name in names]


def test_a_half_year_of_a_list_is_a_listener(tmp_path: Path):
    first, second = archive(
        tmp_path, *added("2020-06-30", letters(8)), *added("2020-07-01", letters(8, start=8))
    )
    assert (first.id, second.id) == ("Hits/2020-1", "Hits/2020-2")
    assert first.origin == "archive"
    assert len(first.artists) == len(second.artists) == 8
    assert not set(first.artists) & set(second.artists)


def test_a_half_year_with_less_than_two_fifths_new_artists_is_left_out(tmp_path: Path):
    before = added("2020-01-01", letters(15))
    enough = added("2020-08-01", letters(20, start=3))  # 8 of 20 are new
    too_few = added("2020-08-01", letters(21, start=2))  # 8 of 21
    assert len(archive(tmp_path, *before, *enough)) == 2
    assert len(archive(tmp_path, *before, *too_few)) == 1


def test_a_half_year_with_less_than_eight_new_artists_is_left_out(tmp_path: Path):
    before = added("2020-01-01", letters(15))
    assert len(archive(tmp_path, *before, *added("2020-08-01", letters(7, start=15)))) == 1
    assert len(archive(tmp_path, *before, *added("2020-08-01", letters(8, start=15)))) == 2


def test_artists_of_a_half_year_that_is_left_out_are_still_new_later(tmp_path: Path):
    rows = [
        *added("2019-01-01", letters(8)),
        *added("2019-08-01", letters(5, start=8)),  # left out
        *added("2020-01-01", letters(8, start=8)),
    ]
    assert [profile.id for profile in archive(tmp_path, *rows)] == ["Hits/2019-1", "Hits/2020-1"]


def test_a_listener_of_the_archive_keeps_the_most_frequent_artists(tmp_path: Path):
    often = letters(10, start=MAX_ARTISTS)
    rows = [
        *added("2020-01-01", letters(MAX_ARTISTS)),
        *added("2020-01-02", often, track="a"),
        *added("2020-01-02", often, track="b"),
        *added("2020-05-02", often, track="b"),  # added again: the same song
    ]
    (profile,) = archive(tmp_path, *rows)
    assert len(profile.artists) == MAX_ARTISTS
    assert Counter(plays(profile).values()) == {2: 10, 1: MAX_ARTISTS - 10}
    (again,) = archive(tmp_path, *rows)
    assert again == profile


# Other lists


def test_an_editorial_list_counts_each_song_once(tmp_path: Path):
    songs = [("p", "1", "Low"), ("p", "1", "Low"), ("p", "2", "low"), ("p", "3", "Múm")]
    songs += [("p", "4", "Slint"), ("p", "5", "Can"), ("p", "6", None), ("q", "1", "Low")]
    rows = [{"playlist_id": p, "track_id": t, "artist_name": a} for p, t, a in songs]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "tracks.parquet")
    (profile,) = read_dataset("editorial", tmp_path)
    assert (profile.id, profile.origin) == ("p", "editorial")
    assert plays(profile) == {"low": 2, "mum": 1, "slint": 1, "can": 1}


def test_each_artist_of_a_philippine_song_has_it(tmp_path: Path):
    (tmp_path / "playlist_tracks.csv").write_text(
        "track_id,artist_name,num_artists,playlist_id\n"
        '1,"[\'Hale\', ""Nina\'s Band""]",2,p\n2,Hale,1,p\n2,Hale,1,p\n'
        "3,MYMP,1,p\n4,Bamboo,1,p\n5,Various Artists,1,p\n"
    )
    (profile,) = read_dataset("philippines", tmp_path)
    assert (profile.id, profile.origin) == ("p", "philippines")
    assert plays(profile) == {"hale": 2, "nina s band": 1, "mymp": 1, "bamboo": 1}
    assert profile.artists["nina s band"].name == "Nina's Band"


def test_all_lists_of_an_owner_are_one_listener(tmp_path: Path):
    (tmp_path / "playlist_artists.csv").write_text(
        "owner,list,artist,tracks,genres\n"
        "7,1,Low,2,Rock\n7,1,Múm,1,Rock\n7,2,Low,3,Rock\n7,3,Slint,1,Rock\n7,3,Can,1,Rock\n"
        "8,1,Low,2,Rock\n"
    )
    (profile,) = read_dataset("vagalume", tmp_path)
    assert (profile.id, profile.origin) == ("7", "vagalume")
    assert plays(profile) == {"low": 5, "mum": 1, "slint": 1, "can": 1}


def test_a_radio_show_is_a_listener(tmp_path: Path):
    (tmp_path / "show_artists.csv").write_text(
        "show,program,date,artist,tracks\n"
        "0,Mix,2026-03-20,Low,2\n0,Mix,2026-03-20,Múm,1\n0,Mix,2026-03-20,Slint,1\n"
        "0,Mix,2026-03-20,Can,1\n0,Mix,2026-03-20,Unknown,1\n"
    )
    (profile,) = read_dataset("kexp", tmp_path)
    assert (profile.id, profile.origin) == ("0", "kexp")
    assert plays(profile) == {"low": 2, "mum": 1, "slint": 1, "can": 1}


@pytest.mark.parametrize(
    ("name", "file"), [("vagalume", "playlist_artists.csv"), ("kexp", "show_artists.csv")]
)
def test_a_count_that_is_no_number_is_named(tmp_path: Path, name: str, file: str):
    (tmp_path / file).write_text("owner,show,artist,tracks\n1,1,Low,2\n1,1,Múm,many\n")
    with pytest.raises(UnreadableExport, match=rf"{file} line 3: 'many' is not a number"):
        list(read_dataset(name, tmp_path))


# Real files


@pytest.mark.parametrize("name", LISTS)
def test_real_lists_have_artists_enough_and_no_placeholders(name: str):
    folder = DATA / FOLDERS[name]
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not in the data folder; docs/data.md says where to get it")
    profiles = list(read_dataset(name, DATA))
    assert {profile.origin for profile in profiles} <= {name, "netease-tv"}
    for profile in profiles:
        assert len(profile.artists) >= MIN_ARTISTS
        assert all(is_artist_name(artist.name) for artist in profile.artists.values())
        assert all(artist.plays == int(artist.plays) for artist in profile.artists.values())


def test_real_netease_lists_of_tv_shows_are_counted():
    folder = DATA / FOLDERS["netease"]
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not in the data folder; docs/data.md says where to get it")
    origins = Counter(profile.origin for profile in read_dataset("netease", DATA))
    assert origins == {"netease": 576, "netease-tv": 54}
