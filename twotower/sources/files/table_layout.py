"""The layout of a table: header, delimiter and columns, from its first lines."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from twotower.core.errors import NotListening
from twotower.sources.dates import parse_time
from twotower.sources.files.headers import Header, read_header

MOST_LINES_BEFORE_HEADER = 50
DELIMITERS = ",;\t|"
_LINES_TO_LOOK_AT = 200
_SURE = 0.8  # share of rows that must agree about a column
_ROWS_FOR_REPETITION = 8  # fewer say nothing of which column repeats more
_YEARS = range(1900, 2101)  # numbers that are years rather than plays


@dataclass(frozen=True, slots=True)
class Layout:
    """The shape of one table."""

    header: Header
    delimiter: str
    width: int  # number of columns
    lines_before_rows: int  # lines to skip, the header among them
    is_quoted_whole: bool = False  # each line as a whole is in quotes


def find_layout(lines: Sequence[str], name: str) -> Layout:
    """Return the layout of a table from its first lines.

    The header is the first line that names a column of artists. A table without a header is read
    if the values tell its columns. Raises NotListening if there is no column of artists.
    """
    quoted = [unquote_line(line) for line in lines]
    for is_quoted_whole, candidates in ((False, lines), (True, quoted)):
        is_first = True
        for number, line in enumerate(candidates[:MOST_LINES_BEFORE_HEADER]):
            cells, delimiter = _split(line)
            header = read_header(cells)
            if "artist" in header.columns and (is_first or len(cells) > 1):
                rows = [_cells(below, delimiter) for below in candidates[number + 1 :]]
                header = _with_times(header, rows)
                return Layout(header, delimiter, len(cells), number + 1, is_quoted_whole)
            is_first = is_first and (not line.strip() or line.lower().startswith("sep="))
    for is_quoted_whole, candidates in ((False, lines), (True, quoted)):
        layout = _layout_by_values(candidates, is_quoted_whole)
        if layout is not None:
            return layout
    if any("\0" in line for line in lines):
        raise NotListening(
            "this isn't a music file that we know: choose a ZIP, JSON or CSV", where=name
        )
    raise NotListening(
        "no column is named artist: write the names of the columns in the first line, such as "
        "artist,track,plays",
        where=name,
    )


def rows_of(lines: Iterator[str], layout: Layout) -> Iterator[str]:
    """Return the lines below the header, ready to be split."""
    below = islice(lines, layout.lines_before_rows, None)
    return map(unquote_line, below) if layout.is_quoted_whole else below


def unquote_line(line: str) -> str:
    """Return a line that is in quotes as a whole without them; any other as it is."""
    text = line.strip()
    inside = text[1:-1].replace('""', "")
    if len(text) > 2 and text[0] == text[-1] == '"' and '"' not in inside:
        return text[1:-1].replace('""', '"') + "\n"
    return line


def _with_times(header: Header, rows: Sequence[Sequence[str]]) -> Header:
    """Take a column such as "Time" for the time of the play if it is one, not a duration."""
    at = header.columns.get("clock")
    if at is None or "at" in header.columns:
        return header
    columns = {name: position for name, position in header.columns.items() if name != "clock"}
    if any(at < len(row) and _is_time(row[at]) for row in rows):
        columns["at"] = at
    return replace(header, columns=columns)


def _split(line: str) -> tuple[list[str], str]:
    """Return the cells of a line, and the delimiter that yields most known headers."""
    best: tuple[tuple[int, int], list[str], str] = ((-1, 0), [], ",")
    for delimiter in DELIMITERS:
        cells = _cells(line.lstrip("\ufeff"), delimiter)
        known = len(read_header(cells).columns)
        if (known, len(cells)) > best[0]:
            best = (known, len(cells)), cells, delimiter
    return best[1], best[2]


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _layout_by_values(lines: Sequence[str], is_quoted_whole: bool) -> Layout | None:
    """Return the layout of a table without a header, None if its values don't tell it."""
    lines = [line for line in lines[:_LINES_TO_LOOK_AT] if line.strip()]
    for delimiter in DELIMITERS:
        rows = [_cells(line.lstrip("\ufeff"), delimiter) for line in lines]
        width = max(map(len, rows), default=0)
        rows = [row for row in rows if len(row) > 1]
        if width < 2 or len(rows) < _SURE * len(lines):
            continue
        columns = columns_by_values([[*row, *[""] * (width - len(row))] for row in rows])
        if "artist" in columns:
            header = Header(columns, frozenset())
            return Layout(header, delimiter, width, 0, is_quoted_whole)
    return None


def columns_by_values(rows: Sequence[Sequence[str]]) -> Mapping[str, int]:
    """Tell columns by the values in rows of equal length; empty if they can't be told.

    Texts before a time are artist, album and track, as the exports of Last.fm have them, or artist
    and track; so are those after a time. Without a time, a column of numbers has the plays.
    """
    columns = list(zip(*rows, strict=True))
    is_text = [_share(column, _is_text) >= _SURE for column in columns]
    times = [at for at, column in enumerate(columns) if _are_times(column)]
    if times:
        at = times[0]
        before, after = range(at), range(at + 1, len(columns))
        texts = [n for n in before if is_text[n] or not any(columns[n])]
        if not texts:
            texts = [n for n in after if is_text[n]][:2]
        if not texts or not is_text[texts[0]]:
            return {}
        if len(texts) > 2:
            return {"artist": texts[0], "track": texts[2], "at": at}
        return {**_artist_and_track(columns, texts), "at": at}
    numbers = [n for n, column in enumerate(columns) if _are_counts(column)]
    texts = [n for n in range(len(columns)) if is_text[n]]
    if not numbers or not texts or len(rows) < 2:
        return {}
    return {**_artist_and_track(columns, texts[:2]), "plays": numbers[0]}


def _artist_and_track(columns: Sequence[Sequence[str]], texts: Sequence[int]) -> dict[str, int]:
    """Name up to two columns of texts: the artist comes first, unless the second repeats more."""
    if len(texts) == 1:
        return {"artist": texts[0]}
    first, second = texts
    distinct = [len(set(columns[n])) for n in (first, second)]
    if len(columns[first]) >= _ROWS_FOR_REPETITION and distinct[1] < _SURE * distinct[0]:
        first, second = second, first
    return {"artist": first, "track": second}


def _share(column: Iterable[str], fits: Callable[[str], bool]) -> float:
    """Return the share of the cells that aren't empty and fit; 0 if all are empty."""
    cells = [cell for cell in column if cell.strip()]
    return sum(map(fits, cells)) / len(cells) if cells else 0.0


def _is_text(cell: str) -> bool:
    return not _is_time(cell) and any(map(str.isalpha, cell))


def _is_time(cell: str) -> bool:
    return parse_time(cell) is not None


def _are_times(column: Sequence[str]) -> bool:
    """Return whether cells are times. A first one that is none would be an unknown header."""
    first = next((cell for cell in column if cell.strip()), "")
    return _is_time(first) and _share(column, _is_time) >= _SURE


def _are_counts(column: Sequence[str]) -> bool:
    """Return whether all cells are numbers of plays, rather than years."""
    numbers = [int(cell) for cell in map(str.strip, column) if cell.isascii() and cell.isdigit()]
    return len(numbers) == len(column) and not all(number in _YEARS for number in numbers)
