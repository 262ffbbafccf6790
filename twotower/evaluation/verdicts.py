"""What the quick check found: figures of the quality report beside the same, worked out again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Any, Literal

from twotower.evaluation.metrics import Interval
from twotower.evaluation.report import COMPARED, NAME_WIDTH, Difference

Way = Literal["ranked", "added up", "fitted", "asked"]
Verdict = Literal["same", "differs", "beside"]

EDGE_SLACK = 0.25  # of an interval's width: the half-vectors don't say who is in several splits
TOLD = 12  # figures that differ, in a text
CHECK = 39  # letters of a check's name in a table
_HEADS: dict[Way, str] = {
    "ranked": "Ranked again from the half-vectors",
    "fitted": "Fitted anew",
    "asked": "The shipped model, on those it has never seen, beside the report's towers",
}
_WORDS: dict[Verdict, str] = {"same": "same", "differs": "OFF", "beside": ""}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the report, and what it is when it is worked out again."""

    way: Way
    check: str
    method: str
    split: int | None  # None: the mean of the splits
    metric: str
    stored: float | None  # None: the report has none
    again: float | None  # None: it can't be had from what the report has
    slack: tuple[float, float]  # how far below and above it the stored one may be
    judged: bool = True  # False: of another model or other data than the report's

    @property
    def verdict(self) -> Verdict:
        if not self.judged:
            return "beside"
        if self.stored is None or self.again is None:
            return "differs"
        below, above = self.slack
        return "same" if self.again - below <= self.stored <= self.again + above else "differs"

    def __str__(self) -> str:
        split = "" if self.split is None else f", split {self.split}"
        return (
            f"{self.check}, {self.method}{split}: {self.metric} {_told(self.stored)} in the "
            f"report, {_told(self.again)} worked out again"
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference of the report with its interval, and both worked out again."""

    check: str
    reference: str
    method: str  # the reference minus this one
    metric: str
    stored: Difference | None  # None: the report has none
    again: Interval
    slack: float  # by which the two may differ

    @property
    def verdict(self) -> Verdict:
        stored, again = self.stored, self.again
        if stored is None:
            return "differs"
        edge = self.slack + EDGE_SLACK * (again.high - again.low)
        same = (
            abs(stored.value - again.mean) <= self.slack
            and abs(stored.low - again.low) <= edge
            and abs(stored.high - again.high) <= edge
        )
        return "same" if same else "differs"

    def __str__(self) -> str:
        stored, again = self.stored, self.again
        told = _interval(stored.value, stored.low, stored.high) if stored else "not"
        return (
            f"{self.check}, {self.reference} minus {self.method}: {self.metric} {told} in the "
            f"report, {_interval(again.mean, again.low, again.high)} worked out again"
        )


@dataclass(frozen=True, slots=True)
class Line:
    """The figures of a method's splits in one: their means, and OFF where one of them is."""

    way: Way
    check: str
    method: str
    metric: str
    stored: float | None  # None: the report lacks one of them
    again: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Outcome:
    """All that the quick check found."""

    figures: tuple[Figure, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]  # what was done or left out, and why; sentences
    seconds: float

    @property
    def all(self) -> tuple[Figure | Gap, ...]:
        return self.figures + self.gaps

    @property
    def differing(self) -> tuple[Figure | Gap, ...]:
        """Sums last: what they are made of tells more."""
        off = [each for each in self.all if each.verdict == "differs"]
        return tuple(sorted(off, key=lambda e: isinstance(e, Figure) and e.way == "added up"))

    def of(self, way: Way) -> tuple[Figure, ...]:
        return tuple(figure for figure in self.figures if figure.way == way)

    def lines(self, way: Way) -> list[Line]:
        """A line for each check, method and compared metric."""
        together: dict[tuple[str, str, str], list[Figure]] = {}
        for each in self.of(way):
            if each.metric in COMPARED:
                together.setdefault((each.check, each.method, each.metric), []).append(each)
        return [_line(figures) for figures in together.values()]

    @property
    def judged(self) -> int:
        """How many figures and differences have a verdict."""
        return sum(each.verdict != "beside" for each in self.all)

    def summary(self) -> str:
        """How many of them are as the report has them, in one sentence."""
        off = len(self.differing)
        if not off:
            return f"All {self.judged:,} figures are what the report says."
        return f"{off:,} of {self.judged:,} figures differ from what the report says."

    def to_dict(self) -> dict[str, Any]:
        """All as plain values; of the sums, those that add up are only counted."""
        told = [f for f in self.figures if f.way != "added up" or f.verdict == "differs"]
        return {
            "same": not self.differing,
            "seconds": round(self.seconds, 1),
            "notes": list(self.notes),
            "added up": len(self.of("added up")),
            "figures": [_plain(f) for f in told],
            "differences": [_plain(gap) for gap in self.gaps],
        }

    def to_text(self) -> str:
        """For a terminal of 100 columns."""
        lines = [line for note in self.notes for line in wrap(note, 100)] + [""]
        for way, title in _HEADS.items():
            if shown := self.lines(way):
                lines += [*_table(title, shown), ""]
        if self.gaps:
            head = f"{self.gaps[0].reference} minus each, with 95 % intervals"
            lines.append(f"{head:<46}{'report':>24}{'again':>24}")
            lines += [_gap_line(gap) for gap in self.gaps] + [""]
        lines += [f"differs: {each}" for each in self.differing[:TOLD]]
        if len(self.differing) > TOLD:
            lines.append(f"and {len(self.differing) - TOLD:,} more")
        return "\n".join([*lines, f"{self.summary()} ({self.seconds:.0f} s)"])


def _line(figures: Sequence[Figure]) -> Line:
    verdicts = {figure.verdict for figure in figures}
    verdict: Verdict = "differs" if "differs" in verdicts else figures[0].verdict
    stored, again = (
        None if None in values else sum(filter(None, values)) / len(values)
        for values in ([f.stored for f in figures], [f.again for f in figures])
    )
    first = figures[0]
    return Line(first.way, first.check, first.method, first.metric, stored, again, verdict)


def _table(title: str, lines: Sequence[Line]) -> list[str]:
    told = [f"{title:<76}{'report':>9}{'again':>9}"]
    for each in lines:
        name = f"  {each.check:<{CHECK}}{each.method:<{NAME_WIDTH}}"
        values = f"{each.metric:<10}{_told(each.stored):>7}{_told(each.again):>9}"
        told.append(f"{name}{values}  {_WORDS[each.verdict]}".rstrip())
    return told


def _gap_line(gap: Gap) -> str:
    stored, again = gap.stored, gap.again
    told = _interval(stored.value, stored.low, stored.high) if stored else "-"
    name = f"  {gap.check:<17}{gap.method}"
    return (
        f"{name:<46}{told:>24}{_interval(again.mean, again.low, again.high):>24}"
        f"  {_WORDS[gap.verdict]}"
    )


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _plain(each: Figure | Gap) -> dict[str, Any]:
    values = {**asdict(each), "verdict": each.verdict}
    values.pop("judged", None)
    return {name: value for name, value in values.items() if value is not None}
