"""Artist content of the newer sets, added to that of the older ones."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from twotower.core.domain import AUDIO_RANGE
from twotower.core.errors import MissingData, UnreadableExport
from twotower.core.names import artist_key, is_artist_name
from twotower.core.settings import Settings
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.artist_mentions import content_sets_of
from twotower.sources.datasets.modern_content import (
    BY_ID,
    BY_NAME,
    TAGS,
    main_genres,
    read_modern_content,
)
from twotower.sources.datasets.public_content import read_content
from twotower.sources.datasets.tables import FOLDERS

DATA = Settings.from_env().data


def write(data: Path, name: str, file: str, lines: Sequence[str]) -> None:
    folder = data / FOLDERS[name]
    folder.mkdir(exist_ok=True)
    (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The older content: Low with genres, Múm without, Beck's audio not known."""
    rows = ["name,popularity,genres", "Low,53,\"['slowcore', 'drum and bass']\"", "Múm,40,[]"]
    write(tmp_path, "artists-2020", "artists_cleaned.csv", rows)
    write(tmp_path, "artists-2020", "artists_20210824.tsv", ["name\tpopularity\tgenres"])
    return tmp_path


def contents(data: Path) -> dict[str, ArtistContent]:
    return {content.key: content for content in read_modern_content(data)}


def genres(data: Path) -> dict[str, tuple[str, ...]]:
    return {key: content.genres for key, content in contents(data).items()}


def test_genres_with_a_quarter_of_the_most_frequent_are_kept_four_at_most():
    assert main_genres({"a": 8, "b": 2, "c": 1}) == ["a", "b"]
    assert main_genres({"a": 1, "b": 1, "c": 3, "d": 1, "e": 1}) == ["c", "a", "b", "d"]
    assert main_genres({}) == []


@pytest.mark.parametrize(
    ("name", "file", "header", "row"),
    [
        ("artists-2022", "reduced_nodes-20k.csv", "name,popularity,genres", "['x', 'y']"),
        ("artists-vietnam", "vietnamese_artists.csv", "name,popularity,genres", "['x', 'y']"),
        ("artists-argentina", "artists.csv", "artist_name,popularity,genres", "x|y"),
        ("artists-nigeria", "artists.csv", "artist,popularity,genres", "x|y"),
    ],
)
def test_sets_by_id_add_genres_and_popularity(
    data: Path, name: str, file: str, header: str, row: str
):
    lines = [header, f'Low,60,"{row}"', f'New,30,"{row}"', 'Various Artists,90,"x"']
    write(data, name, file, lines)
    found = contents(data)
    assert found["low"].genres == ("slowcore", "drum and bass", "x", "y")
    assert found["low"].popularity == 60
    assert (found["new"].genres, found["new"].popularity) == (("x", "y"), 30)
    assert "various artists" not in found


def test_a_name_in_lower_case_does_not_replace_a_known_spelling(data: Path):
    rows = ["artist_name,popularity,genres", "low,99,x", "duki,80,x"]
    write(data, "artists-argentina", "artists.csv", rows)
    found = contents(data)
    assert (found["low"].name, found["low"].popularity) == ("Low", 99)
    assert found["duki"].name == "duki"


def test_a_russian_artist_without_a_spotify_id_has_no_popularity(data: Path):
    rows = ["artist,spotify_id,genres,popularity", "Кино,1,['russian rock'],70"]
    rows += ["Аквариум,,['russian rock'],0", "Nobody,,[],0"]
    write(data, "artists-russia", "artists.csv", rows)
    found = contents(data)
    assert found["кино"].popularity == 70
    assert found["аквариум"].popularity is None and found["аквариум"].genres == ("russian rock",)
    assert "nobody" not in found


def test_audio_goes_to_artists_without_any(data: Path):
    header = "artist,genres,popularity,tracks,danceability,loudness"
    write(data, "artists-nigeria", "artists.csv", [header, "Low,x,60,3,0.5,-6", "Asake,x,70,2,,-7"])
    found = contents(data)
    assert found["low"].audio == {"danceability": 0.5, "loudness": -6}
    assert found["asake"].audio == {"loudness": -7}


def test_tags_count_if_they_are_a_genre_of_another_set(data: Path):
    tags = "[('Slowcore', 100), (\"Drum'n'Bass\", 80), ('drum-and-bass', 25), ('seen live', 90)]"
    weak = "[('slowcore', 24)]"
    write(
        data,
        TAGS,
        "genre_artists.csv",
        ["name,tagsLast", f'New,"{tags.replace(chr(34), chr(34) * 2)}"', f'Múm,"{weak}"'],
    )
    found = genres(data)
    assert found["new"] == ("slowcore", "drum and bass") and found["mum"] == ()


