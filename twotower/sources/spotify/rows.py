"""What stands in the rows of Spotify's answers; anything may be missing, or something else."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from twotower.core.domain import AUDIO_RANGE
from twotower.core.names import artist_key
from twotower.sources.values import clean

PAGE = 50  # rows of an answer, the most that Spotify gives
MOST_GENRES = 20  # of one artist
ID = re.compile(r"[0-9A-Za-z]{22}")
_PART_OF_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)
Row = Mapping[str, Any]


def rows_of(answer: Row) -> Iterator[Any]:
    yield from list_of(answer.get("items"))


def list_of(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def name_of(row: object) -> str:
    """The name in a row of an artist; "" where it has none."""
    name = clean(row.get("name")) if isinstance(row, Mapping) else ""
    try:
        artist_key(name)
    except ValueError:
        return ""
    return name


def has_more(answer: Row) -> bool:
    if "next" in answer:
        return bool(answer["next"])
    return len(list_of(answer.get("items"))) >= PAGE


def inside(row: object, *names: str) -> object:
    """What the first of `names` holds, that holds anything."""
    if isinstance(row, Mapping):
        for name in names:
            if row.get(name) is not None:
                return row[name]
    return None


def genres_of(row: Row) -> tuple[str, ...]:
    found = (clean(one).casefold() for one in list_of(row.get("genres")))
    return tuple(dict.fromkeys(one for one in found if one))[:MOST_GENRES]


def number_of(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12:
        return float(value)
    return None


def duration_of(ms: object) -> float | None:
    number = number_of(ms)
    return number / 1000 if number is not None and 0 < number < 1e9 else None


def released_of(value: object) -> str | None:
    text = text_of(value)
    if not _PART_OF_DATE.fullmatch(text):
        return None
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return None
    return text


def audio_of(row: object) -> Mapping[str, float]:
    """The attributes in their ranges; none where the tempo is 0, for no analysis."""
    if not isinstance(row, Mapping) or row.get("tempo") == 0:
        return {}
    found = {}
    for name, (low, high) in AUDIO_RANGE.items():
        value = number_of(row.get(name))
        if value is not None and low <= value <= high:
            found[name] = value
    return found
