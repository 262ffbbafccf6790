"""Artists as public data describes them: genres, audio attributes, popularity.

Read from the data sets, and written to and read from JSON Lines.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twotower.core.domain import AUDIO, AUDIO_RANGE
from twotower.core.errors import BadProfile, MissingData
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.tables import (
    FOLDERS,
    column_positions,
    csv_rows,
    is_within,
    number,
)
from twotower.sources.datasets.tidytuesday import read_songs, valid_audio
from twotower.sources.json_lines import read_lines, required_text, write_lines

CONTENT = ("artists-2020", "mpd", "artists-160k", "tidytuesday")  # the sets that describe artists
_PYTHON_STRING = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")


@dataclass(frozen=True, slots=True)
class ArtistContent:
    """One artist as data sets describe it, without anyone's listening."""

    key: str
    name: str
    genres: tuple[str, ...] = ()  # lower case, those of the first data set first
    audio: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # means
    popularity: float | None = None  # Spotify's, 0..100


@dataclass(slots=True)
class _ContentBuilder:
    """Content of one artist while the data sets are read."""

    name: str = ""
    popularity: float | None = None  # of the artist
    track_popularity: float | None = None  # mean over the artist's tracks
    genres: dict[str, None] = field(default_factory=dict)  # a set that keeps its order
    audio_sums: dict[str, float] = field(default_factory=dict)
    audio_weights: dict[str, float] = field(default_factory=dict)

    def add_name(self, name: str, popularity: float | None) -> None:
        """Add a spelling; the name is that of the most popular artist of this key."""
        is_higher = popularity is not None and (
            self.popularity is None or popularity > self.popularity
        )
        if is_higher:
            self.popularity = popularity
        if is_higher or not self.name:
            self.name = name

    def add_audio(self, audio: Mapping[str, float], weight: float) -> None:
        for attribute, value in audio.items():
            self.audio_sums[attribute] = self.audio_sums.get(attribute, 0.0) + weight * value
            self.audio_weights[attribute] = self.audio_weights.get(attribute, 0.0) + weight

    def content(self, key: str) -> ArtistContent:
        audio = {
            a: self.audio_sums[a] / self.audio_weights[a] for a in AUDIO if a in self.audio_sums
        }
        popularity = self.track_popularity if self.popularity is None else self.popularity
        return ArtistContent(
            key, self.name, tuple(self.genres), MappingProxyType(audio), popularity
        )


_Builders = dict[str, _ContentBuilder]  # by artist key


def _builder(builders: _Builders, key: str) -> _ContentBuilder:
    return builders.setdefault(key, _ContentBuilder())


def _contents(builders: _Builders) -> list[ArtistContent]:
    return [builders[key].content(key) for key in sorted(builders)]


# Files of ours


def write_content(contents: Iterable[ArtistContent], path: Path) -> int:
    """Write a line `{"name", "genres", "audio", "popularity"}` per artist; return their number."""

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
    """Return the artists of a file as `write_content` writes it, in the order of their keys.

    Lines about the same artist are merged. Raises MissingData or BadProfile.
    """
    builders: _Builders = {}
    for where, row in read_lines(path):
        name = required_text(row, "name", where)
        _check_content(row, where)
        builder = _builder(builders, artist_key(name))
        builder.add_name(name, row.get("popularity"))
        builder.genres.update(dict.fromkeys(_words(row.get("genres", []))))
        audio = row.get("audio", {})
        builder.add_audio({a: float(audio[a]) for a in AUDIO if a in audio}, weight=1.0)
    return _contents(builders)


def _check_content(row: Mapping[str, Any], where: str) -> None:
    """Raise BadProfile if a field of a line has a wrong value."""
    genres = row.get("genres", [])
    if not isinstance(genres, list) or not all(isinstance(genre, str) for genre in genres):
        raise BadProfile("genres must be a list of words", where=where)
    audio = row.get("audio", {})
    if not isinstance(audio, dict):
        raise BadProfile("audio must be an object of numbers", where=where)
    popularity = row.get("popularity")
    if popularity is not None and not is_within(popularity, 0, 100):
        raise BadProfile("popularity must be a number from 0 to 100", where=where)
    for attribute, (low, high) in AUDIO_RANGE.items():
        if attribute in audio and not is_within(audio[attribute], low, high):
            message = f"audio.{attribute} must be a number from {low:g} to {high:g}"
            raise BadProfile(message, where=where)


# Data sets


def read_content(data: Path) -> list[ArtistContent]:
    """Return one entry per artist key, in the order of the keys, merged over all sets in `data`.

    - Genres: from the sets that identify artists by id; only artists without any get those that
      artists-160k has under their name. Of artists with the same name in one set, the most popular
      one that has genres counts.
    - Audio: means over tracks.
    - Popularity: the highest that a set has for the artist, else the mean over tracks.

    Raises MissingData if all sets are missing, or a file of one of them.
    """
    present = [name for name in CONTENT if (data / FOLDERS[name]).is_dir()]
    if not present:
        raise MissingData(
            f"none of {', '.join(FOLDERS[name] for name in CONTENT)} is in {data}: "
            "get them as docs/data.md says, or set TWOTOWER_DATA to their folder"
        )
    builders: _Builders = {}
    for name in present:
        _READERS[name](data / FOLDERS[name], builders)
    return _contents(builders)


