"""Public data sets by name. Each has a file here with `read_listeners(folder)`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from twotower.core.domain import Profile
from twotower.core.jobs import Progress
from twotower.sources.datasets import (
    audioscrobbler,
    chart_listeners,
    editorial,
    germany,
    hetrec,
    kexp,
    listenbrainz_dump,
    mpd,
    netease,
    philippines,
    playlist_archive,
    tidytuesday,
    vagalume,
)
from twotower.sources.datasets.tables import folder_of

_READERS: Mapping[str, Callable[[Path], Iterator[Profile]]] = MappingProxyType(
    {
        "hetrec": hetrec.read_listeners,
        "germany": germany.read_listeners,
        "audioscrobbler": audioscrobbler.read_listeners,
        "tidytuesday": tidytuesday.read_listeners,
        "mpd": mpd.read_listeners,
        "netease": netease.read_listeners,
        "archive": playlist_archive.read_listeners,
        "editorial": editorial.read_listeners,
        "philippines": philippines.read_listeners,
        "vagalume": vagalume.read_listeners,
        "kexp": kexp.read_listeners,
        "charts": chart_listeners.read_listeners,
    }
)
LISTENBRAINZ = "listenbrainz"
DATASETS = (*_READERS, LISTENBRAINZ)


def read_dataset(
    name: str,
    folder: Path,
    *,
    progress: Progress | None = None,
    left_out: Counter[str] | None = None,
) -> Iterator[Profile]:
    """Yield the listeners of one of `DATASETS`, in its own folder or in the data folder above.

    Ids are those of the set; the origin is its name, or begins with it. Only `listenbrainz` uses
    `progress` and `left_out`: it may take hours and have broken lines. Raises MissingData if a file
    is missing, UnreadableExport if one is damaged, ValueError for an unknown name.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; choose from {', '.join(DATASETS)}")
    folder = folder_of(name, folder)
    if name == LISTENBRAINZ:
        return listenbrainz_dump.read_listeners(folder, progress=progress, left_out=left_out)
    return _READERS[name](folder)
