"""What an evaluation found: a row a figure, means over splits, paired differences."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from twotower.evaluation.metrics import Interval, bootstrap

RESAMPLES = 2000
COMPARED = ("MRR", "overlap@10", "Hit@10", "AUC", "NDCG@10")  # whose differences get an interval
NAME = 27  # letters of a method's name in a table
PLACES = 10  # after the point of a figure that is written
PLAIN = ", artists only"  # ends a check's name that others of the same beginning stand beside


@dataclass(frozen=True, slots=True)
class Row:
    check: str
    method: str
    split: int
    metric: str
    value: float  # mean over the listeners
    listeners: int  # asked about


@dataclass(frozen=True, slots=True)
class Mean:
    """Of the splits' values."""

    check: str
    method: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The reference method minus another, the same listeners, with a 95 % interval."""

    check: str
    reference: str
    method: str
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Gain:
    """One method in a check minus the same in another, the same listeners, with a 95 % interval."""

    check: str  # in which more is told of a listener, or something else
    beside: str
    method: str
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Report:
    header: Mapping[str, Any]  # seeds, data hashes, versions, command
    rows: tuple[Row, ...]
    means: tuple[Mean, ...]
    differences: tuple[Difference, ...]
    gains: tuple[Gain, ...] = ()
    beside: tuple[Difference, ...] = ()  # MRR of another method of ours minus each other one

    def mean(self, check: str, method: str, metric: str = "MRR") -> float:
        """One mean over the splits; KeyError where there is none."""
        for mean in self.means:
            if (mean.check, mean.method, mean.metric) == (check, method, metric):
                return mean.value
        raise KeyError((check, method, metric))

    def difference(self, check: str, method: str, metric: str = "MRR") -> Difference:
        """The reference minus `method`; KeyError where there is none."""
        for found in self.differences:
            if (found.check, found.method, found.metric) == (check, method, metric):
                return found
        raise KeyError((check, method, metric))

    def with_more(self, other: "Report") -> "Report":
        """This report and the checks of another run, which take the place of the same ones here.

        It may have asked some of the splits only, which its rows tell. ValueError where the two are
        not of the same data, part, seed and reference, or it asked other splits.
        """
        if set(other.header.get("splits", ())) - set(self.header.get("splits", ())):
            raise ValueError(f"the report has no split {other.header['splits']}")
        for name in ("part", "seed", "data", "reference"):
            if self.header.get(name) != other.header.get(name):
                raise ValueError(
                    f"the reports differ in {name}: {self.header.get(name)} and "
                    f"{other.header.get(name)}"
                )
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

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values; the same run gives the same. Empty parts are left out."""
        parts: dict[str, Sequence[Row | Mean | Difference | Gain]] = {
            "rows": self.rows,
            "means": self.means,
            "differences": self.differences,
            **({"gains": self.gains} if self.gains else {}),
            **({"beside": self.beside} if self.beside else {}),
        }
        told = {name: [_plain(each) for each in part] for name, part in parts.items()}
        return {"header": dict(self.header), **told}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def to_text(self) -> str:
        """A table for each check, for a terminal of 100 columns."""
        lines: list[str] = []
        for check in dict.fromkeys(row.check for row in self.rows):
            lines += [*self._table(check), ""]
        return "\n".join(lines)

    def _table(self, check: str) -> list[str]:
        rows = [row for row in self.rows if row.check == check]
        metrics = list(dict.fromkeys(row.metric for row in rows))
        asked = sorted({row.listeners for row in rows})
        many = str(asked[0]) if len(asked) == 1 else f"{asked[0]} to {asked[-1]}"
        lines = [f"{check} ({many} listeners)"]
        methods = list(dict.fromkeys(row.method for row in rows))
        for metric in (metric for metric in metrics if metric in COMPARED):
            splits = sorted({row.split for row in rows if row.metric == metric})
            beside = metric in ("MRR", "NDCG@10")
            recalls = [m for m in metrics if m.startswith("recall")] if beside else []
            heads = ["mean", *(f"split {split}" for split in splits), *recalls]
            lines.append(f"  {metric:<{NAME}}" + "".join(f"{head:>10}" for head in heads))
            for method in methods:
                by_split = [
                    row.value for row in rows if (row.method, row.metric) == (method, metric)
                ]
                if not by_split:  # a method needn't be asked for every metric
                    continue
                values = [self.mean(check, method, metric), *by_split]
                values += [self.mean(check, method, recall) for recall in recalls]
                line = f"  {method:<{NAME}}" + "".join(f"{value:>10.3f}" for value in values)
                lines.append(line + self._against(check, method, metric))
        if not set(metrics) & set(COMPARED):
            heads = [f"{metric:>{len(metric) + 2}}" for metric in metrics]
            lines.append(" " * (NAME + 2) + "".join(heads))
            for method in methods:
                cells = zip(metrics, map(len, heads), strict=True)
                told = [f"{self._told(check, method, metric):>{width}}" for metric, width in cells]
                lines.append(f"  {method:<{NAME}}" + "".join(told))
        for gain in self.gains:
            if gain.check == check:
                told_gain = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
                lines.append(f"  {gain.method}, {gain.metric} beside {gain.beside}: {told_gain}")
        return lines

    def _told(self, check: str, method: str, metric: str) -> str:
        try:
            return f"{self.mean(check, method, metric):.3f}"
        except KeyError:
            return "-"

    def _against(self, check: str, method: str, metric: str) -> str:
        try:
            d = self.difference(check, method, metric)
        except KeyError:
            return ""
        return f"   {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"


