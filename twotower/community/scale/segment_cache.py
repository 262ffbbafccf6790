"""Segments of a large snapshot cached in files, so that a start needn't read the rows.

The files are derived and may be lost at any time. A file that contains a listener who leaves or
changes is deleted with the change, and written again at a later start.
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

MIN_MEMBERS = 300_000  # smaller communities start quickly enough without
_SUFFIX = ".npz"
IsCurrent = Callable[["SegmentKey"], bool]  # True if the database still has exactly these rows


@dataclass(frozen=True)
class SegmentKey:
    """The rows that a file was made of, to compare with those in the database."""

    model: str  # version
    low: int
    high: int  # covers the last changes after `low` up to `high`
    count: int  # listeners in that range, findable or not
    last: str  # id and time of the last of them: differs in a restored backup
    vectors_version: str


@dataclass(frozen=True, eq=False)
class CachedSegment:
    """A segment with the key of its rows."""

    key: SegmentKey
    segment: Segment


class SegmentCache:
    """Files of one SQLite community, in one folder."""

    def __init__(self, folder: Path, *, min_members: int = MIN_MEMBERS) -> None:
        self.folder, self.min_members = folder, min_members

    def load(self, model: str, is_current: IsCurrent) -> Iterator[CachedSegment]:
        """Yield the cached segments of a model, by rising changes.

        Deletes the files of any model that are outdated, unreadable or unfinished.
        """
        keys = [key for path in self._files() if (key := self._checked_key(path, is_current))]
        last = -1
        for key in sorted(keys, key=lambda each: (each.low, each.high)):
            if key.model != model:
                continue
            path = self._path(key)
            try:
                if key.low < last:
                    raise ValueError("two files cover the same changes")
                with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                    segment = Segment(**{name: arrays[name] for name in COLUMNS})
            except Exception:  # numpy raises many kinds of error for a damaged file
                self._remove(path)
                continue
            yield CachedSegment(key, segment)
            last = key.high

    def save(self, cached: CachedSegment, is_current: IsCurrent) -> bool:
        """Write a segment; return False if it is outdated or the file can't be written.

        The check runs when the temporary file exists but is still empty. A member who left before
        makes the check fail; one who leaves later deletes the file, finished or not.
        """
        arrays = {name: getattr(cached.segment, name) for name in COLUMNS}
        try:
            with atomic_write(self._path(cached.key)) as file:
                if not is_current(cached.key):
                    raise FileNotFoundError("a member left meanwhile")
                np.savez(file, key=json.dumps(asdict(cached.key)), **arrays)
        except OSError:
            return False
        return True

    def invalidate(self, seqs: Collection[int]) -> None:
        """Delete every file with a listener whose last change is one of `seqs`."""
        if seqs:
            self._remove_all(lambda low, high: any(low < seq <= high for seq in seqs))

    def clear(self, model: str | None = None) -> None:
        """Delete all files, or those of one model."""
        prefix = "" if model is None else _hashed(model)
        self._remove_all(lambda low, high: True, prefix)

    def _checked_key(self, path: Path, is_current: IsCurrent) -> SegmentKey | None:
        """Return the key in a file; delete the file and return None if it is of no use."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                key = SegmentKey(**json.loads(str(arrays["key"])))
            if path != self._path(key) or not is_current(key):
                raise ValueError("the rows have changed since")
        except CommunityError:
            raise
        except Exception:  # numpy raises many kinds of error for a damaged file
            self._remove(path)
            return None
        return key

    def _remove_all(self, covers: Callable[[int, int], bool], prefix: str = "") -> None:
        """Delete matching and unfinished files, until none is left.

        An unfinished file may get its final name between the listing and the deletion.
        """
        while True:
            paths = [
                path
                for path in self._files()
                if (bounds := _bounds(path)) is None
                or (covers(*bounds) and path.name.startswith(prefix))
            ]
            if not paths:
                return
            for path in paths:
                self._remove(path)

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in self.folder.iterdir() if path.is_file()]

    def _path(self, key: SegmentKey) -> Path:
        return self.folder / f"{_hashed(key.model)}-{key.low}-{key.high}{_SUFFIX}"

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CommunityError(
                f"a cache file can't be deleted ({error.strerror}): delete it by hand",
                where=str(path),
            ) from error


def _hashed(model: str) -> str:
    return hashlib.sha256(model.encode()).hexdigest()[:12]


def _bounds(path: Path) -> tuple[int, int] | None:
    """Return (low, high) from a file's name; None if the file is unfinished."""
    parts = path.name.removesuffix(_SUFFIX).split("-")
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return int(parts[1]), int(parts[2])
