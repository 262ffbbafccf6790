"""CSV tables of music: Exportify's files, old and new, and any table with a column of artists."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from typing import IO, Literal

from twotower.core.domain import AUDIO, AUDIO_RANGE, SPOTIFY_WEB_API, Play
from twotower.core.errors import UnreadableExport
from twotower.sources.files.text import CHUNK, encoding_of, text_lines
from twotower.sources.values import EARLIEST, clean, iso_time

MOST_PLAYS = 10_000_000  # in one row; a larger number is no count of plays
MOST_GENRES = 50  # in one row

# Our column -> headers in lower case without punctuation, preferred ones first.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "artist": (
        *("artistnames", "artistname", "artist", "artists", "trackartist", "trackartists"),
        *("mastermetadataalbumartistname", "albumartistnames", "albumartistname", "albumartist"),
        *("band", "performer", "artista", "artiste", "künstler", "kuenstler", "interpret"),
    ),
    "track": (
        *("trackname", "track", "tracktitle", "songname", "songtitle", "song", "title"),
        *("mastermetadatatrackname", "titel", "titre", "título", "titulo", "name"),
    ),
    "plays": ("plays", "playcount", "scrobbles", "listens", "timesplayed", "streams", "count"),
    "ms_played": ("msplayed",),
    "at": (
        *("playedat", "listenedat", "utctime", "uts", "timestamp", "ts", "endtime", "datetime"),
        *("date", "addedat", "dateadded"),
    ),
    "genres": ("genres", "genre", "artistgenres", "tags"),
    "duration_ms": ("durationms", "trackdurationms"),
    "released": ("releasedate", "albumreleasedate", "released"),
    "time_signature": ("timesignature",),
    "uri": ("trackuri", "spotifyuri", "spotifyid"),
    "ids": ("artistids", "artisturis", "artisturi"),
    "label": ("recordlabel",),
    **{name: (name,) for name in AUDIO},
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_FIRST_WORDS = re.compile(r"(\d{1,2}) ([A-Za-z]{3})[a-z]* (\d{4}),? ?(\d{1,2}:\d\d)?(:\d\d)?$")
_SLASHED = re.compile(r"(\d{1,4})[/.](\d{1,2})[/.](\d{1,4})(?:[ T,]+(\d{1,2}:\d\d)(:\d\d)?)?")
_THOUSANDS = re.compile(r"\d{1,3}([., ’'\u00a0\u202f]\d{3})+$")
_ISO_PART = re.compile(r"\d{4}(-\d\d(-\d\d)?)?$")
_COMMA_ALONE = re.compile(r"(?<![\\\d]),(?=\S)|(?<!\\),(?=[^\s\d])")
_COMMA_SPACE = re.compile(r"(?<!\\), ")


@dataclass(frozen=True, slots=True)
class _Header:
    """Positions of the known columns, and whether the file comes from Exportify."""

    columns: Mapping[str, int]
    exportify: bool

    @property
    def semicolons_separate_artists(self) -> bool:
        """True for Exportify's files since 2025. Older ones use commas, as some names do too."""
        return self.exportify and "label" in self.columns and "ids" not in self.columns


def csv_origin(file: IO[bytes]) -> str:
    """Return SPOTIFY_WEB_API for a file of Exportify, else "file"; rewind `file`."""
    start = file.tell()
    head = file.read(CHUNK)
    file.seek(start)
    text = head.decode(encoding_of(head[:4]), errors="replace").removeprefix("\ufeff")
    lines = text.splitlines()[:2]
    if lines and lines[0].lower().startswith("sep="):
        lines = lines[1:]
    return SPOTIFY_WEB_API if lines and _header(_split(lines[0])[0]).exportify else "file"


def read_csv(file: IO[bytes], name: str, left_out: Counter[str] | None = None) -> Iterator[Play]:
    """Yield a play for each row of a table; columns are found by their headers.

    Exportify's file of liked songs has saved tracks; its other files are playlists named as the
    file, with listed tracks. The first artist is the main one, the others are `guests`. Rows of any
    other table are played, `plays` times. Rows without a usable play are counted by reason in
    `left_out`. Raises UnreadableExport if there is no column of artists, or a row is damaged.
    """
    left_out = Counter() if left_out is None else left_out
    number = 0
    try:
        rows = _rows(file, name)
        header = _header(next(rows))
        kind, playlist = _kind(header, name)
        for number, row in enumerate(rows, 2):  # noqa: B007
            if not any(row):
                continue
            play = _play(row, header, kind, playlist)
            if isinstance(play, Play):
                yield play
            else:
                left_out[play] += 1
    except (csv.Error, ValueError) as fault:
        raise UnreadableExport(
            f"the table can't be read from here on ({fault}): save it as CSV in UTF-8 again",
            where=f"{name}, row {number + 1:,}",
        ) from fault


def _rows(file: IO[bytes], name: str) -> Iterator[list[str]]:
    """Yield the rows, headers first. A Last.fm export has no headers and gets its usual ones."""
    lines = text_lines(file, errors="surrogateescape")
    first = list(islice((line for line in lines if line.strip()), 1))
    if first and first[0].lower().startswith("sep="):
        first = list(islice(lines, 1))
    if not first:
        raise UnreadableExport("the file is empty: export it again", where=name)
    if "\0" in first[0]:
        raise UnreadableExport(
            "this isn't a music file that we know: choose a ZIP, JSON or CSV", where=name
        )
    header, delimiter = _split(first[0])
    table: Iterator[list[str]] = csv.reader(chain(first, lines), delimiter=delimiter)
    if "artist" not in _header(header).columns:
        if len(header) != 4 or _time(header[3]) is None:
            raise UnreadableExport(
                "no column is named artist: write the names of the columns in the first line, "
                "such as artist,track,plays",
                where=name,
            )
        return chain([["artist", "album", "track", "date"]], _decode_windows_text(table))
    return _decode_windows_text(table)


