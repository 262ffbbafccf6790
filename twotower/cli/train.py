"""Command `train`: train a model on profiles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.options import Json, Profiles, Seed, no_listeners, read_blocks
from twotower.cli.terminal import ProgressLine, show_result
from twotower.core.jobs import Progress, silent

if TYPE_CHECKING:
    from twotower.core.domain import Profile
    from twotower.model.distributed import ProcessGroup
    from twotower.model.embedder import Embedder
    from twotower.model.train_config import TrainConfig
    from twotower.sources.datasets.artist_content import ArtistContent
    from twotower.sources.datasets.tags import Tagging


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Everything a model learns from. Empty in all processes but the first."""

    listeners: "Sequence[Profile]" = ()
    content: "Sequence[ArtistContent]" = ()
    tags: "Sequence[Tagging]" = ()


def train(
    profiles: Profiles,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the model to.")],
    content: Annotated[
        Path | None, typer.Option(help="File of `dataset --content`: genres, audio of artists.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(help="File of `dataset --tags`: listeners' tags of artists.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps. [default: as the shipped model]")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train a model on profiles.

    Repeat the command to continue an interrupted training. Start several processes with
    torchrun: torchrun --nproc-per-node 2 -m twotower train ...
    """
    _check_model_folder(out)
    from twotower.model.distributed import process_group_from_env

    with ProgressLine() as line, process_group_from_env() as group:
        progress = line if group.is_first else silent
        inputs = _read_inputs(profiles, content, tags, out.parent, group, progress)
        embedder = _fit(inputs, _config(steps, seed), out, group, progress)
    if embedder is not None:
        _show(embedder, len(inputs.listeners), out, json=json)


def _read_inputs(
    profiles: Sequence[Path],
    content: Path | None,
    tags: Path | None,
    shared_folder: Path,
    group: "ProcessGroup",
    progress: Progress,
) -> _Inputs:
    """Read each process's share of the profiles and join them in the first process."""
    from twotower.model.packed_profiles import join, pack
    from twotower.sources.datasets.artist_content import read_content_file
    from twotower.sources.datasets.tags import read_tags_file
    from twotower.sources.sharding import Shard

    shard = Shard(group.rank, group.count)
    parts = group.gather(lambda: pack(read_blocks(profiles, shard, progress)), shared_folder)

    def join_parts() -> _Inputs:
        listeners = join(parts)
        if not listeners:
            raise no_listeners(profiles)
        return _Inputs(
            listeners,
            read_content_file(content) if content is not None else (),
            read_tags_file(tags) if tags is not None else (),
        )

    return group.run_in_first(join_parts) or _Inputs()


def _config(steps: int | None, seed: int) -> "TrainConfig":
    from twotower.model.train_config import TrainConfig

    config = TrainConfig(seed=seed)
    return config if steps is None else replace(config, steps=steps)


def _fit(
    inputs: _Inputs, config: "TrainConfig", out: Path, group: "ProcessGroup", progress: Progress
) -> "Embedder | None":
    """Train and save a model. Returns it in the first process, None in the others."""
    from twotower.model.pipeline import fit

    checkpoint = out.with_name(f"{out.name}.unfinished")
    embedder = fit(
        inputs.listeners,
        inputs.content,
        inputs.tags,
        config=config,
        resume=checkpoint,
        group=group,
        progress=progress,
    )
    if not group.is_first:
        return None
    embedder = embedder.save(out)
    checkpoint.unlink(missing_ok=True)
    return embedder


def _show(embedder: "Embedder", listeners: int, out: Path, *, json: bool) -> None:
    artists = len(embedder.catalogue)
    show_result(
        {
            "out": str(out),
            "version": embedder.version,
            "listeners": listeners,
            "artists": artists,
            "about": dict(embedder.about),
        },
        f"{out}: model {embedder.version}, {listeners:,} listeners, {artists:,} artists",
        json=json,
    )


def _check_model_folder(path: Path) -> None:
    """Raise TyperException if a model can't be saved there: saving replaces the whole folder."""
    if path.exists() and not path.is_dir():
        raise typer.TyperException(f"{path} is a file; name a folder")
    if path.is_dir() and any(path.iterdir()) and not (path / "config.json").is_file():
        raise typer.TyperException(f"{path} has other files than a model; name a new folder")
