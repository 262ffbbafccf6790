"""Recompute the report's ranking metrics from the shipped embeddings.

The vectors are rounded to 16 bits, so a metric may differ by as much as rounding can move ranks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twotower.core.jobs import Progress
from twotower.evaluation.bootstrap import bootstrap
from twotower.evaluation.methods.hub_corrections import LOCAL_SHARE
from twotower.evaluation.metrics import equal_weights, ranks_of_positives
from twotower.evaluation.report import Report, Row
from twotower.evaluation.specs import TaskKind, TaskSpec, parse_task, scaled_label
from twotower.evaluation.tally import RESAMPLES
from twotower.evaluation.verify_data import QueryCandidateVectors, VectorKey
from twotower.evaluation.verify_result import DifferenceCheck, MetricCheck
from twotower.retrieval.similarity import local_density

ROUNDING = 2.0**-11 / 3**0.5  # standard deviation of a float16's rounding error, relative
SURE = 4.0  # standard deviations between two scores that decide which is larger
SUM_SLACK = 1e-9  # for sums of the same numbers
SAME_IN_ALL_SPLITS = (TaskKind.PLAYLISTS, TaskKind.TODAY)  # the same listeners in the same order

_METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "MRR": lambda ranks: np.asarray(1.0 / ranks),
    "recall@1": lambda ranks: np.asarray((ranks <= 1).astype(float)),
    "recall@10": lambda ranks: np.asarray((ranks <= 10).astype(float)),
}


@dataclass(frozen=True)
class RankBounds:
    """Ranks (n,) by the rounded vectors, and the bounds of those before rounding."""

    ranks: np.ndarray
    best: np.ndarray
    worst: np.ndarray
    weights: np.ndarray  # (n,) of the listeners in a mean

    def values(self, metric: str) -> np.ndarray:
        """Return the values (n,) of a metric, whose mean is the metric."""
        return np.asarray(self.weights * _METRICS[metric](self.ranks))

    def slack(self, metric: str) -> tuple[float, float]:
        """Return how far the metric may be below and above that of the rounded vectors."""
        value, best, worst = (
            float((self.weights * _METRICS[metric](ranks)).mean())
            for ranks in (self.ranks, self.best, self.worst)
        )
        return value - worst, best - value

    def weighted(self, groups: Sequence[str]) -> "RankBounds":
        """Return the same ranks, of which each group counts the same in a mean."""
        return replace(self, weights=equal_weights(groups))

    def select(self, rows: slice) -> "RankBounds":
        """Return some of the ranks, with equal weights."""
        ranks, best, worst = (each[rows] for each in (self.ranks, self.best, self.worst))
        return RankBounds(ranks, best, worst, np.ones(len(ranks)))


_BySplit = Mapping[int, RankBounds]


def recompute_ranks(
    report: Report, vectors: Mapping[VectorKey, QueryCandidateVectors], progress: Progress
) -> tuple[list[MetricCheck], list[DifferenceCheck]]:
    """Recompute every metric and difference that follows from these vectors.

    A method that the report has after local scaling, too, is ranked both ways.
    """
    methods = {mean.method for mean in report.means}
    rows = {(VectorKey(row.split, row.check, row.method), row.metric): row for row in report.rows}
    wanted = [
        (key._replace(method=name), pair, name != key.method)
        for key, pair in vectors.items()
        for name in (key.method, scaled_label(key.method))
        if name == key.method or name in methods
    ]
    bounds: dict[tuple[str, str], dict[int, RankBounds]] = {}  # (check, method) -> split -> ranks
    metrics: list[MetricCheck] = []
    for done, (key, pair, scaled) in enumerate(wanted):
        progress(0.7 * done / len(wanted), f"ranks of {key.check}, split {key.split}: {key.method}")
        for part, ranks in _divide(report, key, _rank(pair, scaled=scaled)):
            bounds.setdefault((part.check, part.method), {})[part.split] = ranks
            metrics += _check_metrics(rows, part, ranks)
    return metrics, _check_differences(report, bounds, progress)


def _divide(
    report: Report, key: VectorKey, ranks: RankBounds
) -> list[tuple[VectorKey, RankBounds]]:
    """Return the ranks of a task; of the mean over sources, also those of each source.

    The report has a row for each source, with the number of its listeners.
    """
    if key.check != TaskSpec(TaskKind.TODAY).label:
        return [(key, ranks)]
    counts = {
        row.check: row.listeners
        for row in report.rows
        if (row.split, row.method, row.metric) == (key.split, key.method, "MRR")
        and parse_task(row.check).kind is TaskKind.TODAY
        and parse_task(row.check).dataset
    }
    if sum(counts.values()) != len(ranks.ranks):
        return [(key, ranks)]  # of other sources than the report's: its means will differ
    names = [check for check, count in sorted(counts.items()) for _ in range(count)]
    starts = {check: names.index(check) for check in counts}
    return [
        (key, ranks.weighted(names)),
        *(
            (key._replace(check=check), ranks.select(slice(start, start + counts[check])))
            for check, start in starts.items()
        ),
    ]


def _check_metrics(
    rows: Mapping[tuple[VectorKey, str], Row], key: VectorKey, ranks: RankBounds
) -> list[MetricCheck]:
    checks = []
    for metric in _METRICS:
        value = float(ranks.values(metric).mean())
        row = rows.get((key, metric))
        stored = row.value if row is not None and row.listeners == len(ranks.ranks) else None
        below, above = ranks.slack(metric)
        slack = (below + SUM_SLACK, above + SUM_SLACK)
        checks.append(
            MetricCheck("ranked", key.check, key.method, key.split, metric, stored, value, slack)
        )
    return checks


def _rank(pair: QueryCandidateVectors, *, scaled: bool = False) -> RankBounds:
    """Rank each query's candidate; scores that rounding may have swapped widen the bounds.

    Local scaling subtracts the query's density, too, but that is the same for all candidates, so
    it is left out.
    """
    scores, spread = _scores_and_spread(pair.queries, pair.candidates)
    own = np.arange(len(scores))
    if scaled:
        among, among_spread = _scores_and_spread(pair.candidates_as_queries, pair.candidates)
        others = own[:, None] != own[None, :]
        scores = scores - LOCAL_SHARE * local_density(among.astype(float), others)
        spread = spread + LOCAL_SHARE * np.where(others, among_spread, 0.0).max(axis=1)
    margin = SURE * np.hypot(spread, spread[own, own][:, None])
    ahead = scores - scores[own, own][:, None]
    ahead[own, own] = margin[own, own] = 0.0
    tied = (margin == 0) & (ahead == 0)  # a zero vector, which rounding leaves alone
    best = ((ahead > margin) | tied).sum(axis=1)
    worst = (ahead >= -margin).sum(axis=1)
    return RankBounds(ranks_of_positives(scores, own), best, worst, np.ones(len(own)))


def _scores_and_spread(
    queries: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (n, n) and the standard deviation of their rounding errors (n, n).

    Each product of two rounded numbers has twice the relative variance of one; the errors of a
    score's products add up as independent ones do.
    """
    variance = 2 * ROUNDING**2 * (np.square(queries) @ np.square(candidates).T)
    return queries @ candidates.T, np.sqrt(variance)


