"""Flags that several commands have, and looks at what they were given."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.core.errors import BadProfile
from twotower.core.files import atomic_write
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.core.domain import Profile
    from twotower.matching.matcher import Matcher
    from twotower.model.embedder import Embedder
    from twotower.sources.sharding import Shard

Tell = Callable[[float, str], None]  # share done, 0..1; what is being done
Json = Annotated[bool, typer.Option("--json", help="Give the values as one JSON document.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]
Profiles = Annotated[
    list[Path], typer.Argument(metavar="PROFILES...", help="Profile JSON Lines; also gzipped.")
]


def writable(path: Path) -> None:
    """Says early that a result has no place to go to."""
    if path.is_dir():
        raise typer.TyperException(f"{path} is a folder; name a file")
    if path.parent.exists() and not path.parent.is_dir():
        raise typer.TyperException(f"{path.parent} is not a folder")


def counted(
    profiles: "Iterable[Profile]", tell: Tell, what: str, *, share: float = 0.0
) -> "Iterator[Profile]":
    """The profiles, each told by its number; `share` is how much was done before the first."""
    for number, profile in enumerate(profiles, 1):
        tell(share, f"{what}, {number:,}")
        yield profile


def read_blocks(
    paths: Sequence[Path], shard: "Shard", tell: Tell
) -> "Iterator[tuple[int, tuple[Profile, ...]]]":
    """(place, profiles) of each block of lines in the share, with progress."""
    from twotower.sources.sharding import LINES, read_shard

    read = 0
    for place, profiles in read_shard(paths, shard):
        tell(place // LINES / len(paths), f"{paths[place // LINES].name}, {read:,} read")
        read += len(profiles)
        yield place, profiles


def nobody(paths: Sequence[Path]) -> BadProfile:
    """What to say where no file has a listener."""
    return BadProfile("no listener in it", where=", ".join(path.name for path in paths))


def load_model(folder: Path | None) -> "Embedder":
    from twotower.model.embedder import Embedder

    return Embedder.load(folder if folder is not None else Settings.from_env().model)


def load_matcher(tell: Tell) -> "Matcher":
    tell(0.0, "the model")
    from twotower.matching.matcher import Matcher

    return Matcher.load(Settings.from_env())


def texts(ids: Sequence[str]) -> Any:
    import numpy as np

    return np.array(ids, dtype=np.str_) if ids else np.zeros(0, "U1")


def write_arrays(path: Path, **arrays: Any) -> None:
    import numpy as np

    with atomic_write(path) as file:
        np.savez(file, **arrays)
