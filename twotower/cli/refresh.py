"""Command `refresh`: retrain on consenting members."""

from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.options import Json, Seed
from twotower.cli.terminal import CHECK_FAILED, ProgressLine, show_result
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.retraining.refresh import RefreshOutcome


def refresh(
    back: Annotated[
        bool, typer.Option("--back", help="Go back to the previous model; train nothing.")
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps. [default: 200]")] = None,
    share: Annotated[
        int | None,
        typer.Option(min=2, help="Consenting listeners that a new artist needs. [default: 5]"),
    ] = None,
    seed: Seed = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train and compare only; store nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Retrain the model on members who agreed to training.

    The new model becomes active only if no task regresses; else the exit code is 1.
    """
    if back:
        if steps or share or seed or dry_run:
            raise typer.TyperException("--back goes with --json alone")
        _go_back(json=json)
        return
    with ProgressLine() as progress:
        progress(0.0, "loading the model")
        from twotower.retraining.consent import MIN_LISTENERS
        from twotower.retraining.full import STEPS
        from twotower.retraining.refresh import refresh as retrain

        outcome = retrain(
            Settings.from_env(),
            steps=steps or STEPS,
            min_listeners=share or MIN_LISTENERS,
            seed=seed,
            dry_run=dry_run,
            progress=progress,
        )
    show_result(outcome.to_dict(), _outcome_text(outcome), json=json)
    if not outcome.is_good:
        typer.echo(f"error: the previous model stays active: {outcome.reason}", err=True)
        raise typer.Exit(CHECK_FAILED)


def _go_back(*, json: bool) -> None:
    with ProgressLine() as progress:
        progress(0.0, "loading the previous model")
        from twotower.retraining.rollback import roll_back

        replaced, active = roll_back(Settings.from_env(), progress=progress)
    show_result(
        {"before": replaced, "model": active},
        f"model {active} is active again, in place of {replaced}",
        json=json,
    )


def _outcome_text(outcome: "RefreshOutcome") -> str:
    base = "and the base data" if outcome.base else "without the base data"
    lines = [
        f"trained on {outcome.consenting:,} consenting listeners {base}",
        f"{outcome.new_artists:,} new artists; {outcome.left_out:,} left out: too few listeners",
        *map(str, outcome.checks),
    ]
    if outcome.moved:
        lines.append(
            "map: half of the listeners moved by less than "
            f"{outcome.moved['median']:.2f} standard deviations, 90 % by less than "
            f"{outcome.moved['p90']:.2f}"
        )
    if outcome.switched:
        lines.append(f"model {outcome.model} is active, in place of {outcome.before}")
    elif outcome.dry_run and outcome.is_good:
        lines.append(f"dry run: no task regressed; model {outcome.before} stays active")
    return "\n".join(lines)
