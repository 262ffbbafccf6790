"""Tables with known columns: rows as mappings from a plain header to the text of its cell."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import IO

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.files.file_format import PlayReader
from twotower.sources.files.row_readers import PlayOrReason, plays_of_rows
from twotower.sources.files.text import text_lines

MOST_LINES_BEFORE_HEADER = 50
MOST_LINES_OF_ROW = 1_000
_DELIMITERS = ",;\t|"

Row = Mapping[str, str]  # plain header -> text of the cell, without blanks around it
RowReader = Callable[[Row], PlayOrReason]
Columns = tuple[frozenset[str], ...]  # sets of plain headers


def plain_header(text: str) -> str:
    """Return a header in lower case without blanks and punctuation: "Song Title" -> "songtitle"."""
    return "".join(filter(str.isalnum, text.split("#")[0].casefold()))


def find_header(lines: Iterable[str], columns: Columns) -> tuple[int, str] | None:
    """Return the number and delimiter of the first line that has one of the sets of columns."""
    for number, line in enumerate(islice(lines, MOST_LINES_BEFORE_HEADER)):
        for delimiter in _DELIMITERS:
            if delimiter not in line:
                continue
            try:
                cells = next(csv.reader([line.lstrip("\ufeff")], delimiter=delimiter), [])
            except csv.Error:
                continue
            headers = set(map(plain_header, cells))
            if any(needed <= headers for needed in columns):
                return number, delimiter
    return None


def table_reader(columns: Columns, read_row: RowReader) -> PlayReader:
    """Return a reader of tables whose header has one of the sets of columns."""

    def read(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
        rows = table_rows(file, name, columns)
        yield from plays_of_rows(map(read_row, rows), left_out)

    return read


def table_rows(
    file: IO[bytes], name: str, columns: Columns, header_line: str = ""
) -> Iterator[Row]:
    """Yield the rows below the header, without blank ones.

    `header_line` is the header of a format that writes none into the file. Raises UnreadableExport
    if there is no such header, or a row is damaged.
    """
    number = 0
    try:
        lines = text_lines(file, errors="surrogateescape")
        if header_line:
            lines = chain([header_line], lines)
        first = list(islice(lines, MOST_LINES_BEFORE_HEADER))
        found = find_header(first, columns)
        if found is None:
            raise UnreadableExport("the header is missing: export the table again", where=name)
        at, delimiter = found
        row_lines = _RowLines(chain(first[at:], lines))
        table = csv.reader(row_lines, delimiter=delimiter)
        headers = [plain_header(cell) for cell in next(table)]
        for number, cells in enumerate(table, at + 2):  # noqa: B007
            row_lines.since_row = 0
            if any(cells):
                yield named_row(headers, cells)
    except (csv.Error, ValueError) as fault:
        raise UnreadableExport(
            f"the table can't be read from here on ({fault}): save it as CSV in UTF-8 again",
            where=f"{name}, row {number + 1:,}",
        ) from fault


class _RowLines:
    """The lines of a table, at most MOST_LINES_OF_ROW until `since_row` is set to 0 again.

    Line breaks in quotes would otherwise let one row fill the memory.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.since_row = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.since_row += 1
            if self.since_row > MOST_LINES_OF_ROW:
                raise ValueError(f"a row has more than {MOST_LINES_OF_ROW:,} lines")
            yield line


def named_row(headers: Sequence[str], cells: Sequence[str]) -> Row:
    """Join headers and cells; of two columns with the same header, the first counts."""
    row = _Row()
    for header, cell in zip(headers, cells, strict=False):
        row.setdefault(header, _decoded(cell).strip())
    return row


class _Row(dict[str, str]):
    """Cells by header; "" for a column that the table lacks."""

    def __missing__(self, header: str) -> str:
        return ""


def _decoded(cell: str) -> str:
    """Read a cell that isn't UTF-8 as Windows-1252, which older spreadsheets write."""
    if cell.isascii() or not any("\udc80" <= char <= "\udcff" for char in cell):
        return cell
    return cell.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
