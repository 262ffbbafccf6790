"""What public data says of artists: genres, audio attributes, popularity; as JSON Lines too."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twotower.core.domain import AUDIO, AUDIO_RANGE
from twotower.core.errors import BadProfile, MissingData
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.tables import FOLDERS, columns, csv_rows, number, parquet_rows
from twotower.sources.json_lines import read_lines, required_text, write_lines

CONTENT = ("artists-2020", "mpd", "artists-160k", "tidytuesday")  # the sets that describe artists
SONG = (  # columns of spotify_songs that are used, besides the audio attributes
    "track_id",
    "track_name",
    "track_artist",
    "track_popularity",
    "track_album_release_date",
    "playlist_id",
    "playlist_name",
    "duration_ms",
)


@dataclass(frozen=True, slots=True)
class ArtistContent:
    """What is known of one artist without anyone's listening."""

    key: str
    name: str
    genres: tuple[str, ...] = ()  # lower case, the first source's first
    audio: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # means
    popularity: float | None = None  # Spotify's, 0..100


def read_content(data: Path) -> list[ArtistContent]:
    """One ArtistContent per artist key, in the order of the keys, merged over the sets in `data`.

    Genres are those of the sets that know artists by id, joined, else those that artists-160k
    gives the name. Audio values are means over the tracks counted, and popularity is the
    highest that a set states of the artist, else the mean of the tracks'. Of artists with the same
    name in one set, the most popular one that has genres gives them. A set that is not
    there is passed over; MissingData where there is none at all, or part of one is missing.
    """
    found = [name for name in CONTENT if (data / FOLDERS[name]).is_dir()]
    if not found:
        raise MissingData(
            f"none of {', '.join(FOLDERS[name] for name in CONTENT)} is in {data}; "
            "docs/data.md says where to get them, and TWOTOWER_DATA where to look"
        )
    merged: dict[str, _Gathered] = {}
    for name in found:
        _CONTENT_READERS[name](data / FOLDERS[name], merged)
    return [merged[key].content(key) for key in sorted(merged)]


def write_content(contents: Iterable[ArtistContent], path: Path) -> int:
    """Write `{"name", "genres", "audio", "popularity"}` a line, all or nothing; gives the lines."""

    def line(content: ArtistContent) -> dict[str, Any]:
        row: dict[str, Any] = {"name": content.name}
        if content.genres:
            row["genres"] = list(content.genres)
        if content.audio:
            row["audio"] = dict(content.audio)
        if content.popularity is not None:
            row["popularity"] = content.popularity
        return row

    return write_lines((line(content) for content in contents), path)


def read_content_file(path: Path) -> list[ArtistContent]:
    """What `write_content` wrote, or anyone else; lines about the same artist are merged."""
    merged: dict[str, _Gathered] = {}
    for where, row in read_lines(path):
        name = required_text(row, "name", where)
        genres = row.get("genres", [])
        if not isinstance(genres, list) or not all(isinstance(genre, str) for genre in genres):
            raise BadProfile("genres must be a list of words", where=where)
        audio = row.get("audio", {})
        if not isinstance(audio, dict):
            raise BadProfile("audio must be an object of numbers", where=where)
        popularity = row.get("popularity")
        if popularity is not None and not _within(popularity, 0, 100):
            raise BadProfile("popularity must be a number from 0 to 100", where=where)
        for attribute in AUDIO:
            if attribute in audio and not _within(audio[attribute], *AUDIO_RANGE[attribute]):
                low, high = AUDIO_RANGE[attribute]
                message = f"audio.{attribute} must be a number from {low:g} to {high:g}"
                raise BadProfile(message, where=where)
        entry = merged.setdefault(artist_key(name), _Gathered())
        entry.told(name, popularity)
        entry.genres.update(dict.fromkeys(_words(genres)))
        entry.heard({a: float(audio[a]) for a in AUDIO if a in audio}, weight=1.0)
    return [merged[key].content(key) for key in sorted(merged)]


@dataclass(slots=True)
class _Gathered:
    """What the sets have said so far of one artist."""

    name: str = ""
    popularity: float | None = None  # of the artist
    of_tracks: float | None = None  # mean of the tracks' popularity
    genres: dict[str, None] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)

    def told(self, name: str, popularity: float | None) -> None:
        higher = popularity is not None and (
            self.popularity is None or popularity > self.popularity
        )
        if higher:
            self.popularity = popularity
        if higher or not self.name:
            self.name = name

    def heard(self, audio: Mapping[str, float], weight: float) -> None:
        for attribute, value in audio.items():
            self.sums[attribute] = self.sums.get(attribute, 0.0) + weight * value
            self.counts[attribute] = self.counts.get(attribute, 0.0) + weight

    def content(self, key: str) -> ArtistContent:
        audio = {a: self.sums[a] / self.counts[a] for a in AUDIO if a in self.sums}
        popularity = self.of_tracks if self.popularity is None else self.popularity
        return ArtistContent(
            key, self.name, tuple(self.genres), MappingProxyType(audio), popularity
        )


