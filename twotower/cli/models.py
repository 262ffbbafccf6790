"""Models: train, judge, use, ship."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.options import (
    Json,
    Profiles,
    Seed,
    Tell,
    load_model,
    nobody,
    read_blocks,
    writable,
)
from twotower.cli.terminal import DIFFERS, Progress, show_json
from twotower.core.errors import MissingData
from twotower.core.files import atomic_write
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.evaluation.report import Report
    from twotower.model.packed_profiles import Packed
    from twotower.model.vector_files import Made
    from twotower.sources.datasets.artist_content import ArtistContent
    from twotower.sources.datasets.readers import Tagging
    from twotower.sources.sharding import Shard


class Side(StrEnum):
    """Which of the two towers."""

    user = "user"
    candidate = "candidate"


def train(
    profiles: Profiles,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the model to.")],
    content: Annotated[
        Path | None, typer.Option(help="What `dataset --content` wrote: genres, audio of artists.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(help="What `dataset --tags` wrote: listeners' tags of artists.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Fewer are sooner done.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train a model on listeners.

    The same call goes on where an interrupted one stopped. Several processes share the work where
    torchrun starts them: torchrun --nproc-per-node 2 -m twotower train ...
    """
    _model_folder(out)
    from twotower.model.distributed import ranks_from_env

    with Progress() as told, ranks_from_env() as ranks:
        tell = told if ranks.first else _silent
        from twotower.model.packed_profiles import join, pack
        from twotower.model.pipeline import fit
        from twotower.model.training import TrainConfig
        from twotower.sources.datasets.artist_content import read_content_file
        from twotower.sources.datasets.readers import read_tags_file
        from twotower.sources.sharding import Shard

        share = Shard(ranks.rank, ranks.count)
        unfinished = out.with_name(f"{out.name}.unfinished")
        shares = ranks.of_each(lambda: pack(read_blocks(profiles, share, tell)), out.parent)

        def read() -> "tuple[Packed, list[ArtistContent], list[Tagging]]":
            listeners = join(shares)
            if not listeners:
                raise nobody(profiles)
            about = read_content_file(content) if content is not None else []
            return listeners, about, read_tags_file(tags) if tags is not None else []

        listeners, about, taggings = ranks.at_first(read) or ((), [], [])
        config = TrainConfig(seed=seed)
        config = replace(config, steps=steps) if steps is not None else config
        embedder = fit(
            listeners,
            about,
            taggings,
            config=config,
            resume=unfinished,
            ranks=ranks,
            progress=tell,
        )
        if not ranks.first:
            return
        embedder = embedder.save(out)
        unfinished.unlink(missing_ok=True)
    known = len(embedder.catalogue)
    if json:
        show_json(
            {
                "out": str(out),
                "version": embedder.version,
                "listeners": len(listeners),
                "artists": known,
                "about": dict(embedder.about),
            }
        )
    else:
        typer.echo(
            f"{out}: model {embedder.version}, {len(listeners):,} listeners, {known:,} artists"
        )


