"""Which content sets name an artist, to decide who is worth a row in a catalogue."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.artist_content import ContentBuilders
from twotower.sources.datasets.modern_content import BY_ID, BY_NAME
from twotower.sources.datasets.public_content import READERS
from twotower.sources.datasets.tables import FOLDERS


def content_sets_of(data: Path) -> dict[str, frozenset[str]]:
    """Return artist key -> names of the content sets in a data folder that name the artist.

    Listeners' tags don't count. Raises UnreadableExport if a file is damaged.
    """
    sets: dict[str, set[str]] = {}
    for name in (*READERS, *BY_ID, *BY_NAME):
        folder = data / FOLDERS[name]
        if folder.is_dir():
            for key in _artists_of(name, folder):
                sets.setdefault(key, set()).add(name)
    return {key: frozenset(names) for key, names in sets.items()}


def _artists_of(name: str, folder: Path) -> Iterator[str]:
    """Yield the keys of the artists that a set names; a key may come several times."""
    if name in READERS:
        builders: ContentBuilders = {}
        READERS[name](folder, builders)
        yield from builders
    else:
        rows = (BY_ID[name] if name in BY_ID else BY_NAME[name])(folder)
        yield from (artist_key(artist) for artist, _, _ in rows if is_artist_name(artist))
