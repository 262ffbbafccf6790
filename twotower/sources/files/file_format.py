"""Description of one file format: how it is recognised, and what reads it."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from twotower.core.domain import Play

# (file, its name, counter of left-out rows by reason) -> plays
PlayReader = Callable[[IO[bytes], str, Counter[str]], Iterator[Play]]
Fields = Mapping[str, Any]  # of a JSON object


class LeftOut(Counter[str]):
    """Numbers of left-out rows by reason, with sentences about the file for the person."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []


def add_note(left_out: Counter[str], note: str) -> None:
    """Add a sentence for the person, if the counter has a place for it."""
    if isinstance(left_out, LeftOut):
        left_out.notes.append(note)


@dataclass(frozen=True, slots=True)
class FileFormat:
    """One format. A file is of it if one of the signs fits its beginning.

    Profiles are read as they are, so their format has no reader of plays.
    """

    kind: str  # short name; plays of two files of one kind are compared more strictly
    label: str  # for people, as in docs/sources.md
    read: PlayReader | None
    columns: tuple[frozenset[str], ...] = ()  # any of these sets is in the header of a table
    json_row: Callable[[str, Fields], bool] | None = None  # fits (key, row) of `json_rows`
    start: Callable[[str], bool] | None = None  # fits the first text, without leading blanks
    is_workbook: bool = False  # an .xlsx
    member: re.Pattern[str] | None = None  # path in a ZIP, in lower case, of files to open
    is_timed: bool = True  # plays have times, so that the same play in another file is found