def evaluate(
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Ask this model about those that it was not trained on."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The public data sets; else TWOTOWER_DATA.")
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be given several times.")
    ] = None,
    split: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this one of 0, 1, 2; several times too.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write the report to.")] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add these checks to the report that --out has already.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only check the report that ships, in under a minute.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Show how good a model is, beside plain baselines.

    The question is always to find a listener again that no method was fitted on.
    Without --model the towers are trained anew on each split, which takes minutes.
    """
    if quick:
        if model or check or split or out or add or seed:
            raise typer.TyperException("--quick goes with --data and --json alone")
        _check_again(data, json)
        return
    from twotower.evaluation.checks import ALL_CHECKS, CHECKS

    checks = tuple(check or CHECKS)
    if unknown := set(checks) - set(ALL_CHECKS):
        raise typer.TyperException(
            f"no check {', '.join(sorted(unknown))}; there are {', '.join(ALL_CHECKS)}"
        )
    if out is not None:
        writable(out)
    if add and (out is None or model is not None):
        raise typer.TyperException("--add goes with --out, the report to add to, without --model")
    folder = data if data is not None else Settings.from_env().data
    command = shlex.join(["python", "-m", "twotower", *sys.argv[1:]])
    with Progress() as tell:
        tell(0.0, "reading the data")
        from twotower.evaluation import halfvectors
        from twotower.evaluation.methods.hub_corrections import LocalScaling
        from twotower.evaluation.methods.towers import TwoTowers, WithCompanions, two_towers
        from twotower.evaluation.report import QUALITY, load_report
        from twotower.evaluation.runner import REFERENCE, compared, evaluate_model
        from twotower.evaluation.runner import evaluate as compare

        if model is None:
            before = load_report(out) if add and out is not None else None
            keep = halfvectors.Keeper(seed=seed)
            report = compare(
                folder,
                fits=compared(two_towers()),
                checks=checks,
                splits=tuple(split or (0, 1, 2)),
                seed=seed,
                command=command,
                on_progress=tell,
                on_asked=keep,
            )
            if before is not None:
                report = _joined(before, report)
            elif out is not None and out.name == QUALITY:
                report = keep.write(out.with_name(halfvectors.FILE), report)
        else:
            embedder = load_model(model)
            towers = TwoTowers(embedder)
            report = evaluate_model(
                LocalScaling(WithCompanions(towers), REFERENCE),
                embedder.trained_on,
                folder,
                fits=compared(lambda _: towers),
                checks=checks,
                known=embedder.catalogue.keys,
                seed=seed,
                command=command,
                on_progress=tell,
            )
    _give(report, out, json)


def _check_again(data: Path | None, json: bool) -> None:
    """Exit code 1 where a figure of the report is not what it is when worked out again."""
    from twotower.evaluation.quick import check_again

    settings = Settings.from_env()
    with Progress() as tell:
        found = check_again(settings.assets, data or settings.data, on_progress=tell)
    if json:
        show_json(found.to_dict())
    else:
        typer.echo(found.to_text())
    if found.differing:
        typer.echo(f"error: {found.summary()}", err=True)
        raise typer.Exit(DIFFERS)


def _joined(before: "Report", more: "Report") -> "Report":
    try:
        return before.with_more(more)
    except ValueError as error:
        raise typer.TyperException(f"nothing was added: {error}") from error


DataFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The public data sets; else TWOTOWER_DATA.")
]
ReportFile = Annotated[Path | None, typer.Option(help="JSON file to write the report to.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of each training; fewer are sooner.")]


def ablate(
    data: DataFolder = None,
    out: ReportFile = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Only this one beside the default; several times too.")
    ] = None,
    steps: Steps = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Show what each part of the towers and of their training is worth.

    Each variant is trained anew and asked of validation listeners, which takes minutes.
    """
    from twotower.evaluation.ablation import DEFAULT, VARIANTS
    from twotower.evaluation.ablation import ablate as compare

    if unknown := set(variant or ()) - set(VARIANTS):
        raise typer.TyperException(
            f"no variant {', '.join(sorted(unknown))}; there are {', '.join(VARIANTS)}"
        )
    wanted = {DEFAULT, *(variant or VARIANTS)}
    chosen = {name: each for name, each in VARIANTS.items() if name in wanted}
    _report(
        out,
        json,
        lambda command, tell: compare(
            _data(data),
            variants=chosen,
            steps=steps,
            seed=seed,
            command=command,
            on_progress=tell,
        ),
    )


