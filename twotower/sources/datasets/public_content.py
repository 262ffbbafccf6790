"""Artist content of the public data sets up to 2021, which the shipped model is trained with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from twotower.core.domain import AUDIO
from twotower.core.errors import MissingData
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.artist_content import (
    ArtistContent,
    ContentBuilders,
    add_artists,
    builder_of,
    contents_of,
)
from twotower.sources.datasets.tables import (
    FOLDERS,
    column_positions,
    csv_rows,
    number,
    python_strings,
)
from twotower.sources.datasets.tidytuesday import read_songs, valid_audio

CONTENT = ("artists-2020", "mpd", "artists-160k", "tidytuesday")  # the sets that describe artists


def read_content(data: Path) -> list[ArtistContent]:
    """Return one entry per artist key, in the order of the keys, merged over all sets in `data`.

    - Genres: from the sets that identify artists by id; only artists without any get those that
      artists-160k has under their name. Of artists with the same name in one set, the most popular
      one that has genres counts.
    - Audio: means over tracks.
    - Popularity: the highest that a set has for the artist, else the mean over tracks.

    Raises MissingData if all sets are missing, or a file of one of them.
    """
    return contents_of(read_builders(data))


def read_builders(data: Path) -> ContentBuilders:
    """Return the same as `read_content`, to which further sets can be added."""
    present = [name for name in CONTENT if (data / FOLDERS[name]).is_dir()]
    if not present:
        raise MissingData(
            f"none of {', '.join(FOLDERS[name] for name in CONTENT)} is in {data}: "
            "get them as docs/data.md says, or set TWOTOWER_DATA to their folder"
        )
    builders: ContentBuilders = {}
    for name in present:
        READERS[name](data / FOLDERS[name], builders)
    return builders


def _read_artists_2020(folder: Path, builders: ContentBuilders) -> None:
    for file, delimiter in (("artists_cleaned.csv", ","), ("artists_20210824.tsv", "\t")):
        rows = csv_rows("artists-2020", folder, file, delimiter=delimiter)
        wanted = ("name", "popularity", "genres")
        name, popularity, genres = column_positions(file, next(rows), wanted)
        artists = [(row[name], row[popularity], python_strings(row[genres])) for row in rows]
        add_artists(artists, builders)


def _read_mpd(folder: Path, builders: ContentBuilders) -> None:
    file = "artist_genres_slice0.csv"
    rows = csv_rows("mpd", folder, file)
    wanted = ("name", "popularity", "genres_str")
    name, popularity, genres = column_positions(file, next(rows), wanted)
    add_artists(((row[name], row[popularity], row[genres].split(",")) for row in rows), builders)


def _read_artists_160k(folder: Path, builders: ContentBuilders) -> None:
    _add_audio_of_160k(folder, builders)
    file = "artist_genres.csv"
    rows = csv_rows("artists-160k", folder, file)
    name, genres = column_positions(file, next(rows), ("artists", "genres"))
    # Here artists have names but no ids, and the genres are often a namesake's ("Beck": reggaeton),
    # so only artists without genres get them.
    lacking = {key for key, builder in builders.items() if not builder.genres}
    artists = [
        (row[name], "", python_strings(row[genres]))
        for row in rows
        if is_artist_name(row[name]) and artist_key(row[name]) in lacking
    ]
    add_artists(artists, builders)


def _add_audio_of_160k(folder: Path, builders: ContentBuilders) -> None:
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
        builder = builder_of(builders, key)
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


def _read_tidytuesday(folder: Path, builders: ContentBuilders) -> None:
    popularity: dict[str, list[float]] = {}  # artist key -> of its tracks
    tracks = {song["track_id"]: song for song in read_songs(folder)}
    for song in tracks.values():
        key = artist_key(song["track_artist"])
        builder = builder_of(builders, key)
        builder.add_name(song["track_artist"], None)
        builder.add_audio(song["audio"], weight=1.0)
        popularity.setdefault(key, []).append(float(song["track_popularity"] or 0))
    for key, values in popularity.items():
        if builders[key].track_popularity is None:
            builders[key].track_popularity = sum(values) / len(values)


READERS: Mapping[str, Callable[[Path, ContentBuilders], None]] = MappingProxyType(
    {
        "artists-2020": _read_artists_2020,
        "mpd": _read_mpd,
        "artists-160k": _read_artists_160k,
        "tidytuesday": _read_tidytuesday,
    }
)
