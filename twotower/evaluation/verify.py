"""Verify the quality report: recompute its metrics in less than a minute.

All ranking metrics are recomputed from the shipped vectors. If the public data is there, simple
baselines are fitted again, and the shipped model is evaluated on listeners it has never seen.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from twotower.core.errors import MissingData
from twotower.core.jobs import Progress, silent
from twotower.evaluation.report import QUALITY, Report, load_report
from twotower.evaluation.specs import TaskKind
from twotower.evaluation.verify_data import VECTORS, read_vectors
from twotower.evaluation.verify_ranks import SUM_SLACK, recompute_ranks
from twotower.evaluation.verify_result import DifferenceCheck, MetricCheck, Verification
from twotower.sources.datasets.public import Sources, read_sources
from twotower.sources.datasets.tables import FOLDERS

FITTED_SLACK = 0.01  # of a metric of a baseline that was fitted on another machine
FITTED = ("idf cosine", "SVD-64", "ALS + content")  # baselines that are fitted within seconds
FITTED_TASKS = (
    TaskKind.HALVES,
    TaskKind.HEAD,
    TaskKind.PLAYLISTS,
    TaskKind.TODAY,
    TaskKind.FRIENDS,
)
MODEL_TASKS = (TaskKind.OTHER_DATA, TaskKind.PLAYLISTS, TaskKind.TODAY)
_RANKED_SHARE = 0.15  # of the progress, if there is raw data


def verify_report(
    assets: Path, data: Path | None = None, *, progress: Progress = silent
) -> Verification:
    """Recompute the metrics of `assets/quality.json`.

    data  folder of the public data sets; without it only the shipped vectors are used

    Raises MissingData if there are neither vectors nor data, IncompatibleModel if the vectors
    don't belong to the report.
    """
    began = time.perf_counter()
    progress(0.0, "reading the report")
    report = load_report(assets / QUALITY)
    raw = data if data is not None and has_data(data) else None
    share = _RANKED_SHARE if raw else 1.0
    try:
        ranked, differences, note = _rerank(report, assets, _part(progress, 0.0, share))
    except MissingData as error:
        if not raw:
            raise MissingData(
                f"{error}; or name the folder of the public data in TWOTOWER_DATA"
            ) from error
        ranked, differences, note = [], [], f"No ranking metric was recomputed: {error}."
    fitted, notes = list[MetricCheck](), ["No method was fitted again: the public data is missing."]
    if raw is not None:
        fitted, notes = _refit(report, assets, raw, _part(progress, share, 1.0))
    progress(1.0, "done")
    return Verification(
        (*_recomputed_sums(report), *ranked, *fitted),
        tuple(differences),
        (note, *notes),
        time.perf_counter() - began,
    )


def has_data(data: Path) -> bool:
    """Return True if the folder has HetRec, without which nothing can be fitted."""
    return (data / FOLDERS["hetrec"]).is_dir()


def _part(progress: Progress, start: float, end: float) -> Progress:
    """Map the progress of one step, 0..1, to a part of the whole."""
    return lambda share, message: progress(start + (end - start) * share, message)


def _rerank(
    report: Report, assets: Path, progress: Progress
) -> tuple[list[MetricCheck], list[DifferenceCheck], str]:
    """Recompute the ranking metrics; return metrics, differences and a note."""
    vectors = read_vectors(assets / VECTORS, report)
    metrics, differences = recompute_ranks(report, vectors, progress)
    return (
        metrics,
        differences,
        (
            f"All ranking metrics were recomputed from {VECTORS}: vectors of the towers and the "
            "best baselines, rounded to 16 bits, also after local scaling."
        ),
    )


def _recomputed_sums(report: Report) -> Iterator[MetricCheck]:
    """Yield the means of the report's rows, and the differences and gains of those means."""
    rows: dict[tuple[str, str, str], list[float]] = {}
    for row in report.rows:
        rows.setdefault((row.check, row.method, row.metric), []).append(row.value)
    means = {key: float(np.mean(values)) for key, values in rows.items()}

    def minus(one: tuple[str, str, str], other: tuple[str, str, str]) -> float | None:
        return means[one] - means[other] if one in means and other in means else None

    def check(
        check: str, method: str, metric: str, stored: float, recomputed: float | None
    ) -> MetricCheck:
        slack = (SUM_SLACK, SUM_SLACK)
        return MetricCheck("added up", check, method, None, metric, stored, recomputed, slack)

    for m in report.means:
        yield check(m.check, m.method, m.metric, m.value, means.get((m.check, m.method, m.metric)))
    for d in (*report.differences, *report.beside):
        recomputed = minus((d.check, d.reference, d.metric), (d.check, d.method, d.metric))
        yield check(d.check, f"{d.reference} minus {d.method}", d.metric, d.value, recomputed)
    for g in report.gains:
        recomputed = minus((g.check, g.method, g.metric), (g.beside, g.method, g.metric))
        yield check(g.check, f"{g.method}, beside {g.beside}", g.metric, g.value, recomputed)