def test_sets_by_name_describe_only_artists_without_genres(data: Path):
    rows = ["artist,genre,tracks", "Low,study,9", "Múm,drum-and-bass,4", "Múm,study,1"]
    write(data, "tracks-114k", "artist_genre_counts.csv", rows)
    write(data, "albums-aoty", "album_ratings.csv", ["Artist,Genre", "Múm,Folktronica", "Low,Pop"])
    found = genres(data)
    assert found["low"] == ("slowcore", "drum and bass")
    assert found["mum"] == ("drum and bass", "study", "folktronica")  # the usual spelling


def test_rated_albums_count_for_the_genres_of_their_artist(data: Path):
    rows = ["artist_name,primary_genres", '"Can","Krautrock, Art Rock"', "Can,Krautrock", "Can,NA"]
    rows += ['Can,"Krautrock"', 'Can,"Krautrock"', 'Can,"Krautrock"']
    write(data, "albums-rym", "rym_clean1.csv", rows)
    assert genres(data)["can"] == ("krautrock",)


def test_songs_of_indian_artists_count_for_their_genres(data: Path):
    rows = ["artist,song_genres", "A.R. Rahman,Bollywood:30|Tamil:27|Indie:7|Hindi:8", "Nobody,"]
    rows += ["Ankur,Indie:2"]
    write(data, "artists-india", "artists.csv", rows)
    found = genres(data)
    assert found["a r rahman"] == ("bollywood", "tamil", "hindi")
    assert found["ankur"] == ("indian indie",)
    assert "nobody" not in found


def test_singers_of_three_bollywood_songs_are_described(data: Path):
    rows = ["singer,years,songs", "Alisha,1985-1994,2", "Alisha,1995-2004,1", "Other,1985-1994,2"]
    write(data, "bollywood", "singers_by_decade.csv", rows)
    found = genres(data)
    assert found["alisha"] == ("bollywood",) and "other" not in found


def test_all_names_of_anime_artists_are_described(data: Path):
    document = {"1": {"names": ["Yoko Kanno", "Gabriela Robin"]}, "2": {"names": ["low"]}}
    write(data, "anime", "artist_database.json", [json.dumps(document)])
    found = genres(data)
    assert found["yoko kanno"] == found["gabriela robin"] == ("anime",)
    assert "anime" not in found["low"]


@pytest.mark.parametrize("text", ["[1]", "{", '{"1": {}}'])
def test_a_damaged_json_file_is_named(data: Path, text: str):
    write(data, "anime", "artist_database.json", [text])
    with pytest.raises(UnreadableExport, match=r"artist_database\.json"):
        read_modern_content(data)


def test_without_a_newer_set_the_reader_says_where_to_get_one(data: Path):
    with pytest.raises(MissingData, match=r"spotify-artists-2022.*docs/data\.md"):
        read_modern_content(data)


def test_the_older_content_stays_as_it_is(data: Path):
    before = read_content(data)
    write(data, "artists-2022", "reduced_nodes-20k.csv", ["name,popularity,genres", "Low,90,['x']"])
    assert read_content(data) == before


def test_real_newer_content_is_sound():
    missing = [FOLDERS[n] for n in (*BY_ID, TAGS, *BY_NAME) if not (DATA / FOLDERS[n]).is_dir()]
    if missing:
        pytest.skip(f"{', '.join(missing)} not in the data folder; see docs/data.md")
    found = contents(DATA)
    assert {content.key for content in read_content(DATA)} <= set(found)
    assert len(found) > 130_000
    assert sum(bool(content.genres) for content in found.values()) > 90_000
    for key, content in found.items():
        assert artist_key(content.name) == key
        assert content.popularity is None or 0 <= content.popularity <= 100
        assert all(genre and genre == genre.lower() for genre in content.genres)
        for attribute, value in content.audio.items():
            low, high = AUDIO_RANGE[attribute]
            assert low <= value <= high
    assert all(is_artist_name(content.name) for content in found.values())
    assert found["newjeans"].genres[0] == "k-pop"
    assert "v-pop" in found["son tung m tp"].genres
    assert "reggaeton" not in found["beck"].genres


def test_the_sets_that_name_an_artist_are_known(data):
    write(data, "artists-2022", "reduced_nodes-20k.csv", ["name,popularity,genres", "Low,1,[]"])
    write(data, "tracks-114k", "artist_genre_counts.csv", ["artist,genre,tracks", "Burial,dub,3"])
    assert content_sets_of(data) == {
        "low": {"artists-2020", "artists-2022"},
        "mum": {"artists-2020"},
        "burial": {"tracks-114k"},
    }
