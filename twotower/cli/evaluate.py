"""Commands `evaluate`, `ablate`, `learning-curve`, `calibrate`: how good a model is, how sure."""

import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.calibration import CHECK as CALIBRATION
from twotower.cli.calibration import check_band_folder, measure_calibration
from twotower.cli.options import (
    DataFolder,
    Json,
    ModelFolder,
    ReportFile,
    Seed,
    check_writable,
    data_folder,
    load_model,
)
from twotower.cli.terminal import CHECK_FAILED, ProgressLine, show_result
from twotower.core.files import atomic_write
from twotower.core.jobs import Progress
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.evaluation.report import Report
    from twotower.evaluation.run_files import Run

Steps = Annotated[
    int | None,
    typer.Option(min=1, help="Steps of each training. [default: as the shipped model]"),
]
MakeReport = Callable[[str, Progress], "Report"]  # (command line, progress) -> report


def evaluate(
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Evaluate this model. [default: train new towers on each split]"
        ),
    ] = None,
    data: DataFolder = None,
    check: Annotated[
        list[str] | None, typer.Option(help="Run only this task; repeat for several.")
    ] = None,
    split: Annotated[
        list[int] | None, typer.Option(min=0, help="Run only split 0, 1 or 2; repeat for several.")
    ] = None,
    out: ReportFile = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add the results to the report that --out names.")
    ] = False,
    save_values: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the values of each listener, for --join."),
    ] = None,
    join: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Report what --save-values wrote, measuring nothing; repeat."
        ),
    ] = None,
    band: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the band that --check calibration fits."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only verify the shipped report, in under a minute.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure how good a model is, beside plain baselines.

    Each task hides part of a listener and looks for it again. Without --model, training takes
    minutes.
    """
    if quick:
        if model or check or split or out or add or seed or save_values or join or band:
            raise typer.TyperException("--quick goes with --data and --json alone")
        _verify_shipped_report(data, json=json)
        return
    if join:
        if model or check or split or add or seed or save_values or data or band:
            raise typer.TyperException("--join goes with --out and --json alone")
        _report(lambda _, __: _joined_report(join, out), out, json=json)
        return
    check_band_folder(band, check)
    if check == [CALIBRATION]:
        if add or save_values:
            raise typer.TyperException(f"--check {CALIBRATION} has no --add and no --save-values")
        _report(
            lambda command, progress: measure_calibration(
                model, data_folder(data), split or (0, 1, 2), band, seed, command, progress
            ),
            out,
            json=json,
        )
        return
    tasks = _known_tasks(check)
    if add and (out is None or model is not None):
        raise typer.TyperException("--add needs --out, and doesn't go with --model")
    if save_values is not None:
        if add or model is not None:
            raise typer.TyperException("--save-values doesn't go with --add or --model")
        check_writable(save_values)
    folder = data_folder(data)

    def make(command: str, progress: Progress) -> "Report":
        if model is not None:
            return _evaluate_model(model, folder, tasks, seed, command, progress)
        stored = _stored_report(out) if add else None
        run = _measure(folder, tasks, tuple(split or (0, 1, 2)), seed, command, progress)
        if save_values is not None:
            _save_values(save_values, run)
        return _report_of(run, out, stored)

    _report(make, out, json=json)


def _known_tasks(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the tasks to run, by default the standard ones."""
    from twotower.evaluation.trials import ALL_TASKS, DEFAULT_TASKS

    if CALIBRATION in (names or ()):
        raise typer.TyperException(
            f"--check {CALIBRATION} runs alone; run the others in another call"
        )
    tasks = tuple(names or DEFAULT_TASKS)
    _check_known("task", tasks, (*ALL_TASKS, CALIBRATION))
    return tasks


def _evaluate_model(
    model: Path, data: Path, tasks: Sequence[str], seed: int, command: str, progress: Progress
) -> "Report":
    """Evaluate a stored model on listeners that it was not trained on."""
    from twotower.evaluation.runner import evaluate_embedder

    return evaluate_embedder(
        load_model(model), data, kinds=tasks, seed=seed, command=command, progress=progress
    )


def _measure(
    data: Path,
    tasks: Sequence[str],
    splits: Sequence[int],
    seed: int,
    command: str,
    progress: Progress,
) -> "Run":
    """Train the towers and the baselines on each split, and measure them."""
    from twotower.evaluation import runner
    from twotower.evaluation.methods.towers import two_towers

    return runner.measure(
        data,
        fits=runner.compared_methods(two_towers()),
        kinds=tasks,
        splits=splits,
        seed=seed,
        command=command,
        progress=progress,
    )


def _save_values(path: Path, run: "Run") -> None:
    from twotower.evaluation.run_files import save_run

    save_run(path, run)


def _joined_report(paths: Sequence[Path], out: Path | None) -> "Report":
    """Return one report of the runs in these files, as if they had been one run."""
    from twotower.evaluation.run_files import join_runs, load_run

    try:
        return _report_of(join_runs([load_run(path) for path in paths]), out)
    except ValueError as error:
        raise typer.TyperException(f"these runs can't be joined: {error}") from error


