"""Commands `embed` and `embed-join`: vectors of many profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.options import (
    Json,
    ModelFolder,
    Profiles,
    VectorFile,
    check_writable,
    load_model,
    no_listeners,
    read_blocks,
)
from twotower.cli.terminal import ProgressLine, show_result
from twotower.core.jobs import Progress, silent

if TYPE_CHECKING:
    from twotower.model.distributed import ProcessGroup
    from twotower.model.vector_files import VectorInfo
    from twotower.sources.sharding import Shard


class Tower(StrEnum):
    """One of the two towers."""

    user = "user"
    candidate = "candidate"


@dataclass(frozen=True, slots=True)
class _Written:
    """Summary of a vector file that was written."""

    info: "VectorInfo"
    rows: int
    dim: int
    means: Mapping[str, float]  # of each of `vector_files.MEASURES` that the file has


def embed(
    profiles: Profiles,
    tower: Annotated[
        Tower, typer.Option(help="user: the one who searches. candidate: those to be found.")
    ],
    out: VectorFile,
    model: ModelFolder = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Embed only part I of N, for `embed-join`.")
    ] = None,
    json: Json = False,
) -> None:
    """Embed profiles, in the order of their lines.

    Start several processes with torchrun, or give each a --shard.
    """
    check_writable(out)
    if shard is not None:
        written: _Written | None = _embed_shard(profiles, tower, out, model, shard)
    else:
        from twotower.model.distributed import process_group_from_env

        with ProgressLine() as line, process_group_from_env() as group:
            progress = line if group.is_first else silent
            if group.count == 1:
                written = _write_vectors(profiles, tower, out, model, None, progress)
            else:
                written = _embed_together(profiles, tower, out, model, group, progress)
    if written is not None:
        _show(out, written, json=json)


def _embed_shard(
    profiles: Sequence[Path], tower: Tower, out: Path, model: Path | None, shard: str
) -> _Written:
    """Embed the part of the profiles that `--shard` names."""
    from twotower.sources.sharding import Shard

    try:
        part = Shard.parse(shard)
    except ValueError as error:
        raise typer.TyperException(str(error)) from error
    with ProgressLine() as progress:
        return _write_vectors(profiles, tower, out, model, part, progress)


def _embed_together(
    profiles: Sequence[Path],
    tower: Tower,
    out: Path,
    model: Path | None,
    group: "ProcessGroup",
    progress: Progress,
) -> _Written | None:
    """Embed one part in each process, then join them in the first; None in the others."""
    from twotower.model import vector_files
    from twotower.sources.sharding import Shard

    parts = [out.with_name(f".{out.name}.{n}-of-{group.count}") for n in range(group.count)]
    part, shard = parts[group.rank], Shard(group.rank, group.count)
    try:
        written = group.gather(
            lambda: _write_vectors(profiles, tower, part, model, shard, progress), out.parent
        )

        def join() -> _Written:
            if not any(each.rows for each in written):
                raise no_listeners(profiles)
            return _Written(*vector_files.join(parts, out))

        return group.run_in_first(join)
    finally:
        part.unlink(missing_ok=True)


def _write_vectors(
    profiles: Sequence[Path],
    tower: Tower,
    out: Path,
    model: Path | None,
    shard: "Shard | None",
    progress: Progress,
) -> _Written:
    """Embed the profiles of a shard, a block of lines at a time, so that memory stays small."""
    import numpy as np

    from twotower.model.vector_files import VectorInfo, VectorWriter
    from twotower.sources.sharding import WHOLE

    embedder = load_model(model)
    info = VectorInfo(embedder.version, tower.value, shard)
    with VectorWriter(out, info, dim=embedder.dim) as write:
        for position, block in read_blocks(profiles, shard or WHOLE, progress):
            coverages = [embedder.coverage(profile) for profile in block]
            measures = [
                (each.plays, each.from_listening, embedder.curve.confidence(each).expected_mrr)
                for each in coverages
            ]
            vectors = embedder.embed(block, tower.value)
            write(position, [p.id for p in block], vectors, np.array(measures, np.float32))
        if not write.rows and shard is None:
            raise no_listeners(profiles)
    return _Written(info, write.rows, embedder.dim, write.means)


def embed_join(
    parts: Annotated[
        list[Path], typer.Argument(metavar="PARTS...", help="All files of `embed --shard`.")
    ],
    out: VectorFile,
    json: Json = False,
) -> None:
    """Join the files of `embed --shard`, in the order of the lines."""
    check_writable(out)
    from twotower.model.vector_files import join

    _show(out, _Written(*join(parts, out)), json=json)


def _show(out: Path, written: _Written, *, json: bool) -> None:
    info = written.info
    document: dict[str, Any] = {"out": str(out), "model": info.model, "tower": info.tower}
    if info.shard:
        document["shard"] = f"{info.shard.number}/{info.shard.count}"
    document |= {
        "listeners": written.rows,
        "dim": written.dim,
        **written.means,
    }
    known = written.means["coverage"]
    text = f"{out}: {written.rows:,} vectors, {known:.0%} of the plays known"
    show_result(document, text, json=json)
