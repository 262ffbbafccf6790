"""Rows of CSV text, one by one, so that a mangled row costs no other."""

import csv
from collections.abc import Iterator, Sequence

MOST_LINES = 20  # in one row: texts in quotes may have line breaks


def csv_rows(lines: Iterator[str], delimiter: str, width: int) -> Iterator[list[str] | None]:
    """Yield the cells of each row, None for a mangled one; `width` is the number of columns.

    A quote that is never closed would swallow the rows below it. So a row of several lines is only
    taken as one if it has `width` cells and none of its further lines is a row by itself. Cells
    that aren't UTF-8 (read with `surrogateescape`) are read as Windows-1252, which older
    spreadsheets write.
    """
    source = _Lines(lines)
    table = csv.reader(source, delimiter=delimiter)
    while True:
        source.taken.clear()
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error:
            row = None
        more = source.taken[1:]
        if row is None or (more and (len(row) != width or _has_row(more, delimiter, width))):
            source.put_back(more)
            table = csv.reader(source, delimiter=delimiter)
            yield None
        else:
            yield _decode_windows_text(row)


class _Lines:
    """Iterator over lines that remembers which ones the current row took."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: list[str] = []  # lines to read again, last one first
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MOST_LINES:
            raise csv.Error("a quote isn't closed")
        line = self._again.pop() if self._again else next(self._lines)
        self.taken.append(line)
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        self._again.extend(reversed(lines))


def _has_row(lines: Sequence[str], delimiter: str, width: int) -> bool:
    """Return whether one of these lines is a whole row by itself."""
    for line in lines:
        if line.count('"') % 2 == 0:
            try:
                cells = next(csv.reader([line], delimiter=delimiter), [])
            except csv.Error:
                continue
            if len(cells) == width:
                return True
    return False


def _decode_windows_text(row: list[str]) -> list[str]:
    if all(map(str.isascii, row)):
        return row
    return [
        cell.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
        if any("\udc80" <= char <= "\udcff" for char in cell)
        else cell
        for cell in row
    ]
