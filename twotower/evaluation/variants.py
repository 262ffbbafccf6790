"""What reports say of other ways to do it: more told of a listener, other training, less data."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from twotower.evaluation import quality
from twotower.evaluation.quality import Cell, Verdict
from twotower.evaluation.report import PLAIN, Gain, Report

GROUPS = "groups, "  # begins the name of a check that tells more than artists, or something else
FIGURES = ("skew of N_10", "never listed")  # of the check geometry
# What variants are compared by, where the report has it.
SHOWN = ("halves", "halves-head", "halves-playlists", "cold-5", "friends")
OTHERS, CUT = "halves-other, ", ", cut to "
TRAINING = "training.json"  # records of training, where the model's config.json has none
_SHARE = re.compile(r"(?P<method>.+), (?P<share>\d+) % of the listeners")


@dataclass(frozen=True, slots=True)
class Mark:
    """A difference with a 95 % interval, to draw or to say."""

    name: str
    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        if self.low > 0:
            return "ahead"
        return "behind" if self.high < 0 else "no better"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the towers find when so much is told of a listener, and what that adds to artists."""

    name: str  # "artists only", "+ audio", "tags alone"
    value: float  # MRR
    gain: Gain | None

    @property
    def mark(self) -> Mark | None:
        """What it adds, where it is told beside artists; what it is worth alone is no addition."""
        if self.gain is None or not self.name.startswith("+"):
            return None
        return Mark(self.name, self.gain.value, self.gain.low, self.gain.high)


@dataclass(frozen=True, slots=True)
class Course:
    """Where training stood at a step, by the one batch of that step."""

    step: int
    loss: float
    alignment: float  # mean squared distance of two parts of a listener, smaller is nearer
    uniformity: float  # of listeners, smaller is more even


def groups(report: Report) -> dict[str, list[Shown]]:
    """Data set -> what was told, in the order of the report; of the reference method."""
    towers, found = quality.reference(report), dict[str, list[Shown]]()
    gains = {gain.check: gain for gain in report.gains if gain.metric == "MRR"}
    for check in quality.checks(report):
        if check.startswith(GROUPS):
            source, _, name = check.removeprefix(GROUPS).rpartition(", ")
            value = quality.values(report, check, "MRR").get(towers)
            if value is not None:
                found.setdefault(source, []).append(Shown(name, value, gains.get(check)))
    return found


def group_listeners(report: Report, source: str) -> int:
    """How many listeners of a data set were asked with each group."""
    return quality.listeners(report, f"{GROUPS}{source}{PLAIN}")


def chance(listeners: int) -> float:
    """The MRR of guessing among so many."""
    return sum(1 / rank for rank in range(1, listeners + 1)) / max(listeners, 1)


def compared(report: Report) -> dict[str, tuple[str, str]]:
    """Name -> (check, metric) of what variants are compared by: MRR where there is one."""
    found: dict[str, tuple[str, str]] = {}
    for check in quality.checks(report):
        if check in SHOWN or (check.startswith(OTHERS) and CUT not in check):
            metrics = quality.metrics(report, check)
            for metric in ("Hit@10", "AUC") if check == "friends" else metrics[:1]:
                if metric in metrics:
                    name = check if metric == "MRR" else f"{check}, {metric}"
                    found[name] = (check, metric)
    return found


def marks(report: Report, check: str, metric: str) -> list[Mark]:
    """Each variant minus the default, the best first."""
    found = [
        Mark(each.method, -each.value, -each.high, -each.low)
        for each in report.differences
        if (each.check, each.metric) == (check, metric)
    ]
    return sorted(found, key=lambda mark: -mark.value)


def table(report: Report) -> list[dict[str, Cell]]:
    """A row a variant, the default first: what is compared, then the figures of hubs."""
    default = quality.reference(report)
    columns = compared(report)
    columns |= {name: ("geometry", name) for name in FIGURES if _has(report, "geometry", name)}
    methods = dict.fromkeys([default, *(mean.method for mean in report.means)])
    lines: list[dict[str, Cell]] = []
    for method in filter(None, methods):
        line: dict[str, Cell] = {"variant": method}
        for name, (check, metric) in columns.items():
            line[name] = quality.values(report, check, metric).get(method)
        lines.append(line)
    return lines


def _has(report: Report, check: str, metric: str) -> bool:
    return any((mean.check, mean.metric) == (check, metric) for mean in report.means)


def learning(report: Report, check: str = "halves") -> dict[str, dict[int, float]]:
    """Method -> percent of the training listeners -> MRR, of a report whose methods say so."""
    curves: dict[str, dict[int, float]] = {}
    for name, value in quality.values(report, check, "MRR").items():
        if told := _SHARE.fullmatch(name):
            curves.setdefault(told["method"], {})[int(told["share"])] = value
    return {method: dict(sorted(curve.items())) for method, curve in curves.items()}


def step(report: Report, method: str, few: int, many: int) -> Mark | None:
    """What more listeners brought a method, where it is the report's reference; else None."""
    names = [f"{method}, {share} % of the listeners" for share in (few, many)]
    for each in report.differences:
        if (each.method, each.reference, each.metric) == (names[0], names[1], "MRR"):
            return Mark(method, each.value, each.low, each.high)
    return None


def course(assets: Path) -> tuple[Course, ...]:
    """How the training of the shipped model went; nothing where no file tells it.

    The records are in `about` of the model's config.json, or else in training.json.
    """
    for path in (assets / "model" / "config.json", assets / TRAINING):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            about = told.get("about", told) if isinstance(told, dict) else {"records": told}
            records = about["records"]
            if found := tuple(_course(record) for record in records):
                return found
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
    return ()


def quarters(course: Sequence[Course], name: str) -> tuple[float, float]:
    """Means of a figure over the first and the last quarter of the points, one or more each."""
    values = [float(getattr(each, name)) for each in course]
    count = max(len(values) // 4, 1)
    return sum(values[:count]) / count, sum(values[-count:]) / count


def _course(record: Mapping[str, object]) -> Course:
    values = {field.name: record[field.name] for field in fields(Course)}
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values.values()):
        raise ValueError("a record has other things than numbers")
    if not all(math.isfinite(float(v)) for v in values.values() if isinstance(v, (int, float))):
        raise ValueError("a record has something that is not a number")
    return Course(**values)  # type: ignore[arg-type]


def split_by_verdict(found: Sequence[Mark]) -> dict[Verdict, list[Mark]]:
    """Those ahead, no better and behind, each in the given order."""
    kinds: dict[Verdict, list[Mark]] = {"ahead": [], "no better": [], "behind": []}
    for mark in found:
        kinds[mark.verdict].append(mark)
    return kinds
