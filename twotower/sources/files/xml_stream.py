"""Streaming XML: start, text and end of each element, in little memory.

The parser of the standard library is used directly, because a crafted file must never fill the
memory: entities are refused, and nesting, texts and tags have limits.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import IO, Literal
from xml.parsers import expat

from twotower.core.errors import UnreadableExport
from twotower.sources.files.text import CHUNK

DEEPEST = 100  # elements within each other
LONGEST_TEXT = 1 << 20  # characters of one element
LONGEST_TAG = 1 << 20  # bytes of one tag with its attributes

_NOTHING: Mapping[str, str] = MappingProxyType({})


# Start or end, the element's name without its prefix, at an end the text since the last start or
# end, and at a start the attributes.
XmlEvent = tuple[Literal["start", "end"], str, str, Mapping[str, str]]


def xml_events(file: IO[bytes], name: str) -> Iterator[XmlEvent]:
    """Yield start and end of each element in order.

    Raises UnreadableExport if the XML is damaged, declares entities or is over a limit.
    """
    parser = _Parser(name)
    while piece := file.read(CHUNK):
        yield from parser.feed(piece)
    yield from parser.feed(b"", is_last=True)


class _Parser:
    """Collects the events of the pieces of a file."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._events: list[XmlEvent] = []
        self._text: list[str] = []
        self._text_length = 0
        self._depth = 0
        self._fed_bytes = 0
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters
        self._expat.EntityDeclHandler = self._entity

    def feed(self, piece: bytes, *, is_last: bool = False) -> list[XmlEvent]:
        """Return the events of the next bytes."""
        self._events = []
        try:
            self._expat.Parse(piece, is_last)
        except (expat.ExpatError, LookupError, ValueError) as fault:
            # LookupError and ValueError: the file names an encoding that there isn't
            raise self._invalid(str(fault)) from fault
        self._fed_bytes += len(piece)
        if not is_last and self._fed_bytes - self._expat.CurrentByteIndex > LONGEST_TAG + CHUNK:
            raise self._invalid("a tag is too long")
        return self._events

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._invalid("it is nested too deeply")
        self._text, self._text_length = [], 0
        if attributes:
            attributes = {_local(key): value for key, value in attributes.items()}
        self._events.append(("start", _local(name), "", attributes or _NOTHING))

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._events.append(("end", _local(name), "".join(self._text), _NOTHING))
        self._text, self._text_length = [], 0

    def _characters(self, text: str) -> None:
        self._text_length += len(text)
        if self._text_length > LONGEST_TEXT:
            raise self._invalid("a text is too long")
        self._text.append(text)

    def _entity(self, *_declaration: object) -> None:
        raise self._invalid("it declares entities, which a music file never does")

    def _invalid(self, problem: str) -> UnreadableExport:
        return UnreadableExport(
            f"this isn't valid XML ({problem}): export the file again",
            where=f"{self._name}, line {self._expat.CurrentLineNumber:,}",
        )


def _local(name: str) -> str:
    """Return a name without its prefix: "r:id" -> "id"."""
    return name.rpartition(":")[2] if ":" in name else name