def _plain(part: Row | Mean | Difference | Gain) -> dict[str, Any]:
    values = asdict(part)
    return {k: round(v, PLACES) if isinstance(v, float) else v for k, v in values.items()}


_Key = tuple[str, str, str]  # check, metric, method


class Tally:
    """Values a listener, as they come in; rows of all methods have the same listeners."""

    def __init__(self) -> None:
        self._values: dict[_Key, dict[int, np.ndarray]] = {}
        self._ids: dict[tuple[str, str, int], tuple[str, ...]] = {}

    def add(
        self,
        check: str,
        metric: str,
        method: str,
        split: int,
        ids: Sequence[str],
        values: np.ndarray,
    ) -> None:
        """values (listeners,) of one method in one split; ValueError where the ids differ."""
        if len(ids) != len(values):
            raise ValueError(f"{len(ids)} ids for {len(values)} values")
        if self._ids.setdefault((check, metric, split), tuple(ids)) != tuple(ids):
            raise ValueError(f"{method} was asked about other listeners in {check}")
        self._values.setdefault((check, metric, method), {})[split] = np.asarray(values, float)

    def report(
        self,
        header: Mapping[str, Any],
        *,
        reference: str,
        by_check: Mapping[str, str] | None = None,
        beside: str = "",
        seed: int = 0,
    ) -> Report:
        """Rows, means over splits and, where the reference is there, its paired differences.

        `by_check` names another reference for some checks, which counts where it was asked;
        `beside` a method of which the differences in MRR are told too.
        """
        of = {
            check: name
            for check, name in (by_check or {}).items()
            if any(key[0] == check and key[2] == name for key in self._values)
        }
        rows = tuple(
            Row(check, method, split, metric, float(values.mean()), len(values))
            for (check, metric, method), by_split in self._values.items()
            for split, values in by_split.items()
        )
        means = tuple(
            Mean(check, method, metric, float(np.mean([v.mean() for v in by_split.values()])))
            for (check, metric, method), by_split in self._values.items()
        )
        differences = tuple(
            Difference(check, own, method, metric, d.mean, d.low, d.high)
            for (check, metric, method) in self._values
            for own in (of.get(check, reference),)
            if method != own and metric in COMPARED and (check, metric, own) in self._values
            for d in (self._difference((check, metric, own), (check, metric, method), seed),)
        )
        also = tuple(
            Difference(check, beside, method, metric, d.mean, d.low, d.high)
            for (check, metric, method) in self._values
            if metric == "MRR" and method != beside and (check, metric, beside) in self._values
            for d in (self._difference((check, metric, beside), (check, metric, method), seed),)
        )
        header = {**header, "reference": reference}
        gains = tuple(self._gains(reference, seed))
        return Report(header, rows, means, differences, gains, also)

    def _gains(self, reference: str, seed: int) -> Iterator[Gain]:
        """Of the reference beside what it is when only artists are told, where both were asked."""
        for key in self._values:
            check, metric, method = key
            plain = f"{check.rpartition(', ')[0]}{PLAIN}"
            beside = (plain, metric, reference)
            if (
                method == reference
                and metric in COMPARED
                and check != plain
                and beside in self._values
            ):
                d = self._difference(key, beside, seed)
                yield Gain(check, plain, method, metric, d.mean, d.low, d.high)

    def _difference(self, one: _Key, other: _Key, seed: int) -> Interval:
        """Of what was asked of the same listeners; ValueError where they are others."""
        splits = [split for split in self._values[one] if split in self._values[other]]
        ids = [self._ids[(*one[:2], split)] for split in splits]
        if ids != [self._ids[(*other[:2], split)] for split in splits]:
            raise ValueError(f"other listeners were asked in {one[0]} than in {other[0]}")
        row = {id: place for place, id in enumerate(sorted({id for part in ids for id in part}))}
        values = np.full((len(row), len(splits)), np.nan)
        for column, split in enumerate(splits):
            at = [row[id] for id in ids[column]]
            values[at, column] = self._values[one][split] - self._values[other][split]
        return bootstrap(values, resamples=RESAMPLES, seed=seed)
