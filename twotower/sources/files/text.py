"""Bytes of a person's file as text: UTF-8 with or without a mark, UTF-16, and names made safe."""

import codecs
import re
import unicodedata
from collections.abc import Iterator
from typing import IO

CHUNK = 1 << 18  # bytes read at a time
LONGEST_NAME = 500  # characters; what is beyond is cut
LONGEST_LINE = 1 << 20  # characters
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Marks that turn the direction of the text around them, and half characters.
_DROPPED = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)))

_SPOTIFY = re.compile("(?:spotify:track:)?([0-9A-Za-z]{22})")
_MBID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def encoding_of(head: bytes) -> str:
    """The encoding of a text that begins with `head` (4 bytes or more): UTF-8 unless it shows."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if len(head) >= 2 and head[0] and not head[1]:
        return "utf-16-le"
    if len(head) >= 2 and head[1] and not head[0]:
        return "utf-16-be"
    return "utf-8"


def text_chunks(file: IO[bytes], *, errors: str = "replace") -> Iterator[str]:
    """Yield the text of `file` from where it stands, in pieces; the byte-order mark is left out."""
    piece = file.read(CHUNK)
    decoder = codecs.getincrementaldecoder(encoding_of(piece[:4]))(errors)
    while piece:
        if text := decoder.decode(piece):
            yield text
        piece = file.read(CHUNK)
    if text := decoder.decode(b"", final=True):
        yield text


def text_lines(file: IO[bytes], *, errors: str = "replace") -> Iterator[str]:
    """Yield the lines of `file` with their ends; a longer one than LONGEST_LINE is a ValueError.

    Lines end in \\n; in a file with none in its first piece, in \\r.
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


def clean(value: object) -> str:
    """A name from a file: one line, without control characters, at most LONGEST_NAME long.

    A number is a name too ("1999"); anything else gives "". HTML stays text.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    if not value.isprintable():
        value = "".join(map(_seen, value))
    return " ".join(value[: 4 * LONGEST_NAME].split())[:LONGEST_NAME].rstrip()


def spotify_id(uri: object) -> str | None:
    """The id in `spotify:track:ID`; None where it is none."""
    found = _SPOTIFY.fullmatch(uri) if isinstance(uri, str) else None
    return found[1] if found else None


def mbid(value: object) -> str | None:
    """An id of MusicBrainz in small letters; None where it is none."""
    return value.lower() if isinstance(value, str) and _MBID.fullmatch(value) else None


def _seen(char: str) -> str:
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "" if category == "Cs" or char in _DROPPED else char