def _artists_with_genres(
    rows: Iterable[tuple[str, str, list[str]]], merged: dict[str, _Gathered]
) -> None:
    """Add one set's (name, popularity, genres); of namesakes only one gives its genres."""
    best: dict[str, tuple[float, list[str]]] = {}
    for name, popularity, genres in rows:
        if is_artist_name(name):
            key = artist_key(name)
            known = number(popularity)
            merged.setdefault(key, _Gathered()).told(name.strip(), known)
            if genres and (key not in best or (known or 0) > best[key][0]):
                best[key] = (known or 0, genres)
    for key, (_, genres) in best.items():
        merged[key].genres.update(dict.fromkeys(_words(genres)))


def _artists_2020(folder: Path, merged: dict[str, _Gathered]) -> None:
    for file, delimiter in (("artists_cleaned.csv", ","), ("artists_20210824.tsv", "\t")):
        table = csv_rows("artists-2020", folder, file, delimiter=delimiter)
        name, popularity, genres = columns(file, next(table), ("name", "popularity", "genres"))
        rows = [(row[name], row[popularity], _literals(row[genres])) for row in table]
        _artists_with_genres(rows, merged)


def _artists_mpd(folder: Path, merged: dict[str, _Gathered]) -> None:
    file = "artist_genres_slice0.csv"
    table = csv_rows("mpd", folder, file)
    name, popularity, genres = columns(file, next(table), ("name", "popularity", "genres_str"))
    rows = [(row[name], row[popularity], row[genres].split(",")) for row in table]
    _artists_with_genres(rows, merged)


def _artists_160k(folder: Path, merged: dict[str, _Gathered]) -> None:
    file = "data_by_artist.csv"
    table = csv_rows("artists-160k", folder, file)
    wanted = ("artists", "popularity", "count", *AUDIO)
    name, popularity, count, *audio = columns(file, next(table), wanted)
    heard: dict[str, float] = {}
    for row in table:
        if is_artist_name(row[name]):
            key = artist_key(row[name])
            entry = merged.setdefault(key, _Gathered())
            entry.told(row[name].strip(), None)
            tracks = number(row[count]) or 1.0
            values = {a: number(row[at]) for a, at in zip(AUDIO, audio, strict=True)}
            entry.heard(_valid_audio(values), tracks)
            liked = number(row[popularity])
            if liked is not None:  # mean over the spellings of the name, weighted by tracks
                before = heard.get(key, 0.0)
                entry.of_tracks = ((entry.of_tracks or 0.0) * before + liked * tracks) / (
                    before + tracks
                )
                heard[key] = before + tracks
    file = "artist_genres.csv"
    table = csv_rows("artists-160k", folder, file)
    name, genres = columns(file, next(table), ("artists", "genres"))
    # these stand under names without ids and are often a namesake's ("Beck": reggaeton)
    lacking = {key for key, entry in merged.items() if not entry.genres}
    rows = [(row[name], "", _literals(row[genres])) for row in table if is_artist_name(row[name])]
    _artists_with_genres([row for row in rows if artist_key(row[0]) in lacking], merged)


def _artists_tidytuesday(folder: Path, merged: dict[str, _Gathered]) -> None:
    popularity: dict[str, list[float]] = {}
    unique = {row["track_id"]: row for row in songs(folder)}
    for row in unique.values():
        key = artist_key(row["track_artist"])
        entry = merged.setdefault(key, _Gathered())
        entry.told(row["track_artist"], None)
        entry.heard(row["audio"], weight=1.0)
        popularity.setdefault(key, []).append(float(row["track_popularity"] or 0))
    for key, values in popularity.items():
        if merged[key].of_tracks is None:
            merged[key].of_tracks = sum(values) / len(values)


_CONTENT_READERS: Mapping[str, Callable[[Path, dict[str, _Gathered]], None]] = MappingProxyType(
    {
        "artists-2020": _artists_2020,
        "mpd": _artists_mpd,
        "artists-160k": _artists_160k,
        "tidytuesday": _artists_tidytuesday,
    }
)


def songs(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of the song table that name a track and an artist; "audio" holds the valid values."""
    for row in parquet_rows("tidytuesday", folder, "spotify_songs.parquet", (*SONG, *AUDIO)):
        if row["track_name"] and is_artist_name(row["track_artist"] or ""):
            yield {**{column: row[column] for column in SONG}, "audio": _valid_audio(row)}


def _valid_audio(row: Mapping[str, Any]) -> dict[str, float]:
    """The attributes in their ranges; none where the tempo is 0, which says "not analysed"."""
    audio = {a: float(row[a]) for a in AUDIO if _within(row.get(a), *AUDIO_RANGE[a])}
    return audio if audio.get("tempo", 1.0) > 0 else {}


def _within(value: object, low: float, high: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= value <= high  # type: ignore[operator]


def _literals(text: str) -> list[str]:
    """The words of a Python list of strings, as text: `['folk', "children's folk"]`."""
    return [single or double for single, double in _LITERAL.findall(text)]


_LITERAL = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")


def _words(genres: Iterable[str]) -> list[str]:
    return [word for word in (" ".join(genre.split()).lower() for genre in genres) if word]