def _refit(
    report: Report, assets: Path, data: Path, progress: Progress
) -> tuple[list[MetricCheck], list[str]]:
    """Fit baselines on split 0, and evaluate the shipped model; return metrics and notes."""
    progress(0.0, "reading the data")
    sources = read_sources(data)
    metrics, notes = _refit_baselines(report, sources, _part(progress, 0.3, 0.8))
    progress(0.8, "evaluating the shipped model")
    model_metrics, note = _evaluate_shipped_model(report, assets, sources)
    return metrics + model_metrics, [*notes, note]


def _refit_baselines(
    report: Report, sources: Sources, progress: Progress
) -> tuple[list[MetricCheck], list[str]]:
    from twotower.evaluation.methods.baselines import BASELINES
    from twotower.evaluation.runner import evaluate

    refitted = evaluate(
        sources,
        fits={name: BASELINES[name] for name in FITTED},
        kinds=FITTED_TASKS,
        splits=(0,),
        seed=report.seed,
        progress=lambda share, message: progress(share, f"fitting again, {message}"),
    )
    stored = {(r.check, r.method, r.split, r.metric): r.value for r in report.rows}
    changed = _changed_files(report, sources.hashes)
    slack = (FITTED_SLACK, FITTED_SLACK)
    metrics = [
        MetricCheck("fitted", *key, stored[key], row.value, slack, judged=not changed)
        for row in refitted.rows
        if (key := (row.check, row.method, row.split, row.metric)) in stored
    ]
    notes = [f"Fitted again on the training listeners of split 0: {_listed(FITTED)}."]
    if changed:
        notes.append(
            f"The data here is not the report's ({_listed(changed)} differ or are missing), so the "
            "refitted baselines are shown beside the report and get no verdict."
        )
    return metrics, notes


def _evaluate_shipped_model(
    report: Report, assets: Path, sources: Sources
) -> tuple[list[MetricCheck], str]:
    """Evaluate the shipped model beside the report's towers; return metrics and a note."""
    from twotower.evaluation.methods.hub_corrections import LocalScaling
    from twotower.evaluation.methods.towers import TwoTowers, WithItemItem
    from twotower.evaluation.runner import REFERENCE, evaluate_model
    from twotower.model.embedder import Embedder

    try:
        embedder = Embedder.load(assets / "model")
    except MissingData as error:
        return [], f"The shipped model was not evaluated: {error}."
    method = LocalScaling(WithItemItem(TwoTowers(embedder)), REFERENCE.label)
    evaluated = evaluate_model(method, embedder.trained_on, sources, fits={}, kinds=MODEL_TASKS)
    stored = {(m.check, m.metric): m.value for m in report.means if m.method == method.name}
    metrics = [
        MetricCheck(
            "asked",
            mean.check,
            mean.method,
            None,
            mean.metric,
            stored.get((mean.check, mean.metric)),
            mean.value,
            (0, 0),
            judged=False,
        )
        for mean in evaluated.means
    ]
    return metrics, (
        "The shipped model was evaluated on listeners and playlists it has never seen. It was "
        "trained on more listeners than the models of the report, so the two are only compared."
    )


def _changed_files(report: Report, hashes: Mapping[str, str]) -> list[str]:
    """Return the data files that differ from those of the report, or are missing."""
    stored = report.header.get("data")
    known = stored if isinstance(stored, dict) else {}
    return sorted(name for name in {*known, *hashes} if known.get(name) != hashes.get(name))


def _listed(names: Sequence[str], most: int = 3) -> str:
    """Return `one, other and 3 more`."""
    rest = [f"{len(names) - most} more"] if len(names) > most else []
    *first, last = [*names[:most], *rest]
    return f"{', '.join(first)} and {last}" if first else last
