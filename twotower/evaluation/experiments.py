"""Experiments in reports: side features, training variants, fewer listeners, the training curve."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from twotower.core.csv_files import Cell
from twotower.evaluation.report import Gain, Report, Verdict, verdict_of
from twotower.evaluation.specs import TaskKind, TaskSpec, parse_method
from twotower.evaluation.summary import (
    compared_metrics,
    fewest_listeners,
    means_by_method,
    reference_method,
    tasks,
)

TRAINING_FILE = "training.json"  # training records, for a model whose config.json has none
HUB_METRICS = ("skew of N_10", "never listed")  # of the task geometry
COLD_CUT = 5  # artists in the query when variants are compared


@dataclass(frozen=True, slots=True)
class Estimate:
    """A named difference with a 95 % interval."""

    name: str
    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        return verdict_of(self.low, self.high)


@dataclass(frozen=True, slots=True)
class FeatureGain:
    """MRR of the towers with one set of features, and the gain over artists only."""

    task: TaskSpec
    value: float  # MRR
    gain: Gain | None

    @property
    def name(self) -> str:
        """The features: "artists only", "+ audio" or "tags alone"."""
        return self.task.shown_label

    @property
    def estimate(self) -> Estimate | None:
        """The gain; None if the features replace the artists instead of adding to them."""
        if self.gain is None or not self.task.adds_features:
            return None
        return Estimate(self.name, self.gain.value, self.gain.low, self.gain.high)


@dataclass(frozen=True, slots=True)
class VariantMetric:
    """A task and a metric by which training variants are compared."""

    task: TaskSpec
    metric: str

    @property
    def name(self) -> str:
        """The task's label, and the metric unless it is MRR."""
        return self.task.label if self.metric == "MRR" else f"{self.task.label}, {self.metric}"


@dataclass(frozen=True, slots=True)
class TrainingPoint:
    """Training metrics at one step, measured on the batch of that step."""

    step: int
    loss: float
    alignment: float  # mean squared distance of two parts of a listener
    uniformity: float  # of the listeners; less is more even


def feature_gains(report: Report) -> dict[str, list[FeatureGain]]:
    """Return data set -> gains of the reference method, in the order of the report."""
    method = reference_method(report)
    by_dataset: dict[str, list[FeatureGain]] = {}
    gains = {gain.check: gain for gain in report.gains if gain.metric == "MRR"}
    for task in tasks(report):
        if task.kind is TaskKind.FEATURES:
            value = means_by_method(report, task.label, "MRR").get(method)
            if value is not None:
                gain = FeatureGain(task, value, gains.get(task.label))
                by_dataset.setdefault(task.dataset, []).append(gain)
    return by_dataset


def feature_listeners(report: Report, dataset: str) -> int:
    """Return the number of listeners with all side features of a data set."""
    plain = TaskSpec(TaskKind.FEATURES, dataset, frozenset({"artists"}))
    return fewest_listeners(report, plain.label)


def chance_mrr(listeners: int) -> float:
    """Return the MRR of guessing among so many listeners."""
    return sum(1 / rank for rank in range(1, listeners + 1)) / max(listeners, 1)


def variant_metrics(report: Report) -> tuple[VariantMetric, ...]:
    """Return the tasks and metrics by which the report's training variants are compared."""
    return tuple(
        VariantMetric(task, metric)
        for task in tasks(report)
        if _compares_variants(task)
        for metric in _metrics_of_variants(report, task)
    )


def _compares_variants(task: TaskSpec) -> bool:
    if task.kind is TaskKind.COLD:
        return task.cut == COLD_CUT
    plain = not task.condition and task.cut is None
    if task.kind is TaskKind.TODAY:
        return not task.dataset
    kinds = (TaskKind.HALVES, TaskKind.HEAD, TaskKind.PLAYLISTS, TaskKind.OTHER_DATA)
    return plain and task.kind in (*kinds, TaskKind.FRIENDS)


