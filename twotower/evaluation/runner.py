"""Evaluate the towers and all baselines by the same tasks.

`evaluate` fits each method on each split; `evaluate_model` takes a stored model and evaluates it on
listeners that it was not trained on.
"""

import contextlib
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from twotower.core.jobs import Progress, silent
from twotower.evaluation.coverage import METHOD
from twotower.evaluation.data import Part, hold_out, hold_out_unseen
from twotower.evaluation.methods.base import Fit, Scorer, memoised
from twotower.evaluation.methods.baselines import BASELINES
from twotower.evaluation.methods.hub_corrections import LocalScaling, scaled
from twotower.evaluation.methods.towers import AppSimilarity, OneWay, TwoTowers, WithItemItem
from twotower.evaluation.report import Report
from twotower.evaluation.run_files import Run
from twotower.evaluation.specs import MethodSpec, TaskKind
from twotower.evaluation.tally import Tally
from twotower.evaluation.tasks import Retrieval, Task
from twotower.evaluation.trials import DEFAULT_TASKS, make_tasks, make_trials
from twotower.evaluation.verify_data import VectorRecorder
from twotower.model.embedder import Embedder
from twotower.retrieval.similarity import HUB_SHARE
from twotower.sources.datasets.public import Sources, Training, read_sources

TOWERS = MethodSpec("two towers")
ONE_WAY = replace(TOWERS, one_way=True)
WITH_ITEM_ITEM = replace(TOWERS, item_item="companions")
APP = replace(TOWERS, overlap=True)  # the similarity that the app ranks by
REFERENCE = WITH_ITEM_ITEM.scaled  # compared with every other method
SECOND_REFERENCE = TOWERS.scaled  # compared, too, by MRR
# Tasks with whole profiles, as in the app, have a reference of their own.
REFERENCE_BY_CHECK = {kind.value: APP.label for kind in (TaskKind.FRIENDS, TaskKind.DISCOVER)}

OnMeasured = Callable[[str, int, Task, Scorer], None]  # method name, split, task, method


def compared_methods(towers: Callable[[Training], TwoTowers]) -> dict[str, Fit]:
    """Return label -> fit for all variants of the towers and all baselines.

    The variants share one training of the towers.
    """
    towers = memoised(towers)

    @memoised
    def with_item_item(training: Training) -> WithItemItem:
        return WithItemItem(towers(training))

    def app(training: Training) -> Scorer:
        similarity = AppSimilarity(towers(training).embedder)
        return LocalScaling(similarity, APP.label, share=HUB_SHARE, whole_profiles_only=True)

    return {
        TOWERS.label: towers,
        ONE_WAY.label: lambda training: OneWay(towers(training).embedder),
        TOWERS.scaled.label: scaled(towers),
        WITH_ITEM_ITEM.label: with_item_item,
        WITH_ITEM_ITEM.scaled.label: scaled(with_item_item),
        APP.label: app,
        **BASELINES,
    }


def evaluate(
    data: Path | Sources,
    *,
    fits: Mapping[str, Fit] = BASELINES,
    kinds: Collection[str] = DEFAULT_TASKS,
    splits: Sequence[int] = (0, 1, 2),
    part: Part = "test",
    seed: int = 0,
    reference: str = REFERENCE.label,
    command: str = "",
    progress: Progress = silent,
) -> Report:
    """Fit every method on every split, measure all tasks, and report paired intervals.

    fits       label -> fit; the differences are those of `reference` to each other method
    part       "validation" evaluates on validation listeners and leaves the test untouched
    """
    run = measure(
        data,
        fits=fits,
        kinds=kinds,
        splits=splits,
        part=part,
        seed=seed,
        command=command,
        progress=progress,
    )
    return report_of(run, reference=reference)


