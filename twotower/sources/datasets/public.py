"""The public data sets together: read once, for training, the bundle and the evaluation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.core.names import in_part
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.hetrec import read_friends, read_tags
from twotower.sources.datasets.public_content import read_content
from twotower.sources.datasets.readers import read_dataset
from twotower.sources.datasets.tables import data_hashes
from twotower.sources.datasets.tags import Tagging

OTHERS = ("germany", "audioscrobbler", "tidytuesday")  # data sets that are used for tests only
MIN_PLAYLIST_ARTISTS = 10  # artists of a test playlist
TEST_DIGITS, VALIDATION_DIGITS = "012", "3"  # last hex digit of a playlist's hash

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


@dataclass(frozen=True)
class Training:
    """The data that a method is fitted on; nothing in it comes from a test listener."""

    listeners: tuple[Profile, ...]
    playlists: tuple[Profile, ...] = ()  # each is one more row, like a listener
    tags: tuple[Tagging, ...] = ()  # by these listeners only
    content: tuple[ArtistContent, ...] = ()
    seed: int = 0


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
    content = read_if_present("artist content", lambda: tuple(read_content(data)))
    friends = read_if_present("friends", lambda: tuple(read_friends(data)))
    return Sources(
        listeners,
        tuple(read_tags(data)),
        playlists,
        others,
        content,
        friends,
        data_hashes(data),
        tuple(missing),
    )


def shipped_training(sources: Sources) -> list[Profile]:
    """Return the profiles the shipped model is trained on: all but the test playlists."""
    return [
        *sources.listeners,
        *(p for p in sources.playlists if not is_test_playlist(p, TEST_DIGITS)),
    ]


def is_test_playlist(playlist: Profile, digits: str) -> bool:
    """Return True if a playlist is withheld: large enough, and its hash ends in one of `digits`."""
    return (
        playlist.origin == "mpd"
        and len(playlist.artists) >= MIN_PLAYLIST_ARTISTS
        and in_part(playlist.id, digits)
    )