def _read_artists_2020(folder: Path, builders: _Builders) -> None:
    for file, delimiter in (("artists_cleaned.csv", ","), ("artists_20210824.tsv", "\t")):
        rows = csv_rows("artists-2020", folder, file, delimiter=delimiter)
        wanted = ("name", "popularity", "genres")
        name, popularity, genres = column_positions(file, next(rows), wanted)
        artists = [(row[name], row[popularity], _python_strings(row[genres])) for row in rows]
        _add_artists(artists, builders)


def _read_mpd(folder: Path, builders: _Builders) -> None:
    file = "artist_genres_slice0.csv"
    rows = csv_rows("mpd", folder, file)
    wanted = ("name", "popularity", "genres_str")
    name, popularity, genres = column_positions(file, next(rows), wanted)
    _add_artists(((row[name], row[popularity], row[genres].split(",")) for row in rows), builders)


def _read_artists_160k(folder: Path, builders: _Builders) -> None:
    _add_audio_of_160k(folder, builders)
    file = "artist_genres.csv"
    rows = csv_rows("artists-160k", folder, file)
    name, genres = column_positions(file, next(rows), ("artists", "genres"))
    # Here artists have names but no ids, and the genres are often a namesake's ("Beck": reggaeton),
    # so only artists without genres get them.
    lacking = {key for key, builder in builders.items() if not builder.genres}
    artists = [
        (row[name], "", _python_strings(row[genres]))
        for row in rows
        if is_artist_name(row[name]) and artist_key(row[name]) in lacking
    ]
    _add_artists(artists, builders)


def _add_audio_of_160k(folder: Path, builders: _Builders) -> None:
    """Add means over tracks of audio and popularity, weighted by tracks over spellings."""
    file = "data_by_artist.csv"
    rows = csv_rows("artists-160k", folder, file)
    wanted = ("artists", "popularity", "count", *AUDIO)
    name, popularity, count, *audio = column_positions(file, next(rows), wanted)
    tracks_before: dict[str, float] = {}  # artist key -> tracks with a popularity so far
    for row in rows:
        if not is_artist_name(row[name]):
            continue
        key = artist_key(row[name])
        builder = _builder(builders, key)
        builder.add_name(row[name].strip(), None)
        tracks = number(row[count]) or 1.0
        values = {a: number(row[position]) for a, position in zip(AUDIO, audio, strict=True)}
        builder.add_audio(valid_audio(values), tracks)
        mean = number(row[popularity])
        if mean is not None:
            before = tracks_before.get(key, 0.0)
            total = (builder.track_popularity or 0.0) * before + mean * tracks
            builder.track_popularity = total / (before + tracks)
            tracks_before[key] = before + tracks


def _read_tidytuesday(folder: Path, builders: _Builders) -> None:
    popularity: dict[str, list[float]] = {}  # artist key -> of its tracks
    tracks = {song["track_id"]: song for song in read_songs(folder)}
    for song in tracks.values():
        key = artist_key(song["track_artist"])
        builder = _builder(builders, key)
        builder.add_name(song["track_artist"], None)
        builder.add_audio(song["audio"], weight=1.0)
        popularity.setdefault(key, []).append(float(song["track_popularity"] or 0))
    for key, values in popularity.items():
        if builders[key].track_popularity is None:
            builders[key].track_popularity = sum(values) / len(values)


_READERS: Mapping[str, Callable[[Path, _Builders], None]] = MappingProxyType(
    {
        "artists-2020": _read_artists_2020,
        "mpd": _read_mpd,
        "artists-160k": _read_artists_160k,
        "tidytuesday": _read_tidytuesday,
    }
)


def _add_artists(artists: Iterable[tuple[str, str, list[str]]], builders: _Builders) -> None:
    """Add one set's (name, popularity, genres); of namesakes, only one adds its genres."""
    best: dict[str, tuple[float, list[str]]] = {}  # artist key -> (popularity, genres)
    for name, written_popularity, genres in artists:
        if is_artist_name(name):
            key = artist_key(name)
            popularity = number(written_popularity)
            _builder(builders, key).add_name(name.strip(), popularity)
            if genres and (key not in best or (popularity or 0) > best[key][0]):
                best[key] = (popularity or 0, genres)
    for key, (_, genres) in best.items():
        builders[key].genres.update(dict.fromkeys(_words(genres)))


def _python_strings(text: str) -> list[str]:
    """Return the strings of a Python list in a text: `['folk', "children's folk"]`."""
    return [single or double for single, double in _PYTHON_STRING.findall(text)]


def _words(genres: Iterable[str]) -> list[str]:
    return [word for word in (" ".join(genre.split()).lower() for genre in genres) if word]
