"""Files of the public data sets, and their rows as text.

A data set is a folder in the data folder (`TWOTOWER_DATA`); docs/data.md says where to get each.
Files may be gzipped.
"""

import csv
import gzip
import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import pyarrow
import pyarrow.parquet

from twotower.core.errors import MissingData, UnreadableExport

_PYTHON_STRING = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")

FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "hetrec": "hetrec2011-lastfm-2k",
        "germany": "lastfm-germany-1257x285",
        "audioscrobbler": "audioscrobbler-2005-50users",
        "tidytuesday": "spotify-tidytuesday-songs",
        "mpd": "spotify-mpd-subset",
        "listenbrainz": "listenbrainz-dump",
        "artists-160k": "spotify-artists-160k",
        "artists-2020": "spotify-artists-2020",
        "netease": "netease-playlists-2024",
        "archive": "spotify-playlist-archive-2021",
        "editorial": "spotify-editorial-2023",
        "philippines": "spotify-playlists-philippines-2020",
        "vagalume": "vagalume-playlists-2021",
        "kexp": "kexp-shows-2026",
        "charts": "kworb-country-totals",
        "charts-asia": "kworb-asia-2025-26",
        "aliases": "artist-aliases-derived",
        "aliases-ja": "artist-aliases-ja",
        "artists-2022": "spotify-artists-2022",
        "artists-vietnam": "vietnamese-artists-2024",
        "artists-argentina": "argentine-artists-2022",
        "artists-nigeria": "nigerian-artists-2024",
        "artists-russia": "russian-artists-2020",
        "lastfm-tags": "lastfm-tags-2025",
        "tracks-114k": "spotify-tracks-114k",
        "albums-aoty": "album-ratings-aoty-2021",
        "albums-rym": "album-ratings-rym-2022",
        "artists-india": "indian-artists-2024",
        "bollywood": "bollywood-singers",
        "anime": "anime-artists",
    }
)
# Files that training and evaluation read; reports of the evaluation name them with their hashes.
FILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "hetrec": (
            "artists.dat",
            "tags.dat",
            "user_artists.dat",
            "user_taggedartists.dat",
            "user_friends_part.dat",
        ),
        "germany": ("lastfm-matrix-germany.csv",),
        "audioscrobbler": (
            "user_artist_data_small.txt",
            "artist_data_small.txt",
            "artist_alias_small.txt",
        ),
        "tidytuesday": ("spotify_songs.parquet",),
        "mpd": (
            "playlist_artists.csv",
            "tracks_575000-575999.snappy.parquet",
            "playlist-sample-ds1.csv",
            "playlist-sample-ds2.csv",
            "artist_genres_slice0.csv",
        ),
        "artists-160k": ("data_by_artist.csv", "artist_genres.csv"),
        "artists-2020": ("artists_cleaned.csv", "artists_20210824.tsv"),
        "netease": ("songlist2songs.txt",),
        "archive": ("playlist_tracks.csv",),
        "editorial": ("tracks.parquet",),
        "philippines": ("playlist_tracks.csv",),
        "vagalume": ("playlist_artists.csv",),
        "kexp": ("show_artists.csv",),
        "charts": ("artist_country_totals.csv",),
        "charts-asia": ("artist_country_top50.csv",),
        "artists-2022": ("reduced_nodes-20k.csv",),
        "artists-vietnam": ("vietnamese_artists.csv",),
        "artists-argentina": ("artists.csv",),
        "artists-nigeria": ("artists.csv",),
        "artists-russia": ("artists.csv",),
        "lastfm-tags": ("genre_artists.csv",),
        "tracks-114k": ("artist_genre_counts.csv",),
        "albums-aoty": ("album_ratings.csv",),
        "albums-rym": ("rym_clean1.csv",),
        "artists-india": ("artists.csv",),
        "bollywood": ("singers_by_decade.csv",),
        "anime": ("artist_database.json",),
    }
)


