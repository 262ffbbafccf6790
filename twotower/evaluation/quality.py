"""The quality report that ships: read back, and what it says of the towers beside the others."""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.evaluation.report import COMPARED, Difference, Gain, Mean, Report, Row

FILE = "quality.json"
MAKE = "`python -m twotower evaluate --out assets/quality.json`"
ABLATION, LEARNING = "ablation.json", "learning.json"  # reports of variants, and of less data
COMMANDS = {ABLATION: "ablate", LEARNING: "learning-curve"}
COLD = "cold-"  # begins the name of a check whose query is cut to so many artists
CURVES, FLOOR = 4, "popularity"  # baselines among the curves: so many, and the plainest
_BESIDE = (COLD, "groups, ", "halves, full pool", "unseen, no content")  # not in the headline
_Part = TypeVar("_Part", Row, Mean, Difference, Gain)

Verdict = Literal["ahead", "no better", "behind"]
Cell = str | float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """The towers beside the best of the baselines in one check, chosen after the fact."""

    check: str
    metric: str  # 0..1, more is better
    towers: float
    best: float
    difference: Difference  # the towers minus that baseline
    listeners: int  # asked about in a split, the fewest

    @property
    def baseline(self) -> str:
        return self.difference.method

    @property
    def verdict(self) -> Verdict:
        return verdict(self.difference)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a stored model says of its training; what it doesn't say is empty or 0."""

    listeners: Mapping[str, int]  # origin -> listeners
    artists: int
    played: int  # artists of those that one of the listeners played
    seconds: float
    version: str