def _stored_report(path: Path | None) -> "Report | None":
    from twotower.evaluation.report import load_report

    return None if path is None else load_report(path)


def _report_of(run: "Run", out: Path | None, stored: "Report | None" = None) -> "Report":
    """Return the report of a run, added to a stored one if given.

    A new quality.json gets its half-vectors written beside it.
    """
    from twotower.evaluation.report import QUALITY
    from twotower.evaluation.runner import report_of
    from twotower.evaluation.verify_data import VECTORS

    report = report_of(run)
    if stored is not None:
        return _merge(stored, report)
    if out is not None and out.name == QUALITY:
        return run.vectors.write(out.with_name(VECTORS), report)
    return report


def _merge(stored: "Report", more: "Report") -> "Report":
    try:
        return stored.with_more(more)
    except ValueError as error:
        raise typer.TyperException(f"nothing was added: {error}") from error


def _verify_shipped_report(data: Path | None, *, json: bool) -> None:
    """Recompute figures of the shipped report; exit code 1 if one differs."""
    from twotower.evaluation.verify import verify_report

    settings = Settings.from_env()
    with ProgressLine() as progress:
        verification = verify_report(settings.assets, data or settings.data, progress=progress)
    show_result(verification.to_dict(), verification.to_text(), json=json)
    if verification.differing:
        typer.echo(f"error: {verification.summary()}", err=True)
        raise typer.Exit(CHECK_FAILED)


def ablate(
    data: DataFolder = None,
    out: ReportFile = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Train only this variant and the default; repeat for several."),
    ] = None,
    steps: Steps = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure what each part of the model and its training is worth.

    Trains each variant and compares them on validation listeners, which takes minutes.
    """
    from twotower.evaluation.ablation import DEFAULT, VARIANTS
    from twotower.evaluation.ablation import ablate as compare

    _check_known("variant", variant or (), VARIANTS)
    names = {DEFAULT, *(variant or VARIANTS)}
    variants = {name: each for name, each in VARIANTS.items() if name in names}
    folder = data_folder(data)

    def make(command: str, progress: Progress) -> "Report":
        return compare(
            folder,
            variants=variants,
            steps=steps,
            seed=seed,
            command=command,
            progress=progress,
        )

    _report(make, out, json=json)


def learning_curve(
    data: DataFolder = None,
    out: ReportFile = None,
    steps: Steps = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure how the towers and ALS improve with more listeners."""
    from twotower.evaluation.ablation import learning_curve as measure

    folder = data_folder(data)

    def make(command: str, progress: Progress) -> "Report":
        return measure(folder, steps=steps, seed=seed, command=command, progress=progress)

    _report(make, out, json=json)


def calibrate(
    model: ModelFolder = None,
    data: DataFolder = None,
    split: Annotated[
        list[int] | None, typer.Option(min=0, help="Train on split 0, 1 or 2; repeat for several.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Fit how sure a model is of a profile, and store the curve with the model.

    Trains new towers on each split, which takes minutes: a stored model has seen everybody.
    """
    from twotower.evaluation.calibrate import calibrate as fit
    from twotower.model.confidence import BOUNDS, FILE
    from twotower.model.embedder import Embedder

    folder = model if model is not None else Settings.from_env().model
    Embedder.load(folder)  # refuses another folder before any work is done
    splits = tuple(split or (0, 1, 2))
    with ProgressLine() as progress:
        progress(0.0, "reading the data")
        curve = fit(data_folder(data), splits=splits, seed=seed, progress=progress)
    curve.save(folder)
    knots = [list(knot) for knot in zip(curve.scores, curve.mrr, strict=True)]
    document = {"out": str(folder / FILE), "knots": knots, "bounds": list(BOUNDS)}
    lines = [f"{score:10.3f}  {mrr:.3f}" for score, mrr in knots]
    text = "\n".join([f"{folder / FILE}: score of the evidence, expected MRR", *lines])
    show_result(document, text, json=json)


def _check_known(kind: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raise TyperException if a name is unknown, with the known ones."""
    if unknown := set(names) - set(known):
        raise typer.TyperException(
            f"unknown {kind} {', '.join(sorted(unknown))}; choose from {', '.join(known)}"
        )


def _report(make: MakeReport, out: Path | None, *, json: bool) -> None:
    """Make a report with progress; write it to `out`, and print it."""
    if out is not None:
        check_writable(out)
    command = shlex.join(["python", "-m", "twotower", *sys.argv[1:]])
    with ProgressLine() as progress:
        progress(0.0, "reading the data")
        report = make(command, progress)
    if out is not None:
        with atomic_write(out) as file:
            file.write(f"{report.to_json()}\n".encode())
    show_result(report.to_dict(), report.to_text(), json=json)