def _decode_windows_text(table: Iterator[list[str]]) -> Iterator[list[str]]:
    """Read fields that aren't UTF-8 as Windows-1252, which older spreadsheets write."""
    for row in table:
        if all(map(str.isascii, row)):
            yield row
        else:
            yield [
                field.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
                if any("\udc80" <= char <= "\udcff" for char in field)
                else field
                for field in row
            ]


def _split(line: str) -> tuple[list[str], str]:
    """Return the headers in the first line, and the delimiter that yields most known headers."""
    best: tuple[int, int, list[str], str] = (-1, 0, [], ",")
    for delimiter in ",;\t|":
        headers = next(csv.reader([line.lstrip("\ufeff")], delimiter=delimiter), [])
        candidate = (len(_header(headers).columns), len(headers), headers, delimiter)
        best = max(best, candidate, key=lambda one: one[:2])
    return best[2], best[3]


def _header(names: Sequence[str]) -> _Header:
    plain: dict[str, int] = {}
    for at, name in enumerate(names):  # Last.fm writes "Date#user name"
        word = "".join(filter(str.isalnum, name.split("#")[0].casefold()))
        plain.setdefault(word, at)
    columns = {}
    for ours, spellings in _SPELLINGS.items():
        for spelling in spellings:
            if spelling in plain:
                columns[ours] = plain[spelling]
                break
    if columns.get("track") == columns.get("artist"):
        columns.pop("track", None)
    web_api = "artistnames" in plain or ("artistname" in plain and "uri" in columns)
    return _Header(columns, exportify=web_api)


def _kind(header: _Header, name: str) -> tuple[Literal["played", "saved", "listed"], str | None]:
    if not header.exportify:
        return "played", None
    title = re.split(r"[/\\]", name)[-1]
    title = clean(re.sub(r"(\.csv)?(\.gz)?$", "", title, flags=re.IGNORECASE).replace("_", " "))
    if "liked" in title.casefold().split():
        return "saved", None
    return "listed", title


def _play(
    row: Sequence[str],
    header: _Header,
    kind: Literal["played", "saved", "listed"],
    playlist: str | None,
) -> Play | str:
    """Return the row's play, or the reason why it has none."""
    columns = header.columns

    def field(column: str) -> str:
        at = columns.get(column, len(row))
        return row[at].strip() if at < len(row) else ""

    if field("uri").startswith(("spotify:episode:", "spotify:show:")):
        return "podcasts"
    artists = _artists(clean(field("artist")), header, field("ids"))
    if not artists:
        return "no artist"
    plays = _count(field("plays"))
    if plays is None:
        return "no number of plays"
    ms_played = _number(field("ms_played"))
    if field("ms_played") and (ms_played is None or not 0 <= ms_played < 1e10):
        return "no duration"
    duration = _number(field("duration_ms"))
    return Play(
        artists[0],
        clean(field("track")) or None,
        kind=kind,
        at=_time(field("at")),
        ms_played=None if ms_played is None else int(ms_played),
        count=plays,
        playlist=playlist,
        genres=_genres(field("genres")),
        audio=_audio({name: field(name) for name in (*AUDIO, "time_signature") if name in columns}),
        duration_s=duration / 1000 if duration and 0 < duration < 1e9 else None,
        released=_released(field("released")),
        guests=tuple(artists[1:]),
    )


def _artists(names: str, header: _Header, ids: str) -> list[str]:
    """Split a field into artists; a comma stays in the name if it might belong there."""
    if header.semicolons_separate_artists:
        parts = names.split(";")
    elif header.exportify:
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
    """Return the number of plays ("1,234" too); 1 if the field is empty, None if it is no count."""
    if not text:
        return 1
    value = float(re.sub(r"\D", "", text)) if _THOUSANDS.match(text) else _number(text)
    return int(value) if value is not None and 1 <= value <= MOST_PLAYS else None


def _time(text: str) -> datetime | None:
    """Return the UTC time in any notation that such files use; None if it is none."""
    text = text.strip()
    if iso := iso_time(text):
        return iso
    try:
        if text.isascii() and text.isdigit() and len(text) in (9, 10, 13):
            at = datetime.fromtimestamp(int(text[:10]), UTC)
        elif words := _DAY_FIRST_WORDS.match(text):
            day, month, year, clock, _ = words.groups()
            number = _MONTHS.index(month.lower()) + 1
            at = _utc(int(year), number, int(day), clock)
        elif slashed := _SLASHED.match(text):
            at = _utc(*_year_month_day(slashed), slashed[4])
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return at if at >= EARLIEST else None


def _utc(year: int, month: int, day: int, clock: str | None) -> datetime:
    hour, minute = map(int, (clock or "0:00").split(":"))
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def _year_month_day(date: re.Match[str]) -> tuple[int, int, int]:
    """Read 6/25/2013 as June 25: the month comes first, unless that number is above 12."""
    first, second, third = int(date[1]), int(date[2]), int(date[3])
    if len(date[1]) == 4:
        return first, second, third
    return (third, second, first) if first > 12 else (third, first, second)


def _released(text: str) -> str | None:
    """Return an ISO year, year-month or date; None if the text is none of them."""
    if _ISO_PART.match(text):
        try:
            datetime.fromisoformat((text + "-01-01")[:10])
        except ValueError:
            return None
        return text
    if slashed := _SLASHED.match(text):
        try:
            return _utc(*_year_month_day(slashed), None).date().isoformat()
        except ValueError:
            return None
    return None
