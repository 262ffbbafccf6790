"""Rows of one sheet of an Excel workbook (.xlsx), in little memory.

The usual library keeps every element outside a row in memory, so that a workbook of 2 MB could take
gigabytes. Here nesting, texts and the number of columns have limits.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO

from twotower.core.errors import NotListening, TooLarge, UnreadableExport
from twotower.sources.files.xml_stream import xml_events

MOST_PACKED = 64 << 20  # bytes
MOST_UNPACKED = 512 << 20
MOST_TEXT = 96 << 20  # memory of the texts that cells share, in bytes
SIZE_OF_TEXT = 60  # bytes in memory, beside its characters
LONGEST_CELL = 2_000  # characters; the rest is ignored
MOST_COLUMNS = 100
_BEGINNINGS = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/")  # of the first member
_DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, struct.error, ValueError)
_LETTERS = re.compile("[A-Z]{1,3}")


def is_workbook(head: bytes) -> bool:
    """Return True if the first 64 bytes are those of a workbook, and not of any other ZIP."""
    return head.startswith(b"PK\x03\x04") and head[30:].startswith(_BEGINNINGS)


def sheet_rows(file: IO[bytes], name: str, title: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the first sheet whose title ends in `title`.

    Raises TooLarge, or UnreadableExport if the workbook is damaged or has no such sheet.
    """
    packed = file.read(MOST_PACKED + 1)
    if len(packed) > MOST_PACKED:
        raise TooLarge(f"more than {MOST_PACKED >> 20} MB: save the sheet as CSV", where=name)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_UNPACKED:
                raise TooLarge("unpacks to too much: save the sheet as CSV", where=name)
            path = _sheet_path(archive, name, title)
            if path is None:
                raise NotListening(
                    "this workbook isn't Deezer's: save its sheet as CSV and choose that",
                    where=name,
                )
            shared = _shared_texts(archive, name)
            with archive.open(path) as sheet:
                yield from _rows(sheet, name, shared)
    except (*_DAMAGED, KeyError, RuntimeError, NotImplementedError) as fault:
        raise UnreadableExport(
            "the workbook is damaged or incomplete: download it again", where=name
        ) from fault


def _sheet_path(archive: zipfile.ZipFile, name: str, title: str) -> str | None:
    """Return the member of the ZIP that has the sheet, None if there is no such sheet."""
    relations: dict[str, str] = {}
    with archive.open("xl/_rels/workbook.xml.rels") as file:
        for _, element, _, attributes in xml_events(file, name):
            if element == "Relationship" and "Id" in attributes:
                relations[attributes["Id"]] = attributes.get("Target", "")
    with archive.open("xl/workbook.xml") as file:
        for _, element, _, attributes in xml_events(file, name):
            sheet_title = attributes.get("name", "")
            if element == "sheet" and sheet_title.casefold().endswith(title.casefold()):
                target = relations.get(attributes.get("id", ""), "")
                return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    return None


def _shared_texts(archive: zipfile.ZipFile, name: str) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    texts: list[str] = []
    length, parts = 0, [""]  # of all texts so far, and of the current one
    with archive.open("xl/sharedStrings.xml") as file:
        for kind, element, text, _ in xml_events(file, name):
            if kind == "start":
                continue
            if element == "t":
                parts.append(text)
                length += len(text) + SIZE_OF_TEXT
            elif element == "si":
                texts.append("".join(parts))
                parts = []
                length += SIZE_OF_TEXT
            if length > MOST_TEXT:
                raise TooLarge("has too many texts: save the sheet as CSV", where=name)
    return texts


def _rows(sheet: IO[bytes], name: str, shared: Sequence[str]) -> Iterator[list[str]]:
    cells: dict[int, str] = {}
    at, cell_type, cell = 0, "", ""
    for kind, element, text, attributes in xml_events(sheet, name):
        if kind == "start":
            if element == "c":
                at = _column(attributes.get("r", ""), at)
                cell_type, cell = attributes.get("t", ""), ""
            elif element == "row":
                cells, at = {}, 0
        elif element in ("v", "t"):
            cell = (cell + text)[:LONGEST_CELL]
        elif element == "c":
            if at <= MOST_COLUMNS:
                cells[at] = _shared(cell, shared) if cell_type == "s" else cell
        elif element == "row" and cells:
            yield [cells.get(number, "") for number in range(1, max(cells) + 1)]


def _column(reference: str, previous: int) -> int:
    """Return the number of a cell's column, from 1: "B7" is in column 2."""
    letters = _LETTERS.match(reference)
    if letters is None:
        return previous + 1
    number = 0
    for letter in letters[0]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _shared(text: str, shared: Sequence[str]) -> str:
    is_known = text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < len(shared)
    return shared[int(text)] if is_known else ""
