"""Evaluation reports: one row per metric and split, means over splits, paired differences."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.evaluation.decile_table import CORRELATION, decile_lines

QUALITY, ABLATION, LEARNING = "quality.json", "ablation.json", "learning.json"
COMMANDS = {QUALITY: "evaluate", ABLATION: "ablate", LEARNING: "learning-curve"}
COMPARED = ("MRR", "overlap@10", "Hit@10", "AUC", "NDCG@10")  # metrics with an interval
NAME_WIDTH = 27  # characters of a method's name in a text table
DECIMALS = 10  # of a stored number

Verdict = Literal["ahead", "no better", "behind"]


def verdict_of(low: float, high: float) -> Verdict:
    """Return "ahead" or "behind" if a 95 % interval excludes zero, else "no better"."""
    if low > 0:
        return "ahead"
    return "behind" if high < 0 else "no better"


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one method in one split."""

    check: str  # label of the task
    method: str  # label of the method
    split: int
    metric: str
    value: float  # mean over the listeners
    listeners: int


@dataclass(frozen=True, slots=True)
class Mean:
    """One metric of one method, averaged over the splits."""

    check: str
    method: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The reference minus another method on the same listeners, with a 95 % interval."""

    check: str
    reference: str
    method: str
    metric: str
    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        return verdict_of(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Gain:
    """One method in a task minus the same method in another task, with a 95 % interval."""

    check: str  # the task with side features
    beside: str  # the task with artists only
    method: str
    metric: str
    value: float
    low: float
    high: float


_Part = TypeVar("_Part", Row, Mean, Difference, Gain)


@dataclass(frozen=True)
class Report:
    """The result of an evaluation."""

    header: Mapping[str, Any]  # seeds, data hashes, versions, command
    rows: tuple[Row, ...]
    means: tuple[Mean, ...]
    differences: tuple[Difference, ...]
    gains: tuple[Gain, ...] = ()
    beside: tuple[Difference, ...] = ()  # MRR of the towers alone minus each other method

    @property
    def seed(self) -> int:
        """The seed of the run, and of the bootstrap."""
        seed = self.header.get("seed")
        return seed if isinstance(seed, int) else 0

    def mean(self, check: str, method: str, metric: str = "MRR") -> float:
        """Return one mean over the splits. Raises KeyError if the report lacks it."""
        for mean in self.means:
            if (mean.check, mean.method, mean.metric) == (check, method, metric):
                return mean.value
        raise KeyError((check, method, metric))

    def difference(self, check: str, method: str, metric: str = "MRR") -> Difference:
        """Return the reference minus `method`. Raises KeyError if the report lacks it."""
        for difference in self.differences:
            key = (difference.check, difference.method, difference.metric)
            if key == (check, method, metric):
                return difference
        raise KeyError((check, method, metric))

    def with_more(self, other: "Report") -> "Report":
        """Return this report with the tasks of another run, which replace the same tasks here.

        Raises ValueError if data, part, seed or reference differ, or if the other run has splits
        that this report lacks.
        """
        self._require_same_setup(other)
        new = {row.check for row in other.rows}
        header = {
            **self.header,
            "checks": list(dict.fromkeys([*self.header["checks"], *other.header["checks"]])),
            "command": f"{self.header['command']} && {other.header['command']}",
        }
        return Report(
            header,
            (*(row for row in self.rows if row.check not in new), *other.rows),
            (*(mean for mean in self.means if mean.check not in new), *other.means),
            (*(d for d in self.differences if d.check not in new), *other.differences),
            (*(gain for gain in self.gains if gain.check not in new), *other.gains),
            (*(d for d in self.beside if d.check not in new), *other.beside),
        )

    def _require_same_setup(self, other: "Report") -> None:
        if set(other.header.get("splits", ())) - set(self.header.get("splits", ())):
            raise ValueError(f"the report has no split {other.header['splits']}")
        for name in ("part", "seed", "data", "reference"):
            if self.header.get(name) != other.header.get(name):
                raise ValueError(
                    f"the reports differ in {name}: {self.header.get(name)} and "
                    f"{other.header.get(name)}"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the same for the same run. Empty optional parts are left out."""
        parts: dict[str, Sequence[Row | Mean | Difference | Gain]] = {
            "rows": self.rows,
            "means": self.means,
            "differences": self.differences,
            **({"gains": self.gains} if self.gains else {}),
            **({"beside": self.beside} if self.beside else {}),
        }
        plain = {name: [_rounded(each) for each in part] for name, part in parts.items()}
        return {"header": dict(self.header), **plain}

    def to_json(self) -> str:
        """Return the content of a report file."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def to_text(self) -> str:
        """Return a table for each task, for a terminal of 100 columns."""
        checks = dict.fromkeys(row.check for row in self.rows)
        return "\n".join(line for check in checks for line in (*self._table(check), ""))

    def _table(self, check: str) -> list[str]:
        rows = [row for row in self.rows if row.check == check]
        metrics = list(dict.fromkeys(row.metric for row in rows))
        counts = sorted({row.listeners for row in rows})
        listeners = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        lines = [f"{check} ({listeners} listeners)"]
        for metric in metrics:
            if metric in COMPARED:
                lines += self._compared_table(check, metric, rows, metrics)
        if CORRELATION in metrics:
            lines += decile_lines({m.metric: m.value for m in self.means if m.check == check})
        elif not set(metrics) & set(COMPARED):
            lines += self._plain_table(check, rows, metrics)
        for gain in self.gains:
            if gain.check == check:
                interval = format_interval(gain.value, gain.low, gain.high)
                lines.append(f"  {gain.method}, {gain.metric} beside {gain.beside}: {interval}")
        return lines

    def _compared_table(
        self, check: str, metric: str, rows: Sequence[Row], metrics: Sequence[str]
    ) -> list[str]:
        """Lines with mean, splits, recalls and the difference to the reference."""
        splits = sorted({row.split for row in rows if row.metric == metric})
        has_recalls = metric in ("MRR", "NDCG@10")
        recalls = [name for name in metrics if name.startswith("recall")] if has_recalls else []
        heads = ["mean", *(f"split {split}" for split in splits), *recalls]
        lines = [f"  {metric:<{NAME_WIDTH}}" + "".join(f"{head:>10}" for head in heads)]
        for method in dict.fromkeys(row.method for row in rows):
            by_split = [row.value for row in rows if (row.method, row.metric) == (method, metric)]
            if not by_split:  # not every method is evaluated by every metric
                continue
            values = [self.mean(check, method, metric), *by_split]
            values += [self.mean(check, method, recall) for recall in recalls]
            line = f"  {method:<{NAME_WIDTH}}" + "".join(f"{value:>10.3f}" for value in values)
            lines.append(line + self._difference_text(check, method, metric))
        return lines

    def _plain_table(self, check: str, rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
        """Lines with one column per metric, for metrics without intervals."""
        heads = [f"{metric:>{len(metric) + 2}}" for metric in metrics]
        lines = [" " * (NAME_WIDTH + 2) + "".join(heads)]
        for method in dict.fromkeys(row.method for row in rows):
            cells = [
                f"{self._mean_text(check, method, metric):>{len(head)}}"
                for metric, head in zip(metrics, heads, strict=True)
            ]
            lines.append(f"  {method:<{NAME_WIDTH}}" + "".join(cells))
        return lines

    def _mean_text(self, check: str, method: str, metric: str) -> str:
        try:
            return f"{self.mean(check, method, metric):.3f}"
        except KeyError:
            return "-"

    def _difference_text(self, check: str, method: str, metric: str) -> str:
        try:
            d = self.difference(check, method, metric)
        except KeyError:
            return ""
        return f"   {format_interval(d.value, d.low, d.high)}"


def format_interval(value: float, low: float, high: float) -> str:
    """Return a difference with its interval: `+0.097 [+0.080, +0.114]`."""
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def load_report(path: Path) -> Report:
    """Read a report file.

    Raises MissingData if it can't be read, IncompatibleModel if it is no report or is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingData(
            f"there is no quality report yet: write it with {how_to_make(path.name)}"
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(path) from error
    try:
        stored = json.loads(text)
        header = stored["header"]
        if not isinstance(header, dict):
            raise TypeError("header")
        report = Report(
            header,
            tuple(_parse(Row, each) for each in stored["rows"]),
            tuple(_parse(Mean, each) for each in stored["means"]),
            tuple(_parse(Difference, each) for each in stored["differences"]),
            tuple(_parse(Gain, each) for each in stored.get("gains", ())),
            tuple(_parse(Difference, each) for each in stored.get("beside", ())),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path) from error
    if not report.means:
        raise _damaged(path)
    return report


def how_to_make(name: str) -> str:
    """Return the command that writes the report file of this name, as Markdown."""
    return f"`python -m twotower {COMMANDS.get(name, 'evaluate')} --out assets/{name}`"


def _damaged(path: Path) -> IncompatibleModel:
    return IncompatibleModel(
        f"{path.name} is no quality report, or is damaged: write it with {how_to_make(path.name)}"
    )


def _parse(kind: type[_Part], stored: Mapping[str, Any]) -> _Part:
    """Return a part of a report. Raises ValueError or KeyError if a field is missing or wrong."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        value = stored[field.name]
        types = (int, float) if field.type is float else (field.type,)
        if isinstance(value, bool) or not isinstance(value, types):  # type: ignore[arg-type]
            raise ValueError(f"{field.name}: {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field.name} is not a number")
        values[field.name] = value
    return kind(**values)


def _rounded(part: Row | Mean | Difference | Gain) -> dict[str, Any]:
    values = asdict(part)
    return {k: round(v, DECIMALS) if isinstance(v, float) else v for k, v in values.items()}
