"""Summaries of a report: the towers against the baselines, task by task."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twotower.core.csv_files import Cell, csv_text
from twotower.core.errors import MissingData
from twotower.evaluation.report import COMPARED, Difference, Report, Verdict
from twotower.evaluation.specs import TaskKind, TaskSpec, parse_method, parse_task

CURVES = 4  # baselines in the chart of few artists, beside popularity
FLOOR = "popularity"


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """The towers and the strongest baseline in one task; the baseline is chosen afterwards."""

    check: str  # label of the task
    metric: str  # 0..1, more is better
    towers: float
    best: float
    difference: Difference  # the towers minus that baseline
    listeners: int  # in a split, the fewest

    @property
    def baseline(self) -> str:
        return self.difference.method

    @property
    def verdict(self) -> Verdict:
        return self.difference.verdict


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """Facts about a stored model's training; empty or 0 if the model lacks them."""

    listeners: Mapping[str, int]  # origin -> listeners
    artists: int
    played: int  # artists that at least one listener played
    seconds: float
    version: str


def reference_method(report: Report) -> str:
    """Return the method that all others are compared with; "" if the report compares none."""
    if not report.differences:
        return ""
    return str(report.header.get("reference") or report.differences[0].reference)


def plain_towers(report: Report) -> str:
    """Return the label of the plain towers, to which the reference adds something."""
    return parse_method(reference_method(report)).plain.label


def is_towers(report: Report, method: str) -> bool:
    """Return True if a method is the towers, or adds something to them."""
    plain = plain_towers(report)
    return bool(plain) and parse_method(method).plain.label == plain


def tasks(report: Report) -> tuple[TaskSpec, ...]:
    """Return all tasks, in the order of the report."""
    return tuple(parse_task(check) for check in task_labels(report))


def task_labels(report: Report) -> tuple[str, ...]:
    """Return the labels of all tasks, in the order of the report."""
    return tuple(dict.fromkeys(mean.check for mean in report.means))


def compared_metrics(report: Report, check: str) -> tuple[str, ...]:
    """Return the metrics of a task that have intervals, MRR first."""
    present = {mean.metric for mean in report.means if mean.check == check}
    return tuple(metric for metric in COMPARED if metric in present)


def means_by_method(report: Report, check: str, metric: str) -> dict[str, float]:
    """Return method -> mean over the splits."""
    return {
        mean.method: mean.value
        for mean in report.means
        if (mean.check, mean.metric) == (check, metric)
    }


def fewest_listeners(report: Report, check: str) -> int:
    """Return the number of listeners in a split, the fewest; 0 if the report has no rows."""
    return min((row.listeners for row in report.rows if row.check == check), default=0)


def training_facts(model: Path) -> TrainingFacts:
    """Read the facts about training from a model folder. Raises MissingData if it can't."""
    try:
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        about = config.get("about", {})
        return TrainingFacts(
            listeners={str(k): int(v) for k, v in about.get("profiles", {}).items()},
            artists=int(about.get("artists", 0)),
            played=int(about.get("played artists", 0)),
            seconds=float(about.get("seconds", 0.0)),
            version=str(config.get("version", "")),
        )
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MissingData("the model's config.json can't be read") from error


def baseline_differences(report: Report, check: str, metric: str) -> tuple[Difference, ...]:
    """Return the towers minus each baseline, the strongest baseline first."""
    means = means_by_method(report, check, metric)
    against = [
        each
        for each in report.differences
        if (each.check, each.metric) == (check, metric)
        and not is_towers(report, each.method)
        and each.method in means
    ]
    return tuple(sorted(against, key=lambda each: -means[each.method]))


def compare_with_best(report: Report, check: str, metric: str) -> BaselineComparison | None:
    """Compare the towers with the strongest baseline of a task; None if there is no baseline."""
    against = baseline_differences(report, check, metric)
    means = means_by_method(report, check, metric)
    if not against or against[0].reference not in means:
        return None
    best = against[0]
    return BaselineComparison(
        check,
        metric,
        means[best.reference],  # not always the report's reference: a task may have its own
        means[best.method],
        best,
        fewest_listeners(report, check),
    )