def _metrics_of_variants(report: Report, task: TaskSpec) -> tuple[str, ...]:
    present = compared_metrics(report, task.label)
    if task.kind is TaskKind.FRIENDS:
        return tuple(metric for metric in ("Hit@10", "AUC") if metric in present)
    return present[:1]


def variant_estimates(report: Report, check: str, metric: str) -> list[Estimate]:
    """Return each variant minus the default, best first."""
    estimates = [
        Estimate(each.method, -each.value, -each.high, -each.low)
        for each in report.differences
        if (each.check, each.metric) == (check, metric)
    ]
    return sorted(estimates, key=lambda estimate: -estimate.value)


def estimates_by_verdict(estimates: Sequence[Estimate]) -> dict[Verdict, list[Estimate]]:
    """Return verdict -> estimates, each in the given order."""
    kinds: dict[Verdict, list[Estimate]] = {"ahead": [], "no better": [], "behind": []}
    for estimate in estimates:
        kinds[estimate.verdict].append(estimate)
    return kinds


def variant_table(report: Report) -> list[dict[str, Cell]]:
    """Return one row per variant, the default first: the compared metrics, then hub metrics."""
    columns = {each.name: (each.task.label, each.metric) for each in variant_metrics(report)}
    geometry = TaskSpec(TaskKind.GEOMETRY).label
    present = {mean.metric for mean in report.means if mean.check == geometry}
    columns |= {name: (geometry, name) for name in HUB_METRICS if name in present}
    methods = dict.fromkeys([reference_method(report), *(mean.method for mean in report.means)])
    lines: list[dict[str, Cell]] = []
    for method in filter(None, methods):
        line: dict[str, Cell] = {"variant": method}
        for name, (check, metric) in columns.items():
            line[name] = means_by_method(report, check, metric).get(method)
        lines.append(line)
    return lines


def learning_curves(report: Report, check: str = "halves") -> dict[str, dict[int, float]]:
    """Return method -> per cent of the training listeners -> MRR.

    Empty if the report has no such method.
    """
    curves: dict[str, dict[int, float]] = {}
    for name, value in means_by_method(report, check, "MRR").items():
        spec = parse_method(name)
        if spec.share is not None:
            curves.setdefault(spec.whole.label, {})[spec.share] = value
    return {method: dict(sorted(curve.items())) for method, curve in curves.items()}


def gain_of_more(report: Report, method: str, few: int, many: int) -> Estimate | None:
    """Return a method's gain from `few` to `many` per cent of the listeners.

    None if the report has no interval for it.
    """
    spec = parse_method(method)
    pair = tuple(spec.trained_on(share).label for share in (few, many))
    for each in report.differences:
        if (each.method, each.reference) == pair and each.metric == "MRR":
            return Estimate(method, each.value, each.low, each.high)
    return None


def training_curve(assets: Path) -> tuple[TrainingPoint, ...]:
    """Return the training records of the shipped model; empty if no file has them.

    They are in `about` of the model's config.json, or else in training.json.
    """
    for path in (assets / "model" / "config.json", assets / TRAINING_FILE):
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            about = stored.get("about", stored) if isinstance(stored, dict) else {"records": stored}
            if points := tuple(_training_point(record) for record in about["records"]):
                return points
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
    return ()


def _training_point(record: Mapping[str, object]) -> TrainingPoint:
    values = {field.name: record[field.name] for field in fields(TrainingPoint)}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name} is not a number")
        if not math.isfinite(value):
            raise ValueError(f"{name} is not finite")
    return TrainingPoint(**values)  # type: ignore[arg-type]


def first_and_last_quarter(points: Sequence[TrainingPoint], name: str) -> tuple[float, float]:
    """Return the means of a metric over the first and the last quarter of the points."""
    values = [float(getattr(each, name)) for each in points]
    count = max(len(values) // 4, 1)
    return sum(values[:count]) / count, sum(values[-count:]) / count
