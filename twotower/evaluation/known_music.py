"""Coverage and MRR of each source of listeners: which music the model knows."""

from dataclasses import dataclass

from twotower.evaluation.report import Report
from twotower.evaluation.specs import TaskKind, TaskSpec
from twotower.evaluation.summary import compare_with_best, means_by_method, tasks

LISTENING, GENRE = "known from listening", "by genre only"  # metrics of the coverage tasks
_COVERAGE = "coverage"  # label of a coverage task, before the name of its data set
# Tasks without a data set in their label, and the name of theirs.
_OWN_TASKS = {"hetrec": TaskSpec(TaskKind.HALVES), "mpd": TaskSpec(TaskKind.PLAYLISTS)}


@dataclass(frozen=True, slots=True)
class KnownMusic:
    """One source of listeners that were held out."""

    source: str  # name of the data set
    by_listening: float | None  # share of the plays by artists known from listening
    by_genre: float | None  # share of the plays by artists known by genre only
    mrr: float | None  # of the towers in split-half retrieval
    best: float | None  # MRR of the best baseline, chosen afterwards
    baseline: str  # its name, "" if there is none

    @property
    def unknown(self) -> float | None:
        """The share of the plays by artists that the model doesn't know."""
        if self.by_listening is None or self.by_genre is None:
            return None
        return max(0.0, 1 - self.by_listening - self.by_genre)


def known_music(report: Report) -> tuple[KnownMusic, ...]:
    """Return a row for each source that the report has lists or coverage of.

    Empty if the report has neither: an older one.
    """
    today = {task.dataset: task for task in tasks(report) if task.kind is TaskKind.TODAY}
    task_of = _OWN_TASKS | {name: task for name, task in today.items() if name}
    rows = [_row(report, name, task.label) for name, task in task_of.items()]
    if not today and all(row.by_listening is None for row in rows):
        return ()
    return tuple(row for row in rows if (row.mrr, row.by_listening) != (None, None))


def _row(report: Report, source: str, check: str) -> KnownMusic:
    best = compare_with_best(report, check, "MRR")
    return KnownMusic(
        source,
        _share(report, source, LISTENING),
        _share(report, source, GENRE),
        None if best is None else best.towers,
        None if best is None else best.best,
        "" if best is None else best.baseline,
    )


def _share(report: Report, source: str, metric: str) -> float | None:
    """Return a share of the plays; it is the same for every method that has it."""
    means = means_by_method(report, f"{_COVERAGE}, {source}", metric)
    return next(iter(means.values()), None)
