"""Artist content of the public data sets of 2020 to 2025, added to that of `public_content`."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twotower.core.domain import AUDIO
from twotower.core.errors import MissingData, UnreadableExport
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.artist_content import (
    ArtistContent,
    ContentBuilders,
    add_artists,
    contents_of,
)
from twotower.sources.datasets.public_content import read_builders, read_content
from twotower.sources.datasets.tables import (
    FOLDERS,
    csv_columns,
    csv_rows,
    json_document,
    number,
    python_strings,
)
from twotower.sources.datasets.tidytuesday import valid_audio

# Of the genres counted over an artist's songs or albums, those with a quarter of the most frequent
# one's count are kept, four at most.
MIN_GENRE_SHARE, MAX_GENRES = 0.25, 4
MIN_TAG_WEIGHT = 25  # of Last.fm's 0 to 100
MIN_BOLLYWOOD_SONGS = 3
_INDIAN_WORDS = {"indie": "indian indie"}  # words that mean something else in that set
_WEIGHTED_TAG = re.compile(r"""\((?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"), (\d+)\)""")

_Rows = Iterable[tuple[str, str, list[str]]]  # (artist name, popularity or "", genres)


def read_modern_content(data: Path) -> list[ArtistContent]:
    """Return `read_content` with the sets of `BY_ID`, `TAGS` and `BY_NAME` in `data` added.

    Sets that identify artists by id add their genres to those an artist has. The sets of `BY_NAME`
    join artists by name, which may be a namesake's, so only artists without genres get theirs.
    Listeners' tags count if they are a genre of another set. Spellings of a genre are made one
    ("drum-and-bass"). Audio goes to artists without any. Placeholders such as "Various Artists" are
    left out of these sets.

    Raises MissingData if none of these sets is there, or a file of one of them.
    """
    present = [name for name in (*BY_ID, TAGS, *BY_NAME) if (data / FOLDERS[name]).is_dir()]
    if not present:
        raise MissingData(
            f"none of the newer content sets is in {data}: get {FOLDERS['artists-2022']} or "
            "another one as docs/data.md says, or set TWOTOWER_DATA to their folder"
        )
    builders = read_builders(data)
    for name in present:
        if name in BY_ID:
            _add(BY_ID[name](data / FOLDERS[name]), builders)
        if name in _AUDIO:
            _add_audio(name, data / FOLDERS[name], builders)
    genres = _GenreSpellings(builders)
    if TAGS in present:
        tags = _lastfm_tags(data / FOLDERS[TAGS])
        _add(((name, "", genres.known(words)) for name, _, words in tags), builders)
    described = {key for key, builder in builders.items() if builder.genres}
    for name in present:
        if name in BY_NAME:
            rows = BY_NAME[name](data / FOLDERS[name])
            _add(
                (
                    (artist, "", genres.spelled(words))
                    for artist, _, words in rows
                    if _key(artist) not in described
                ),
                builders,
            )
    return contents_of(builders)


def read_all_content(data: Path) -> list[ArtistContent]:
    """Return the content of all sets in a data folder. Raises MissingData if there is none."""
    try:
        return read_modern_content(data)
    except MissingData:
        return read_content(data)


class _GenreSpellings:
    """The usual spelling of each genre, to join "hip-hop" and "Hip Hop"."""

    def __init__(self, builders: ContentBuilders) -> None:
        counts = Counter(genre for builder in builders.values() for genre in builder.genres)
        self._usual: dict[str, str] = {}  # letters and digits of a genre -> its usual spelling
        for genre, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            self._usual.setdefault(_letters(genre), genre)

    def spelled(self, words: Iterable[str]) -> list[str]:
        return [self._usual.get(_letters(word), word) for word in words]

    def known(self, words: Iterable[str]) -> list[str]:
        return [self._usual[_letters(word)] for word in words if _letters(word) in self._usual]


def _letters(genre: str) -> str:
    return "".join(filter(str.isalnum, genre.lower().replace("&", "and")))


def main_genres(counts: Mapping[str, float]) -> list[str]:
    """Return the genres that describe an artist, most frequent first (`MIN_GENRE_SHARE`)."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    least = MIN_GENRE_SHARE * ranked[0][1] if ranked else 0.0
    return [genre for genre, count in ranked if count >= least][:MAX_GENRES]


def _key(name: str) -> str:
    """Return the artist key; "" for a name without one."""
    return artist_key(name) if is_artist_name(name) else ""


def _add(rows: _Rows, builders: ContentBuilders) -> None:
    """Add the rows that have genres or a popularity.

    Some sets write all names in lower case; such a name doesn't replace a known spelling.
    """

    def spelling(name: str) -> str:
        known = builders.get(artist_key(name))
        return known.name if known and known.name and name.islower() else name

    add_artists(
        (
            (spelling(name), popularity, genres)
            for name, popularity, genres in rows
            if is_artist_name(name) and (genres or popularity)
        ),
        builders,
    )


# Sets that identify artists by id


def _artists_2022(folder: Path) -> _Rows:
    columns = ("name", "popularity", "genres")
    rows = csv_columns("artists-2022", folder, "reduced_nodes-20k.csv", columns)
    return ((name, popularity, python_strings(genres)) for name, popularity, genres in rows)


def _vietnam(folder: Path) -> _Rows:
    columns = ("name", "popularity", "genres")
    rows = csv_columns("artists-vietnam", folder, "vietnamese_artists.csv", columns)
    return ((name, popularity, python_strings(genres)) for name, popularity, genres in rows)


def _argentina(folder: Path) -> _Rows:
    columns = ("artist_name", "popularity", "genres")
    rows = csv_columns("artists-argentina", folder, "artists.csv", columns)
    return ((name, popularity, _split(genres)) for name, popularity, genres in rows)


def _nigeria(folder: Path) -> _Rows:
    columns = ("artist", "popularity", "genres")
    rows = csv_columns("artists-nigeria", folder, "artists.csv", columns)
    return ((name, popularity, _split(genres)) for name, popularity, genres in rows)


def _russia(folder: Path) -> _Rows:
    """Artists of MusicBrainz; those without a Spotify id have no popularity, though it says 0."""
    columns = ("artist", "popularity", "genres", "spotify_id")
    rows = csv_columns("artists-russia", folder, "artists.csv", columns)
    return (
        (name, popularity if spotify_id else "", python_strings(genres))
        for name, popularity, genres, spotify_id in rows
    )


# Tags of listeners


def _lastfm_tags(folder: Path) -> _Rows:
    """Tags of some weight; many are no genre ("seen live"), and some are insults."""
    columns = ("name", "tagsLast")
    for name, tags in csv_columns(TAGS, folder, "genre_artists.csv", columns):
        weighted = _WEIGHTED_TAG.findall(tags)
        yield (
            name,
            "",
            [
                single or double
                for single, double, weight in weighted
                if int(weight) >= MIN_TAG_WEIGHT
            ],
        )


# Sets that join artists by name


def _tracks_114k(folder: Path) -> _Rows:
    columns = ("artist", "genre", "tracks")
    rows = csv_columns(
        "tracks-114k", folder, "artist_genre_counts.csv", columns, last_is_number=True
    )
    return _counted((name, genre, float(tracks)) for name, genre, tracks in rows)


def _albums_rym(folder: Path) -> _Rows:
    columns = ("artist_name", "primary_genres")
    rows = csv_columns("albums-rym", folder, "rym_clean1.csv", columns)
    return _counted(
        (name, genre, 1.0) for name, genres in rows if genres != "NA" for genre in genres.split(",")
    )


def _albums_aoty(folder: Path) -> _Rows:
    rows = csv_columns("albums-aoty", folder, "album_ratings.csv", ("Artist", "Genre"))
    return _counted((name, genre, 1.0) for name, genre in rows)


def _india(folder: Path) -> _Rows:
    """The genres of an artist's songs, with their counts: `Bollywood:30|Tamil:27`."""
    columns = ("artist", "song_genres")
    for name, text in csv_columns("artists-india", folder, "artists.csv", columns):
        counts: Counter[str] = Counter()
        for part in _split(text):
            genre, _, songs = part.rpartition(":")
            counts[_INDIAN_WORDS.get(genre.lower(), genre)] += int(number(songs) or 0)
        yield name, "", main_genres(counts)


def _bollywood(folder: Path) -> _Rows:
    columns = ("singer", "songs")
    songs: Counter[str] = Counter()
    for name, count in csv_columns(
        "bollywood", folder, "singers_by_decade.csv", columns, last_is_number=True
    ):
        songs[name] += int(float(count))
    return ((name, "", ["bollywood"]) for name, n in songs.items() if n >= MIN_BOLLYWOOD_SONGS)


def _anime(folder: Path) -> _Rows:
    file = "artist_database.json"
    document: Any = json_document("anime", folder, file)
    try:
        names = [name for artist in document.values() for name in artist["names"]]
    except (AttributeError, KeyError, TypeError) as problem:
        message = "not the artists with their names; download the file again (docs/data.md)"
        raise UnreadableExport(message, where=file) from problem
    return ((name, "", ["anime"]) for name in names)


BY_ID: Mapping[str, Callable[[Path], _Rows]] = MappingProxyType(
    {
        "artists-2022": _artists_2022,
        "artists-vietnam": _vietnam,
        "artists-argentina": _argentina,
        "artists-nigeria": _nigeria,
        "artists-russia": _russia,
    }
)
TAGS = "lastfm-tags"
BY_NAME: Mapping[str, Callable[[Path], _Rows]] = MappingProxyType(
    {
        "tracks-114k": _tracks_114k,
        "albums-rym": _albums_rym,
        "albums-aoty": _albums_aoty,
        "artists-india": _india,
        "bollywood": _bollywood,
        "anime": _anime,
    }
)
_AUDIO: Mapping[str, str] = MappingProxyType(  # set with audio attributes -> column of names
    {"artists-argentina": "artist_name", "artists-nigeria": "artist"}
)


def _split(text: str) -> list[str]:
    return [part for part in text.split("|") if part]


def _counted(rows: Iterable[tuple[str, str, float]]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the main genres of each artist of (artist name, genre, count) rows."""
    counts: dict[str, Counter[str]] = {}
    for name, genre, count in rows:
        if genre.strip():
            counts.setdefault(name, Counter())[genre.strip()] += count  # type: ignore[assignment]
    for name, of_artist in counts.items():
        yield name, "", main_genres(of_artist)


def _add_audio(name: str, folder: Path, builders: ContentBuilders) -> None:
    """Add the mean audio attributes of a set to artists that have none."""
    rows = csv_rows(name, folder, "artists.csv")
    header = next(rows)
    lacking = {key for key, builder in builders.items() if not builder.audio_sums}
    for row in rows:
        fields = dict(zip(header, row, strict=True))
        key = _key(fields[_AUDIO[name]])
        if key in lacking:
            values = {attribute: number(fields.get(attribute, "")) for attribute in AUDIO}
            builders[key].add_audio(valid_audio(values), number(fields.get("tracks", "")) or 1.0)
