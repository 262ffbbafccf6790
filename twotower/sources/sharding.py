"""Splits files of many listeners into shards, so that several processes can read and embed them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.sources.profile_jsonl import read_numbered_profiles

BLOCK = 1024  # lines that one process reads and embeds at once
LINES = 1 << 40  # positions per file; more than any file has lines


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `number` of `count`, counted from 0."""

    number: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse "3/8", the fourth of eight shards. Raises ValueError for another text."""
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if not match or int(match[1]) >= int(match[2]):
            raise ValueError(
                f"{text!r} is not a shard: write I/N, for example 0/4 for the first of four"
            )
        return cls(int(match[1]), int(match[2]))


WHOLE = Shard()


def read_shard(
    paths: Sequence[Path], shard: Shard = WHOLE
) -> Iterator[tuple[int, tuple[Profile, ...]]]:
    """Yield (position of the first, profiles) for each block of lines that belongs to the shard.

    Whole files are dealt out if there is at least one for each shard, else blocks of `BLOCK` lines.
    A position is `LINES` * index of the file + line number, so that positions rise in the order of
    files and lines. All shards together have the blocks of the whole. Raises MissingData.
    """
    for path in paths:
        if not path.exists():
            raise MissingData("there is no such file; check the path", where=str(path))
    by_file = len(paths) >= shard.count
    for index, path in enumerate(paths):
        if by_file and index % shard.count != shard.number:
            continue
        for line, profiles in _blocks(path, shard, index, by_file=by_file):
            yield index * LINES + line, profiles


def _blocks(
    path: Path, shard: Shard, index: int, *, by_file: bool
) -> Iterator[tuple[int, tuple[Profile, ...]]]:
    """Yield (line number of the first, profiles) for each block of one file."""

    def belongs(line: int) -> bool:
        return by_file or (index + (line - 1) // BLOCK) % shard.count == shard.number

    block: list[Profile] = []
    start = 0
    for line, profile in read_numbered_profiles(path, where=path.name, wanted=belongs):
        if block and (line - 1) // BLOCK != (start - 1) // BLOCK:
            yield start, tuple(block)
            block = []
        if not block:
            start = line
        block.append(profile)
    if block:
        yield start, tuple(block)