def data_hashes(folder: Path) -> dict[str, str]:
    """Return path within `folder` -> SHA-256 of each file that the readers use, sorted."""
    hashes = {}
    for name, files in FILES.items():
        for file in files:
            path = find_file(folder / FOLDERS[name], file)
            if path is not None:
                with path.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256")
                hashes[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return dict(sorted(hashes.items()))


def folder_of(name: str, folder: Path) -> Path:
    """Return the folder of a set; `folder` is that folder or the data folder above it."""
    inner = folder / FOLDERS[name]
    return inner if inner.is_dir() else folder


def find_file(folder: Path, file: str) -> Path | None:
    """Return the path of `file`, or of its gzipped form, or None."""
    for path in (folder / file, folder / f"{file}.gz"):
        if path.is_file():
            return path
    return None


def _path(name: str, folder: Path, file: str) -> Path:
    path = find_file(folder, file)
    if path is None:
        raise MissingData(
            f"{file} of the data set {FOLDERS[name]} is not in {folder}; "
            "docs/data.md says where to get it"
        )
    return path


def open_text(path: Path, encoding: str = "utf-8", newline: str = "") -> IO[str]:
    """Open a file as text, unpacked if its name ends in .gz; invalid bytes become U+FFFD."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline=newline, errors="replace")
    return path.open(encoding=encoding, newline=newline, errors="replace")


def _damaged(path: Path, at: int, problem: object) -> UnreadableExport:
    return UnreadableExport(
        f"{problem}; download the file again (docs/data.md says where)",
        where=f"{path.name} line {at}",
    )


def text_lines(name: str, folder: Path, file: str) -> Iterator[tuple[str, str]]:
    """Yield (place for an error text, line) for each line that isn't blank."""
    path = _path(name, folder, file)
    at = 0
    try:
        with open_text(path, newline="\n") as lines:
            for at, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{path.name} line {at}", line.rstrip("\r\n")
    except (OSError, EOFError, zlib.error) as problem:
        raise _damaged(path, at + 1, problem) from problem


def delimited_rows(
    name: str,
    folder: Path,
    file: str,
    width: int,
    *,
    header: bool = True,
    last_is_number: bool = False,
    skip_short: bool = False,
    encoding: str = "utf-8",
) -> Iterator[list[str]]:
    """Yield the first `width` fields of each row; fields are separated by tabs or blanks.

    Raises UnreadableExport if a row has fewer fields (unless `skip_short`), or if the last one must
    be a number and isn't.
    """
    path = _path(name, folder, file)
    at = 0
    try:
        with open_text(path, encoding, newline="\n") as lines:
            for at, line in enumerate(lines, 1):
                text = line.rstrip("\r\n")
                if (header and at == 1) or not text.strip():
                    continue
                row = text.split("\t") if "\t" in text else text.split(None, width - 1)
                if len(row) < width:
                    if skip_short:
                        continue
                    raise _damaged(path, at, f"{len(row)} fields instead of {width}")
                if last_is_number and number(row[width - 1]) is None:
                    raise _damaged(path, at, f"{row[width - 1]!r} is not a number")
                yield row[:width]
    except (OSError, EOFError, zlib.error) as problem:
        raise _damaged(path, at + 1, problem) from problem


def csv_rows(name: str, folder: Path, file: str, *, delimiter: str = ",") -> Iterator[list[str]]:
    """Yield the rows of a CSV file, header first. Raises UnreadableExport if widths differ."""
    path = _path(name, folder, file)
    at, width = 0, 0
    try:
        with open_text(path) as lines:
            for at, row in enumerate(csv.reader(lines, delimiter=delimiter), 1):
                width = width or len(row)
                if len(row) != width:
                    raise _damaged(path, at, f"{len(row)} fields instead of {width}")
                yield row
    except (OSError, EOFError, zlib.error, csv.Error) as problem:
        raise _damaged(path, at + 1, problem) from problem
    if not width:
        raise _damaged(path, 1, "the file is empty")


def csv_columns(
    name: str,
    folder: Path,
    file: str,
    columns: Iterable[str],
    *,
    last_is_number: bool = False,
    delimiter: str = ",",
) -> Iterator[list[str]]:
    """Yield the fields of these columns for each row of a CSV file.

    Raises UnreadableExport if a column is missing, or if the last one must be a number and isn't.
    """
    rows = csv_rows(name, folder, file, delimiter=delimiter)
    positions = column_positions(file, next(rows), columns)
    for line, row in enumerate(rows, 2):
        fields = [row[position] for position in positions]
        if last_is_number and number(fields[-1]) is None:
            raise _damaged(Path(file), line, f"{fields[-1]!r} is not a number")
        yield fields


def column_positions(file: str, header: list[str], wanted: Iterable[str]) -> list[int]:
    """Return the positions of columns in a header. Raises UnreadableExport if one is missing."""
    try:
        return [header.index(column) for column in wanted]
    except ValueError:
        missing = [column for column in wanted if column not in header]
        raise UnreadableExport(
            f"no column {', '.join(missing)}; download the file again (docs/data.md says where)",
            where=f"{file} line 1",
        ) from None


def parquet_rows(
    name: str, folder: Path, file: str, columns: Iterable[str]
) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file as column -> value."""
    path = _path(name, folder, file)
    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(
            path, columns=list(columns)
        ).to_pylist()
    except (OSError, pyarrow.ArrowException) as problem:
        raise _damaged(path, 1, problem) from problem
    if rows and (missing := [column for column in columns if column not in rows[0]]):
        raise _damaged(path, 1, f"no column {', '.join(missing)}")
    return rows


def json_document(name: str, folder: Path, file: str) -> Any:
    """Return the content of a JSON file."""
    path = _path(name, folder, file)
    try:
        with open_text(path) as stream:
            return json.load(stream)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as problem:
        raise _damaged(path, 1, problem) from problem


def python_strings(text: str) -> list[str]:
    """Return the strings of a Python list in a text: `['folk', "children's folk"]`."""
    return [single or double for single, double in _PYTHON_STRING.findall(text)]


def number(text: str) -> float | None:
    """Return `text` as a finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_within(value: object, low: float, high: float) -> bool:
    """Return True if `value` is a number from `low` to `high`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and low <= value <= high  # type: ignore[operator]
