"""Dates and times in the notations of exports, and the order of day and month in a column."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from twotower.sources.values import EARLIEST, LATEST, iso_time

# Beginnings of the names of the months, in the languages of the services.
_MONTHS: tuple[tuple[str, ...], ...] = (
    ("jan", "ene", "gen", "sty", "oca", "янв"),
    ("feb", "fév", "fev", "lut", "şub", "фев"),
    ("mar", "mär", "mrz", "maa", "мар"),
    ("apr", "avr", "abr", "kwi", "nis", "апр"),
    ("may", "mai", "mag", "maj", "mei", "май", "мая"),
    ("jun", "juin", "giu", "cze", "haz", "июн"),
    ("jul", "juil", "lug", "lip", "tem", "июл"),
    ("aug", "aoû", "aou", "ago", "sie", "ağu", "авг"),
    ("sep", "set", "wrz", "eyl", "сен"),
    ("oct", "okt", "out", "ott", "paź", "eki", "окт"),
    ("nov", "lis", "kas", "ноя"),
    ("dec", "dez", "déc", "dic", "des", "gru", "ara", "дек"),
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_ZONE_HOURS = {  # east of UTC
    **{"z": 0.0, "utc": 0.0, "gmt": 0.0, "wet": 0.0, "bst": 1.0, "west": 1.0, "cet": 1.0},
    **{"mez": 1.0, "cest": 2.0, "mesz": 2.0, "eet": 2.0, "eest": 3.0, "msk": 3.0, "trt": 3.0},
    **{"ist": 5.5, "jst": 9.0, "kst": 9.0, "aest": 10.0, "aedt": 11.0, "nzst": 12.0, "nzdt": 13.0},
    **{"est": -5.0, "edt": -4.0, "cst": -6.0, "cdt": -5.0, "mst": -7.0, "mdt": -6.0},
    **{"pst": -8.0, "pdt": -7.0, "brt": -3.0, "art": -3.0},
}
_AFTERNOON = ("p", "오후", "下午", "午後")
_HALF = r"[ap]\.?\s?m\b\.?|오전|오후|上午|下午|午前|午後"
_CLOCK = re.compile(
    rf"(?P<before>{_HALF})?\s*(?<!\d)(?P<hour>\d{{1,2}})(?::|h|時|时|点|시\s?)(?P<minute>\d\d)"
    rf"(?:[:分분]\s?(?P<second>\d\d))?(?:[.,]\d+)?[分분秒초]?\s*(?P<after>{_HALF})?",
    re.IGNORECASE,
)
_DOTTED_CLOCK = re.compile(
    r"(?<=\d{4})[,\s]+(?P<before>)(?P<hour>\d\d?)\.(?P<minute>\d\d)(?:\.(?P<second>\d\d))?"
    r"(?P<after>)(?=\s|$)"
)
_FULL_HOUR = re.compile(
    rf"(?<=\s)(?P<before>)(?P<hour>\d\d?)(?P<minute>)(?P<second>)\s?(?P<after>{_HALF})",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"(?:(?:UTC|GMT)\s?)?([+\u2212-])(\d\d?):?(\d\d)?$", re.IGNORECASE)
_ZONE = re.compile(r"[\[(]?\b([A-Za-z]{1,4})[\])]?$")
_NUMBERS = re.compile(r"(?<!\d)(\d{1,4})\s?([./-])\s?(\d{1,2})\s?[./-]\s?(\d{2,4})(?!\d)")
_PLAIN = re.compile(  # the most frequent form of _NUMBERS, read faster
    r"(\d{1,2})([./-])(\d{1,2})[./-](\d{4})(?:,? (\d{1,2}):(\d\d)(?::(\d\d))?)?"
)
_ASIAN = re.compile(r"(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일]")
_NAMED = re.compile(
    r"(?<!\d)(\d{1,2})(?:\.|st|nd|rd|th|º|er)?[\s-]+(?:de\s+)?([^\W\d]{3,12})\.?,?[\s-]+"
    r"(?:de\s+)?(\d{4})(?!\d)"
)
_MONTH_FIRST = re.compile(
    r"([^\W\d]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?!\d)", re.IGNORECASE
)
_EPOCH = re.compile(r"(\d{9,19})(?:\.\d+)?")
# Length of a time since 1970 in s, ms, µs or ns -> how many of its digits are seconds.
_SECONDS_OF = {9: 9, 10: 10, 12: 9, 13: 10, 15: 9, 16: 10, 18: 9, 19: 10}
_MOST_OTHER_LETTERS = 14  # of a weekday and words such as "at"


def parse_time(text: str, *, day_first: bool = True) -> datetime | None:
    """Return the time in any notation that exports use, as UTC; None if it is none.

    A time without a zone is taken for UTC. `day_first` decides dates such as 3/4/2026; dots, and a
    value above 12, decide by themselves. Times before EARLIEST or from LATEST on are None.
    """
    text = text.strip()
    if epoch := _EPOCH.fullmatch(text):
        seconds = epoch[1][: _SECONDS_OF.get(len(epoch[1]), 0)]
        at = datetime.fromtimestamp(int(seconds), UTC) if seconds else None
    else:
        try:
            if plain := _PLAIN.fullmatch(text):
                year, month, day = _numbers(plain, day_first)
                hour, minute, second = (int(part or 0) for part in plain.groups()[4:])
                at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            else:
                at = iso_time(text.removesuffix("[UTC]")) or _parse_words(text, day_first)
        except (ValueError, OverflowError):
            return None
    return at if at is not None and EARLIEST <= at < LATEST else None


def parse_day(text: str, *, day_first: bool = True) -> date | None:
    """Return the day of a date in any notation, of any year; None if it is none."""
    try:
        at = _parse_words(text.strip(), day_first)
    except (ValueError, OverflowError):
        return None
    return None if at is None else at.date()


def _parse_words(text: str, day_first: bool) -> datetime | None:
    """Read a date with numbers or the name of a month, with or without clock and zone."""
    if not any(char.isdigit() for char in text):
        return None
    text, offset = _split_zone(text)
    hour, minute, second = 0, 0, 0
    clock = _CLOCK.search(text) or _DOTTED_CLOCK.search(text) or _FULL_HOUR.search(text)
    if clock is not None:
        hour, minute, second = (int(clock[name] or 0) for name in ("hour", "minute", "second"))
        half_day = (clock["before"] or clock["after"] or "").lower()
        if half_day:
            hour = hour % 12 + 12 * half_day.startswith(_AFTERNOON)
        text = f"{text[: clock.start()]} {text[clock.end() :]}"
    for pattern, order in _DATES:
        if found := pattern.search(text):
            rest = text[: found.start()] + text[found.end() :]
            if sum(map(str.isalpha, rest)) > _MOST_OTHER_LETTERS or any(map(str.isdigit, rest)):
                return None
            year, month, day = order(found, day_first)
            at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            return at - offset
    return None


def _split_zone(text: str) -> tuple[str, timedelta]:
    """Return the text without its time zone, and the zone's offset to UTC."""
    if (found := _OFFSET.search(text)) and ":" in text[: found.start()]:
        sign = 1 if found[1] == "+" else -1
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        return text[: found.start()].rstrip(), sign * offset
    if (found := _ZONE.search(text)) and found[1].lower() in _ZONE_HOURS:
        return text[: found.start()].rstrip(), timedelta(hours=_ZONE_HOURS[found[1].lower()])
    return text, timedelta()


