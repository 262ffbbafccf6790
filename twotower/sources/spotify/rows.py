"""Fields of Spotify's answers, read leniently: anything may be missing or of another type."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from twotower.core.domain import AUDIO_RANGE
from twotower.core.names import is_artist_name
from twotower.sources.values import artist_name, clean

PAGE = 50  # rows in one answer, the most that Spotify allows
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
    """Return the name of an artist; "" if it has none."""
    name = artist_name(row.get("name")) if isinstance(row, Mapping) else ""
    return name if is_artist_name(name) else ""


def has_more(answer: Row) -> bool:
    """Return True if there is a next page."""
    if "next" in answer:
        return bool(answer["next"])
    return len(list_of(answer.get("items"))) >= PAGE


def inside(row: object, *names: str) -> object:
    """Return the first of these fields that isn't null."""
    if isinstance(row, Mapping):
        for name in names:
            if row.get(name) is not None:
                return row[name]
    return None


def genres_of(row: Row) -> tuple[str, ...]:
    genres = (clean(genre).casefold() for genre in list_of(row.get("genres")))
    return tuple(dict.fromkeys(genre for genre in genres if genre))[:MOST_GENRES]


def number_of(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12:
        return float(value)
    return None


def duration_of(ms: object) -> float | None:
    """Return a duration in seconds."""
    number = number_of(ms)
    return number / 1000 if number is not None and 0 < number < 1e9 else None


def released_of(value: object) -> str | None:
    """Return an ISO year, year-month or date."""
    text = text_of(value)
    if not _PART_OF_DATE.fullmatch(text):
        return None
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return None
    return text


def audio_of(row: object) -> Mapping[str, float]:
    """Return the audio attributes within their ranges; none if the tempo is 0 (not analysed)."""
    if not isinstance(row, Mapping) or row.get("tempo") == 0:
        return {}
    audio = {}
    for name, (low, high) in AUDIO_RANGE.items():
        value = number_of(row.get(name))
        if value is not None and low <= value <= high:
            audio[name] = value
    return audio
