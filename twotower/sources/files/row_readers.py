"""Rows as plays: what the readers of JSON and of tables have in common."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import IO

from twotower.core.domain import Play
from twotower.core.names import is_artist_name
from twotower.sources.files.file_format import Fields, PlayReader
from twotower.sources.files.json_stream import json_rows
from twotower.sources.values import artist_name, song_title

PlayOrReason = Play | str  # a play, or the reason why the row has none
SEPARATOR = " - "  # between artist and title, where one field has both


def plays_of_rows(rows: Iterable[PlayOrReason], left_out: Counter[str]) -> Iterator[Play]:
    """Yield the plays; count the reasons in `left_out`."""
    for play in rows:
        if isinstance(play, Play):
            yield play
        else:
            left_out[play] += 1


def json_reader(key: str, read_row: Callable[[Fields], Iterable[PlayOrReason]]) -> PlayReader:
    """Return a reader of the objects in the array under `key`; "" for a file that is an array."""

    def read(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
        for row_key, row in json_rows(file, name):
            if row_key == key:
                results = read_row(row) if isinstance(row, dict) else ("other rows",)
                yield from plays_of_rows(results, left_out)

    return read


def split_artist(text: object) -> tuple[str, str]:
    """Split "Artist - Title"; the artist is "" if there is no separator."""
    artist, separator, title = song_title(text).partition(SEPARATOR)
    return (artist_name(artist.strip()), title.strip()) if separator else ("", artist)


def artist_names(names: Iterable[object]) -> tuple[str, ...]:
    """Return the names that can be an artist's, without repetitions."""
    return tuple(dict.fromkeys(name for name in map(artist_name, names) if is_artist_name(name)))


def end_of_play(start: datetime | None, ms_played: int | None) -> datetime | None:
    """Return the end of a play, which `Play.at` is; the start if the duration is unknown."""
    if start is None or ms_played is None:
        return start
    return start + timedelta(milliseconds=ms_played)
