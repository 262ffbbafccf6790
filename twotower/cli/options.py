"""Options that several commands share, and checks of their values."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from twotower.core.errors import BadProfile, MissingData
from twotower.core.jobs import Progress
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.core.domain import Profile
    from twotower.matching.matcher import Matcher
    from twotower.model.embedder import Embedder
    from twotower.sources.sharding import Shard

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random draws.")]
Profiles = Annotated[
    list[Path],
    typer.Argument(metavar="PROFILES...", help="Profile JSON Lines; .gz works too."),
]
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Files of one person, as services give them (ZIP, JSON, CSV, XML, XLSX), tables with "
        "artist and track, or profile JSON Lines; .gz works too.",
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of the public data sets. [default: TWOTOWER_DATA]"),
]
ModelFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of a trained model. [default: the shipped model]"),
]
ReportFile = Annotated[Path | None, typer.Option(help="JSON file to write the report to.")]
VectorFile = Annotated[Path, typer.Option(help="NumPy file to write: ids, vectors, what is known.")]


def check_writable(path: Path) -> None:
    """Raise TyperException if a file can't be written at `path`, before any work is done."""
    if path.is_dir():
        raise typer.TyperException(f"{path} is a folder; name a file")
    if path.parent.exists() and not path.parent.is_dir():
        raise typer.TyperException(f"{path.parent} is not a folder")


def check_exists(path: Path) -> None:
    """Raise MissingData if there is nothing at `path`."""
    if not path.exists():
        raise MissingData("there is no such file; check the path", where=str(path))


def open_file(path: Path) -> BinaryIO:
    """Open a file to read bytes. Raises MissingData if there is none."""
    check_exists(path)
    return path.open("rb")


def data_folder(path: Path | None) -> Path:
    """Return `path`, by default the data folder of the settings."""
    return path if path is not None else Settings.from_env().data


def count_profiles(
    profiles: "Iterable[Profile]", progress: Progress, label: str, *, share: float = 0.0
) -> "Iterator[Profile]":
    """Yield the profiles and report their number. `share` is the progress before the first."""
    for number, profile in enumerate(profiles, 1):
        progress(share, f"{label}, {number:,}")
        yield profile


def read_blocks(
    paths: Sequence[Path], shard: "Shard", progress: Progress
) -> "Iterator[tuple[int, tuple[Profile, ...]]]":
    """Yield (position, profiles) for each block of lines in the shard, with progress."""
    from twotower.sources.sharding import LINES, read_shard

    count = 0
    for position, profiles in read_shard(paths, shard):
        file = position // LINES
        progress(file / len(paths), f"{paths[file].name}, {count:,} read")
        count += len(profiles)
        yield position, profiles


def no_listeners(paths: Sequence[Path]) -> BadProfile:
    """Return the error for files without a single listener."""
    return BadProfile("no listener in it", where=", ".join(path.name for path in paths))


def load_model(folder: Path | None) -> "Embedder":
    """Load the model of a folder, by default the shipped one."""
    from twotower.model.embedder import Embedder

    return Embedder.load(folder if folder is not None else Settings.from_env().model)


def load_matcher(progress: Progress) -> "Matcher":
    """Load the active model and the community of the settings."""
    progress(0.0, "loading the model")
    from twotower.matching.matcher import Matcher

    return Matcher.load(Settings.from_env())
