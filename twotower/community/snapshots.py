"""Segments of a large crowd kept in files beside the database, so that a start needn't read rows.

They are derived and may be lost at any time. Who leaves or changes is in no file afterwards: the
file with them goes, and is made again when somebody next starts.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twotower.community.crowd import Segment
from twotower.disk import replacing
from twotower.errors import CommunityError

LARGE = 300_000  # listeners from which on it is worth it
_END = ".npz"
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class Span:
    """A segment that has everyone whose last change is after `low` and not after `high`."""

    low: int
    high: int
    count: int  # rows of these changes in the database, those who can't be found too
    stamp: str  # of the last row of the segment: tells a database that was put back from this one
    segment: Segment


class Snapshots:
    """The files of one SQLite community."""

    def __init__(self, folder: Path, *, least: int = LARGE) -> None:
        self.folder, self.least = folder, least

    def load(self, model_version: str) -> Iterator[Span]:
        """What is kept for a model, by rising changes; files that can't be read are removed."""
        found = [(*bounds, path) for path in self._files(model_version) if (bounds := _of(path))]
        last = -1
        for low, high, path in sorted(found):
            try:
                with np.load(path, allow_pickle=False) as arrays:
                    told = {name: arrays[name] for name in arrays.files}
                count, stamp = int(told.pop("count")), str(told.pop("stamp"))
                if low < last:
                    raise ValueError("two files have the same changes")
                yield Span(low, high, count, stamp, Segment(**told))
                last = high
            except _UNREADABLE:
                path.unlink(missing_ok=True)

    def save(self, model_version: str, span: Span) -> bool:
        """Keep a segment; False where there is no room or no right to."""
        columns = ("seqs", "ids", "user", "candidate", "places", "invented")
        arrays = {name: getattr(span.segment, name) for name in columns}
        path = self.folder / f"{_prefix(model_version)}{span.low}-{span.high}{_END}"
        try:
            with replacing(path) as file:
                np.savez(file, count=span.count, stamp=span.stamp, **arrays)
        except OSError:
            return False
        return True

    def forget(self, seq: int) -> None:
        """Remove every file with the listener whose last change was `seq`."""
        for path in self._files():
            bounds = _of(path)
            if bounds is None or bounds[0] < seq <= bounds[1]:
                self._remove(path)

    def forget_all(self, model_version: str | None = None) -> None:
        """Remove all files, or those of one model."""
        for path in self._files(model_version):
            self._remove(path)

    def drop(self, model_version: str, span: Span) -> None:
        """Remove the file of one segment."""
        self._remove(self.folder / f"{_prefix(model_version)}{span.low}-{span.high}{_END}")

    def _files(self, model_version: str | None = None) -> list[Path]:
        """Also those that a killed process left half written."""
        if not self.folder.is_dir():
            return []
        pattern = "*" if model_version is None else f"{_prefix(model_version)}*"
        return [path for path in self.folder.glob(pattern) if path.is_file()]

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CommunityError(
                f"done, but a copy made for a quick start can't be removed ({error.strerror}): "
                "remove it by hand",
                where=str(path),
            ) from error


def _prefix(model_version: str) -> str:
    return hashlib.sha256(model_version.encode()).hexdigest()[:12] + "-"


def _of(path: Path) -> tuple[int, int] | None:
    """(low, high) that a file's name tells."""
    parts = path.name.removesuffix(_END).split("-")
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return int(parts[1]), int(parts[2])
