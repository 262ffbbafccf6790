"""Real exports of real people, if present: our counts equal those of a second, simple count.

The second count uses the standard library alone, so that no mistake of ours can be in both.
"""

import csv
import gzip
import io
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from twotower.core.errors import NoMusic
from twotower.core.settings import Settings
from twotower.sources.collector import Reading
from twotower.sources.reader import read_files

FILES = sorted((Settings.from_env().data / "spotify-user-exports").glob("*/*.gz"))
pytestmark = pytest.mark.skipif(not FILES, reason="no spotify-user-exports in the data folder")

Row = tuple[list[str], str]  # artists, day or ""


def rows_of(path: Path) -> Iterator[Row]:
    """Return the rows of a file that count."""
    text = gzip.decompress(path.read_bytes()).decode("utf-8-sig")
    if "exportify" in path.name:
        for row in csv.DictReader(io.StringIO(text)):
            is_track = row["Track URI"].startswith(("spotify:track:", "spotify:local:"))
            names = [name.strip() for name in row["Artist Name(s)"].split(";") if name.strip()]
            if is_track and names:
                yield names, row["Added At"][:10]
        return
    data = json.loads(text)
    if "StreamingHistory" in path.name:
        for row in data:
            if row.get("msPlayed", 0) >= 30_000 and row.get("artistName", "Unknown Artist") != (
                "Unknown Artist"
            ):
                yield [row["artistName"]], row["endTime"][:10]
    elif "YourLibrary" in path.name:
        for row in data["tracks"]:
            if row["artist"]:
                yield [row["artist"]], ""
    else:
        for playlist in data["playlists"]:
            for item in playlist["items"]:
                if item["track"] and item["track"]["artistName"]:
                    yield [item["track"]["artistName"]], item["addedDate"]


def plain(name: str) -> str:
    """Strip a name of differences between spellings."""
    folded = unicodedata.normalize("NFKD", name.casefold().replace("&", "and").replace("$", "s"))
    letters = "".join(c for c in folded if c.isalnum()) or name.casefold().strip()
    return letters.removeprefix("the")


def read(path: Path) -> Reading:
    with path.open("rb") as file:
        return read_files([(path.name, file)])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_plays_artists_and_span_equal_a_second_count(path: Path):
    rows = list(rows_of(path))
    if not rows:
        with pytest.raises(NoMusic):
            read(path)
        return
    reading = read(path)
    (report,) = reading.reports
    assert report.plays == len(rows) == sum(play.count for play in reading.plays)
    assert report.artists == len({plain(name) for names, _ in rows for name in names})
    assert report.saved == (0 if "StreamingHistory" in path.name else report.plays)
    days = [day for _, day in rows if day]
    assert (str(report.since), str(report.until)) == (
        min(days, default="None"),
        max(days, default="None"),
    )
    by_name = Counter(names[0] for names, _ in rows)
    found: Counter[str] = Counter()
    for play in reading.plays:
        found[play.artist] += play.count
    assert found == by_name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_counted_and_left_out_rows_are_all_rows(path: Path):
    data = gzip.decompress(path.read_bytes()).decode("utf-8-sig")
    if "StreamingHistory" in path.name:
        total = len(json.loads(data))
    elif "Playlist" in path.name:
        total = sum(len(playlist["items"]) for playlist in json.loads(data)["playlists"])
    elif "exportify" in path.name:
        total = len(list(csv.DictReader(io.StringIO(data))))
    else:
        total = sum(len(rows) for key, rows in json.loads(data).items() if key != "other")
    try:
        (report,) = read(path).reports
    except NoMusic as error:
        assert f"{total:,} podcasts" in str(error)  # noqa: PT017
        return
    assert report.plays + sum(report.left_out.values()) == total
