"""Values from foreign data, read leniently: a value of another kind becomes None, "" or 0."""

import html
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

LONGEST_NAME = 500  # characters; longer names are cut
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # an earlier time comes from a clock that was not set
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
MOST_PLAYS = 10**9
LONGEST_MS = 10**10  # of one play; a larger number is no duration
# Marks that change the direction of the text around them, and the byte-order mark.
_DROPPED = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)))
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][0-9A-Za-z]{1,30});")
_WINDOWS_BYTES = {chr(byte): bytes((byte,)) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
_TOPIC = re.compile(
    r"\s[-–—]\s(?:topic|thema|tema|temat|konu|тема|トピック|주제|主题|主題)$", re.IGNORECASE
)
_VEVO = re.compile(r"(.+?)\s?(?:Official|At)?\s?VEVO")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=\d)")
_SORT_NAME = re.compile(r"(.{2,}),\s?(The|Die|Der|Das|Les|Los|Las|El|La|Le)", re.IGNORECASE)
_SPOTIFY_TRACK = re.compile("(?:spotify:track:)?([0-9A-Za-z]{22})")
_MBID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def clean(value: object) -> str:
    """Return a name as one line without control characters, at most LONGEST_NAME long.

    A number is a name too ("1999"); anything else becomes "". HTML is left as it is.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    if not value.isprintable():
        value = "".join(map(_printable, value))
    return " ".join(value[: 4 * LONGEST_NAME].split())[:LONGEST_NAME].rstrip()


def song_title(value: object) -> str:
    """Return a title or other name in an export, as `clean` does, free of damage by programs.

    HTML entities ("&amp;") and UTF-8 that was encoded twice ("BeyoncÃ©") are decoded.
    """
    if isinstance(value, str):
        value = _undo_double_encoding(value)
        for _ in range(2 * ("&" in value)):  # some exports write "&amp;amp;"
            value = _ENTITY.sub(lambda entity: html.unescape(entity[0]), value)
    return clean(value)


def artist_name(value: object) -> str:
    """Return the name of an artist as `song_title` does, without what services add to it.

    "Low - Topic" and "LowVEVO" are channels of YouTube; "Beatles, The" is a name to sort by.
    """
    return _plain_artist(value) if isinstance(value, str) else clean(value)


@lru_cache(maxsize=50_000)
def _plain_artist(name: str) -> str:
    name = _TOPIC.sub("", song_title(name))
    if (channel := _VEVO.fullmatch(name)) is not None:
        name = channel[1] if " " in channel[1] else _WORD_START.sub(" ", channel[1])
    if (sort_name := _SORT_NAME.fullmatch(name)) is not None:
        name = f"{sort_name[2]} {sort_name[1]}"
    return name


def _undo_double_encoding(text: str) -> str:
    """Return text whose UTF-8 was taken for Windows-1252, once or twice, as it was meant."""
    for _ in range(2):
        if text.isascii():
            break
        try:
            raw = b"".join(_WINDOWS_BYTES.get(char) or char.encode("cp1252") for char in text)
            text = raw.decode("utf-8")
        except UnicodeError:
            break
    return text


def _printable(char: str) -> str:
    """Replace a control character or line break by a space; drop what must not be shown."""
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "" if category == "Cs" or char in _DROPPED else char


def spotify_id(uri: object) -> str | None:
    """Return the id in `spotify:track:ID` or in a bare `ID`."""
    match = _SPOTIFY_TRACK.fullmatch(uri) if isinstance(uri, str) else None
    return match[1] if match else None


def mbid(value: object) -> str | None:
    """Return a MusicBrainz id in lower case."""
    return value.lower() if isinstance(value, str) and _MBID.fullmatch(value) else None


def iso_time(text: object) -> datetime | None:
    """Return an ISO date or time as UTC; None if it lies before EARLIEST."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at >= EARLIEST else None


def unix_time(value: object) -> datetime | None:
    """Return the UTC time of seconds since 1970, a number or digits, from EARLIEST to LATEST."""
    try:
        seconds = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    if not EARLIEST.timestamp() <= seconds < LATEST.timestamp():
        return None
    return datetime.fromtimestamp(seconds, UTC)


def play_count(value: object) -> int:
    """Return a number of plays, given as a number or digits; 0 if it is none."""
    try:
        count = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return 0
    return count if 0 < count <= MOST_PLAYS and not isinstance(value, bool) else 0


def objects(value: object) -> Sequence[dict[str, object]]:
    """Return the objects in a list, or a single object as a list of one."""
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, dict)]


def unix_ms(value: object) -> datetime | None:
    """Return the UTC time of milliseconds since 1970, a number or digits."""
    try:
        return unix_time(int(value) // 1000)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None


def duration_ms(value: object, unit_ms: int = 1) -> int | None:
    """Return a duration in milliseconds, given as a number or digits in units of `unit_ms`."""
    try:
        duration = float(value) * unit_ms  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    is_duration = not isinstance(value, bool) and 0 <= duration < LONGEST_MS
    return int(duration) if is_duration else None


def text_in(value: object, *keys: str) -> str:
    """Return a name that is text itself, or under the first of `keys` that has text."""
    if not isinstance(value, dict):
        return clean(value)
    return next((text for text in (clean(value.get(key)) for key in keys) if text), "")