def load(path: Path) -> Report:
    """The report that `evaluate --out`, or another command for another file, wrote.

    MissingData where there is none; IncompatibleModel where the file is no such report.
    """
    make = _make(path.name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingData(f"there is no quality report yet: write it with {make}") from error
    except UnicodeDecodeError as error:
        raise _damaged(path) from error
    try:
        told = json.loads(text)
        header = told["header"]
        if not isinstance(header, dict):
            raise TypeError("header")
        report = Report(
            header,
            tuple(_part(Row, each) for each in told["rows"]),
            tuple(_part(Mean, each) for each in told["means"]),
            tuple(_part(Difference, each) for each in told["differences"]),
            tuple(_part(Gain, each) for each in told.get("gains", ())),
            tuple(_part(Difference, each) for each in told.get("beside", ())),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path) from error
    if not report.means:
        raise _damaged(path)
    return report


def _make(name: str) -> str:
    """The command that writes a report of this name, as Markdown."""
    command = COMMANDS.get(name)
    return f"`python -m twotower {command} --out assets/{name}`" if command else MAKE


def _damaged(path: Path) -> IncompatibleModel:
    return IncompatibleModel(
        f"{path.name} is no quality report, or is damaged: write it with {_make(path.name)}"
    )


def _part(kind: type[_Part], told: Mapping[str, Any]) -> _Part:
    """A row of the report; ValueError or KeyError where a field is missing or of another type."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        value = told[field.name]
        wanted = (int, float) if field.type is float else (field.type,)
        if isinstance(value, bool) or not isinstance(value, wanted):  # type: ignore[arg-type]
            raise ValueError(f"{field.name}: {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field.name} is not a number")
        values[field.name] = value
    return kind(**values)


def trained(model: Path) -> Trained:
    """What the model in a folder was trained on; MissingData where there is none to read."""
    try:
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        about = config.get("about", {})
        return Trained(
            listeners={str(k): int(v) for k, v in about.get("profiles", {}).items()},
            artists=int(about.get("artists", 0)),
            played=int(about.get("played artists", 0)),
            seconds=float(about.get("seconds", 0.0)),
            version=str(config.get("version", "")),
        )
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MissingData("the model's config.json can't be read") from error


def reference(report: Report) -> str:
    """The method that all others are compared with; "" where none is."""
    if not report.differences:
        return ""
    return str(report.header.get("reference") or report.differences[0].reference)


def towers(report: Report) -> str:
    """What the names of all our methods begin with: the reference before all that is added."""
    return reference(report).partition(" + ")[0]


def is_ours(report: Report, method: str) -> bool:
    """Whether a method is the towers, or is built on them."""
    ours = towers(report)
    return bool(ours) and (method == ours or method.startswith((f"{ours} + ", f"{ours}, ")))


def checks(report: Report) -> tuple[str, ...]:
    """The names of all checks, in the order of the report."""
    return tuple(dict.fromkeys(mean.check for mean in report.means))


def metrics(report: Report, check: str) -> tuple[str, ...]:
    """Those of a check's metrics that are compared, MRR first; none where it has only figures."""
    there = {mean.metric for mean in report.means if mean.check == check}
    return tuple(metric for metric in COMPARED if metric in there)


def values(report: Report, check: str, metric: str) -> dict[str, float]:
    """Method -> mean over the splits."""
    return {
        mean.method: mean.value
        for mean in report.means
        if (mean.check, mean.metric) == (check, metric)
    }


def differences(report: Report, check: str, metric: str) -> tuple[Difference, ...]:
    """The towers minus each baseline, the strongest baseline first."""
    found = values(report, check, metric)
    against = [
        each
        for each in report.differences
        if (each.check, each.metric) == (check, metric)
        and not is_ours(report, each.method)
        and each.method in found
    ]
    return tuple(sorted(against, key=lambda each: -found[each.method]))


def verdict(difference: Difference) -> Verdict:
    """What a 95 % interval of "towers minus another" allows to say."""
    if difference.low > 0:
        return "ahead"
    return "behind" if difference.high < 0 else "no better"


def listeners(report: Report, check: str) -> int:
    """How many a split asks about, the fewest; 0 where the report doesn't say."""
    return min((row.listeners for row in report.rows if row.check == check), default=0)


def standing(report: Report, check: str, metric: str) -> Standing | None:
    """The towers beside the strongest baseline of a check; None where there is no such pair."""
    against = differences(report, check, metric)
    found = values(report, check, metric)
    if not against or against[0].reference not in found:
        return None
    best = against[0]
    ours = found[best.reference]  # which a check may have of its own
    return Standing(check, metric, ours, found[best.method], best, listeners(report, check))


def headline(report: Report) -> tuple[Standing, ...]:
    """A standing for each check by its first metric; curves, groups and the full pool are apart.

    A check with all figures the same as another's, where a cut cut nothing, is left out.
    """
    found: dict[tuple[tuple[str, float], ...], Standing] = {}
    for check in checks(report):
        if check.startswith(_BESIDE):
            continue
        for metric in metrics(report, check)[:1]:
            one = standing(report, check, metric)
            if one is not None:
                found.setdefault(tuple(values(report, check, metric).items()), one)
    return tuple(found.values())


def cold(report: Report, metric: str) -> dict[str, dict[int, float]]:
    """Method -> artists in the query -> mean, of the towers, the baselines that find best, and
    popularity; the same methods for each metric."""
    found = _by_size(report, "MRR")
    others = [method for method in found if not is_ours(report, method)]
    others.sort(key=lambda method: -sum(found[method].values()) / len(found[method]))
    shown = [reference(report), *others[:CURVES], *others[CURVES:].count(FLOOR) * [FLOOR]]
    curves = _by_size(report, metric)
    return {method: curves[method] for method in shown if method in curves}


def _by_size(report: Report, metric: str) -> dict[str, dict[int, float]]:
    curves: dict[str, dict[int, float]] = {}
    for check in checks(report):
        size = check.removeprefix(COLD)
        if check.startswith(COLD) and size.isdecimal():
            for method, value in values(report, check, metric).items():
                curves.setdefault(method, {})[int(size)] = value
    return {method: dict(sorted(curve.items())) for method, curve in curves.items()}


def table(report: Report, check: str, metric: str = "") -> list[dict[str, Cell]]:
    """A row a method, the best first: the metric's mean and splits, recalls, the difference.

    Without a metric, the means of all that the check measures.
    """
    metric = metric or next(iter(metrics(report, check)), "")
    if not metric:
        return _figures(report, check)
    recalls = [name for name in ("recall@1", "recall@10") if values(report, check, name)]
    against = {
        each.method: each
        for each in report.differences
        if (each.check, each.metric) == (check, metric)
    }
    lines: list[dict[str, Cell]] = []
    for method, value in _best_first(values(report, check, metric)):
        line: dict[str, Cell] = {"method": method, metric: value}
        for row in report.rows:
            if (row.check, row.method, row.metric) == (check, method, metric):
                line[f"split {row.split}"] = row.value
        if metric in ("MRR", "NDCG@10"):
            for recall in recalls:
                line[recall] = values(report, check, recall).get(method)
        gap = against.get(method)
        line["towers minus this"] = gap.value if gap else None
        line["95 % low"] = gap.low if gap else None
        line["95 % high"] = gap.high if gap else None
        line["the towers are"] = verdict(gap) if gap else "—"
        lines.append(line)
    return lines


def _best_first(found: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(found.items(), key=lambda pair: -pair[1])


def _figures(report: Report, check: str) -> list[dict[str, Cell]]:
    lines: dict[str, dict[str, Cell]] = {}
    for mean in report.means:
        if mean.check == check:
            lines.setdefault(mean.method, {"method": mean.method})[mean.metric] = mean.value
    return list(lines.values())


def table_csv(lines: list[dict[str, Cell]]) -> str:
    """A table as CSV with a header; every row has all columns."""
    columns = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()
