"""Tables with known columns: rows as mappings from a plain header to the text of its cell."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import IO

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.files.csv_rows import csv_rows
from twotower.sources.files.file_format import PlayReader
from twotower.sources.files.headers import plain_header
from twotower.sources.files.row_readers import PlayOrReason, plays_of_rows
from twotower.sources.files.table_layout import DELIMITERS, MOST_LINES_BEFORE_HEADER
from twotower.sources.files.text import text_lines

Row = Mapping[str, str]  # plain header -> text of the cell, without blanks around it
RowReader = Callable[[Row], PlayOrReason]
Columns = tuple[frozenset[str], ...]  # sets of plain headers


def find_header(lines: Iterable[str], columns: Columns) -> tuple[int, str] | None:
    """Return the number and delimiter of the first line that has one of the sets of columns."""
    for number, line in enumerate(islice(lines, MOST_LINES_BEFORE_HEADER)):
        for delimiter in DELIMITERS:
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
        rows = table_rows(file, name, columns, left_out)
        yield from plays_of_rows(map(read_row, rows), left_out)

    return read


def table_rows(
    file: IO[bytes],
    name: str,
    columns: Columns,
    left_out: Counter[str],
    header_line: str = "",
) -> Iterator[Row]:
    """Yield the rows below the header, without blank ones.

    `header_line` is the header of a format that writes none into the file. Mangled rows are counted
    in `left_out`. Raises UnreadableExport if there is no such header, or the text is damaged.
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
        header = next(csv.reader([first[at].lstrip("\ufeff")], delimiter=delimiter))
        headers = list(map(plain_header, header))
        table = csv_rows(chain(first[at + 1 :], lines), delimiter, len(headers))
        for number, cells in enumerate(table, at + 2):  # noqa: B007
            if cells is None:
                left_out["mangled rows"] += 1
            elif any(cells):
                yield named_row(headers, cells)
    except ValueError as fault:
        raise UnreadableExport(
            f"the table can't be read from here on ({fault}): save it as CSV in UTF-8 again",
            where=f"{name}, row {number + 1:,}",
        ) from fault


def named_row(headers: Sequence[str], cells: Sequence[str]) -> Row:
    """Join headers and cells; of two columns with the same header, the first counts."""
    row = _Row()
    for header, cell in zip(headers, cells, strict=False):
        row.setdefault(header, cell.strip())
    return row


class _Row(dict[str, str]):
    """Cells by header; "" for a column that the table lacks."""

    def __missing__(self, header: str) -> str:
        return ""