def _check_differences(
    report: Report, bounds: Mapping[tuple[str, str], _BySplit], progress: Progress
) -> list[DifferenceCheck]:
    """Check the first reference that has ranks against every other method of its tasks."""
    references = dict.fromkeys(d.reference for d in (*report.differences, *report.beside))
    ranked = {method for _, method in bounds}
    reference = next((name for name in references if name in ranked), "")
    pairs = [
        (check, method)
        for check, method in bounds
        if method != reference and (check, reference) in bounds
    ]
    checks = []
    for done, (check, method) in enumerate(pairs):
        progress(0.7 + 0.3 * done / len(pairs), f"intervals of {check}: {method}")
        one, other = bounds[check, reference], bounds[check, method]
        checks.append(_check_difference(report, check, (reference, one), (method, other)))
    return checks


def _check_difference(
    report: Report, check: str, one: tuple[str, _BySplit], other: tuple[str, _BySplit]
) -> DifferenceCheck:
    """Recompute the difference of two methods' MRR in a task, with its interval."""
    (reference, of_reference), (method, of_method) = one, other
    splits = [split for split in of_reference if split in of_method]
    values = _paired_values(
        [of_reference[split].values("MRR") - of_method[split].values("MRR") for split in splits],
        same_listeners=parse_task(check).kind in SAME_IN_ALL_SPLITS,
    )
    (below, above), (method_below, method_above) = (
        np.mean([ranks[split].slack("MRR") for split in splits], axis=0)
        for ranks in (of_reference, of_method)
    )
    key = (check, reference, method, "MRR")
    stored = next(
        (
            d
            for d in (*report.differences, *report.beside)
            if (d.check, d.reference, d.method, d.metric) == key
        ),
        None,
    )
    interval = bootstrap(values, resamples=RESAMPLES, seed=report.seed)
    slack = float(max(below + method_above, above + method_below)) + SUM_SLACK
    return DifferenceCheck(*key, stored, interval, slack)


def _paired_values(parts: list[np.ndarray], *, same_listeners: bool) -> np.ndarray:
    """Return (listeners, splits) differences, NaN if a listener is not in a split.

    The vectors have no ids: either all listeners are taken to be in every split, or none is.
    """
    if same_listeners and len({len(part) for part in parts}) == 1:
        return np.stack(parts, axis=1)
    values = np.full((sum(map(len, parts)), len(parts)), np.nan)
    start = 0
    for column, part in enumerate(parts):
        values[start : start + len(part), column] = part
        start += len(part)
    return values
