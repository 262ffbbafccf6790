"""CSV text that a spreadsheet can open without running any of it."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

Cell = str | float | None

# A sign that starts a formula, at the start of a cell. Some spreadsheets also split cells at
# semicolons, tabs and bars, and read full-width signs.
_FORMULA = re.compile(r"(^|[;,|\t\r\n])(?=\s*[=+\-@＝＋－＠])|^(?=[\t\r])")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?", re.ASCII)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return CSV with a header; all text is quoted.

    Text that a spreadsheet would run as a formula is marked.
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for row in (header, *rows):
        table.writerow([spreadsheet_safe(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def spreadsheet_safe(text: str) -> str:
    """Return `text` with an apostrophe before each part that a spreadsheet would run."""
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", text)


def joined(names: Iterable[str]) -> str:
    """Return several names as the text of one cell, each safe by itself.

    No semicolon is between them: some spreadsheets begin a new cell there.
    """
    return " / ".join(map(spreadsheet_safe, names))
