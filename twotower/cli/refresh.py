"""Command `refresh`: retrain on consenting members."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.options import Json, Seed, check_exists
from twotower.cli.terminal import CHECK_FAILED, ProgressLine, plain, show_result
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.retraining.refresh import RefreshOutcome

MIN_AGE_DAYS = 7  # so that nobody makes up members just before a retraining
MOST_NAMES = 100  # printed; --json has all


def refresh(
    back: Annotated[
        bool, typer.Option("--back", help="Go back to the previous model; train nothing.")
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps. [default: 200]")] = None,
    share: Annotated[
        int | None,
        typer.Option(
            min=2, help="Consenting listeners that a new artist needs at least. [default: 5]"
        ),
    ] = None,
    names: Annotated[
        Path | None, typer.Option(help="File with new artists that you confirm, one a line.")
    ] = None,
    min_age: Annotated[
        int, typer.Option(min=0, help="Days since a member joined; newer ones aren't read.")
    ] = MIN_AGE_DAYS,
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
        if steps or share or seed or dry_run or names:
            raise typer.TyperException("--back goes with --json alone")
        _go_back(json=json)
        return
    confirmed = [] if names is None else _read_names(names)
    with ProgressLine() as progress:
        progress(0.0, "loading the model")
        from twotower.retraining.full import STEPS
        from twotower.retraining.new_artist_rules import MIN_LISTENERS
        from twotower.retraining.refresh import refresh as retrain

        outcome = retrain(
            Settings.from_env(),
            steps=steps or STEPS,
            min_listeners=share or MIN_LISTENERS,
            min_age_days=min_age,
            names=confirmed,
            seed=seed,
            dry_run=dry_run,
            progress=progress,
        )
    show_result(outcome.to_dict(), _outcome_text(outcome), json=json)
    if not outcome.is_good:
        typer.echo(f"error: the previous model stays active: {outcome.reason}", err=True)
        raise typer.Exit(CHECK_FAILED)


def _read_names(file: Path) -> list[str]:
    """Return the artists in a file, one a line; blank lines are left out."""
    from twotower.core.names import is_artist_name

    check_exists(file)
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if is_artist_name(line)]


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
    if outcome.unconfirmed:
        listed = ", ".join(map(plain, outcome.unconfirmed[:MOST_NAMES]))
        lines.append(
            f"{len(outcome.unconfirmed):,} names with enough listeners wait for your confirmation "
            f"(--names): {listed}"
        )
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
