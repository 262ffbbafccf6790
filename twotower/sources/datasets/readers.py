"""Readers of public listening data: listeners as profiles, and HetRec's tags and friends.

Every reader takes the folder of its data set, or the data folder that holds it. docs/data.md says
where anyone gets each.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twotower.core.domain import Artist, Playlist, Profile, Spread, Track
from twotower.core.errors import BadProfile, UnreadableExport
from twotower.core.jobs import Progress
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.artist_content import (
    ArtistContent,
    read_content,
    read_content_file,
    songs,
    write_content,
)
from twotower.sources.datasets.listenbrainz_dump import read_listens
from twotower.sources.datasets.tables import (
    columns,
    csv_rows,
    data_hashes,
    find,
    folder_of,
    number,
    parquet_rows,
    table,
)
from twotower.sources.json_lines import read_lines, required_text, write_lines

__all__ = [
    "DATASETS",
    "ArtistContent",
    "Tagging",
    "data_hashes",
    "read_content",
    "read_content_file",
    "read_dataset",
    "read_friends",
    "read_tags",
    "read_tags_file",
    "write_content",
    "write_tags",
]

TAGGED_SINCE = 2005  # HetRec: tagging began, and the set was taken in 2011;
TAGGED_UNTIL = 2011  # a date outside of this is a mistake of the set

Tagging = tuple[str, str, str, date | None]  # listener id, artist key, tag in lower case, when


def read_dataset(
    name: str,
    folder: Path,
    *,
    progress: Progress | None = None,
    left_out: Counter[str] | None = None,
) -> Iterator[Profile]:
    """Yield the listeners of one of `DATASETS`.

    Ids are those of the set; the origin is its name, and "mpd-withheld" for the playlists of which
    only popular tracks are known. `progress` and `left_out` are for `listenbrainz`, which may take
    hours and have a broken line. MissingData where a file is not there, UnreadableExport where it
    is damaged, ValueError for another name.
    """
    if name not in DATASETS:
        raise ValueError(f"no data set {name!r}; there are {', '.join(DATASETS)}")
    if name == LISTENBRAINZ:
        return read_listens(folder_of(name, folder), progress=progress, left_out=left_out)
    return _READERS[name](folder_of(name, folder))


def read_tags(folder: Path) -> list[Tagging]:
    """Who tagged whom with what in HetRec: each (listener, artist key, tag) once, in file order.

    The day is None where the set's own is absurd; taggings of artists without a name are left out.
    """
    folder = folder_of("hetrec", folder)
    names = _hetrec_names(folder)
    words = {
        row[0]: " ".join(row[1].split()).lower()
        for row in table("hetrec", folder, "tags.dat", 2, encoding="latin-1")
    }
    taggings: dict[tuple[str, str, str], date | None] = {}
    for row in table("hetrec", folder, "user_taggedartists.dat", 6):
        listener, artist, tag, day, month, year = row
        named, word = names.get(artist), words.get(tag)
        if named and word:
            when = _tagged(year, month, day)
            taggings.setdefault((listener, named[0], word), when)
    return [(*tagging, when) for tagging, when in taggings.items()]


def read_friends(folder: Path) -> list[tuple[str, str]]:
    """The pairs of listener ids in HetRec that are friends, each pair once, smaller id first.

    Of `user_friends_part.dat`, or where that is not there, of the `user_friends.dat` of the set.
    """
    folder = folder_of("hetrec", folder)
    file = "user_friends_part.dat"
    if find(folder, file) is None and find(folder, "user_friends.dat") is not None:
        file = "user_friends.dat"

    def size(listener: str) -> tuple[int, str]:
        return len(listener), listener  # numbers in their order

    pairs = {
        (min(a, b, key=size), max(a, b, key=size))
        for a, b in table("hetrec", folder, file, 2)
        if a != b
    }
    return sorted(pairs, key=lambda pair: (size(pair[0]), size(pair[1])))


def write_tags(taggings: Iterable[Tagging], path: Path) -> int:
    """Write `{"listener", "artist", "tag", "when"}` a line, all or nothing; gives the lines."""

    def line(tagging: Tagging) -> dict[str, Any]:
        listener, key, tag, when = tagging
        row = {"listener": listener, "artist": key, "tag": tag}
        return row if when is None else {**row, "when": when.isoformat()}

    return write_lines((line(tagging) for tagging in taggings), path)


def read_tags_file(path: Path) -> list[Tagging]:
    """What `write_tags` wrote, or anyone else; `when` (an ISO date) may be left out."""
    taggings: list[Tagging] = []
    for where, row in read_lines(path):
        listener, artist, tag = (
            required_text(row, name, where) for name in ("listener", "artist", "tag")
        )
        try:
            when = date.fromisoformat(row["when"]) if row.get("when") is not None else None
        except (TypeError, ValueError):
            raise BadProfile("when must be a date such as 2011-02-28", where=where) from None
        taggings.append((listener, artist_key(artist), " ".join(tag.split()).lower(), when))
    return taggings


def _hetrec(folder: Path) -> Iterator[Profile]:
    names = _hetrec_names(folder)
    listeners: dict[str, dict[str, tuple[str, float]]] = {}
    for listener, artist, plays in table("hetrec", folder, "user_artists.dat", 3, counted=True):
        if artist in names:
            key, name = names[artist]
            _add(listeners.setdefault(listener, {}), key, name, float(plays))
    for listener, artists in listeners.items():
        yield _profile(listener, artists, "hetrec")


def _hetrec_names(folder: Path) -> dict[str, tuple[str, str]]:
    """artist id -> (artist key, name)."""
    names = {}
    for row in table("hetrec", folder, "artists.dat", 2):
        name = row[1].strip()
        if is_artist_name(name):
            names[row[0]] = (artist_key(name), name)
    return names


def _germany(folder: Path) -> Iterator[Profile]:
    rows = csv_rows("germany", folder, "lastfm-matrix-germany.csv")
    names = next(rows)[1:]
    for row in rows:
        artists: dict[str, tuple[str, float]] = {}
        for name, heard in zip(names, row[1:], strict=False):
            if heard == "1" and is_artist_name(name):
                _add(artists, artist_key(name), name, 1.0)
        if artists:
            yield _profile(row[0], artists, "germany")


def _audioscrobbler(folder: Path) -> Iterator[Profile]:
    alias = dict(table("audioscrobbler", folder, "artist_alias_small.txt", 2, header=False))
    names = {
        row[0]: row[1].strip()
        for row in table("audioscrobbler", folder, "artist_data_small.txt", 2, header=False)
    }
    listeners: dict[str, dict[str, tuple[str, float]]] = {}
    file = "user_artist_data_small.txt"
    for listener, artist, plays in table(
        "audioscrobbler", folder, file, 3, header=False, counted=True
    ):
        name = names.get(alias.get(artist, artist)) or names.get(artist, "")
        if is_artist_name(name):
            _add(listeners.setdefault(listener, {}), artist_key(name), name, float(plays))
    for listener, artists in listeners.items():
        yield _profile(listener, artists, "audioscrobbler")


def _tidytuesday(folder: Path) -> Iterator[Profile]:
    playlists: dict[str, list[dict[str, Any]]] = {}
    seen: set[tuple[str, str]] = set()
    for row in songs(folder):
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


def _mpd(folder: Path) -> Iterator[Profile]:
    playlists: dict[tuple[str, str], dict[str, tuple[str, float]]] = {}
    rows = csv_rows("mpd", folder, "playlist_artists.csv")
    header = next(rows)
    at = columns("playlist_artists.csv", header, ("pid", "part", "artist", "n_tracks"))
    for line, row in enumerate(rows, 2):
        pid, part, name, tracks = (row[column] for column in at)
        if number(tracks) is None:
            where = f"playlist_artists.csv line {line}"
            raise UnreadableExport(f"n_tracks is {tracks!r}, not a number", where=where)
        if is_artist_name(name):
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
        lines = csv_rows("mpd", folder, file)
        wanted = ("pid", "name", "track_name", "artist_name")
        pid, title, track, artist = columns(file, next(lines), wanted)
        rows += [(row[pid], row[title], row[track], row[artist]) for row in lines]
    fields = ("playlist_id", "playlist_name", "track_name", "artist_name")
    file = "tracks_575000-575999.snappy.parquet"
    for line in parquet_rows("mpd", folder, file, fields):
        pid_, title_, track_, artist_ = (str(line[field] or "") for field in fields)
        rows.append((pid_, title_, track_, artist_))
    titles: dict[str, str] = {}
    tracks: dict[str, dict[tuple[str, str], None]] = {}
    for pid_, title_, track_, artist_ in rows:
        titles.setdefault(pid_, title_.strip())
        if track_ and is_artist_name(artist_):
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
LISTENBRAINZ = "listenbrainz"
DATASETS = (*_READERS, LISTENBRAINZ)


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


def _tagged(year: str, month: str, day: str) -> date | None:
    try:
        when = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return when if TAGGED_SINCE <= when.year <= TAGGED_UNTIL else None
