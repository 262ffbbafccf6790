"""Commands `assets` and `card`: rebuild what ships with the program."""

from pathlib import Path
from typing import Annotated

import typer

from twotower.cli.options import DataFolder, Json, Seed, data_folder
from twotower.cli.terminal import ProgressLine, show_result
from twotower.core.errors import MissingData
from twotower.core.settings import Settings


def assets(
    data: DataFolder = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder to write to. [default: TWOTOWER_ASSETS]"),
    ] = None,
    listeners: Annotated[
        int, typer.Option(min=100, help="Number of synthetic listeners.")
    ] = 10_000,
    keep_model: Annotated[
        bool, typer.Option("--keep-model", help="Keep the model; make its listeners again.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Rebuild what ships: the model, synthetic listeners, their vectors and their map.

    Takes minutes.
    """
    source = data_folder(data)
    target = out if out is not None else Settings.from_env().assets
    if target.exists() and not target.is_dir():
        raise typer.TyperException(f"{target} is a file; name a folder")
    if not source.is_dir():
        raise MissingData(
            "there is no such folder; docs/data.md says what it must contain", where=str(source)
        )
    with ProgressLine() as progress:
        from twotower.bundle.build import build_assets

        built = build_assets(
            source,
            target,
            seed=seed,
            listeners=listeners,
            keep_model=keep_model,
            progress=progress,
        )
    version, count = built.embedder.version, len(built.community.vectors["ids"])
    show_result(
        {
            "out": str(target),
            "version": version,
            "listeners": count,
            "about": dict(built.community.about),
        },
        f"{target}: model {version}, {count:,} synthetic listeners",
        json=json,
    )


def card() -> None:
    """Update the tables of the model card from the shipped community and quality.json."""
    from twotower.evaluation.model_card import fill

    typer.echo(str(fill(Settings.from_env().assets)))
