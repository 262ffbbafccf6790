"""JSON Lines files: written atomically, gzipped if the name ends in .gz."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twotower.core.errors import BadProfile, MissingData
from twotower.core.files import atomic_write
from twotower.core.names import is_visible
from twotower.sources.datasets.tables import open_text


def write_lines(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write one line per row, and return the number of lines."""
    written = 0
    with atomic_write(path) as file:
        is_packed = path.suffix == ".gz"
        lines = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if is_packed else file
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
            lines.write(line.encode("utf-8", "replace"))
            written += 1
        if is_packed:
            lines.close()
    return written


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ("FILE line N", object) for each line that isn't blank.

    Raises MissingData if there is no file, BadProfile if a line is no JSON object.
    """
    if not path.is_file():
        raise MissingData(f"there is no file {path}; `dataset --content --tags` writes such files")
    number = 0
    try:
        with open_text(path, "utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    where = f"{path.name} line {number}"
                    yield where, _object(line, where)
    except (OSError, EOFError, zlib.error) as problem:
        raise BadProfile(str(problem), where=f"{path.name} line {number + 1}") from problem


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise BadProfile("not a line of JSON", where=where) from None
    if not isinstance(row, dict):
        raise BadProfile("must be an object {...}", where=where)
    return row


def required_text(row: Mapping[str, Any], field: str, where: str) -> str:
    """Return the text in a field. Raises BadProfile if it is missing or blank."""
    value = row.get(field)
    if not isinstance(value, str) or not is_visible(value):
        raise BadProfile(f"{field} must be a text that is not blank", where=where)
    return value
