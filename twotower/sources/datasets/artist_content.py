"""Artists as public data describes them: genres, audio attributes, popularity.

Merged over data sets by `ContentBuilder`; written to and read from JSON Lines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twotower.core.domain import AUDIO, AUDIO_RANGE
from twotower.core.errors import BadProfile
from twotower.core.names import artist_key, is_artist_name
from twotower.core.placeholders import is_placeholder
from twotower.sources.datasets.tables import (
    is_within,
    number,
)
from twotower.sources.json_lines import read_lines, required_text, write_lines


@dataclass(frozen=True, slots=True)
class ArtistContent:
    """One artist as data sets describe it, without anyone's listening."""

    key: str
    name: str
    genres: tuple[str, ...] = ()  # lower case, those of the first data set first
    audio: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # means
    popularity: float | None = None  # Spotify's, 0..100


@dataclass(slots=True)
class ContentBuilder:
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


ContentBuilders = dict[str, ContentBuilder]  # by artist key


def builder_of(builders: ContentBuilders, key: str) -> ContentBuilder:
    return builders.setdefault(key, ContentBuilder())


def contents_of(builders: ContentBuilders) -> list[ArtistContent]:
    """Return the artists in the order of their keys, without placeholders."""
    return [
        builders[key].content(key)
        for key in sorted(builders)
        if not is_placeholder(builders[key].name)
    ]


def add_artists(artists: Iterable[tuple[str, str, list[str]]], builders: ContentBuilders) -> None:
    """Add one set's (name, popularity, genres); of namesakes, only one adds its genres."""
    best: dict[str, tuple[float, list[str]]] = {}  # artist key -> (popularity, genres)
    for name, written_popularity, genres in artists:
        if is_artist_name(name):
            key = artist_key(name)
            popularity = number(written_popularity)
            builder_of(builders, key).add_name(name.strip(), popularity)
            if genres and (key not in best or (popularity or 0) > best[key][0]):
                best[key] = (popularity or 0, genres)
    for key, (_, genres) in best.items():
        builders[key].genres.update(dict.fromkeys(genre_words(genres)))


def genre_words(genres: Iterable[str]) -> list[str]:
    """Return genres in lower case with single blanks; empty ones are left out."""
    return [word for word in (" ".join(genre.split()).lower() for genre in genres) if word]


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
    builders: ContentBuilders = {}
    for where, row in read_lines(path):
        name = required_text(row, "name", where)
        _check_content(row, where)
        builder = builder_of(builders, artist_key(name))
        builder.add_name(name, row.get("popularity"))
        builder.genres.update(dict.fromkeys(genre_words(row.get("genres", []))))
        audio = row.get("audio", {})
        builder.add_audio({a: float(audio[a]) for a in AUDIO if a in audio}, weight=1.0)
    return contents_of(builders)


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
