"""The check `calibration` of the command `evaluate`: the band of a match."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from twotower.cli.options import load_model
from twotower.core.jobs import Progress
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.evaluation.report import Report

CHECK = "calibration"


def check_band_folder(folder: Path | None, checks: Sequence[str] | None) -> None:
    """Raise TyperException if a band can't be written to `folder`, or isn't fitted at all."""
    if folder is not None and not folder.is_dir():
        raise typer.TyperException(f"{folder} is no folder; name the folder of a model's assets")
    if folder is not None and checks != [CHECK]:
        raise typer.TyperException(f"--band goes with --check {CHECK} alone")


def measure_calibration(
    model: Path | None,
    data: Path,
    splits: Sequence[int],
    band: Path | None,
    seed: int,
    command: str,
    progress: Progress,
) -> "Report":
    """Measure the coverage of the band; write the fitted band to the folder `band`."""
    from twotower.bundle.shipped import synthetic_profiles
    from twotower.evaluation.calibration_report import evaluate_calibration

    result = evaluate_calibration(
        data,
        synthetic_profiles(Settings.from_env().assets),
        model=None if model is None else load_model(model),
        splits=splits,
        seed=seed,
        command=command,
        progress=progress,
    )
    if band is not None:
        result.band.save(band)
    return result.report
