"""Files of many listeners in shares, so that several processes read and embed them side by side."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.sources.profile_jsonl import read_numbered_profiles

BLOCK = 1024  # lines that one process reads and embeds at once
LINES = 1 << 40  # more than any file has


@dataclass(frozen=True, slots=True)
class Shard:
    """Share `number` of `count`, counted from 0."""

    number: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """ "3/8" is the fourth of eight shares; ValueError says what is wrong with another text."""
        told = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if not told or int(told[1]) >= int(told[2]):
            raise ValueError(f"{text!r} is no share: 0/4, 1/4, 2/4 and 3/4 are those of four")
        return cls(int(told[1]), int(told[2]))


WHOLE = Shard()


def read_shard(
    paths: Sequence[Path], shard: Shard = WHOLE
) -> Iterator[tuple[int, tuple[Profile, ...]]]:
    """(place of the first, profiles) of each block of lines that is in the share.

    Whole files are dealt out where there is one for each share, else blocks of `BLOCK` lines.
    Places rise in the order of files and lines; all shares together give those of the whole.
    """
    for path in paths:
        if not path.exists():
            raise MissingData("there is no such file; check the path", where=str(path))
    by_file = len(paths) >= shard.count
    for at, path in enumerate(paths):
        if by_file and at % shard.count != shard.number:
            continue

        def mine(line: int, at: int = at) -> bool:
            return by_file or (at + (line - 1) // BLOCK) % shard.count == shard.number

        block: list[Profile] = []
        start = 0
        for line, profile in read_numbered_profiles(path, where=path.name, wanted=mine):
            if block and (line - 1) // BLOCK != (start - 1) // BLOCK:
                yield at * LINES + start, tuple(block)
                block = []
            if not block:
                start = line
            block.append(profile)
        if block:
            yield at * LINES + start, tuple(block)
