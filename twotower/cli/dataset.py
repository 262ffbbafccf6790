"""Command `dataset`: convert a public data set."""

import contextlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from twotower.cli.options import Json, check_writable, count_profiles
from twotower.cli.terminal import ProgressLine, show_result
from twotower.core.errors import MissingData
from twotower.core.jobs import Progress
from twotower.core.settings import Settings


def dataset(
    name: Annotated[
        str,
        typer.Argument(
            help="hetrec, germany, audioscrobbler, tidytuesday, mpd, netease, archive, editorial, "
            "philippines, vagalume, kexp, charts or listenbrainz"
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of its files.")],
    out: Annotated[Path | None, typer.Option(help="Profile JSON Lines to write.")] = None,
    content: Annotated[
        Path | None, typer.Option(help="JSON Lines to write: genres and audio of artists.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(help="JSON Lines to write: listeners' tags of artists.")
    ] = None,
    modern: Annotated[
        bool, typer.Option("--modern", help="With --content: the newer content sets too.")
    ] = False,
    json: Json = False,
) -> None:
    """Convert a public data set to profile JSON Lines.

    docs/data.md says where to get each. --content reads all data sets in the folder around DIR.
    """
    _check_arguments(name, out, content, tags)
    if modern and content is None:
        raise typer.TyperException("--modern says what --content reads; give --content too")
    counts: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    with ProgressLine() as progress:
        if out is not None:
            counts["listeners"] = _write_listeners(name, folder, out, left_out, progress)
        if content is not None:
            progress(0.5, "artist content")
            counts["artists"] = _write_content(folder, content, modern=modern)
        if tags is not None:
            progress(0.9, "tags")
            counts["tags"] = _write_tags(folder, tags)
    document: dict[str, Any] = {"dataset": name, **counts}
    text = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    if left_out:
        document["left_out"] = left_out
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        text += f"\nleft out: {reasons}"
    show_result(document, text, json=json)


def _check_arguments(name: str, out: Path | None, content: Path | None, tags: Path | None) -> None:
    """Raise TyperException for an unknown data set or outputs that can't be written."""
    from twotower.sources.datasets.readers import DATASETS

    if name not in DATASETS:
        raise typer.TyperException(f"unknown data set {name!r}; choose from {', '.join(DATASETS)}")
    if tags is not None and name != "hetrec":
        raise typer.TyperException("only hetrec has tags; leave --tags out")
    paths = [path for path in (out, content, tags) if path is not None]
    if not paths:
        raise typer.TyperException("nothing to write: give --out, --content or --tags")
    for path in paths:
        check_writable(path)


def _write_listeners(
    name: str, folder: Path, out: Path, left_out: Counter[str], progress: Progress
) -> int:
    """Write the profiles of a data set; return their number. Counts bad lines in `left_out`."""
    from twotower.sources.datasets.readers import LISTENBRAINZ, read_dataset
    from twotower.sources.profile_jsonl import write_profiles

    profiles = read_dataset(name, folder, progress=progress, left_out=left_out)
    share = 1.0 if name == LISTENBRAINZ else 0.0  # that reader has reported progress up to here
    counted = count_profiles(profiles, progress, f"{name}: listeners", share=share)
    return write_profiles(counted, out)


def _write_content(folder: Path, out: Path, *, modern: bool) -> int:
    """Write genres and audio of artists; return the number of artists."""
    from twotower.sources.datasets.artist_content import write_content
    from twotower.sources.datasets.chart_listeners import Charts, with_homes
    from twotower.sources.datasets.charts import read_all_charts
    from twotower.sources.datasets.modern_content import read_modern_content
    from twotower.sources.datasets.public_content import read_content

    data = _content_folder(folder)
    if not modern:
        return write_content(read_content(data), out)
    content = read_modern_content(data)
    with contextlib.suppress(MissingData):
        content = with_homes(content, Charts.of(read_all_charts(data)))
    return write_content(content, out)


def _write_tags(folder: Path, out: Path) -> int:
    """Write listeners' tags of artists; return their number."""
    from twotower.sources.datasets.hetrec import read_tags
    from twotower.sources.datasets.tags import write_tags

    return write_tags(read_tags(folder), out)


def _content_folder(folder: Path) -> Path:
    """Return the folder of all data sets: `folder`, its parent, or the one of the settings."""
    from twotower.sources.datasets.public_content import CONTENT
    from twotower.sources.datasets.tables import FOLDERS

    for candidate in (folder, folder.resolve().parent):
        if any((candidate / FOLDERS[name]).is_dir() for name in CONTENT):
            return candidate
    return Settings.from_env().data
