"""Bytes of a person's file as text: UTF-8 with or without a byte-order mark, UTF-16, UTF-32."""

import codecs
from collections.abc import Iterator
from typing import IO

CHUNK = 1 << 18  # bytes read at a time
LONGEST_LINE = 1 << 20  # characters
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins in the same way
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(head: bytes) -> str:
    """Guess the encoding of a text from its first 4 bytes; UTF-8 unless they show another."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if len(head) >= 2 and head[0] and not head[1]:
        return "utf-16-le"
    if len(head) >= 2 and head[1] and not head[0]:
        return "utf-16-be"
    return "utf-8"


def text_chunks(file: IO[bytes], *, errors: str = "replace") -> Iterator[str]:
    """Yield the text of `file` from its current position, without the byte-order mark."""
    piece = file.read(CHUNK)
    decoder = codecs.getincrementaldecoder(encoding_of(piece[:4]))(errors)
    while piece:
        if text := decoder.decode(piece):
            yield text
        piece = file.read(CHUNK)
    if text := decoder.decode(b"", final=True):
        yield text


def first_text(file: IO[bytes]) -> str:
    """Return the first chunk of text that isn't blank, or "" if there is none."""
    return next((text.lstrip() for text in text_chunks(file) if text.strip()), "")


def text_lines(file: IO[bytes], *, errors: str = "replace") -> Iterator[str]:
    """Yield the lines of `file`, each with a \\n at its end.

    Lines end in \\n, or in \\r if the first chunk has no \\n. Raises ValueError if a line is longer
    than LONGEST_LINE.
    """
    rest, end = "", ""
    for text in text_chunks(file, errors=errors):
        end = end or ("\r" if "\r" in text and "\n" not in text else "\n")
        *lines, rest = (rest + text).split(end)
        for line in lines:
            if len(line) > LONGEST_LINE:
                break
            yield line + "\n"
        if len(rest) > LONGEST_LINE or any(len(line) > LONGEST_LINE for line in lines):
            raise ValueError(f"a line has more than {LONGEST_LINE:,} characters")
    if rest:
        yield rest
