"""Result of verifying the report: stored and recomputed metrics."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Any, Literal

from twotower.evaluation.bootstrap import Interval
from twotower.evaluation.report import COMPARED, NAME_WIDTH, Difference, format_interval

# How a metric was recomputed: from the shipped vectors, from the report's own rows, by fitting a
# baseline again, or by evaluating the shipped model.
Source = Literal["ranked", "added up", "fitted", "asked"]
CheckVerdict = Literal["same", "differs", "beside"]  # beside: shown, but not expected to agree

INTERVAL_SLACK = 0.25  # of an interval's width: the vectors have no ids that link the splits
LISTED = 12  # differing metrics that a text lists
CHECK_WIDTH = 39  # characters of a task's label in a text table
_TITLES: dict[Source, str] = {
    "ranked": "Ranked again, by the half-vectors",
    "fitted": "Fitted again",
    "asked": "The shipped model on unseen listeners, beside the report's towers",
}
_WORDS: dict[CheckVerdict, str] = {"same": "same", "differs": "OFF", "beside": ""}


@dataclass(frozen=True, slots=True)
class MetricCheck:
    """A stored metric and its recomputed value."""

    source: Source
    check: str
    method: str
    split: int | None  # None: the mean of the splits
    metric: str
    stored: float | None  # None: the report lacks it
    recomputed: float | None  # None: the report lacks what it follows from
    slack: tuple[float, float]  # how far below and above the recomputed value is still the same
    judged: bool = True  # False: of another model or other data than the report's

    @property
    def verdict(self) -> CheckVerdict:
        if not self.judged:
            return "beside"
        if self.stored is None or self.recomputed is None:
            return "differs"
        below, above = self.slack
        is_same = self.recomputed - below <= self.stored <= self.recomputed + above
        return "same" if is_same else "differs"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values under the keys of `evaluate --quick --json`, without None."""
        values = {
            "way": self.source,
            "check": self.check,
            "method": self.method,
            "split": self.split,
            "metric": self.metric,
            "stored": self.stored,
            "again": self.recomputed,
            "slack": self.slack,
            "verdict": self.verdict,
        }
        return {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        split = "" if self.split is None else f", split {self.split}"
        return (
            f"{self.check}, {self.method}{split}: {self.metric} {_number(self.stored)} in the "
            f"report, {_number(self.recomputed)} recomputed"
        )


@dataclass(frozen=True, slots=True)
class DifferenceCheck:
    """A stored difference with its interval, and both recomputed."""

    check: str
    reference: str
    method: str  # the reference minus this one
    metric: str
    stored: Difference | None  # None: the report lacks it
    recomputed: Interval
    slack: float  # largest deviation that is still the same

    @property
    def verdict(self) -> CheckVerdict:
        stored, recomputed = self.stored, self.recomputed
        if stored is None:
            return "differs"
        edge = self.slack + INTERVAL_SLACK * (recomputed.high - recomputed.low)
        is_same = (
            abs(stored.value - recomputed.mean) <= self.slack
            and abs(stored.low - recomputed.low) <= edge
            and abs(stored.high - recomputed.high) <= edge
        )
        return "same" if is_same else "differs"

    @property
    def stored_text(self) -> str:
        """The stored interval, or "-"."""
        d = self.stored
        return format_interval(d.value, d.low, d.high) if d else "-"

    @property
    def recomputed_text(self) -> str:
        """The recomputed interval."""
        i = self.recomputed
        return format_interval(i.mean, i.low, i.high)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values under the keys of `evaluate --quick --json`, without None."""
        values = {
            "check": self.check,
            "reference": self.reference,
            "method": self.method,
            "metric": self.metric,
            "stored": asdict(self.stored) if self.stored else None,
            "again": asdict(self.recomputed),
            "slack": self.slack,
            "verdict": self.verdict,
        }
        return {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        return (
            f"{self.check}, {self.reference} minus {self.method}: {self.metric} "
            f"{self.stored_text} in the report, {self.recomputed_text} recomputed"
        )


@dataclass(frozen=True, slots=True)
class CheckLine:
    """The mean over splits of one metric; "differs" if it differs in any split."""

    source: Source
    check: str
    method: str
    metric: str
    stored: float | None  # None: the report lacks one of the splits
    recomputed: float | None
    verdict: CheckVerdict


@dataclass(frozen=True)
class Verification:
    """All recomputed metrics and differences of a report."""

    metrics: tuple[MetricCheck, ...]
    differences: tuple[DifferenceCheck, ...]
    notes: tuple[str, ...]  # sentences: what was recomputed, what was left out and why
    seconds: float

    @property
    def all(self) -> tuple[MetricCheck | DifferenceCheck, ...]:
        return self.metrics + self.differences

    @property
    def differing(self) -> tuple[MetricCheck | DifferenceCheck, ...]:
        """All metrics and differences that differ; sums come last, since their parts say more."""
        differing = [each for each in self.all if each.verdict == "differs"]
        return tuple(sorted(differing, key=_is_sum))

    @property
    def judged(self) -> int:
        """Number of metrics and differences with a verdict."""
        return sum(each.verdict != "beside" for each in self.all)

    def of(self, source: Source) -> tuple[MetricCheck, ...]:
        """Return the metrics that were recomputed in this way."""
        return tuple(each for each in self.metrics if each.source == source)

    def lines(self, source: Source) -> list[CheckLine]:
        """Return one line per task, method and compared metric."""
        groups: dict[tuple[str, str, str], list[MetricCheck]] = {}
        for each in self.of(source):
            if each.metric in COMPARED:
                groups.setdefault((each.check, each.method, each.metric), []).append(each)
        return [_line(checks) for checks in groups.values()]

    def summary(self) -> str:
        """Return one sentence: how many metrics match the report."""
        count = len(self.differing)
        if not count:
            return f"All {self.judged:,} metrics match the report."
        return f"{count:,} of {self.judged:,} metrics differ from the report."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values. Sums that agree are only counted."""
        listed = [
            each for each in self.metrics if each.source != "added up" or each.verdict == "differs"
        ]
        return {
            "same": not self.differing,
            "seconds": round(self.seconds, 1),
            "notes": list(self.notes),
            "added up": len(self.of("added up")),
            "figures": [each.to_dict() for each in listed],
            "differences": [each.to_dict() for each in self.differences],
        }

    def to_text(self) -> str:
        """Return a text for a terminal of 100 columns."""
        lines = [line for note in self.notes for line in wrap(note, 100)] + [""]
        for source, title in _TITLES.items():
            if shown := self.lines(source):
                lines += [*_table(title, shown), ""]
        if self.differences:
            head = f"{self.differences[0].reference} minus each, with 95 % intervals"
            lines.append(f"{head:<46}{'report':>24}{'recomputed':>24}")
            lines += [_difference_line(each) for each in self.differences] + [""]
        lines += [f"differs: {each}" for each in self.differing[:LISTED]]
        if len(self.differing) > LISTED:
            lines.append(f"and {len(self.differing) - LISTED:,} more")
        return "\n".join([*lines, f"{self.summary()} ({self.seconds:.0f} s)"])


def _is_sum(check: MetricCheck | DifferenceCheck) -> bool:
    return isinstance(check, MetricCheck) and check.source == "added up"


def _line(checks: Sequence[MetricCheck]) -> CheckLine:
    first = checks[0]
    differs = any(each.verdict == "differs" for each in checks)
    return CheckLine(
        first.source,
        first.check,
        first.method,
        first.metric,
        _mean([each.stored for each in checks]),
        _mean([each.recomputed for each in checks]),
        "differs" if differs else first.verdict,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _table(title: str, lines: Sequence[CheckLine]) -> list[str]:
    table = [f"{title:<74}{'report':>9}{'recomputed':>11}"]
    for each in lines:
        name = f"  {each.check:<{CHECK_WIDTH}}{each.method:<{NAME_WIDTH - 1}} "
        values = f"{each.metric:<10}{_number(each.stored):>5}{_number(each.recomputed):>11}"
        table.append(f"{name}{values}  {_WORDS[each.verdict]}".rstrip())
    return table


def _difference_line(check: DifferenceCheck) -> str:
    name = f"  {check.check:<17}{check.method}"
    values = f"{check.stored_text:>24}{check.recomputed_text:>24}"
    return f"{name:<46}{values}  {_WORDS[check.verdict]}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