def learning_curve(
    data: DataFolder = None,
    out: ReportFile = None,
    steps: Steps = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Show how much better the towers get with more listeners, beside ALS."""
    from twotower.evaluation.ablation import learning_curve as curve

    _report(
        out,
        json,
        lambda command, tell: curve(
            _data(data), steps=steps, seed=seed, command=command, on_progress=tell
        ),
    )


def _data(folder: Path | None) -> Path:
    return folder if folder is not None else Settings.from_env().data


def _report(
    out: Path | None, json: bool, make: Callable[[str, Callable[[float, str], None]], "Report"]
) -> None:
    """Make a report with progress; write it, and print it."""
    if out is not None:
        writable(out)
    command = shlex.join(["python", "-m", "twotower", *sys.argv[1:]])
    with Progress() as tell:
        tell(0.0, "reading the data")
        report = make(command, tell)
    _give(report, out, json)


def _give(report: "Report", out: Path | None, json: bool) -> None:
    """Write a report where that is asked for, and print it."""
    if out is not None:
        with atomic_write(out) as file:
            file.write(f"{report.to_json()}\n".encode())
    if json:
        show_json(report.to_dict())
    else:
        typer.echo(report.to_text())


def embed(
    profiles: Profiles,
    tower: Annotated[Side, typer.Option(help="user for who asks, candidate for who is found.")],
    out: Annotated[Path, typer.Option(help="NumPy file to write: ids, vectors, coverage.")],
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A trained model; else the shipped one.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only share I of N, for `embed-join`.")
    ] = None,
    json: Json = False,
) -> None:
    """Give the vectors of listeners.

    They stand in the order of the lines; coverage is the share of plays whose artist is known.
    Several processes share the work where torchrun starts them, or each is given a --shard.
    """
    writable(out)
    if shard is not None:
        _embed_share(profiles, tower, out, model, shard, json)
        return
    from twotower.model.distributed import ranks_from_env

    with Progress() as told, ranks_from_env() as ranks:
        tell = told if ranks.first else _silent
        from twotower.model import vector_files
        from twotower.sources.sharding import Shard

        if ranks.count == 1:
            _show(out, *_embedded(profiles, tower, out, model, None, tell), json=json)
            return
        parts = [out.with_name(f".{out.name}.{n}-of-{ranks.count}") for n in range(ranks.count)]
        share = Shard(ranks.rank, ranks.count)
        try:
            part = parts[ranks.rank]
            found = ranks.of_each(
                lambda: _embedded(profiles, tower, part, model, share, tell), out.parent
            )

            def join() -> "tuple[Made, int, int, float]":
                if not sum(rows for _, rows, _, _ in found):
                    raise nobody(profiles)
                return vector_files.join(parts, out)

            done = ranks.at_first(join)
        finally:
            parts[ranks.rank].unlink(missing_ok=True)
    if done is not None:
        _show(out, *done, json=json)


def _embed_share(
    profiles: Sequence[Path], tower: Side, out: Path, model: Path | None, shard: str, json: bool
) -> None:
    from twotower.sources.sharding import Shard

    try:
        share = Shard.parse(shard)
    except ValueError as error:
        raise typer.TyperException(str(error)) from error
    with Progress() as tell:
        done = _embedded(profiles, tower, out, model, share, tell)
    _show(out, *done, json=json)


def _embedded(
    profiles: Sequence[Path],
    tower: Side,
    out: Path,
    model: Path | None,
    shard: "Shard | None",
    tell: Tell,
) -> "tuple[Made, int, int, float]":
    """Write the vectors of a share, a block of lines at a time, and say what `_show` shows."""
    import numpy as np

    from twotower.model.vector_files import Made, VectorWriter
    from twotower.sources.sharding import WHOLE

    embedder = load_model(model)
    made = Made(embedder.version, tower.value, shard)
    with VectorWriter(out, made, dim=embedder.dim) as write:
        for place, block in read_blocks(profiles, shard or WHOLE, tell):
            known = np.array([embedder.coverage(p).plays for p in block], np.float32)
            write(place, [p.id for p in block], embedder.embed(block, tower.value), known)
        if not write.rows and shard is None:
            raise nobody(profiles)
    return made, write.rows, embedder.dim, write.covered / max(1, write.rows)


def embed_join(
    parts: Annotated[
        list[Path], typer.Argument(metavar="SHARES...", help="All that `embed --shard` wrote.")
    ],
    out: Annotated[Path, typer.Option(help="NumPy file to write: ids, vectors, coverage.")],
    json: Json = False,
) -> None:
    """Join the vectors of all shares, in the order of the lines."""
    writable(out)
    from twotower.model.vector_files import join

    _show(out, *join(parts, out), json=json)


def _show(out: Path, made: "Made", rows: int, dim: int, coverage: float, *, json: bool) -> None:
    if json:
        shard = {"shard": f"{made.shard.number}/{made.shard.count}"} if made.shard else {}
        show_json(
            {
                "out": str(out),
                "model": made.model,
                "tower": made.tower,
                **shard,
                "listeners": rows,
                "dim": dim,
                "coverage": coverage,
            }
        )
    else:
        typer.echo(f"{out}: {rows:,} vectors, {coverage:.0%} of the plays known")


def _silent(share: float, text: str) -> None:
    """What the other processes say of their progress."""


def assets(
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The public data sets; else TWOTOWER_DATA.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; else the assets in use.")
    ] = None,
    listeners: Annotated[int, typer.Option(min=100, help="How many listeners to invent.")] = 5000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Make all that ships anew.

    That is the model, the invented listeners, their vectors and their map. It takes minutes.
    """
    settings = Settings.from_env()
    source = data if data is not None else settings.data
    target = out if out is not None else settings.assets
    if target.exists() and not target.is_dir():
        raise typer.TyperException(f"{target} is a file; name a folder")
    if not source.is_dir():
        raise MissingData(
            "there is no such folder; docs/data.md says what goes in", where=str(source)
        )
    with Progress() as tell:
        from twotower.bundle.build import build_assets

        built = build_assets(source, target, seed=seed, listeners=listeners, progress=tell)
    version, count = built.embedder.version, len(built.community.vectors["ids"])
    if json:
        about = built.community.about
        show_json(
            {"out": str(target), "version": version, "listeners": count, "about": dict(about)}
        )
    else:
        typer.echo(f"{target}: model {version}, {count:,} invented listeners")


def card() -> None:
    """Fill the tables of the model card in.

    They come from the shipped community and from quality.json, which `evaluate --out` writes.
    """
    from twotower.evaluation.model_card import fill

    typer.echo(str(fill(Settings.from_env().assets)))


def _model_folder(path: Path) -> None:
    """Says early that a model can't go there; saving replaces the folder as a whole."""
    if path.exists() and not path.is_dir():
        raise typer.TyperException(f"{path} is a file; name a folder")
    if path.is_dir() and any(path.iterdir()) and not (path / "config.json").is_file():
        raise typer.TyperException(f"{path} holds other things than a model; name a new folder")
