"""The file of the synthetic listeners: profile JSON Lines, compressed by xz.

Xz finds an artist's name again over the whole file, and makes it half as large as gzip does. Older
files are gzipped.
"""

import gzip
import io
import json
import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from twotower.community.public_view import most_played
from twotower.core.domain import Profile
from twotower.sources.profile_jsonl import profile_to_json, read_profiles

NAME, OLDER_NAME = "listeners.jsonl.xz", "listeners.jsonl.gz"


class ListedListener(NamedTuple):
    """The part of a synthetic listener that others see."""

    id: str
    name: str
    origin: str
    artists: tuple[tuple[str, float], ...]  # (name, plays), most played first


def path_in(folder: Path) -> Path:
    """Return the path of the file in a community's folder, where it is or would be."""
    older = folder / OLDER_NAME
    return older if older.is_file() else folder / NAME


def write_listeners(path: Path, profiles: Sequence[Profile]) -> None:
    """Write the profiles, the same bytes for the same profiles."""
    with lzma.open(path, "wb") as file:
        for profile in profiles:
            line = json.dumps(profile_to_json(profile), ensure_ascii=False, separators=(",", ":"))
            file.write(line.encode() + b"\n")


def read_listeners(path: Path) -> Iterator[Profile]:
    """Yield the profiles, in the order of the file. Raises BadProfile for a damaged line."""
    yield from read_profiles(io.BytesIO(_unpacked(path)), where=path.name)


def read_listed(path: Path) -> Iterator[ListedListener]:
    """Yield the public part of each listener, in the order of the file.

    Ten times as fast as reading whole profiles, since nothing is checked: the file must be one of
    `write_listeners`, with the right hash.
    """
    for line in _unpacked(path).split(b"\n")[:-1]:
        profile = json.loads(line)
        plays = [(artist["name"], float(artist["plays"])) for artist in profile["artists"]]
        yield ListedListener(profile["id"], profile["name"], profile["origin"], most_played(plays))


def _unpacked(path: Path) -> bytes:
    unpack = gzip.decompress if path.suffix == ".gz" else lzma.decompress
    return unpack(path.read_bytes())
