"""Artist content: merged over the public sets, and as files."""

import gzip
from pathlib import Path

import pytest

from twotower.core.domain import AUDIO, AUDIO_RANGE
from twotower.core.errors import BadProfile, MissingData
from twotower.core.names import artist_key
from twotower.core.settings import Settings
from twotower.sources.datasets.artist_content import (
    ArtistContent,
    read_content_file,
    write_content,
)
from twotower.sources.datasets.public_content import read_content
from twotower.sources.datasets.tables import FOLDERS

DATA = Settings.from_env().data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Low is known to two sets, under two spellings in one; two artists are called Air."""
    by_id = tmp_path / FOLDERS["artists-2020"]
    by_id.mkdir()
    (by_id / "artists_cleaned.csv").write_text(
        "uri,followers,genres,name,popularity\n"
        'x:1,1,"[\'trip hop\', ""children\'s music""]",Air,64\n'
        "x:2,1,['pop punk'],AIR,12\n"
        "x:3,1,[],Low,53\n"
        "x:4,1,['noise'],,90\n"
    )
    (by_id / "artists_20210824.tsv").write_text(
        "id\tname\tfollowers\tpopularity\tgenres\n1\tAir\t9\t66\t['Downtempo']\n"
    )
    by_name = tmp_path / FOLDERS["artists-160k"]
    by_name.mkdir()
    header = ",".join(("artists", *AUDIO, "popularity", "count"))
    values = ",".join("0.5" if a not in ("loudness", "tempo") else "-5" for a in AUDIO)
    quiet = values.replace("0.5", "0.2", 1).replace("-5", "-9", 1)  # danceability, loudness
    (by_name / "data_by_artist.csv").write_text(
        f"{header}\nLow,{values},40,1\nThe Low,{quiet},60,3\nMúm,{values},20,2\n"
    )
    (by_name / "artist_genres.csv").write_text(
        "artists,genres\nAir,['reggaeton']\nLow,['slowcore']\nThe Low,[]\nMúm,[]\n"
    )
    return tmp_path


def test_an_artist_is_merged_over_all_sets(data: Path):
    contents = {content.key: content for content in read_content(data)}
    assert list(contents) == ["air", "low", "mum"]
    low = contents["low"]
    assert low.name == "Low" and low.genres == ("slowcore",)
    assert low.audio["danceability"] == pytest.approx((0.5 + 3 * 0.2) / 4)  # one and three tracks
    assert low.audio["loudness"] == pytest.approx((-5 + 3 * -9) / 4)
    assert "tempo" not in low.audio  # -5 beats a minute are none
    assert low.popularity == 53  # the artist's own before the tracks' 55
    assert contents["mum"].popularity == 20


def test_a_namesake_adds_no_genres(data: Path):
    (air,) = (content for content in read_content(data) if content.key == "air")
    assert air.genres == ("trip hop", "children's music", "downtempo")
    assert air.name == "Air" and air.popularity == 66


def test_a_folder_without_any_set_says_where_to_get_them(tmp_path: Path):
    with pytest.raises(MissingData, match=r"spotify-artists-2020.*docs/data\.md.*TWOTOWER_DATA"):
        read_content(tmp_path)


def test_a_missing_file_of_a_set_is_named(data: Path):
    (data / FOLDERS["artists-160k"] / "artist_genres.csv").unlink()
    with pytest.raises(MissingData, match=r"artist_genres\.csv of the data set spotify-artists"):
        read_content(data)


def test_content_survives_writing_and_reading(data: Path, tmp_path: Path):
    contents = read_content(data)
    for name in ("content.jsonl", "content.jsonl.gz"):
        assert write_content(contents, tmp_path / name) == 3
        assert read_content_file(tmp_path / name) == contents
    packed = (tmp_path / "content.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "content.jsonl").read_bytes()


def test_the_same_content_gives_the_same_bytes(data: Path, tmp_path: Path):
    contents = read_content(data)
    for name in ("a.gz", "b.gz"):
        write_content(contents, tmp_path / name)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_only_a_name_is_needed(tmp_path: Path):
    path = tmp_path / "content.jsonl"
    path.write_text('{"name": "Low"}\n{"name": "low", "genres": ["Slow  Core"], "more": 1}\n')
    assert read_content_file(path) == [ArtistContent("low", "Low", ("slow core",))]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nothing", "not a line of JSON"),
        ('{"genres": []}', "name must be a text"),
        ('{"name": "\u200b"}', "name must be a text"),
        ('{"name": "Low", "genres": "rock"}', "genres must be a list"),
        ('{"name": "Low", "genres": [1]}', "genres must be a list"),
        ('{"name": "Low", "audio": [0.1]}', "audio must be an object"),
        ('{"name": "Low", "audio": {"energy": 1.5}}', r"audio\.energy must be .* from 0 to 1"),
        ('{"name": "Low", "audio": {"energy": NaN}}', r"audio\.energy must be a number"),
        ('{"name": "Low", "audio": {"energy": true}}', r"audio\.energy must be a number"),
        ('{"name": "Low", "popularity": 101}', "popularity must be .* from 0 to 100"),
    ],
)
def test_a_bad_line_is_named(line: str, problem: str, tmp_path: Path):
    path = tmp_path / "content.jsonl"
    path.write_text('{"name": "Low"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(BadProfile, match=rf"^content\.jsonl line 2: {problem}"):
        read_content_file(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MissingData, match=r"no file .*content\.jsonl"):
        read_content_file(tmp_path / "content.jsonl")


def test_a_file_that_is_no_gzip_is_named(tmp_path: Path):
    (tmp_path / "content.jsonl.gz").write_text('{"name": "Low"}\n')
    with pytest.raises(BadProfile, match=r"content\.jsonl\.gz line 1"):
        read_content_file(tmp_path / "content.jsonl.gz")


def test_real_content_is_sound():
    if not (DATA / FOLDERS["artists-2020"]).is_dir():
        pytest.skip("spotify-artists-2020 is not in the data folder")
    contents = read_content(DATA)
    assert len(contents) == len({content.key for content in contents}) > 80_000
    for content in contents:
        assert artist_key(content.name) == content.key
        assert content.popularity is None or 0 <= content.popularity <= 100
        assert all(genre and genre == genre.lower() for genre in content.genres)
        for attribute, value in content.audio.items():
            low, high = AUDIO_RANGE[attribute]
            assert low <= value <= high
    beck = next(content for content in contents if content.key == "beck")
    assert "anti-folk" in beck.genres and "reggaeton" not in beck.genres
