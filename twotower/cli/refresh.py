"""A community whose model learns on."""

from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.options import Json, Seed
from twotower.cli.terminal import DIFFERS, Progress, show_json
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.retraining.refresh import Outcome


def refresh(
    back: Annotated[
        bool, typer.Option("--back", help="Serve the model before again, and learn nothing.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of the training that goes on; fewer are sooner.")
    ] = None,
    share: Annotated[
        int | None,
        typer.Option(min=2, help="Consenting listeners that an artist unknown so far needs."),
    ] = None,
    seed: Seed = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Learn and check only; serve and keep nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Learn on from those who said yes to training.

    The new model is served only where no check fell; exit code 1 where it is not.
    """
    if back:
        if steps or share or seed or dry_run:
            raise typer.TyperException("--back goes with --json alone")
        _back(json)
        return
    with Progress() as tell:
        tell(0.0, "loading the model")
        from twotower.retraining.consent import SHARE_OF
        from twotower.retraining.full import STEPS
        from twotower.retraining.refresh import refresh as renew

        outcome = renew(
            Settings.from_env(),
            steps=steps or STEPS,
            share=share or SHARE_OF,
            seed=seed,
            dry_run=dry_run,
            progress=tell,
        )
    if json:
        show_json(outcome.to_dict())
    else:
        typer.echo(_told(outcome))
    if not outcome.good:
        typer.echo(f"error: the model before is served on: {outcome.reason}", err=True)
        raise typer.Exit(DIFFERS)


def _back(json: bool) -> None:
    with Progress() as tell:
        tell(0.0, "loading the model before")
        from twotower.retraining.refresh import back

        before, now = back(Settings.from_env(), progress=tell)
    if json:
        show_json({"before": before, "model": now})
    else:
        typer.echo(f"model {now} is served again, in place of {before}")


def _told(outcome: "Outcome") -> str:
    lines = [
        f"{outcome.consenting:,} consenting listeners "
        f"{'and the base data' if outcome.base else 'without base data'}, "
        f"{outcome.new_artists:,} new artists, {outcome.left_out:,} left out that too few share",
        *map(str, outcome.checks),
    ]
    if outcome.moved:
        lines.append(
            f"map: half of the listeners moved by less than {outcome.moved['median']:.2f}, nine in "
            f"ten by less than {outcome.moved['p90']:.2f} standard deviations"
        )
    if outcome.switched:
        lines.append(f"model {outcome.model} is served, in place of {outcome.before}")
    elif outcome.dry_run and outcome.good:
        lines.append(f"dry run: no check fell; model {outcome.before} is served on")
    return "\n".join(lines)
