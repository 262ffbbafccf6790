"""HetRec 2011 Last.fm: 1,892 listeners with plays, tags and friends."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from twotower.core.domain import Profile
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.listener import ArtistPlays
from twotower.sources.datasets.tables import delimited_rows, find_file, folder_of
from twotower.sources.datasets.tags import Tagging

# Tagging began in 2005, and the set was collected in 2011; other years are errors of the set.
TAGGED_SINCE, TAGGED_UNTIL = 2005, 2011


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield the listeners in the order of user_artists.dat."""
    names = _artist_names(folder)
    listeners: dict[str, ArtistPlays] = {}
    for listener, artist, plays in delimited_rows(
        "hetrec", folder, "user_artists.dat", 3, last_is_number=True
    ):
        if artist in names:
            key, name = names[artist]
            listeners.setdefault(listener, ArtistPlays()).add(key, name, float(plays))
    for listener, artists in listeners.items():
        yield artists.profile(listener, "hetrec")


def read_tags(folder: Path) -> list[Tagging]:
    """Return each (listener, artist key, tag) once, in file order, with its day.

    The day is None if the set's own is impossible. Artists without a name are left out.
    """
    folder = folder_of("hetrec", folder)
    names = _artist_names(folder)
    words = {
        tag_id: " ".join(word.split()).lower()
        for tag_id, word in delimited_rows("hetrec", folder, "tags.dat", 2, encoding="latin-1")
    }
    taggings: dict[tuple[str, str, str], date | None] = {}
    for row in delimited_rows("hetrec", folder, "user_taggedartists.dat", 6):
        listener, artist, tag, day, month, year = row
        named, word = names.get(artist), words.get(tag)
        if named and word:
            taggings.setdefault((listener, named[0], word), _tagging_day(year, month, day))
    return [(*tagging, when) for tagging, when in taggings.items()]


def read_friends(folder: Path) -> list[tuple[str, str]]:
    """Return the pairs of listener ids that are friends, each pair once, smaller id first.

    Reads `user_friends_part.dat` or, if there is none, the set's own `user_friends.dat`.
    """
    folder = folder_of("hetrec", folder)
    file = "user_friends_part.dat"
    if find_file(folder, file) is None and find_file(folder, "user_friends.dat") is not None:
        file = "user_friends.dat"

    def by_number(listener: str) -> tuple[int, str]:
        return len(listener), listener

    pairs = {
        (min(a, b, key=by_number), max(a, b, key=by_number))
        for a, b in delimited_rows("hetrec", folder, file, 2)
        if a != b
    }
    return sorted(pairs, key=lambda pair: (by_number(pair[0]), by_number(pair[1])))


def _artist_names(folder: Path) -> dict[str, tuple[str, str]]:
    """Return artist id -> (artist key, name)."""
    names = {}
    for artist_id, written in delimited_rows("hetrec", folder, "artists.dat", 2):
        name = written.strip()
        if is_artist_name(name):
            names[artist_id] = (artist_key(name), name)
    return names


def _tagging_day(year: str, month: str, day: str) -> date | None:
    try:
        when = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return when if TAGGED_SINCE <= when.year <= TAGGED_UNTIL else None