def headline_comparisons(report: Report) -> tuple[BaselineComparison, ...]:
    """Compare the towers with the best baseline of each task, by the task's first metric.

    Few artists, side features and the single sources of recent lists have charts of their own, and
    are left out. So is the full pool, which says less. A
    task with the same means as an earlier one is left out, too: its cut has removed no artist.
    """
    comparisons: dict[tuple[tuple[str, float], ...], BaselineComparison] = {}
    for task in tasks(report):
        if task.kind in (TaskKind.COLD, TaskKind.FEATURES):
            continue
        if task.condition in ("full pool", "no content"):
            continue
        if task.kind is TaskKind.TODAY and task.dataset:
            continue
        for metric in compared_metrics(report, task.label)[:1]:
            comparison = compare_with_best(report, task.label, metric)
            if comparison is not None:
                means = means_by_method(report, task.label, metric)
                comparisons.setdefault(tuple(means.items()), comparison)
    return tuple(comparisons.values())


def cold_start_curves(report: Report, metric: str) -> dict[str, dict[int, float]]:
    """Return method -> artists in the query -> mean, for the towers and the best baselines.

    The methods are the same for each metric: the best by MRR, and popularity.
    """
    by_mrr = _means_by_cut(report, "MRR")
    others = [method for method in by_mrr if not is_towers(report, method)]
    others.sort(key=lambda method: -sum(by_mrr[method].values()) / len(by_mrr[method]))
    floor = [FLOOR] if FLOOR in others[CURVES:] else []
    curves = _means_by_cut(report, metric)
    chosen = [reference_method(report), *others[:CURVES], *floor]
    return {method: curves[method] for method in chosen if method in curves}


def _means_by_cut(report: Report, metric: str) -> dict[str, dict[int, float]]:
    curves: dict[str, dict[int, float]] = {}
    for task in tasks(report):
        if task.kind is TaskKind.COLD and task.cut is not None:
            for method, value in means_by_method(report, task.label, metric).items():
                curves.setdefault(method, {})[task.cut] = value
    return {method: dict(sorted(curve.items())) for method, curve in curves.items()}


def method_table(report: Report, check: str, metric: str = "") -> list[dict[str, Cell]]:
    """Return one row per method, best first: mean, splits, recalls, difference to the towers.

    If the task has no compared metric, the rows hold the means of all its metrics.
    """
    metric = metric or next(iter(compared_metrics(report, check)), "")
    if not metric:
        return _plain_table(report, check)
    differences = {
        each.method: each
        for each in report.differences
        if (each.check, each.metric) == (check, metric)
    }
    means = means_by_method(report, check, metric)
    lines: list[dict[str, Cell]] = []
    for method in sorted(means, key=lambda name: -means[name]):
        line: dict[str, Cell] = {"method": method, metric: means[method]}
        for row in report.rows:
            if (row.check, row.method, row.metric) == (check, method, metric):
                line[f"split {row.split}"] = row.value
        if metric in ("MRR", "NDCG@10"):
            for recall in ("recall@1", "recall@10"):
                if recalls := means_by_method(report, check, recall):
                    line[recall] = recalls.get(method)
        lines.append(line | _difference_cells(differences.get(method)))
    return lines


def _difference_cells(gap: Difference | None) -> dict[str, Cell]:
    return {
        "towers minus this": gap.value if gap else None,
        "95 % low": gap.low if gap else None,
        "95 % high": gap.high if gap else None,
        "the towers are": gap.verdict if gap else "—",
    }


def _plain_table(report: Report, check: str) -> list[dict[str, Cell]]:
    lines: dict[str, dict[str, Cell]] = {}
    for mean in report.means:
        if mean.check == check:
            lines.setdefault(mean.method, {"method": mean.method})[mean.metric] = mean.value
    return list(lines.values())


def table_csv(lines: Sequence[Mapping[str, Cell]]) -> str:
    """Return a table as CSV with a header; each row has all columns."""
    columns = list(dict.fromkeys(name for line in lines for name in line))
    return csv_text(columns, ([line.get(column) for column in columns] for line in lines))
