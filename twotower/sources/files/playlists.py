"""Playlists as files: M3U, XSPF and JSPF, also those that this app offers for download."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import IO

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.files.file_format import FileFormat
from twotower.sources.files.json_stream import json_rows
from twotower.sources.files.row_readers import (
    SEPARATOR,
    PlayOrReason,
    plays_of_rows,
    split_artist,
)
from twotower.sources.files.tables import Row, table_reader
from twotower.sources.files.text import text_lines
from twotower.sources.files.xml_stream import xml_events
from twotower.sources.values import artist_name, clean, duration_ms, mbid, objects, song_title

_EXTENSION = re.compile(r"(\.(m3u8?|xspf|jspf|json))?(\.gz)?$", re.IGNORECASE)
DISCOVERIES = "Artists to discover"
_DISCOVERIES = (frozenset({"rank", "artist", "heardby"}),)
_SEARCH = "/results?search_query="  # in addresses of this app's playlists
_RECORDING = "musicbrainz.org/recording/"


def _title_of(name: str) -> str:
    """Return the name of a file without folders and extension: a playlist's name."""
    return clean(_EXTENSION.sub("", re.split(r"[/\\]", name)[-1]).replace("_", " "))


def _listed(artist: str, title: str, playlist: str) -> PlayOrReason:
    if not artist:
        return "no artist"
    return Play(artist, title or None, kind="listed", playlist=playlist)


def _read_m3u(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    """Yield the tracks of an extended M3U; one whose tracks are only paths names no artists."""
    yield from plays_of_rows(_m3u(file, name), left_out)


def _m3u(file: IO[bytes], name: str) -> Iterator[PlayOrReason]:
    playlist, info, artist_line = _title_of(name), "", ""
    try:
        for line in text_lines(file):
            tag, _, value = line.strip().partition(":")
            if tag == "#PLAYLIST":
                playlist = song_title(value) or playlist
            elif tag == "#EXTINF":
                info = value.partition(",")[2]
            elif tag == "#EXTART":
                artist_line = artist_name(value)
            elif tag and not tag.startswith("#"):
                yield _m3u_entry(info, artist_line, line, playlist)
                info = artist_line = ""
    except ValueError as fault:
        raise UnreadableExport(f"{fault}: export the playlist again", where=name) from fault


def _m3u_entry(info: str, artist: str, address: str, playlist: str) -> PlayOrReason:
    """Read "Artist - Title"; in this app's lists the text is an artist, the address a search."""
    if artist:
        return _listed(artist, song_title(info).removeprefix(artist + SEPARATOR), playlist)
    if _SEARCH in address:
        return _listed(artist_name(info), "", playlist)
    artist, title = split_artist(info)
    return _listed(artist, title, playlist)


def _read_xspf(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    """Yield the tracks of an XSPF playlist."""
    yield from plays_of_rows(_xspf(file, name), left_out)


def _xspf(file: IO[bytes], name: str) -> Iterator[PlayOrReason]:
    playlist = _title_of(name)
    track: dict[str, str] | None = None
    for event, element, text, _ in xml_events(file, name):
        if event == "start" and element == "track":
            track = {}
        elif event == "end" and element == "track" and track is not None:
            yield _listed(
                artist_name(track.get("creator")), song_title(track.get("title")), playlist
            )
            track = None
        elif event == "end" and track is not None and element in ("creator", "title"):
            track.setdefault(element, text)
        elif event == "end" and track is None and element == "title":
            playlist = song_title(text) or playlist


def _read_jspf(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    """Yield the tracks of a JSPF playlist, which is an object under the key "playlist"."""
    for key, value in json_rows(file, name):
        if key == "playlist" and isinstance(value, dict):
            playlist = song_title(value.get("title")) or _title_of(name)
            tracks = (_jspf(track, playlist) for track in objects(value.get("track")))
            yield from plays_of_rows(tracks, left_out)


def _jspf(track: dict[str, object], playlist: str) -> PlayOrReason:
    artist = artist_name(track.get("creator"))
    if not artist:
        return "no artist"
    identifiers = track.get("identifier")
    identifier = identifiers[0] if isinstance(identifiers, list) and identifiers else identifiers
    length = duration_ms(track.get("duration"))
    return Play(
        artist,
        song_title(track.get("title")) or None,
        kind="listed",
        playlist=playlist,
        duration_s=length / 1000 if length else None,
        mbid=mbid(str(identifier).partition(_RECORDING)[2].strip("/")),
    )


def _discovery(row: Row) -> PlayOrReason:
    """Read an artist to discover, which the listener hasn't played."""
    return _listed(artist_name(row["artist"]), "", DISCOVERIES)


FORMATS = (
    FileFormat(
        "m3u",
        "Playlist: M3U",
        _read_m3u,
        start=lambda text: text.startswith("#EXTM3U") or "\n#EXTINF:" in f"\n{text[:2000]}",
        is_timed=False,
    ),
    FileFormat(
        "xspf",
        "Playlist: XSPF",
        _read_xspf,
        start=lambda text: text.startswith("<") and "xspf.org/ns/" in text[:1000],
        is_timed=False,
    ),
    FileFormat(
        "jspf",
        "Playlist: JSPF",
        _read_jspf,
        json_row=lambda key, row: key == "playlist" and "track" in row,
        is_timed=False,
    ),
    FileFormat(
        "discoveries",
        "Playlist: this app's artists to discover (CSV)",
        table_reader(_DISCOVERIES, _discovery),
        columns=_DISCOVERIES,
        is_timed=False,
    ),
)
