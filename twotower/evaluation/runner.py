"""How well a method finds people of the same taste: one path for the towers and every baseline.

`evaluate` fits each method on each split and asks all the same; `evaluate_model` asks a stored
model about those that it was not trained on.
"""

import contextlib
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from twotower.evaluation.checks import (
    CHECKS,
    Part,
    Retrieval,
    Task,
    hold_out,
    hold_out_unseen,
    make_tasks,
    make_trials,
)
from twotower.evaluation.methods.base import SCALED, Fit, Method, remembered
from twotower.evaluation.methods.baselines import BASELINES
from twotower.evaluation.methods.hub_corrections import LocalScaling, scaled
from twotower.evaluation.methods.towers import OneWay, Similarity, TwoTowers, WithCompanions
from twotower.evaluation.report import Report
from twotower.evaluation.tally import Tally
from twotower.model.embedder import Embedder
from twotower.retrieval.similarity import HUB_SHARE
from twotower.sources.datasets.public import Sources, Training, read_sources

TOWERS = "two towers"
COMPANIONS = f"{TOWERS} + companions"
REFERENCE = COMPANIONS + SCALED  # what stands for us, for a baseline may be scaled too
ALONE = TOWERS + SCALED  # compared with every baseline beside it
FINAL = f"{TOWERS} + same artists"  # what the app ranks by
COMPARED_BY = {"friends": FINAL, "discover": FINAL}  # ask whole profiles, as a person is ranked

Progress = Callable[[float, str], None]  # share done 0..1, what is being done
Asked = Callable[[str, int, Task, Method], None]  # of which name and split, what, and whom


def compared(towers: Callable[[Training], TwoTowers]) -> dict[str, Fit]:
    """The towers in all their ways, and the baselines, by name; the towers are trained once.

    The headline is the mean of both ways and a share for artists that go together, after local
    scaling. Beside it stand the towers without the one or the other, the cosine of one way, and
    what the app ranks by, which adds a share for the very same artists.
    """
    towers = remembered(towers)

    @remembered
    def companions(training: Training) -> WithCompanions:
        return WithCompanions(towers(training))

    def final(training: Training) -> Method:
        similar = Similarity(towers(training).embedder)
        return LocalScaling(similar, FINAL, share=HUB_SHARE, of_whole=True)

    one_way = f"{TOWERS}, one way"
    return {
        TOWERS: towers,
        one_way: lambda training: OneWay(towers(training).embedder, one_way),
        ALONE: scaled(towers),
        COMPANIONS: companions,
        REFERENCE: scaled(companions),
        FINAL: final,
        **BASELINES,
    }


def evaluate(
    data: Path | Sources,
    *,
    fits: Mapping[str, Fit] = BASELINES,
    checks: Collection[str] = CHECKS,
    splits: Sequence[int] = (0, 1, 2),
    part: Part = "test",
    seed: int = 0,
    reference: str = REFERENCE,
    command: str = "",
    on_progress: Progress | None = None,
    on_asked: Asked | None = None,
) -> Report:
    """Fit every method on every split, ask all the same, and report with paired intervals.

    Differences are those of the `reference` method minus each other, where it is among `fits`.
    `part="validation"` asks the validation listeners and leaves the test alone: for choosing.
    `on_asked` is called with every question after it was asked, to keep more of it than figures.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    tally = Tally()
    for turn, number in enumerate(splits):
        trials = make_trials(sources, hold_out(sources, number, part=part, seed=seed), checks)
        for at, trial in enumerate(trials):
            for place, (name, fit) in enumerate(fits.items()):
                if on_progress is not None:
                    done = (turn + (at + place / len(fits)) / len(trials)) / len(splits)
                    on_progress(done, f"split {number}: {name}")
                ask(fit(trial.training), name, number, trial.tasks, tally, on_asked)
    if on_progress is not None:
        on_progress(1.0, "done")
    about = {"part": part, "splits": list(splits), **header(sources, checks, seed, command)}
    by_check, beside = (COMPARED_BY, ALONE) if reference == REFERENCE else ({}, "")
    return tally.report(about, reference=reference, by_check=by_check, beside=beside, seed=seed)


def ask(
    method: Method,
    name: str,
    number: int,
    tasks: Sequence[Task],
    tally: Tally,
    on_asked: Asked | None = None,
) -> None:
    for task in tasks:
        if isinstance(method, LocalScaling) and method.of_whole and isinstance(task, Retrieval):
            continue  # of two halves that share no artist by construction it says nothing
        for metric, values in task.measure(method).items():
            tally.add(task.check, metric, name, number, task.ids, values)
        if on_asked is not None:
            on_asked(name, number, task, method)


def evaluate_model(
    method: Method,
    trained_on: Collection[str],
    data: Path | Sources,
    *,
    fits: Mapping[str, Fit] = BASELINES,
    checks: Collection[str] = CHECKS,
    known: Collection[str] | None = None,
    seed: int = 0,
    command: str = "",
    on_progress: Progress | None = None,
) -> Report:
    """Ask a stored model about those whose `hashed_id` is not in `trained_on`, and baselines too.

    The baselines are fitted on just the listeners and playlists that the model saw; there are none
    where it saw no listener of HetRec. `known` are the model's artist keys, for halves-other;
    without them the artists of those listeners count. A check in which fewer than two are left to
    ask is not in the report; its header names it.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    sources, held = hold_out_unseen(sources, trained_on, known=known, seed=seed)
    tasks = make_tasks(sources, held, checks)
    methods: dict[str, Fit] = {method.name: lambda _: method}
    if held.training.listeners:
        methods.update(fits)
    tally = Tally()
    for place, (name, fit) in enumerate(methods.items()):
        if on_progress is not None:
            on_progress(place / len(methods), name)
        ask(fit(held.training), name, 0, tasks, tally)
    if on_progress is not None:
        on_progress(1.0, "done")
    about = {
        "part": "unseen by the model",
        "left out": [check for check in checks if not make_tasks(sources, held, (check,))],
        **header(sources, checks, seed, command),
    }
    return tally.report(about, reference=method.name, by_check=COMPARED_BY, seed=seed)


def evaluate_embedder(
    embedder: Embedder,
    data: Path | Sources,
    *,
    checks: Collection[str] = CHECKS,
    seed: int = 0,
    command: str = "",
    on_progress: Progress | None = None,
) -> Report:
    """Evaluate a trained model, with hub correction, beside all baselines of `compared`.

    Only listeners that it was not trained on are used. Raises MissingData without the data sets.
    """
    towers = TwoTowers(embedder)
    return evaluate_model(
        LocalScaling(WithCompanions(towers), REFERENCE),
        embedder.trained_on,
        data,
        fits=compared(lambda _: towers),
        checks=checks,
        known=embedder.catalogue.keys,
        seed=seed,
        command=command,
        on_progress=on_progress,
    )


def header(sources: Sources, checks: Collection[str], seed: int, command: str) -> dict[str, Any]:
    return {
        "checks": list(checks),
        "seed": seed,
        "command": command,
        "data": dict(sources.hashes),
        "missing data": list(sources.missing),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("numpy", "scipy", "scikit-learn", "torch", "implicit"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
