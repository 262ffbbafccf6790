"""The public data sets together: read once, for training, the bundle and the evaluation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.chart_listeners import Charts, chart_listeners, with_homes
from twotower.sources.datasets.charts import read_all_charts
from twotower.sources.datasets.hetrec import read_friends, read_tags
from twotower.sources.datasets.modern import divide_lists, read_lists
from twotower.sources.datasets.modern_content import read_all_content
from twotower.sources.datasets.parts import TEST_DIGITS, is_test_playlist
from twotower.sources.datasets.readers import read_dataset
from twotower.sources.datasets.tables import data_hashes
from twotower.sources.datasets.tags import Tagging

OTHERS = ("germany", "audioscrobbler", "tidytuesday")  # data sets that are used for tests only

_Entry = TypeVar("_Entry")


@dataclass(frozen=True)
class Sources:
    """The public data that methods are fitted on and evaluated with."""

    listeners: tuple[Profile, ...]  # HetRec
    tags: tuple[Tagging, ...] = ()  # HetRec
    playlists: tuple[Profile, ...] = ()  # Million Playlist Dataset
    others: Mapping[str, tuple[Profile, ...]] = field(default_factory=dict)  # by data set
    content: tuple[ArtistContent, ...] = ()
    friends: tuple[tuple[str, str], ...] = ()  # HetRec; pairs of ids, each once; never trained on
    hashes: Mapping[str, str] = field(default_factory=dict)  # file -> SHA-256
    missing: tuple[str, ...] = ()  # data sets that are not in the folder
    lists: tuple[Profile, ...] = ()  # of 2018 to 2026: the data sets of `modern.LISTS`
    charts: tuple[Profile, ...] = ()  # synthetic listeners drawn from countries' charts


@dataclass(frozen=True)
class Training:
    """The data that a method is fitted on; nothing in it comes from a test listener."""

    listeners: tuple[Profile, ...]
    playlists: tuple[Profile, ...] = ()  # old and new lists: one more row each, like a listener
    tags: tuple[Tagging, ...] = ()  # by these listeners only
    content: tuple[ArtistContent, ...] = ()
    seed: int = 0
    charts: tuple[Profile, ...] = ()  # synthetic listeners, for the towers only


def read_sources(data: Path) -> Sources:
    """Read all public data sets of a folder; those that are not there are listed in `missing`.

    Raises MissingData if HetRec is not there.
    """
    missing: list[str] = []

    def read_if_present(name: str, read: Callable[[], Sequence[_Entry]]) -> tuple[_Entry, ...]:
        try:
            return tuple(read())
        except MissingData:
            missing.append(name)
            return ()

    def dataset(name: str) -> tuple[Profile, ...]:
        return read_if_present(name, lambda: tuple(read_dataset(name, data)))

    listeners = tuple(read_dataset("hetrec", data))
    others = {name: profiles for name in OTHERS if (profiles := dataset(name))}
    playlists = dataset("mpd")
    lists, missing_lists = read_lists(data)
    missing += missing_lists
    content = read_if_present("artist content", lambda: read_all_content(data))
    charts = read_if_present("charts", lambda: [Charts.of(read_all_charts(data))])
    friends = read_if_present("friends", lambda: tuple(read_friends(data)))
    return Sources(
        listeners,
        tuple(read_tags(data)),
        playlists,
        others,
        tuple(with_homes(content, charts[0])) if charts else content,
        friends,
        data_hashes(data),
        tuple(missing),
        tuple(lists),
        tuple(chart_listeners(charts[0], content)) if charts else (),
    )


def shipped_training(sources: Sources) -> list[Profile]:
    """Return the profiles the shipped model is trained on: all but test playlists and lists."""
    return [
        *sources.listeners,
        *(p for p in sources.playlists if not is_test_playlist(p, TEST_DIGITS)),
        *divide_lists(sources.lists).training,
        *sources.charts,
    ]
