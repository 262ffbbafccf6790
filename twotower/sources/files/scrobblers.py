"""Files of programs that log plays: Maloja, Koito, Pano Scrobbler, players' .scrobbler.log."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import IO

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.files.file_format import Fields, FileFormat
from twotower.sources.files.row_readers import (
    PlayOrReason,
    artist_names,
    end_of_play,
    json_reader,
    plays_of_rows,
)
from twotower.sources.files.text import text_lines
from twotower.sources.values import (
    artist_name,
    duration_ms,
    iso_time,
    mbid,
    objects,
    song_title,
    unix_ms,
    unix_time,
)

LOG_START = "#AUDIOSCROBBLER/"
_SKIPPED = "S"  # rating of a track in a .scrobbler.log that wasn't played to its end


def _maloja(row: Fields) -> Iterator[PlayOrReason]:
    track = row.get("track")
    if not isinstance(track, dict):
        yield "other rows"
        return
    names = track.get("artists")
    artists = artist_names(names if isinstance(names, list) else [names])
    if not artists:
        yield "no artist"
        return
    ms_played = duration_ms(row.get("duration"), unit_ms=1000)
    yield Play(
        artists[0],
        song_title(track.get("title")) or None,
        at=end_of_play(unix_time(row.get("time")), ms_played),
        ms_played=ms_played,
        duration_s=_seconds(track.get("length")),
        guests=artists[1:],
    )


def _koito(row: Fields) -> Iterator[PlayOrReason]:
    artists = sorted(
        objects(row.get("artists")), key=lambda each: each.get("is_primary") is not True
    )
    names = artist_names(_primary_alias(artist) for artist in artists)
    if not names:
        yield "no artist"
        return
    track = row.get("track")
    track = track if isinstance(track, dict) else {}
    yield Play(
        names[0],
        song_title(_primary_alias(track)) or None,
        at=iso_time(row.get("listened_at")),
        duration_s=_seconds(track.get("duration")),
        guests=names[1:],
        mbid=mbid(track.get("mbid")),
    )


def _primary_alias(named: Fields) -> object:
    """Return the name that Koito shows: its primary alias, else the first."""
    aliases = objects(named.get("aliases"))
    aliases = sorted(aliases, key=lambda each: each.get("is_primary") is not True)
    return aliases[0].get("alias") if aliases else None


def _seconds(value: object) -> float | None:
    duration = duration_ms(value, unit_ms=1000)
    return duration / 1000 if duration else None


def _read_pano(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    """Yield the plays of a file of Pano Scrobbler, a JSON object on each line."""
    try:
        for line in text_lines(file):
            if line.strip():
                yield from plays_of_rows(_pano(line), left_out)
    except ValueError as fault:
        raise UnreadableExport(f"{fault}: export the file again", where=name) from fault


def _pano(line: str) -> Iterator[PlayOrReason]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        yield "other rows"
        return
    yield Play(
        artist_name(row.get("artist")) or artist_name(row.get("albumArtist")),
        song_title(row.get("track")) or None,
        at=unix_ms(row.get("timeMs")),
        duration_s=(duration_ms(row.get("durationMs")) or 0) / 1000 or None,
    )


def _read_log(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    """Yield the plays of a .scrobbler.log (AudioScrobbler portable player log 1.0 and 1.1).

    Times of players without a time zone are read as UTC.
    """
    try:
        lines = (line.rstrip("\r\n") for line in text_lines(file))
        rows = (_log_line(line.split("\t")) for line in lines if line and line[0] != "#")
        yield from plays_of_rows(rows, left_out)
    except ValueError as fault:
        raise UnreadableExport(f"{fault}: copy the file again", where=name) from fault


def _log_line(cells: list[str]) -> PlayOrReason:
    """Read artist, album, title, track number, seconds, L or S, and seconds since 1970."""
    if len(cells) < 7:
        return "other rows"
    artist, _, title, _, length, rating, at = cells[:7]
    if rating.strip().upper() == _SKIPPED:
        return "skipped"
    return Play(
        artist_name(artist),
        song_title(title) or None,
        at=unix_time(at),
        duration_s=_seconds(length),
    )


FORMATS = (
    FileFormat(
        "maloja",
        "Maloja",
        json_reader("scrobbles", _maloja),
        json_row=lambda key, row: key == "scrobbles" and isinstance(row.get("track"), dict),
    ),
    FileFormat(
        "koito",
        "Koito",
        json_reader("listens", _koito),
        json_row=lambda key, row: key == "listens" and "listened_at" in row and "artists" in row,
    ),
    FileFormat("pano", "Pano Scrobbler", _read_pano, json_row=lambda key, _: key == "timeMs"),
    FileFormat(
        "scrobbler-log",
        "Players' .scrobbler.log",
        _read_log,
        start=lambda text: text.upper().startswith(LOG_START),
    ),
)
