"""CSV tables of music: Exportify's files, old and new, and any table with a column of artists."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Literal

from twotower.core.domain import AUDIO, AUDIO_RANGE, SPOTIFY_WEB_API, Play
from twotower.core.errors import NotListening, UnreadableExport
from twotower.sources.dates import DateOrder, DateOrderEvidence, parse_day, parse_time
from twotower.sources.files.csv_rows import csv_rows
from twotower.sources.files.file_format import add_note
from twotower.sources.files.headers import Header
from twotower.sources.files.table_layout import Layout, find_layout, rows_of
from twotower.sources.files.text import text_lines
from twotower.sources.values import clean, duration_ms, song_title

MOST_PLAYS = 10_000_000  # in one row; a larger number is no count of plays
MOST_GENRES = 50  # in one row
_LINES_TO_LOOK_AT = 200
_ROWS_FOR_DATES = 1000  # if none of them has a date like 3/4/2026, no more are looked at
_SAVED_LISTS = frozenset(("favorite", "favorites", "favourite", "favourites", "liked", "loved"))

_DATE_COLUMNS = ("at", "added", "released")
_THOUSANDS = re.compile(r"\d{1,3}([., ’'\u00a0\u202f]\d{3})+$")
_ISO_PART = re.compile(r"\d{4}(-\d\d(-\d\d)?)?$")
_COMMA_ALONE = re.compile(r"(?<![\\\d]),(?=\S)|(?<!\\),(?=[^\s\d])")
_COMMA_SPACE = re.compile(r"(?<!\\), ")

_Kind = Literal["played", "saved", "listed"]


def csv_origin(file: IO[bytes]) -> str:
    """Return SPOTIFY_WEB_API for a file of Exportify or a like program, else "file"; rewind."""
    try:
        layout = _layout(file, "")
    except UnreadableExport:
        return "file"
    finally:
        file.seek(0)
    return SPOTIFY_WEB_API if layout.header.has_spotify_ids else "file"


def read_csv(
    file: IO[bytes],
    name: str,
    left_out: Counter[str] | None = None,
    *,
    now: datetime | None = None,
) -> Iterator[Play]:
    """Yield a play for each row of a table; columns are found by their headers, or their values.

    Exportify's file of liked songs has saved tracks; its other files are playlists named as the
    file, with listed tracks. So are lists that programs move between services, and tables that only
    say when tracks were added. The first artist is the main one, the others are `guests`. Rows of
    any other table are played, `plays` times, or saved if that number is empty or 0.

    Rows without a usable play are counted by reason in `left_out`. A date after `now`, today by
    default, shows that day and month are read in the wrong order. Raises NotListening if there is
    no column of artists, UnreadableExport if the text is damaged.
    """
    left_out = Counter() if left_out is None else left_out
    layout = _layout(file, name)
    orders = _date_orders(file, layout, now or datetime.now(UTC))
    if orders["at"].is_guess or orders["added"].is_guess:
        add_note(left_out, "Dates such as 3/4 were read with the day first.")
    rows = _Rows(layout.header, name, orders)
    number = 0
    file.seek(0)
    try:
        for number, row in enumerate(_cells(file, layout), layout.lines_before_rows + 1):  # noqa: B007
            play = "mangled rows" if row is None else rows.play(row)
            if isinstance(play, Play):
                yield play
            elif play:
                left_out[play] += 1
    except ValueError as fault:
        raise _damaged(fault, f"{name}, row {number + 1:,}") from fault
    if rows.unknown_times:
        add_note(left_out, f"Dates that weren't understood: {rows.unknown_times:,}.")


def _layout(file: IO[bytes], name: str) -> Layout:
    lines = text_lines(file, errors="surrogateescape")
    try:
        first = list(islice(lines, _LINES_TO_LOOK_AT))
    except ValueError as fault:
        raise _damaged(fault, f"{name}, row 1") from fault
    if not any(map(str.strip, first)):
        raise NotListening("the file is empty: export it again", where=name)
    return find_layout(first, name)


def _damaged(fault: ValueError, where: str) -> UnreadableExport:
    return UnreadableExport(
        f"the table can't be read from here on ({fault}): save it as CSV in UTF-8 again",
        where=where,
    )


def _cells(file: IO[bytes], layout: Layout) -> Iterator[list[str] | None]:
    lines = rows_of(text_lines(file, errors="surrogateescape"), layout)
    return csv_rows(lines, layout.delimiter, layout.width)


def _date_orders(file: IO[bytes], layout: Layout, now: datetime) -> Mapping[str, DateOrder]:
    """Return the order of day and month in each column of dates, from as many rows as it takes."""
    header = layout.header
    evidence = {column: DateOrderEvidence() for column in _DATE_COLUMNS if column in header.columns}
    file.seek(0)
    try:
        for number, row in enumerate(_cells(file, layout) if evidence else ()):
            for column, each in evidence.items():
                at = header.columns[column]
                if row is not None and at < len(row):
                    each.add(row[at])
            is_late = number > _ROWS_FOR_DATES
            if all(each.is_settled or (is_late and each.is_empty) for each in evidence.values()):
                break
    except ValueError:
        pass  # the reading of the rows reports it
    orders = {
        column: each.order(now, day_first=header.day_first) for column, each in evidence.items()
    }
    return {column: orders.get(column, DateOrder()) for column in _DATE_COLUMNS}


class _Rows:
    """Converts the rows of one table."""

    def __init__(self, header: Header, name: str, orders: Mapping[str, DateOrder]) -> None:
        self._header = header
        self._orders = orders
        self._audio_columns = [c for c in (*AUDIO, "time_signature") if c in header.columns]
        title = re.split(r"[/\\]", name)[-1]
        title = re.sub(r"(\.(csv|txt|tsv))?(\.gz)?$", "", title, flags=re.IGNORECASE)
        self._file_title = clean(title.replace("_", " "))
        self.unknown_times = 0

    def play(self, row: Sequence[str]) -> Play | str:
        """Return the row's play, the reason why it has none, or "" for a blank row or comment."""
        if not any(row) or (len(row) == 1 < len(self._header.columns) and row[0].startswith("#")):
            return ""
        row = tuple(map(str.strip, row))
        if self._field(row, "uri").startswith(("spotify:episode:", "spotify:show:")):
            return "podcasts"
        if "event" in self._header.columns and not self._field(row, "event").endswith("END"):
            return "events that are no plays"
        artists = self._artists(row)
        if not artists:
            return "no artist"
        plays = _count(self._field(row, "plays"))
        if plays is None:
            return "no number of plays"
        ms_played = duration_ms(self._field(row, "ms_played") or None)
        if ms_played is None:
            ms_played = duration_ms(self._field(row, "s_played") or None, unit_ms=1000)
        if ms_played is None and (self._field(row, "ms_played") or self._field(row, "s_played")):
            return "no duration"
        kind, playlist = self._kind(row, plays)
        duration = _number(self._field(row, "duration_ms"))
        return Play(
            artists[0],
            song_title(self._field(row, "track")) or None,
            kind=kind,
            at=self._time(row, "at" if kind == "played" else "added"),
            ms_played=ms_played,
            count=max(1, plays),
            playlist=playlist,
            genres=_genres(self._field(row, "genres")),
            audio=_audio({name: self._field(row, name) for name in self._audio_columns}),
            duration_s=duration / 1000 if duration and 0 < duration < 1e9 else None,
            released=_released(self._field(row, "released"), self._orders["released"]),
            guests=tuple(artists[1:]),
        )

    def _field(self, row: Sequence[str], column: str) -> str:
        at = self._header.columns.get(column, len(row))
        return row[at] if at < len(row) else ""

    def _artists(self, row: Sequence[str]) -> list[str]:
        names = song_title(self._field(row, "artist"))
        artists = _artists(names, self._header, self._field(row, "ids"))
        guests = (song_title(row[at]) for at in self._header.guests if at < len(row))
        return list(dict.fromkeys(name for name in (*artists, *guests) if name))

    def _kind(self, row: Sequence[str], plays: int) -> tuple[_Kind, str | None]:
        """Return the kind of the row's play, and its playlist if it is listed."""
        header = self._header
        if header.is_exportify or header.is_moved_list:
            list_type = self._field(row, "list_type") or self._file_title
            if not _SAVED_LISTS.isdisjoint(list_type.casefold().split()):
                return "saved", None
            return "listed", song_title(self._field(row, "playlist")) or self._file_title
        is_unplayed = "plays" in header.columns and not plays
        return ("saved" if header.is_library or is_unplayed else "played"), None

    def _time(self, row: Sequence[str], column: str) -> datetime | None:
        text, clock = self._field(row, column), self._field(row, "clock")
        if clock and ":" not in text and column == "at":
            text = f"{text} {clock}"
        at = parse_time(text, day_first=self._orders[column].day_first)
        self.unknown_times += at is None and bool(text)
        return at


