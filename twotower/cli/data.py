"""Many listeners: public data sets, and a map of them."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from twotower.cli.options import (
    Json,
    Seed,
    counted,
    load_matcher,
    texts,
    writable,
    write_arrays,
)
from twotower.cli.terminal import Progress, show_json
from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.settings import Settings


def dataset(
    name: Annotated[
        str,
        typer.Argument(help="hetrec, germany, audioscrobbler, tidytuesday, mpd, listenbrainz"),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where its files are.")],
    out: Annotated[Path | None, typer.Option(help="Profile JSON Lines to write.")] = None,
    content: Annotated[
        Path | None, typer.Option(help="JSON Lines to write: genres and audio of artists.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(help="JSON Lines to write: who tagged which artist with what.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring a public data set into profile JSON Lines.

    docs/data.md says where to get each.
    Artist content is gathered from all sets in the data folder around DIR.
    """
    from twotower.sources.datasets import readers
    from twotower.sources.profiles import write_profiles

    if name not in readers.DATASETS:
        known = ", ".join(readers.DATASETS)
        raise typer.TyperException(f"no data set {name!r}; there are {known}")
    if tags is not None and name != "hetrec":
        raise typer.TyperException("only hetrec has tags; leave --tags out")
    if out is None and content is None and tags is None:
        raise typer.TyperException("nothing to write: give --out, --content or --tags")
    for path in (out, content, tags):
        if path is not None:
            writable(path)
    written: dict[str, Any] = {}
    left_out: Counter[str] = Counter()
    with Progress() as tell:
        if out is not None:
            read = readers.read_dataset(name, folder, progress=tell, left_out=left_out)
            done = 1.0 if name == readers.LISTENBRAINZ else 0.0  # it has told how far it is
            profiles = counted(read, tell, f"{name}: listeners", share=done)
            written["listeners"] = write_profiles(profiles, out)
        if content is not None:
            tell(0.5, "artist content")
            about = readers.read_content(_content_folder(folder))
            written["artists"] = readers.write_content(about, content)
        if tags is not None:
            tell(0.9, "tags")
            written["tags"] = readers.write_tags(readers.read_tags(folder), tags)
    if json:
        show_json({"dataset": name, **written, **({"left_out": left_out} if left_out else {})})
    else:
        typer.echo(", ".join(f"{count:,} {what}" for what, count in written.items()))
        if left_out:
            reasons = ", ".join(f"{count:,} {why}" for why, count in left_out.items())
            typer.echo(f"left out: {reasons}")


def map_fit(
    out: Annotated[Path, typer.Option(help="NumPy file to write: ids, places, reliability.")],
    vectors: Annotated[
        Path | None,
        typer.Argument(help="What `embed --tower candidate` wrote; else the community."),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Lay listeners out on a map, so that near tastes are near places."""
    from twotower.retrieval import projection

    writable(out)
    with Progress() as tell:
        if vectors is not None:
            ids, points = _read_vectors(vectors)
        else:
            snapshot = load_matcher(tell).snapshot()
            ids, points = tuple(snapshot.ids), snapshot.candidate.__array__()
        if len(ids) < 3:
            raise MissingData(f"{len(ids)} listeners make no map: at least 3 are needed")
        places = projection.fit_map(points, seed=seed, progress=tell)
        trust = projection.reliability(points, places)
    write_arrays(out, ids=texts(ids), places=places, reliability=trust)
    if json:
        show_json({"listeners": len(ids), "out": str(out), "reliability": float(trust.mean())})
    else:
        typer.echo(
            f"{out}: {len(ids):,} listeners, {trust.mean():.0%} of true neighbours kept near"
        )


def _content_folder(folder: Path) -> Path:
    """The data folder: `folder` itself, or that in which it lies."""
    from twotower.sources.datasets.artist_content import CONTENT
    from twotower.sources.datasets.tables import FOLDERS

    for place in (folder, folder.resolve().parent):
        if any((place / FOLDERS[name]).is_dir() for name in CONTENT):
            return place
    return Settings.from_env().data


def _read_vectors(path: Path) -> tuple[tuple[str, ...], Any]:
    import numpy as np

    if not path.exists():
        raise MissingData("there is no such file; `embed` writes one", where=str(path))
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ids, points = tuple(map(str, arrays["ids"])), arrays["vectors"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise IncompatibleModel(
            f"no ids and vectors in it ({error}); `embed` writes such a file", where=str(path)
        ) from error
    if points.ndim != 2 or len(ids) != len(points) or not np.isfinite(points).all():
        raise IncompatibleModel(
            f"{len(ids)} ids for vectors of shape {points.shape}; write it anew with `embed`",
            where=str(path),
        )
    return ids, points.astype(np.float32)
