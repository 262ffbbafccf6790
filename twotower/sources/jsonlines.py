"""JSON Lines on disk: written all or nothing, gzipped where the name ends in .gz."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twotower.core.errors import BadProfile, MissingData
from twotower.core.files import atomic_write
from twotower.sources.datasets.tables import is_name, open_text


def write_lines(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write a line a row and give how many; a file at `path` is whole, old or new."""
    written = 0
    with atomic_write(path) as file:
        packed = path.suffix == ".gz"
        lines = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if packed else file
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
            lines.write(line.encode("utf-8", "replace"))
            written += 1
        if packed:
            lines.close()
    return written


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, object) of each line that isn't blank."""
    if not path.is_file():
        raise MissingData(f"there is no file {path}; `dataset --content --tags` writes such files")
    number = 0
    try:
        with open_text(path, "utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    where = f"{path.name} line {number}"
                    try:
                        row = json.loads(line)
                    except (ValueError, RecursionError):
                        raise BadProfile("not a line of JSON", where=where) from None
                    if not isinstance(row, dict):
                        raise BadProfile("an object {...} is wanted", where=where)
                    yield where, row
    except (OSError, EOFError, zlib.error) as problem:
        raise BadProfile(str(problem), where=f"{path.name} line {number + 1}") from problem


def text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not is_name(value):
        raise BadProfile(f"{name} must be a text that is not blank", where=where)
    return value
