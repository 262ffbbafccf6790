"""The library of iTunes and Music as XML: tracks with their numbers of plays, and playlists."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from twotower.core.domain import Play
from twotower.sources.files.file_format import FileFormat
from twotower.sources.files.row_readers import PlayOrReason, plays_of_rows
from twotower.sources.files.xml_stream import XmlEvent, xml_events
from twotower.sources.values import artist_name, duration_ms, iso_time, play_count, song_title

MOST_TRACKS = 100_000  # whose names are kept for the playlists
MOST_LISTED = 1_000_000  # tracks in all playlists
MOST_PLAYLISTS = 10_000
MOST_VALUES, LONGEST_VALUE = 200, 2_000  # of one track or playlist; characters of one value
_OTHER_MEDIA = {
    "Podcast": "podcasts",
    "iTunesU": "podcasts",
    "Audiobook": "audiobooks",
    "Movie": "videos",
    "TV Show": "videos",
    "Music Video": "videos",
    "Has Video": "videos",
}
_LISTS_OF_THE_PROGRAM = ("Master", "Distinguished Kind", "Smart Info", "Folder")
_OBJECT_DEPTH = 3  # of the dictionary of one track or playlist, among dictionaries and arrays
_CONTAINERS = ("dict", "array")

Values = dict[str, str]  # key -> text; "true" or "false" for a truth value


def _read_library(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    """Yield the tracks with their number of plays, then the tracks of each playlist.

    Tracks that were never played are saved. Times of the last play are not read: a number of plays
    has no single time.
    """
    yield from plays_of_rows(_library(xml_events(file, name)), left_out)


def _library(events: Iterator[XmlEvent]) -> Iterator[PlayOrReason]:
    names: dict[int, tuple[str, str | None]] = {}  # track id -> artist and title
    artists: dict[str, str] = {}  # so that each artist's name is in memory once
    playlists: list[tuple[str, array[int]]] = []
    listed = 0
    for section, values, items in _objects(events):
        if section == "Tracks":
            play = _track(values)
            if isinstance(play, Play) and len(names) < MOST_TRACKS:
                artist = artists.setdefault(play.artist, play.artist)
                names[_id(values.get("Track ID", ""))] = artist, play.track
            yield play
        elif section == "Playlists" and _is_made_by_listener(values, len(playlists)):
            playlists.append((song_title(values.get("Name")), items[: MOST_LISTED - listed]))
            listed += len(playlists[-1][1])
    for title, items in playlists:  # some writers put them before the tracks
        for track_id in items:
            artist, track = names.get(track_id, ("", None))
            if artist:
                yield Play(artist, track, kind="listed", playlist=title)
            else:
                yield "not in the library"


def _is_made_by_listener(values: Values, known_playlists: int) -> bool:
    is_made_by_program = any(key in values for key in _LISTS_OF_THE_PROGRAM)
    return not is_made_by_program and known_playlists < MOST_PLAYLISTS


def _objects(events: Iterator[XmlEvent]) -> Iterator[tuple[str, Values, "array[int]"]]:
    """Yield section, values and the track ids within, for each dictionary in a section."""
    depth, section, key = 0, "", ""
    values: Values = {}
    items = array("q")
    for event, element, text, _ in events:
        if event == "start":
            depth += element in _CONTAINERS
            if depth == _OBJECT_DEPTH and element == "dict":
                values, items = {}, array("q")
        elif element in _CONTAINERS:
            if depth == _OBJECT_DEPTH and element == "dict":
                yield section, values, items
            depth -= 1
        elif element == "key":
            key = text
            section = text if depth == 1 else section
        elif depth == _OBJECT_DEPTH and len(values) < MOST_VALUES:
            values[key[:LONGEST_VALUE]] = (text or element)[:LONGEST_VALUE]
        elif depth > _OBJECT_DEPTH and key == "Track ID":
            items.append(_id(text))


def _id(text: str) -> int:
    """Return the id of a track, -1 for a text that is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else -1


def _track(values: Values) -> PlayOrReason:
    for key, media in _OTHER_MEDIA.items():
        if values.get(key) == "true":
            return media
    artist = artist_name(values.get("Artist")) or artist_name(values.get("Album Artist"))
    if not artist:
        return "no artist"
    title = song_title(values.get("Name")) or None
    length = duration_ms(values.get("Total Time"))
    genre = song_title(values.get("Genre")).casefold()
    year = values.get("Year", "")
    facts = Play(
        artist,
        title,
        duration_s=length / 1000 if length else None,
        genres=(genre,) if genre else (),
        released=year if len(year) == 4 and year.isdecimal() and year > "1000" else None,
    )
    if count := play_count(values.get("Play Count")):
        return replace(facts, count=count)
    return replace(facts, kind="saved", at=iso_time(values.get("Date Added")))


def _is_library(text: str) -> bool:
    return text.startswith("<") and "<plist" in text[:1000] and "<key>" in text


FORMATS = (
    FileFormat(
        "itunes",
        "iTunes and Music: Library.xml",
        _read_library,
        start=_is_library,
        is_timed=False,
    ),
)
