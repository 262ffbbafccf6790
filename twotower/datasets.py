"""Readers of public listening data: profiles, artist content, tags and friends.

A data set is a folder under the data folder (`TWOTOWER_DATA`); docs/data.md says where anyone gets
each. Every reader takes that folder or the data folder itself, and a file may be gzipped or not.
"""

import csv
import gzip
import hashlib
import io
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import pyarrow
import pyarrow.parquet

from twotower.domain import (
    AUDIO,
    AUDIO_RANGE,
    Artist,
    Playlist,
    Profile,
    Spread,
    Track,
    artist_key,
)
from twotower.errors import BadProfile, MissingData, UnreadableExport

TAGGED_SINCE = 2005  # HetRec: tagging began, and the set was taken in 2011;
TAGGED_UNTIL = 2011  # a date outside of this is a mistake of the set

FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "hetrec": "hetrec2011-lastfm-2k",
        "germany": "lastfm-germany-1257x285",
        "audioscrobbler": "audioscrobbler-2005-50users",
        "tidytuesday": "spotify-tidytuesday-songs",
        "mpd": "spotify-mpd-subset",
        "artists-160k": "spotify-artists-160k",
        "artists-2020": "spotify-artists-2020",
    }
)
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
    }
)
CONTENT = ("artists-2020", "mpd", "artists-160k", "tidytuesday")  # the sets that describe artists

Tagging = tuple[str, str, str, date | None]  # listener id, artist key, tag in lower case, when


@dataclass(frozen=True, slots=True)
class ArtistContent:
    """What is known of one artist without anyone's listening."""

    key: str
    name: str
    genres: tuple[str, ...] = ()  # lower case, the first source's first
    audio: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # means
    popularity: float | None = None  # Spotify's, 0..100


def read_dataset(name: str, folder: Path) -> Iterator[Profile]:
    """Yield the listeners of `hetrec`, `germany`, `audioscrobbler`, `tidytuesday` or `mpd`.

    Ids are those of the set; the origin is its name, and "mpd-withheld" for the playlists of which
    only popular tracks are known. MissingData where a file is not there, UnreadableExport where it
    is damaged, ValueError for another name.
    """
    if name not in _READERS:
        raise ValueError(f"no data set {name!r}; there are {', '.join(DATASETS)}")
    return _READERS[name](_folder(name, folder))


def read_tags(folder: Path) -> list[Tagging]:
    """Who tagged whom with what in HetRec: each (listener, artist key, tag) once, in file order.

    The day is None where the set's own is absurd; taggings of artists without a name are left out.
    """
    folder = _folder("hetrec", folder)
    names = _hetrec_names(folder)
    words = {
        row[0]: " ".join(row[1].split()).lower()
        for row in _table("hetrec", folder, "tags.dat", 2, encoding="latin-1")
    }
    taggings: dict[tuple[str, str, str], date | None] = {}
    for row in _table("hetrec", folder, "user_taggedartists.dat", 6):
        listener, artist, tag, day, month, year = row
        named, word = names.get(artist), words.get(tag)
        if named and word:
            when = _tagged(year, month, day)
            taggings.setdefault((listener, named[0], word), when)
    return [(*tagging, when) for tagging, when in taggings.items()]


def read_friends(folder: Path) -> list[tuple[str, str]]:
    """The pairs of listener ids in HetRec that are friends, each pair once, smaller id first."""
    folder = _folder("hetrec", folder)
    file = "user_friends_part.dat"
    if _find(folder, file) is None and _find(folder, "user_friends.dat") is not None:
        file = "user_friends.dat"
    pairs = {
        (min(a, b, key=int), max(a, b, key=int))
        for a, b in _table("hetrec", folder, file, 2)
        if a != b
    }
    return sorted(pairs, key=lambda pair: (int(pair[0]), int(pair[1])))