def measure(
    data: Path | Sources,
    *,
    fits: Mapping[str, Fit] = BASELINES,
    kinds: Collection[str] = DEFAULT_TASKS,
    splits: Sequence[int] = (0, 1, 2),
    part: Part = "test",
    seed: int = 0,
    command: str = "",
    progress: Progress = silent,
) -> Run:
    """Fit every method on every split and measure all tasks, for `report_of`.

    The arguments are those of `evaluate`.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    tally, vectors = Tally(), VectorRecorder(seed=seed)
    for turn, number in enumerate(splits):
        trials = make_trials(sources, hold_out(sources, number, part=part, seed=seed), kinds)
        for row, trial in enumerate(trials):
            for column, (name, fit) in enumerate(fits.items()):
                if trial.method not in ("", name):
                    continue
                done = (turn + (row + column / len(fits)) / len(trials)) / len(splits)
                progress(done, f"split {number}: {name}")
                measure_tasks(fit(trial.training), name, number, trial.tasks, tally, vectors)
    progress(1.0, "done")
    header = {"part": part, "splits": list(splits), **make_header(sources, kinds, seed, command)}
    return Run(header, tally, vectors)


def report_of(run: Run, *, reference: str = REFERENCE.label) -> Report:
    """Return the report of a run: rows, means, and the differences of `reference` to each method.

    With the usual reference, whole-profile tasks have one of their own, and there is a second.
    """
    seed = run.header["seed"]
    if reference != REFERENCE.label:
        return run.tally.report(run.header, reference=reference, seed=seed)
    return run.tally.report(
        run.header,
        reference=reference,
        by_check=REFERENCE_BY_CHECK,
        beside=SECOND_REFERENCE.label,
        seed=seed,
    )


def evaluate_model(
    method: Scorer,
    trained_on: Collection[str],
    data: Path | Sources,
    *,
    fits: Mapping[str, Fit] = BASELINES,
    kinds: Collection[str] = DEFAULT_TASKS,
    known: Collection[str] | None = None,
    seed: int = 0,
    command: str = "",
    progress: Progress = silent,
) -> Report:
    """Evaluate a stored model on listeners it was not trained on, and baselines too.

    trained_on  `hashed_id` of each profile the model was trained on; the baselines are fitted on
                the same listeners and playlists, if there are listeners of HetRec among them
    known       artist keys of the model; without it, those of its training listeners

    A kind of task with fewer than two listeners is left out, and named in the report's header.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    sources, split = hold_out_unseen(sources, trained_on, known=known, seed=seed)
    tasks = make_tasks(sources, split, kinds)
    methods: dict[str, Fit] = {method.name: lambda _: method}
    if split.training.listeners:
        methods.update(fits)
    tally = Tally()
    for done, (name, fit) in enumerate(methods.items()):
        progress(done / len(methods), name)
        measure_tasks(fit(split.training), name, 0, tasks, tally)
    progress(1.0, "done")
    header = {
        "part": "unseen by the model",
        "left out": [str(kind) for kind in kinds if not make_tasks(sources, split, (kind,))],
        **make_header(sources, kinds, seed, command),
    }
    return tally.report(header, reference=method.name, by_check=REFERENCE_BY_CHECK, seed=seed)


def evaluate_embedder(
    embedder: Embedder,
    data: Path | Sources,
    *,
    kinds: Collection[str] = DEFAULT_TASKS,
    seed: int = 0,
    command: str = "",
    progress: Progress = silent,
) -> Report:
    """Evaluate a trained model, with hub correction, and all methods of `compared_methods`.

    Only listeners that it was not trained on are used. Raises MissingData without the data sets.
    """
    towers = TwoTowers(embedder)
    return evaluate_model(
        LocalScaling(WithItemItem(towers), REFERENCE.label),
        embedder.trained_on,
        data,
        fits=compared_methods(lambda _: towers),
        kinds=kinds,
        known=embedder.catalogue.keys,
        seed=seed,
        command=command,
        progress=progress,
    )


def measure_tasks(
    method: Scorer,
    name: str,
    number: int,
    tasks: Sequence[Task],
    tally: Tally,
    on_measured: OnMeasured | None = None,
) -> None:
    """Add the metrics of a fitted method to the tally, under this name and split number."""
    for task in tasks:
        if _needs_whole_profiles(method) and isinstance(task, Retrieval):
            continue  # two halves share no artist, so artist overlap is always zero
        if task.spec.kind is TaskKind.COVERAGE and name != METHOD.label:
            continue  # baselines have no confidence, and other variants of the towers the same
        for metric, values in task.measure(method).items():
            tally.add(task.spec.label, metric, name, number, task.ids, values)
        if on_measured is not None:
            on_measured(name, number, task, method)


def _needs_whole_profiles(method: Scorer) -> bool:
    return isinstance(method, LocalScaling) and method.whole_profiles_only


def make_header(
    sources: Sources, kinds: Collection[str], seed: int, command: str
) -> dict[str, Any]:
    """Return the part of a report's header that makes a run repeatable."""
    return {
        "checks": [str(kind) for kind in kinds],
        "seed": seed,
        "command": command,
        "data": dict(sources.hashes),
        "missing data": list(sources.missing),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("numpy", "scipy", "scikit-learn", "torch", "implicit"):
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
