"""Tags that listeners gave to artists, and files of them (JSON Lines)."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from twotower.core.errors import BadProfile
from twotower.core.names import artist_key
from twotower.sources.json_lines import read_lines, required_text, write_lines

Tagging = tuple[str, str, str, date | None]  # listener id, artist key, tag in lower case, day


def write_tags(taggings: Iterable[Tagging], path: Path) -> int:
    """Write a line `{"listener", "artist", "tag", "when"}` per tagging; return their number."""

    def line(tagging: Tagging) -> dict[str, Any]:
        listener, key, tag, when = tagging
        row = {"listener": listener, "artist": key, "tag": tag}
        return row if when is None else {**row, "when": when.isoformat()}

    return write_lines((line(tagging) for tagging in taggings), path)


def read_tags_file(path: Path) -> list[Tagging]:
    """Return the taggings of a file as `write_tags` writes it; `when` is optional.

    Raises MissingData or BadProfile.
    """
    taggings: list[Tagging] = []
    for where, row in read_lines(path):
        listener = required_text(row, "listener", where)
        key = artist_key(required_text(row, "artist", where))
        tag = " ".join(required_text(row, "tag", where).split()).lower()
        try:
            when = date.fromisoformat(row["when"]) if row.get("when") is not None else None
        except (TypeError, ValueError):
            raise BadProfile("when must be a date such as 2011-02-28", where=where) from None
        taggings.append((listener, key, tag, when))
    return taggings