def read_content(data: Path) -> list[ArtistContent]:
    """One ArtistContent per artist key, in the order of the keys, merged over the sets in `data`.

    Genres are joined, audio values are means over the tracks counted, and popularity is the
    highest that a set states of the artist, else the mean of the tracks'. Of artists with the same
    name in one set, the most popular one that has genres speaks for the name. A set that is not
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


def data_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file that the readers would use, by its path within `folder`, sorted."""
    hashes = {}
    for name, files in FILES.items():
        for file in files:
            path = _find(folder / FOLDERS[name], file)
            if path is not None:
                with path.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256")
                hashes[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return dict(sorted(hashes.items()))


# Content and tags as files: JSON Lines, gzipped where the name ends in .gz.


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

    return _write_lines((line(content) for content in contents), path)


def read_content_file(path: Path) -> list[ArtistContent]:
    """What `write_content` wrote, or anyone else; lines about the same artist are merged."""
    merged: dict[str, _Gathered] = {}
    for where, row in _read_lines(path):
        name = _text(row, "name", where)
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


def write_tags(taggings: Iterable[Tagging], path: Path) -> int:
    """Write `{"listener", "artist", "tag", "when"}` a line, all or nothing; gives the lines."""

    def line(tagging: Tagging) -> dict[str, Any]:
        listener, key, tag, when = tagging
        # "the" is dropped from a name once, so a key that begins with it needs another before
        artist = key if artist_key(key) == key else f"the {key}"
        row = {"listener": listener, "artist": artist, "tag": tag}
        return row if when is None else {**row, "when": when.isoformat()}

    return _write_lines((line(tagging) for tagging in taggings), path)


def read_tags_file(path: Path) -> list[Tagging]:
    """What `write_tags` wrote, or anyone else; `when` (an ISO date) may be left out."""
    taggings: list[Tagging] = []
    for where, row in _read_lines(path):
        listener, artist, tag = (_text(row, name, where) for name in ("listener", "artist", "tag"))
        try:
            when = date.fromisoformat(row["when"]) if row.get("when") is not None else None
        except (TypeError, ValueError):
            raise BadProfile("when must be a date such as 2011-02-28", where=where) from None
        taggings.append((listener, artist_key(artist), " ".join(tag.split()).lower(), when))
    return taggings


# One reader a data set.


def _hetrec(folder: Path) -> Iterator[Profile]:
    names = _hetrec_names(folder)
    listeners: dict[str, dict[str, tuple[str, float]]] = {}
    for listener, artist, plays in _table("hetrec", folder, "user_artists.dat", 3):
        if artist in names:
            key, name = names[artist]
            _add(listeners.setdefault(listener, {}), key, name, float(plays))
    for listener, artists in listeners.items():
        yield _profile(listener, artists, "hetrec")


def _hetrec_names(folder: Path) -> dict[str, tuple[str, str]]:
    """artist id -> (artist key, name)."""
    names = {}
    for row in _table("hetrec", folder, "artists.dat", 2):
        name = row[1].strip()
        if _has_key(name):
            names[row[0]] = (artist_key(name), name)
    return names


def _germany(folder: Path) -> Iterator[Profile]:
    rows = _csv("germany", folder, "lastfm-matrix-germany.csv")
    names = next(rows)[1:]
    for row in rows:
        artists: dict[str, tuple[str, float]] = {}
        for name, heard in zip(names, row[1:], strict=False):
            if heard == "1":
                _add(artists, artist_key(name), name, 1.0)
        if artists:
            yield _profile(row[0], artists, "germany")


def _audioscrobbler(folder: Path) -> Iterator[Profile]:
    alias = dict(_table("audioscrobbler", folder, "artist_alias_small.txt", 2, header=False))
    names = {
        row[0]: row[1].strip()
        for row in _table("audioscrobbler", folder, "artist_data_small.txt", 2, header=False)
    }
    listeners: dict[str, dict[str, tuple[str, float]]] = {}
    file = "user_artist_data_small.txt"
    for listener, artist, plays in _table("audioscrobbler", folder, file, 3, header=False):
        name = names.get(alias.get(artist, artist)) or names.get(artist, "")
        if _has_key(name):
            _add(listeners.setdefault(listener, {}), artist_key(name), name, float(plays))
    for listener, artists in listeners.items():
        yield _profile(listener, artists, "audioscrobbler")


def _tidytuesday(folder: Path) -> Iterator[Profile]:
    playlists: dict[str, list[dict[str, Any]]] = {}
    seen: set[tuple[str, str]] = set()
    for row in _songs(folder):
        place = (row["playlist_id"], row["track_id"])
        if place not in seen:
            seen.add(place)
            playlists.setdefault(row["playlist_id"], []).append(row)
    for playlist, rows in playlists.items():
        artists: dict[str, tuple[str, float]] = {}
        tracks = []
        for row in rows:
            _add(artists, artist_key(row["track_artist"]), row["track_artist"], 1.0)
            duration, released = row["duration_ms"], row["track_album_release_date"]
            tracks.append(
                Track(
                    row["track_name"],
                    row["track_artist"],
                    duration_s=duration / 1000 if duration and duration > 0 else None,
                    released=released or None,
                    audio=MappingProxyType(row["audio"]),
                )
            )
        title = Playlist(
            rows[0]["playlist_name"] or "", tuple((track.name, track.artist) for track in tracks)
        )
        yield _profile(
            playlist,
            artists,
            "tidytuesday",
            tracks=tuple(tracks),
            playlists=(title,),
            audio=MappingProxyType(_spreads(track.audio for track in tracks)),
        )


def _songs(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of the song table that name a track and an artist; "audio" holds the valid values."""
    columns = (
        "track_id track_name track_artist track_popularity track_album_release_date"
        " playlist_id playlist_name duration_ms"
    ).split()
    file = "spotify_songs.parquet"
    for row in _parquet("tidytuesday", folder, file, (*columns, *AUDIO)):
        if row["track_name"] and _has_key(row["track_artist"] or ""):
            yield {**{c: row[c] for c in columns}, "audio": _valid_audio(row)}


def _mpd(folder: Path) -> Iterator[Profile]:
    playlists: dict[tuple[str, str], dict[str, tuple[str, float]]] = {}
    rows = _csv("mpd", folder, "playlist_artists.csv")
    _columns("playlist_artists.csv", next(rows), ("pid", "part", "artist", "n_tracks"))
    for pid, part, name, tracks in rows:
        if _has_key(name):
            origin = "mpd-withheld" if part == "withheld" else "mpd"
            artists = playlists.setdefault((pid, origin), {})
            _add(artists, artist_key(name), name, float(tracks))
    titled = _mpd_titles(folder)
    for (pid, origin), artists in playlists.items():
        known = () if origin == "mpd-withheld" else titled.get(pid, ())
        yield _profile(pid, artists, origin, playlists=known)


def _mpd_titles(folder: Path) -> dict[str, tuple[Playlist, ...]]:
    """pid -> the playlist with its title and tracks, from those files that have them."""
    rows: list[tuple[str, str, str, str]] = []  # pid, title, track, artist
    for file in ("playlist-sample-ds1.csv", "playlist-sample-ds2.csv"):
        table = _csv("mpd", folder, file)
        wanted = ("pid", "name", "track_name", "artist_name")
        pid, title, track, artist = _columns(file, next(table), wanted)
        rows += [(row[pid], row[title], row[track], row[artist]) for row in table]
    columns = ("playlist_id", "playlist_name", "track_name", "artist_name")
    file = "tracks_575000-575999.snappy.parquet"
    for line in _parquet("mpd", folder, file, columns):
        pid_, *texts = (line[column] for column in columns)
        rows.append((str(pid_), *(text or "" for text in texts)))
    titles: dict[str, str] = {}
    tracks: dict[str, dict[tuple[str, str], None]] = {}
    for pid_, title_, track_, artist_ in rows:
        titles.setdefault(pid_, title_.strip())
        if track_ and _has_key(artist_):
            tracks.setdefault(pid_, {})[track_, artist_] = None
    return {pid_: (Playlist(t, tuple(tracks.get(pid_, ()))),) for pid_, t in titles.items() if t}


_READERS: Mapping[str, Callable[[Path], Iterator[Profile]]] = MappingProxyType(
    {
        "hetrec": _hetrec,
        "germany": _germany,
        "audioscrobbler": _audioscrobbler,
        "tidytuesday": _tidytuesday,
        "mpd": _mpd,
    }
)
DATASETS = tuple(_READERS)


# Artist content.


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
    best: dict[str, tuple[bool, float, list[str]]] = {}
    for name, popularity, genres in rows:
        if _has_key(name):
            key = artist_key(name)
            known = _number(popularity)
            merged.setdefault(key, _Gathered()).told(name.strip(), known)
            if genres and (key not in best or (known or 0) > best[key][1]):
                best[key] = (True, known or 0, genres)
    for key, (_, _, genres) in best.items():
        merged[key].genres.update(dict.fromkeys(_words(genres)))


def _artists_2020(folder: Path, merged: dict[str, _Gathered]) -> None:
    for file, delimiter in (("artists_cleaned.csv", ","), ("artists_20210824.tsv", "\t")):
        table = _csv("artists-2020", folder, file, delimiter=delimiter)
        name, popularity, genres = _columns(file, next(table), ("name", "popularity", "genres"))
        rows = [(row[name], row[popularity], _literals(row[genres])) for row in table]
        _artists_with_genres(rows, merged)


def _artists_mpd(folder: Path, merged: dict[str, _Gathered]) -> None:
    file = "artist_genres_slice0.csv"
    table = _csv("mpd", folder, file)
    name, popularity, genres = _columns(file, next(table), ("name", "popularity", "genres_str"))
    rows = [(row[name], row[popularity], row[genres].split(",")) for row in table]
    _artists_with_genres(rows, merged)


def _artists_160k(folder: Path, merged: dict[str, _Gathered]) -> None:
    file = "data_by_artist.csv"
    table = _csv("artists-160k", folder, file)
    wanted = ("artists", "popularity", "count", *AUDIO)
    name, popularity, count, *audio = _columns(file, next(table), wanted)
    heard: dict[str, float] = {}
    for row in table:
        if _has_key(row[name]):
            key = artist_key(row[name])
            entry = merged.setdefault(key, _Gathered())
            entry.told(row[name].strip(), None)
            tracks = _number(row[count]) or 1.0
            values = {a: _number(row[at]) for a, at in zip(AUDIO, audio, strict=True)}
            entry.heard(_valid_audio(values), tracks)
            liked = _number(row[popularity])
            if liked is not None:  # mean over the spellings of the name, weighted by tracks
                before = heard.get(key, 0.0)
                entry.of_tracks = ((entry.of_tracks or 0.0) * before + liked * tracks) / (
                    before + tracks
                )
                heard[key] = before + tracks
    file = "artist_genres.csv"
    table = _csv("artists-160k", folder, file)
    name, genres = _columns(file, next(table), ("artists", "genres"))
    _artists_with_genres([(row[name], "", _literals(row[genres])) for row in table], merged)


def _artists_tidytuesday(folder: Path, merged: dict[str, _Gathered]) -> None:
    popularity: dict[str, list[float]] = {}
    songs = {row["track_id"]: row for row in _songs(folder)}
    for row in songs.values():
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


# Rows and values.


def _add(artists: dict[str, tuple[str, float]], key: str, name: str, plays: float) -> None:
    """Add plays to an artist; the spelling met first stays."""
    if plays > 0:
        known, before = artists.get(key, (name, 0.0))
        artists[key] = (known, before + plays)


def _profile(
    listener: str, artists: Mapping[str, tuple[str, float]], origin: str, **groups: Any
) -> Profile:
    known = {key: Artist(name, plays) for key, (name, plays) in artists.items()}
    return Profile(listener, MappingProxyType(known), origin=origin, **groups)


def _spreads(tracks: Iterable[Mapping[str, float]]) -> dict[str, Spread]:
    """Mean and standard deviation of each attribute over the tracks that have it."""
    values: dict[str, list[float]] = {}
    for audio in tracks:
        for attribute, value in audio.items():
            values.setdefault(attribute, []).append(value)
    spreads = {}
    for attribute, known in values.items():
        mean = math.fsum(known) / len(known)
        variance = math.fsum((value - mean) ** 2 for value in known) / len(known)
        spreads[attribute] = Spread(mean, math.sqrt(variance))
    return spreads


def _valid_audio(row: Mapping[str, Any]) -> dict[str, float]:
    """The attributes in their ranges; none where the tempo is 0, which says "not analysed"."""
    audio = {a: float(row[a]) for a in AUDIO if _within(row.get(a), *AUDIO_RANGE[a])}
    return audio if audio.get("tempo", 1.0) > 0 else {}


def _within(value: object, low: float, high: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= value <= high  # type: ignore[operator]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _literals(text: str) -> list[str]:
    """The words of a Python list of strings, as text: `['folk', "children's folk"]`."""
    return [single or double for single, double in _LITERAL.findall(text)]


_LITERAL = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")


def _words(genres: Iterable[str]) -> list[str]:
    return [word for word in (" ".join(genre.split()).lower() for genre in genres) if word]


def _tagged(year: str, month: str, day: str) -> date | None:
    try:
        when = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return when if TAGGED_SINCE <= when.year <= TAGGED_UNTIL else None


def _has_key(name: str) -> bool:
    """Whether `name` is more than blank, so that artist_key takes it."""
    try:
        artist_key(name)
    except ValueError:
        return False
    return True


# Files.


def _folder(name: str, folder: Path) -> Path:
    """The folder of the set itself, where `folder` is that or the data folder that holds it."""
    inner = folder / FOLDERS[name]
    return inner if inner.is_dir() else folder


def _find(folder: Path, file: str) -> Path | None:
    for path in (folder / file, folder / f"{file}.gz"):
        if path.is_file():
            return path
    return None


def _path(name: str, folder: Path, file: str) -> Path:
    path = _find(folder, file)
    if path is None:
        raise MissingData(
            f"{file} of the data set {FOLDERS[name]} is not in {folder}; "
            "docs/data.md says where to get it"
        )
    return path


def _open(path: Path, encoding: str = "utf-8", newline: str = "") -> IO[str]:
    stream: IO[bytes] = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[assignment]
    return io.TextIOWrapper(stream, encoding=encoding, newline=newline, errors="replace")


def _damaged(path: Path, number: int, problem: object) -> UnreadableExport:
    return UnreadableExport(
        f"{problem}; get the file again, docs/data.md says where",
        where=f"{path.name} line {number}",
    )


def _table(
    name: str, folder: Path, file: str, width: int, *, header: bool = True, encoding: str = "utf-8"
) -> Iterator[list[str]]:
    """Rows of at least `width` fields of a file with tabs (or blanks) between, cut to `width`."""
    path = _path(name, folder, file)
    number = 0
    try:
        with _open(path, encoding, newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                text = line.rstrip("\r\n")
                if (header and number == 1) or not text.strip():
                    continue
                row = text.split("\t") if "\t" in text else text.split(None, width - 1)
                if len(row) < width:
                    if file == "artist_data_small.txt":  # an id without a name
                        continue
                    raise _damaged(path, number, f"{len(row)} fields, {width} wanted")
                yield row[:width]
    except (OSError, EOFError) as problem:
        raise _damaged(path, number + 1, problem) from problem


def _csv(name: str, folder: Path, file: str, *, delimiter: str = ",") -> Iterator[list[str]]:
    """Rows of a CSV file, the header first; each as wide as the header."""
    path = _path(name, folder, file)
    number, width = 0, 0
    try:
        with _open(path) as lines:
            for number, row in enumerate(csv.reader(lines, delimiter=delimiter), 1):
                width = width or len(row)
                if len(row) != width:
                    raise _damaged(path, number, f"{len(row)} fields, {width} wanted")
                yield row
    except (OSError, EOFError, csv.Error) as problem:
        raise _damaged(path, number + 1, problem) from problem
    if not width:
        raise _damaged(path, 1, "the file is empty")


def _columns(file: str, header: list[str], wanted: Iterable[str]) -> list[int]:
    try:
        return [header.index(column) for column in wanted]
    except ValueError:
        lacking = [column for column in wanted if column not in header]
        raise UnreadableExport(
            f"no column {', '.join(lacking)}; get the file again, docs/data.md says where",
            where=f"{file} line 1",
        ) from None


def _parquet(name: str, folder: Path, file: str, columns: Iterable[str]) -> list[dict[str, Any]]:
    path = _path(name, folder, file)
    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(
            path, columns=list(columns)
        ).to_pylist()
    except (OSError, pyarrow.ArrowException) as problem:
        raise _damaged(path, 1, problem) from problem
    if rows and (lacking := [column for column in columns if column not in rows[0]]):
        raise _damaged(path, 1, f"no column {', '.join(lacking)}")
    return rows


def _write_lines(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """JSON Lines to a file beside `path` that then takes its place; gives the number of lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    written = 0
    try:
        with os.fdopen(handle, "wb") as file:
            packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.suffix == ".gz" else None
            for row in rows:
                line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
                (packed or file).write(line.encode("utf-8", "replace"))
                written += 1
            if packed is not None:
                packed.close()
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return written


def _read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, object) of each line that isn't blank."""
    if not path.is_file():
        raise MissingData(f"there is no file {path}; `dataset --content --tags` writes such files")
    number = 0
    try:
        with _open(path, "utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    where = f"{path.name} line {number}"
                    try:
                        row = json.loads(line)
                    except (json.JSONDecodeError, RecursionError):
                        raise BadProfile("not a line of JSON", where=where) from None
                    if not isinstance(row, dict):
                        raise BadProfile("an object {...} is wanted", where=where)
                    yield where, row
    except (OSError, EOFError) as problem:
        raise BadProfile(str(problem), where=f"{path.name} line {number + 1}") from problem


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not _has_key(value):
        raise BadProfile(f"{name} must be a text that is not blank", where=where)
    return value
