"""Other spellings of artists' names, mostly of another script: 五月天 is Mayday."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from twotower.core.names import artist_key
from twotower.sources.datasets.lists import is_real_artist
from twotower.sources.datasets.tables import csv_columns, folder_of

DERIVED, JAPANESE = "aliases", "aliases-ja"
TWO_SCRIPTS = "two-script-name"
_BRACKETS = re.compile(r"[()（）\[\]【】「」]")


class Alias(NamedTuple):
    """Two spellings of one artist; their artist keys differ."""

    name: str  # in Latin letters if one of the two is
    alias: str
    kind: str  # how the pair is known


def read_aliases(name: str, folder: Path) -> Iterator[Alias]:
    """Yield the pairs of `DERIVED` or `JAPANESE`, each once; `folder` as for `read_charts`.

    Kinds of `DERIVED`: "shared-songs" and "shared-songs-billboard-jp" (the two spellings have the
    same song titles) and "two-script-name" (a name such as "Anson Lo 盧瀚霆": the Latin half is the
    name; the whole and the other half are its aliases). The kind of `JAPANESE` is "japanese".
    """
    folder = folder_of(name, folder)
    pairs = _derived_pairs(folder) if name == DERIVED else _japanese_pairs(folder)
    for pair in dict.fromkeys(pairs):
        are_real = is_real_artist(pair.name) and is_real_artist(pair.alias)
        if are_real and artist_key(pair.name) != artist_key(pair.alias):
            yield pair


def _derived_pairs(folder: Path) -> Iterator[Alias]:
    for kind, name, also in csv_columns(DERIVED, folder, "aliases.csv", ("kind", "name", "also")):
        if kind == TWO_SCRIPTS:
            latin, other = _halves(name, also)
            yield Alias(latin, name, kind)
            if other:
                yield Alias(latin, other, kind)
        else:
            yield Alias(name, also, kind)


def _halves(whole: str, half: str) -> tuple[str, str]:
    """Return a two-script name's half in Latin letters, and the other; `half` is one of them."""
    rest = _BRACKETS.sub(" ", whole.replace(half, " ", 1))
    rest = " ".join(rest.split()).strip(" -/·,")
    return (half, rest) if _is_latin(half) or not _is_latin(rest) else (rest, half)


def _is_latin(text: str) -> bool:
    """Return True if the text has letters, all of them Latin."""
    letters = [char for char in text if char.isalpha()]
    return bool(letters) and all(unicodedata.name(char, "").startswith("LATIN") for char in letters)


def _japanese_pairs(folder: Path) -> Iterator[Alias]:
    columns = ("artist_en", "artist_ja")
    for english, japanese in csv_columns(JAPANESE, folder, "artists.csv", columns):
        yield Alias(english.strip(), japanese.strip(), "japanese")
