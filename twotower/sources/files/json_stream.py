"""A JSON file read a row at a time, whatever its size.

The standard decoder reads each row from a small window of the text. It was chosen over a streaming
parser in C because a crafted file must never end the process: an endless number or a million
brackets are one clear error here.
"""

import json
from collections.abc import Iterator
from typing import IO, Any

from twotower.core.errors import UnreadableExport
from twotower.sources.files.text import text_chunks

LARGEST_ROW = 1 << 24  # characters
_CUT_SHORT = 16  # a fault this near to the end of the window may only be a value cut in two


def json_rows(file: IO[bytes], name: str) -> Iterator[tuple[str, Any]]:
    """Yield ("", row) for each row of the file's array.

    Where the file is an object: (key, row) for each row of each array in it, and (key, value) for
    every other value. Errors name the file and the row; `name` is the file's name for the reader.
    """
    text = _Window(file, name)
    opening = text.peek()
    if not opening:
        raise UnreadableExport("the file is empty: download or unpack it again", where=name)
    if opening == "[":
        for row in text.array():
            yield "", row
    elif opening == "{":
        yield from text.object()
    else:
        raise UnreadableExport("this isn't JSON: choose a file of the export", where=name)
    if text.peek():
        raise text.fault("there is something after its end")


class _Window:
    """The part of a text that is being read."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._chunks = text_chunks(file)
        self._name = name
        self._text = ""
        self._at = 0
        self._read = 0  # characters before the window
        self._ended = False
        self._rows = 0

    def peek(self) -> str:
        """The next character that isn't white space, or "" at the end of the file."""
        while True:
            while self._at < len(self._text):
                char = self._text[self._at]
                if char not in " \t\r\n":
                    return char
                self._at += 1
            if not self._more():
                return ""

    def array(self) -> Iterator[Any]:
        self._at += 1
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            self._rows += 1
            yield self._value()
            mark = self._mark(",]")
            if mark == "]":
                return

    def object(self) -> Iterator[tuple[str, Any]]:
        self._at += 1
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self.fault("a key is missing") if self.peek() else self._cut()
            key = self._value()
            self._mark(":")
            if self.peek() == "[":
                for row in self.array():
                    yield key, row
            else:
                yield key, self._value()
            if self._mark(",}") == "}":
                return

    def _mark(self, wanted: str) -> str:
        mark = self.peek()
        if not mark:
            raise self._cut()
        if mark not in wanted:
            raise self.fault(f"{' or '.join(wanted)} is missing")
        self._at += 1
        return mark

    def _value(self) -> Any:
        if not self.peek():
            raise self._cut()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or not self._more():
                    self._at = end
                    return value
            except json.JSONDecodeError as fault:
                near = fault.pos >= len(self._text) - _CUT_SHORT
                if not near and not fault.msg.startswith("Unterminated string"):
                    self._at = fault.pos
                    raise self.fault(fault.msg.lower()) from fault
                if not self._more():
                    raise self._cut() from fault
            except RecursionError as deep:
                raise self.fault("it is nested too deeply") from deep
            if len(self._text) - self._at > LARGEST_ROW:
                raise self.fault("a single row of it is too large")

    def _more(self) -> bool:
        """Double the window's unread part; False at the end of the file."""
        if self._ended:
            return False
        unread = self._text[self._at :]
        pieces, wanted = [unread], max(1, len(unread))
        while wanted > 0:
            piece = next(self._chunks, "")
            if not piece:
                self._ended = True
                break
            pieces.append(piece)
            wanted -= len(piece)
        self._read += self._at
        self._text, self._at = "".join(pieces), 0
        return len(self._text) > len(unread)

    def _place(self) -> str:
        row = f"row {self._rows:,}, " if self._rows else ""
        return f"{self._name}, {row}character {self._read + self._at + 1:,}"

    def fault(self, what: str) -> UnreadableExport:
        return UnreadableExport(
            f"this isn't valid JSON ({what}): download or unpack the file again",
            where=self._place(),
        )

    def _cut(self) -> UnreadableExport:
        self._at = len(self._text)
        return UnreadableExport(
            "the file breaks off here: download or unpack it again", where=self._place()
        )


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) < 20 else None


_DECODER = json.JSONDecoder(strict=False, parse_int=_whole, parse_constant=lambda _: None)
