"""Files of other services and programs: recognised, read, documented, and joined."""

import io
import json
from datetime import datetime
from pathlib import Path

import pytest
from format_samples import (
    APPLE_ACTIVITY,
    APPLE_DAILY,
    APPLE_LIBRARY,
    AT,
    PLAYED,
    SAMPLES,
    UNIX,
    WORKBOOK,
    YOUTUBE,
    read,
    read_all,
    rows,
    zipped,
)

from twotower.core.errors import NoMusic
from twotower.matching.discoveries import Discovery
from twotower.matching.playlist_files import to_csv, to_m3u, to_xspf
from twotower.sources.files.formats import FORMATS, TABLE, find_format, is_member

ROOT = Path(__file__).resolve().parents[2]


def test_every_format_has_a_sample():
    kinds = [each.kind for each in FORMATS if each.read is not None]
    assert sorted(SAMPLES) == sorted(kinds)


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_file_is_recognised_and_its_music_is_read(kind):
    name, content, expected, left_out = SAMPLES[kind]
    raw = content if isinstance(content, bytes) else content.encode()
    found = find_format(io.BytesIO(raw), name)
    assert (TABLE if found is None else found).kind == kind
    if not expected:
        with pytest.raises(NoMusic, match=next(iter(left_out))):
            read(name, content)
        return
    reading = read(name, content)
    assert rows(reading) == expected
    assert reading.origin == "file"
    assert dict(reading.reports[0].left_out) == left_out


def documented() -> dict[str, str]:
    """Return format and what is read of it, from the table in docs/sources.md."""
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    lines = text.partition("## Files\n")[2].partition("\n## ")[0].splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("| ")]
    return {row[0].strip(): row[2].strip() for row in cells[1:]}


def test_the_documentation_lists_every_format():
    assert set(documented()) == {each.label for each in FORMATS} | {"Exportify"}


@pytest.mark.parametrize(
    "each", [each for each in FORMATS if each.read is not None], ids=lambda each: each.kind
)
def test_the_documentation_says_what_is_read(each):
    said = documented()[each.label]
    read_kinds = SAMPLES[each.kind][2]
    words = {"saved": "saved tracks", "listed": "playlists"}
    for _, _, kind, _, is_timed in read_kinds:
        assert words.get(kind, "plays" if is_timed else "numbers of plays") in said
    assert said.startswith("nothing") == (not read_kinds)


TIMED = [kind for kind, sample in SAMPLES.items() if PLAYED in sample[2]]


@pytest.mark.parametrize("kind", TIMED)
def test_the_time_of_a_play_is_read(kind):
    name, content, _, _ = SAMPLES[kind]
    (play,) = read(name, content).plays
    assert abs(play.at - datetime.fromisoformat(AT)).total_seconds() < 120


def test_one_play_in_files_of_all_formats_counts_once():
    reading = read_all((f"{kind} {SAMPLES[kind][0]}", SAMPLES[kind][1]) for kind in TIMED)
    assert sum(play.count for play in reading.plays if play.track == "Slow Tide") == 1
    assert len(TIMED) > 15


@pytest.mark.parametrize(
    ("before", "after"),
    [("Watched ", ""), ("", " angesehen"), ("Guardat: «", "»"), ("", " を見た")],
)
def test_the_phrase_around_titles_is_learnt_in_any_language(before, after):
    titles = ["Slow Tide", "Grey Pier", "Low", "High Water", "Neap", "Spring Ebb", "Red Flood"]
    titles += ["Rip", "The Long Way Home", "Monkey", "Washer"]
    history = [{**YOUTUBE, "title": f"{before}{title}{after}"} for title in titles]
    assert [play.track for play in read("a.json", json.dumps(history)).plays] == titles


def test_members_of_archives_are_known_by_their_paths():
    youtube = "Takeout/YouTube and YouTube Music"
    assert is_member(f"{youtube}/history/watch-history.json")
    assert is_member("Takeout/YouTube y YouTube Music/historial/historial de reproducciones.html")
    assert is_member(f"{youtube}/music (library and uploads)/music library songs.csv")
    assert is_member("Apple_Media_Services/Apple Music Activity/Apple Music Play Activity.csv")
    assert not is_member(f"{youtube}/history/search-history.json")
    assert not is_member("Takeout/YouTube y YouTube Music/historial/historial de búsqueda.html")
    assert not is_member(f"{youtube}/comments/comments.csv")
    assert not is_member("Apple_Media_Services/Stores Activity/Store Transaction History.csv")


def test_an_older_play_activity_says_which_file_has_the_artists():
    table = APPLE_ACTIVITY.replace("Artist Name", "Build Version")
    with pytest.raises(NoMusic, match="which Play History Daily Tracks has"):
        read("a.csv", table)


def test_files_of_apple_that_have_the_same_plays_count_once():
    daily = APPLE_DAILY + "ZZ,AUDIO,20240507,9,60000,1,0,Harbour Fog - Grey Pier\n"
    last_plays = (
        "Track Name,Last Played Date,Is User Initiated\n"
        f"Harbour Fog - Rip,{UNIX - 9 * 86_400}000,true\n"
        f"Harbour Fog - Grey Pier,{UNIX + 86_400}000,true\n"
    )
    library = json.dumps([APPLE_LIBRARY])
    contents = (library, last_plays, daily, APPLE_ACTIVITY)
    reading = read_all(zip(("1.json", "2.csv", "3.csv", "4.csv"), contents, strict=True))
    assert {(play.track, play.kind): play.count for play in reading.plays} == {
        ("Slow Tide", "played"): 1,  # the library's three plays and those of the day are among it
        ("Slow Tide", "saved"): 1,
        ("Grey Pier", "played"): 1,  # on a day that the activity lacks
        ("Rip", "played"): 1,  # before the two other histories
    }
    assert [report.plays for report in reading.reports] == [1, 1, 1, 1]


def test_times_in_a_workbook_may_be_numbers_of_days():
    sheet = WORKBOOK["xl/worksheets/sheet1.xml"]
    sheet = sheet.replace('t="str"><v>2024-05-06 07:08:09', "><v>45418.297326388887")
    (play,) = read("a.xlsx", zipped({**WORKBOOK, "xl/worksheets/sheet1.xml": sheet})).plays
    assert abs(play.at - datetime.fromisoformat(AT)).total_seconds() < 61


def test_lists_that_the_app_offers_can_be_brought_back():
    found = [Discovery("Harbour Fog", ("Amber Otter",)), Discovery("Tide - Pool, & Co", ("x",))]
    files = {
        "a.csv": to_csv(found).encode(),
        "a.xspf": to_xspf(found, "Rain"),
        "a.m3u8": to_m3u(found, "Rain").encode(),
    }
    for name, content in files.items():
        plays = read(name, content).plays
        assert [play.artist for play in plays] == ["Harbour Fog", "Tide - Pool, & Co"]
        assert {play.kind for play in plays} == {"listed"}
