"""Segments of a large snapshot cached in files, so that a start needn't read the rows.

They are derived and may be lost at any time. Who leaves or changes is in no file afterwards: the
file with them goes, and is made again when somebody next starts.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from twotower.community.snapshot import COLUMNS, Segment
from twotower.core.errors import CommunityError
from twotower.core.files import atomic_write

LARGE = 300_000  # listeners from which on it is worth it
_END = ".npz"


@dataclass(frozen=True)
class SegmentKey:
    """What a file says of the rows that it was made of, to hold against those that are there."""

    model: str  # version
    low: int
    high: int  # everyone whose last change is after `low` and not after `high`
    count: int  # listeners of these changes, those who can't be found too
    last: str  # the last of them, and since when: tells a database that was put back from this one
    epoch: str  # of the model's vectors


@dataclass(frozen=True, eq=False)
class CachedSegment:
    """A segment, and what it was made of."""

    label: SegmentKey
    segment: Segment


class SegmentCache:
    """The files of one SQLite community."""

    def __init__(self, folder: Path, *, least: int = LARGE) -> None:
        self.folder, self.least = folder, least

    def load(self, model: str, holds: Callable[[SegmentKey], bool]) -> Iterator[CachedSegment]:
        """What is kept for a model, by rising changes.

        Files of any model that no longer hold, can't be read, or were never finished are removed.
        """
        found: list[SegmentKey] = []
        for path in self._files():
            try:
                with np.load(path, allow_pickle=False) as arrays:
                    label = SegmentKey(**json.loads(str(arrays["label"])))
                if path != self._path(label) or not holds(label):
                    raise ValueError("the rows have changed since")
            except CommunityError:
                raise
            except Exception:  # whatever a damaged file makes of numpy
                self._remove(path)
                continue
            if label.model == model:
                found.append(label)
        last = -1
        for label in sorted(found, key=lambda each: (each.low, each.high)):
            path = self._path(label)
            try:
                if label.low < last:
                    raise ValueError("two files have the same changes")
                with np.load(path, allow_pickle=False) as arrays:
                    segment = Segment(**{name: arrays[name] for name in COLUMNS})
            except Exception:
                self._remove(path)
                continue
            yield CachedSegment(label, segment)
            last = label.high

    def save(self, span: CachedSegment, holds: Callable[[SegmentKey], bool]) -> bool:
        """Keep a segment; False where it no longer holds, or there is no room or no right to.

        Looked at after the file is there and before anything is in it: who leaves before that
        look is seen by it, and who leaves later removes the file, finished or not.
        """
        arrays = {name: getattr(span.segment, name) for name in COLUMNS}
        try:
            with atomic_write(self._path(span.label)) as file:
                if not holds(span.label):
                    raise FileNotFoundError("somebody left meanwhile")
                np.savez(file, label=json.dumps(asdict(span.label)), **arrays)
        except OSError:
            return False
        return True

    def forget(self, seqs: Collection[int]) -> None:
        """Remove every file with a listener whose last change was one of `seqs`."""
        if seqs:
            self._remove_all(lambda low, high: any(low < seq <= high for seq in seqs))

    def forget_all(self, model: str | None = None) -> None:
        """Remove all files, or those of one model."""
        beginning = "" if model is None else _hashed(model)
        self._remove_all(lambda low, high: True, beginning)

    def _remove_all(self, which: Callable[[int, int], bool], beginning: str = "") -> None:
        """Also files that aren't finished, until there are none: one may just get its name."""
        while True:
            found = [
                path
                for path in self._files()
                if (bounds := _bounds(path)) is None
                or (which(*bounds) and path.name.startswith(beginning))
            ]
            if not found:
                return
            for path in found:
                self._remove(path)

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in self.folder.iterdir() if path.is_file()]

    def _path(self, label: SegmentKey) -> Path:
        return self.folder / f"{_hashed(label.model)}-{label.low}-{label.high}{_END}"

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CommunityError(
                f"a copy made for a quick start can't be removed ({error.strerror}): remove it by "
                "hand",
                where=str(path),
            ) from error


def _hashed(model: str) -> str:
    return hashlib.sha256(model.encode()).hexdigest()[:12]


def _bounds(path: Path) -> tuple[int, int] | None:
    """(low, high) that a file's name tells; None of one that isn't finished."""
    parts = path.name.removesuffix(_END).split("-")
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return int(parts[1]), int(parts[2])
