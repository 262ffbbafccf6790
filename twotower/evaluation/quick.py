"""The quick check: figures of the quality report, worked out again in less than a minute.

All ranks from the half-vectors that ship. With the raw data at hand also for real: plain baselines
are fitted anew, and the shipped model is asked about people it has never seen.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from twotower.core.errors import MissingData
from twotower.evaluation import halfvectors
from twotower.evaluation.report import QUALITY, Report, load_report
from twotower.evaluation.reranking import SLACK, rank_again
from twotower.evaluation.verdicts import Figure, Gap, Outcome
from twotower.sources.datasets.tables import FOLDERS

Progress = Callable[[float, str], None]  # share done 0..1, what is being done

FITTED_SLACK = 0.01  # of a figure of a baseline that another machine fitted
FITTED = ("idf cosine", "SVD-64", "ALS + content")  # no more than seconds each
FITTED_CHECKS = ("halves", "halves-head", "halves-playlists", "friends")
ASKED_CHECKS = ("halves-other", "halves-playlists")
_RANKED_SHARE = 0.15  # of the progress, where the data is there


def check_again(
    assets: Path, data: Path | None = None, *, on_progress: Progress | None = None
) -> Outcome:
    """Work figures of `assets/quality.json` out again; `data` is the folder of the public data.

    MissingData where there is nothing to do it with; IncompatibleModel where the half-vectors are
    not those of the report.
    """
    began = time.perf_counter()
    tell = on_progress or (lambda share, text: None)
    tell(0.0, "reading the report")
    report = load_report(assets / QUALITY)
    raw = data is not None and has_data(data)
    figures, gaps, notes = list(_added_up(report)), list[Gap](), list[str]()
    share = _RANKED_SHARE if raw else 1.0
    try:
        halves = halfvectors.read(assets / halfvectors.FILE, report)
    except MissingData as error:
        if not raw:
            raise MissingData(
                f"{error}; or name the folder of the public data in TWOTOWER_DATA"
            ) from error
        notes.append(f"No rank was worked out again: {error}.")
    else:
        ranked, differences = rank_again(
            report, halves, lambda part, text: tell(share * part, text)
        )
        figures += ranked
        gaps += differences
        notes.append(
            f"All ranks were worked out again from {halfvectors.FILE}: what the towers and the "
            "best baselines made of the halves, rounded to 16 bits, also after local scaling."
        )
    if data is None or not raw:
        notes.append("Nothing was fitted anew: the raw data is not here.")
    else:

        def tell_rest(part: float, text: str) -> None:
            tell(share + (1 - share) * part, text)

        fresh, said = _fresh(report, assets, data, tell_rest)
        figures += fresh
        notes += said
    tell(1.0, "done")
    return Outcome(tuple(figures), tuple(gaps), tuple(notes), time.perf_counter() - began)


def has_data(data: Path) -> bool:
    """Whether a folder has the one data set without which nothing can be fitted."""
    return (data / FOLDERS["hetrec"]).is_dir()


def _added_up(report: Report) -> Iterable[Figure]:
    """The means of the splits' rows, and the differences and gains of those means."""
    rows: dict[tuple[str, str, str], list[float]] = {}
    for row in report.rows:
        rows.setdefault((row.check, row.method, row.metric), []).append(row.value)
    means = {key: float(np.mean(values)) for key, values in rows.items()}
    exact = (SLACK, SLACK)
    for mean in report.means:
        again = means.get((mean.check, mean.method, mean.metric))
        yield Figure(
            "added up", mean.check, mean.method, None, mean.metric, mean.value, again, exact
        )
    for gap in (*report.differences, *report.beside):
        one, other = (
            means.get((gap.check, name, gap.metric)) for name in (gap.reference, gap.method)
        )
        again = None if one is None or other is None else one - other
        name = f"{gap.reference} minus {gap.method}"
        yield Figure("added up", gap.check, name, None, gap.metric, gap.value, again, exact)
    for gain in report.gains:
        one, other = (
            means.get((check, gain.method, gain.metric)) for check in (gain.check, gain.beside)
        )
        again = None if one is None or other is None else one - other
        name = f"{gain.method}, beside {gain.beside}"
        yield Figure("added up", gain.check, name, None, gain.metric, gain.value, again, exact)


def _fresh(
    report: Report, assets: Path, data: Path, tell: Progress
) -> tuple[list[Figure], list[str]]:
    """Baselines fitted on split 0, and the shipped model on those it has never seen."""
    from twotower.evaluation.methods.baselines import BASELINES
    from twotower.evaluation.methods.hub_corrections import LocalScaling
    from twotower.evaluation.methods.towers import TwoTowers, WithItemItem
    from twotower.evaluation.runner import REFERENCE, evaluate, evaluate_model
    from twotower.model.embedder import Embedder
    from twotower.sources.datasets.public import read_sources

    tell(0.0, "reading the data")
    sources = read_sources(data)
    seed = report.header.get("seed")
    found = evaluate(
        sources,
        fits={name: BASELINES[name] for name in FITTED},
        kinds=FITTED_CHECKS,
        splits=(0,),
        seed=seed if isinstance(seed, int) else 0,
        progress=lambda part, text: tell(0.3 + 0.5 * part, f"fitting anew, {text}"),
    )
    stored = {(r.check, r.method, r.split, r.metric): r.value for r in report.rows}
    other = _other_data(report, sources.hashes)
    figures = [
        Figure("fitted", *at, stored[at], row.value, (FITTED_SLACK, FITTED_SLACK), judged=not other)
        for row in found.rows
        if (at := (row.check, row.method, row.split, row.metric)) in stored
    ]
    notes = [f"Fitted anew on the training listeners of split 0: {_listed(FITTED)}."]
    if other:
        notes.append(
            f"The data here is not the report's ({_listed(other)} differ or are missing), so what "
            "was fitted on it stands beside the report and is not judged."
        )
    tell(0.8, "asking the shipped model")
    try:
        embedder = Embedder.load(assets / "model")
    except MissingData as error:
        return figures, [*notes, f"The shipped model was not asked: {error}."]
    asked = evaluate_model(
        LocalScaling(WithItemItem(TwoTowers(embedder)), REFERENCE.label),
        embedder.trained_on,
        sources,
        fits={},
        kinds=ASKED_CHECKS,
    )
    means = {(m.check, m.metric): m.value for m in report.means if m.method == REFERENCE.label}
    for m in asked.means:
        value = means.get((m.check, m.metric))
        figures.append(
            Figure("asked", m.check, m.method, None, m.metric, value, m.value, (0, 0), judged=False)
        )
    notes.append(
        "The shipped model was asked about listeners and playlists that it has never seen. It saw "
        "more in training than the models of the report, so its figures stand beside theirs."
    )
    return figures, notes


def _other_data(report: Report, hashes: Mapping[str, str]) -> list[str]:
    """The files at hand that are not those of the report."""
    told = report.header.get("data")
    known = told if isinstance(told, dict) else {}
    return sorted(name for name in {*known, *hashes} if known.get(name) != hashes.get(name))


def _listed(names: Sequence[str], most: int = 3) -> str:
    """`one, other and 3 more`."""
    rest = [f"{len(names) - most} more"] if len(names) > most else []
    *first, last = [*names[:most], *rest]
    return f"{', '.join(first)} and {last}" if first else last
