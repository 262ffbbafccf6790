"""A person's own data export from ListenBrainz: one listen (one play) per line, or a JSON list."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO, Any

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.core.names import is_artist_name
from twotower.sources.files.file_format import FileFormat
from twotower.sources.files.json_stream import json_rows
from twotower.sources.files.row_readers import PlayOrReason, json_reader
from twotower.sources.files.text import first_text, text_lines
from twotower.sources.values import artist_name, mbid, objects, song_title, unix_time

_OTHER_FILES = frozenset(("score", "pinned_until"))  # keys of what isn't a listen
_LISTENS_FILE = re.compile(r"(^|[/\\])listens[/\\]\d{4}[/\\]\d{1,2}\.jsonl$")


def is_listens_file(name: str) -> bool:
    """Return True if the path names a file of listens within an export."""
    return _LISTENS_FILE.search(name.casefold()) is not None


def read_listenbrainz_export(
    file: IO[bytes], name: str, left_out: Counter[str] | None = None
) -> Iterator[Play]:
    """Yield the plays in one file of an export.

    Lines that are no listen are counted in `left_out`. Raises UnreadableExport if a JSON list is
    damaged or a line is too long.
    """
    left_out = Counter() if left_out is None else left_out
    for row in _rows(file, name):
        if isinstance(row, dict) and not _OTHER_FILES.isdisjoint(row):
            left_out["loved, hated or pinned tracks"] += 1
            continue
        play = play_of_listen(row) if isinstance(row, dict) else None
        if play is not None:
            yield play
        else:
            is_listen = isinstance(row, dict) and "track_metadata" in row
            left_out["no artist" if is_listen else "other rows"] += 1


def _rows(file: IO[bytes], name: str) -> Iterator[object]:
    """Yield the decoded rows; None for a line that isn't JSON."""
    start = first_text(file)
    file.seek(0)
    if start.startswith("["):
        yield from (row for _, row in json_rows(file, name))
        return
    try:
        for line in text_lines(file):
            if line.strip():
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    yield None
    except ValueError as fault:
        raise UnreadableExport(f"{fault}: download the file again", where=name) from fault


def play_of_listen(row: Mapping[str, Any]) -> Play | None:
    """Convert a listen as exports and the API have it; None if it names no artist."""
    metadata = row.get("track_metadata")
    if not isinstance(metadata, dict):
        return None
    mapping = metadata.get("mbid_mapping")  # the recording at MusicBrainz, if it was recognised
    mapped: Mapping[str, Any] = mapping if isinstance(mapping, dict) else {}
    artists = credited_artists(mapped.get("artists"), metadata.get("artist_name"))
    if not artists:
        return None
    return Play(
        artists[0],
        song_title(metadata.get("track_name")) or None,
        at=unix_time(row.get("listened_at")),
        guests=artists[1:],
        mbid=mbid(mapped.get("recording_mbid")),
    )


def credited_artists(credits: object, submitted_name: object) -> tuple[str, ...]:
    """Return the artists of a MusicBrainz credit, main artist first, without repetitions.

    Without a credit, the one name that the listener's player submitted.
    """
    names = (artist_name(credit.get("artist_credit_name")) for credit in objects(credits))
    artists = tuple(dict.fromkeys(name for name in names if is_artist_name(name)))
    submitted = artist_name(submitted_name)
    return artists or ((submitted,) if is_artist_name(submitted) else ())


def _submitted(row: Mapping[str, Any]) -> Iterator[PlayOrReason]:
    yield play_of_listen(row) or "no artist"


FORMATS = (
    FileFormat(
        "listens",
        "ListenBrainz: export",
        read_listenbrainz_export,
        json_row=lambda key, row: key == "track_metadata" or (not key and "track_metadata" in row),
    ),
    FileFormat(
        "listens-to-submit",
        "ListenBrainz: JSON to submit",
        json_reader("payload", _submitted),
        json_row=lambda key, row: key == "payload" and "track_metadata" in row,
    ),
)
