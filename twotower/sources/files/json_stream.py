"""Streaming JSON: one row at a time, in little memory.

The standard decoder reads each row from a small window of the text. A streaming parser in C was not
chosen, because a crafted file must never crash the process: here an endless number or a million
brackets are one clear error.
"""

import json
from collections.abc import Iterator
from typing import IO, Any

from twotower.core.errors import UnreadableExport
from twotower.sources.files.text import text_chunks

LARGEST_ROW = 1 << 24  # characters
_NEAR_END = 16  # characters; an error this close to the end of the window may be a cut value


def json_rows(file: IO[bytes], name: str) -> Iterator[tuple[str, Any]]:
    """Yield ("", row) for each row, if the file is an array.

    If the file is an object: (key, row) for each row of each array in it, and (key, value) for
    every other value. Raises UnreadableExport, with `name`, row and character, if it is damaged.
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
        raise text.invalid("there is text after the end")


class _Window:
    """The part of the text that is in memory, and the position in it."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._chunks = text_chunks(file)
        self._name = name
        self._text = ""
        self._at = 0  # position in _text
        self._before = 0  # characters before the window
        self._ended = False
        self._rows = 0  # yielded so far

    def peek(self) -> str:
        """Return the next character that isn't white space, or "" at the end of the file."""
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
            if self._take(",]") == "]":
                return

    def object(self) -> Iterator[tuple[str, Any]]:
        self._at += 1
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self.invalid("a key is missing") if self.peek() else self._incomplete()
            key = self._value()
            self._take(":")
            if self.peek() == "[":
                for row in self.array():
                    yield key, row
            else:
                yield key, self._value()
            if self._take(",}") == "}":
                return

    def _take(self, expected: str) -> str:
        """Return the next character and move past it; it must be one of `expected`."""
        char = self.peek()
        if not char:
            raise self._incomplete()
        if char not in expected:
            raise self.invalid(f"{' or '.join(expected)} is missing")
        self._at += 1
        return char

    def _value(self) -> Any:
        """Decode the next value, reading on while it is longer than the window."""
        if not self.peek():
            raise self._incomplete()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or not self._more():
                    self._at = end
                    return value
            except json.JSONDecodeError as fault:
                near = fault.pos >= len(self._text) - _NEAR_END
                if not near and not fault.msg.startswith("Unterminated string"):
                    self._at = fault.pos
                    raise self.invalid(fault.msg.lower()) from fault
                if not self._more():
                    raise self._incomplete() from fault
            except RecursionError as deep:
                raise self.invalid("it is nested too deeply") from deep
            if len(self._text) - self._at > LARGEST_ROW:
                raise self.invalid("one row is too large")

    def _more(self) -> bool:
        """Read on until the unread part has doubled. Returns False at the end of the file."""
        if self._ended:
            return False
        unread = self._text[self._at :]
        pieces, missing = [unread], max(1, len(unread))
        while missing > 0:
            piece = next(self._chunks, "")
            if not piece:
                self._ended = True
                break
            pieces.append(piece)
            missing -= len(piece)
        self._before += self._at
        self._text, self._at = "".join(pieces), 0
        return len(self._text) > len(unread)

    def _position(self) -> str:
        row = f"row {self._rows:,}, " if self._rows else ""
        return f"{self._name}, {row}character {self._before + self._at + 1:,}"

    def invalid(self, problem: str) -> UnreadableExport:
        return UnreadableExport(
            f"this isn't valid JSON ({problem}): download or unpack the file again",
            where=self._position(),
        )

    def _incomplete(self) -> UnreadableExport:
        self._at = len(self._text)
        return UnreadableExport(
            "the file ends too early, here: download or unpack it again", where=self._position()
        )


def _int_or_none(digits: str) -> int | None:
    """Read an integer; a very long one, which would take long to parse, becomes None."""
    return int(digits) if len(digits) < 20 else None


_DECODER = json.JSONDecoder(strict=False, parse_int=_int_or_none, parse_constant=lambda _: None)