def _numbers(found: re.Match[str], day_first: bool) -> tuple[int, int, int]:
    first, second, third = int(found[1]), int(found[3]), int(found[4])
    if len(found[1]) == 4:
        return first, second, third
    if len(found[1]) == 3 or len(found[4]) == 3:
        raise ValueError("no year")
    year = third + (1900 if third >= 70 else 2000) if len(found[4]) == 2 else third
    if first > 12 or (second <= 12 and (day_first or found[2] == ".")):
        return year, second, first
    return year, first, second


def _month(name: str) -> int:
    """Return the number of a month. Raises ValueError if it is no name of one."""
    name = name.casefold()
    number = _MONTH_OF.get(name[:4]) or _MONTH_OF.get(name[:3])
    if number is None:
        raise ValueError("no month")
    return number


_DATES = (
    (_ASIAN, lambda found, _: (int(found[1]), int(found[2]), int(found[3]))),
    (_NUMBERS, _numbers),
    (_NAMED, lambda found, _: (int(found[3]), _month(found[2]), int(found[1]))),
    (_MONTH_FIRST, lambda found, _: (int(found[3]), _month(found[1]), int(found[2]))),
)


@dataclass(frozen=True, slots=True)
class DateOrder:
    """The order of day and month in a column."""

    day_first: bool = True
    is_guess: bool = False  # nothing in the file tells the order


@dataclass
class DateOrderEvidence:
    """The signs in a column of dates that tell whether the day or the month comes first.

    The signs, strongest first: a value above 12; an order that leads into the future; a hint in
    the header or the language of the headers; the number that changes more, which is the day; a
    clock with AM and PM, which goes with the month first. Without a sign the day comes first.
    """

    MANY, FEW = 5, 2  # different days; different months beside them

    above_12: Counter[int] = field(default_factory=Counter)  # position 0 or 1 -> rows
    values: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))
    latest: dict[bool, date] = field(default_factory=dict)  # day_first -> latest date
    has_half_days: bool = False
    can_differ: bool = False  # some date would be another in the other order

    def add(self, text: str) -> None:
        """Add a date of the column; only notations that leave the order open count."""
        found = _NUMBERS.search(text)
        if found is None or len(found[1]) > 2 or found[2] == ".":
            return
        pair = int(found[1]), int(found[3])
        if max(pair) > 12:
            self.above_12[pair.index(max(pair))] += min(pair) <= 12
            return
        for values, value in zip(self.values, pair, strict=True):
            values.add(value)
        self.can_differ = self.can_differ or pair[0] != pair[1]
        self.has_half_days = self.has_half_days or re.search(_HALF, text, re.I) is not None
        for day_first in (True, False):
            at = parse_time(text, day_first=day_first)
            if at is not None:
                self.latest[day_first] = max(at.date(), self.latest.get(day_first, at.date()))

    @property
    def is_empty(self) -> bool:
        """True if no date so far leaves the order open."""
        return not self.above_12 and not self.values[0]

    @property
    def is_settled(self) -> bool:
        """True if further rows can't change the order."""
        return bool(self.above_12)

    def order(self, now: datetime, *, day_first: bool | None = None) -> DateOrder:
        """Return the order; `day_first` is what header and language say, None if nothing."""
        if self.above_12:
            return DateOrder(self.above_12[0] >= self.above_12[1])
        tomorrow = now.date() + timedelta(days=1)
        in_future = {order for order, latest in self.latest.items() if latest > tomorrow}
        if len(in_future) == 1:
            return DateOrder(day_first=True not in in_future)
        if day_first is not None:
            return DateOrder(day_first)
        firsts, seconds = map(len, self.values)
        if firsts >= self.MANY and seconds <= self.FEW:
            return DateOrder(day_first=True)
        if seconds >= self.MANY and firsts <= self.FEW:
            return DateOrder(day_first=False)
        if self.has_half_days:
            return DateOrder(day_first=False)
        return DateOrder(is_guess=self.can_differ)