def _artists(names: str, header: Header, ids: str) -> list[str]:
    """Split a field into artists; a comma stays in the name if it might belong there."""
    if header.semicolons_separate_artists:
        parts = names.split(";")
    elif header.is_exportify:
        parts = _split_at_commas(names, len(ids.split(",")) if ids else None)
    else:
        parts = [names]
    return list(dict.fromkeys(part for part in map(str.strip, parts) if part))


def _split_at_commas(names: str, count: int | None) -> list[str]:
    """Split names of Exportify's older files, at "," or ", "; `count` is the number of artists."""
    whole = names.replace("\\,", ",")
    if count == 1:
        return [whole]
    for comma in (_COMMA_ALONE, _COMMA_SPACE):
        parts = comma.split(names)
        if len(parts) == count or (count is None and comma is _COMMA_ALONE):
            return [part.replace("\\,", ",") for part in parts]
    return [whole]


def _genres(text: str) -> tuple[str, ...]:
    parts = (clean(part).casefold() for part in re.split(r"[,;|]", text.strip("[]")))
    return tuple(dict.fromkeys(part for part in (p.strip("'\" ") for p in parts) if part))[
        :MOST_GENRES
    ]


def _audio(fields: Mapping[str, str]) -> Mapping[str, float]:
    """Return the attributes within their ranges; none if tempo or time signature is 0 (unknown)."""
    if not fields:
        return {}
    values = {name: _number(text) for name, text in fields.items()}
    if values.get("tempo") == 0 or values.get("time_signature") == 0:
        return {}
    return {
        name: value
        for name in AUDIO
        if (value := values.get(name)) is not None
        and AUDIO_RANGE[name][0] <= value <= AUDIO_RANGE[name][1]
    }


def _number(text: str) -> float | None:
    """Return a finite number with a decimal point or comma, else None."""
    if "," in text and "." not in text:
        text = text.replace(",", ".", 1)
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e15 else None


def _count(text: str) -> int | None:
    """Return the number of plays ("1,234" too); 0 if the field is empty, None if it is no count."""
    if not text:
        return 0
    value = float(re.sub(r"\D", "", text)) if _THOUSANDS.match(text) else _number(text)
    if value is None or not 0 <= value <= MOST_PLAYS or 0 < value < 1:
        return None
    return int(value)


def _released(text: str, order: DateOrder) -> str | None:
    """Return an ISO year, year-month or date; None if the text is none of them."""
    if not _ISO_PART.match(text):
        day = parse_day(text, day_first=order.day_first)
        return day.isoformat() if day else None
    try:
        datetime.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return None
    return text
