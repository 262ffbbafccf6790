"""Commands of an operator: `community init`, `import`, `stats`, `backup` and `index`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.options import Json, check_exists, check_writable, load_matcher
from twotower.cli.terminal import ProgressLine, plain, show_result
from twotower.core.jobs import Progress, silent
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.community import Community
    from twotower.community.bulk_import import ImportResult
    from twotower.matching.matcher import Matcher

NO_MODEL = "no-model"  # a model version without vectors, for commands that compare nobody
MAX_REFUSED_LINES = 20  # printed; --json has all


def init(
    seeded: Annotated[
        bool, typer.Option("--seeded/--empty", help="Add the synthetic listeners that ship.")
    ] = True,
    json: Json = False,
) -> None:
    """Create the community. An existing one stays as it is."""
    if seeded:
        with open_matcher() as matcher:
            counts = _stats(matcher.community)
    else:
        with open_community() as community:
            counts = _stats(community)
    show_result(counts, f"{counts['where']}: {counts['listeners']:,} listeners", json=json)


def import_(
    profiles: Annotated[
        Path, typer.Argument(metavar="PROFILES", help="Profile JSON Lines; .gz works too.")
    ],
    codes: Annotated[
        Path, typer.Option(help="File to add the access codes to. Give each member their own.")
    ],
    findable: Annotated[
        bool, typer.Option("--findable/--no-findable", help="They agreed to be found by others.")
    ] = False,
    training: Annotated[
        bool, typer.Option("--training/--no-training", help="They agreed to help with training.")
    ] = False,
    json: Json = False,
) -> None:
    """Add many listeners who gave their consent.

    Repeat the command to continue an interrupted import. Members who left are not added again.
    A line that can't be stored is reported and left out.
    """
    from twotower.community.bulk_import import import_members

    if not (findable or training):
        raise typer.TyperException(
            "say what these listeners agreed to: --findable, --training or both"
        )
    check_exists(profiles)
    check_writable(codes)
    codes.parent.mkdir(parents=True, exist_ok=True)
    with ProgressLine() as progress, open_matcher(progress) as matcher:
        result = import_members(
            matcher.membership,
            profiles,
            codes=codes,
            findable=findable,
            training=training,
            progress=progress,
        )
    _show_import(result, json=json)


def _show_import(result: "ImportResult", *, json: bool) -> None:
    for line, reason in result.refused[:MAX_REFUSED_LINES]:
        typer.echo(f"line {line}: {plain(reason)}", err=True)
    show_result(
        {
            "joined": result.joined,
            "there before": result.known,
            "left before": result.left,
            "refused": result.refused_count,
            "lines": [{"line": line, "said": reason} for line, reason in result.refused],
        },
        f"{result.joined:,} joined, {result.known:,} were members already, "
        f"{result.left:,} left earlier, {result.refused_count:,} lines left out",
        json=json,
    )


def stats(json: Json = False) -> None:
    """Count members and listeners. Prints nothing about a single person."""
    with open_community() as community:
        counts = _stats(community)
    lines = []
    for key, value in counts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {count:,}" for name, count in value.items()) or "none"
        lines.append(f"{key}: {value:,}" if isinstance(value, int) else f"{key}: {plain(value)}")
    show_result(counts, "\n".join(lines), json=json)


def backup(
    out: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.")],
    json: Json = False,
) -> None:
    """Copy the community as of one moment, while it is in use.

    The copy still has members who leave later: delete old copies in time.
    """
    from twotower.community.backup import back_up

    check_writable(out)
    with open_community() as community, ProgressLine() as progress:
        size = back_up(community, out, progress)
    show_result(
        {"out": str(out), "bytes": size},
        f"{out}: {size:,} bytes. Members who leave later stay in it: delete it in time",
        json=json,
    )


def index(
    shard: Annotated[
        list[str] | None,
        typer.Option(help="URL of a server with a part of the rows; repeat for each server."),
    ] = None,
    json: Json = False,
) -> None:
    """Build a PostgreSQL index, for more members than memory can hold.

    Takes minutes for each million members; joins wait until it is built. Restart the servers
    afterwards: they then load a sample of the members and query the index for neighbours.
    """
    from twotower.community.scale import hnsw

    with ProgressLine() as progress, open_matcher(progress) as matcher:
        progress(0.5, "building the index")
        dim = hnsw.build_index(matcher.community.database, matcher.version, shard or ())
    show_result(
        {"numbers": dim, "servers": len(shard or ()) or 1},
        f"built an index of {dim} dimensions: restart the servers to use it",
        json=json,
    )


@contextmanager
def open_matcher(progress: Progress = silent) -> "Iterator[Matcher]":
    """Open the active model and its community, and close the community afterwards."""
    matcher = load_matcher(progress)
    try:
        yield matcher
    finally:
        matcher.community.close()


@contextmanager
def open_community() -> "Iterator[Community]":
    """Open the community without a model, for commands that compare nobody."""
    from twotower.community import Community

    community = Community.open(Settings.from_env().community, model_version=NO_MODEL)
    try:
        yield community
    finally:
        community.close()


def _stats(community: "Community") -> dict[str, Any]:
    from twotower.community import queries

    counts = {"where": community.where, **queries.stats(community)}
    return {key: value for key, value in counts.items() if value is not None}
