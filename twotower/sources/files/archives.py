"""One file to read, unpacked in memory within limits of size; nothing is written to disk."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, cast

from twotower.core.errors import TooLarge, UnreadableExport
from twotower.core.jobs import Progress, silent

MEGABYTE = 1 << 20
LARGEST_UNPACKED = 1024 * MEGABYTE  # all files of one reading
LARGEST_RATIO = 200  # unpacked to packed size, for files that unpack to more than SMALL
SMALL = 8 * MEGABYTE
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, struct.error, ValueError)
TOO_DENSE = (
    f"unpacks to more than {LARGEST_RATIO} times its size; a listening history never does: "
    "download it again"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One file to read: chosen by the person, or a member of a ZIP."""

    name: str  # for the person
    unpack: Callable[[], IO[bytes]]  # opens the unpacked bytes from the start
    packed_bytes: int  # its share of the work
    share_read: Callable[[int], float]  # unpacked bytes read -> share of the part, 0..1
    fingerprint: tuple[int, int]  # checksum and length; equal for the same file


class ReadingMeter:
    """Reports the progress of a reading, and stops it if it unpacks to too much."""

    def __init__(self, packed_bytes: int, progress: Progress = silent) -> None:
        self._total = max(1, packed_bytes)
        self._progress = progress
        self._finished_bytes = 0  # packed, of the parts that are finished
        self._reported = -1.0
        self._unpacked_bytes = 0

    def add(self, part: Part, more: int, so_far: int) -> None:
        """Count `more` unpacked bytes of a part, `so_far` in all. Raises TooLarge."""
        self._unpacked_bytes += more
        if self._unpacked_bytes > LARGEST_UNPACKED:
            raise TooLarge(
                f"unpacks to more than {LARGEST_UNPACKED // MEGABYTE:,} MB: choose fewer files",
                where=part.name,
            )
        if so_far > SMALL and so_far > LARGEST_RATIO * part.packed_bytes:
            raise TooLarge(TOO_DENSE, where=part.name)
        share = min(1.0, part.share_read(so_far))
        self._report(self._finished_bytes + part.packed_bytes * share, part.name)

    def rewind(self, unpacked_bytes: int) -> None:
        """Take back bytes that will be read again."""
        self._unpacked_bytes -= unpacked_bytes

    def finish(self, part: Part) -> None:
        self._finished_bytes += part.packed_bytes
        self._report(self._finished_bytes, part.name)

    def _report(self, packed_bytes: float, name: str) -> None:
        share = min(1.0, packed_bytes / self._total)
        if share >= self._reported + 0.01 or share == 1 > self._reported:
            self._reported = share
            self._progress(share, f"Reading {name}")


def open_part(part: Part, meter: ReadingMeter | None = None) -> IO[bytes]:
    """Open the unpacked bytes of a part. Damage raises UnreadableExport, here and while reading."""
    return cast(IO[bytes], _PartStream(part, meter or ReadingMeter(part.packed_bytes)))


class _PartStream(io.RawIOBase):
    """Unpacked bytes that can be read on, and rewound to the start."""

    def __init__(self, part: Part, meter: ReadingMeter) -> None:
        self._part = part
        self._meter = meter
        self._position = 0
        self._file = self._unpack()

    def _unpack(self) -> IO[bytes]:
        try:
            return self._part.unpack()
        except (*DAMAGED, RuntimeError, NotImplementedError) as fault:
            raise self._damaged(fault) from fault

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            piece = self._file.read(-1 if size is None else size)
        except DAMAGED as fault:
            raise self._damaged(fault) from fault
        self._position += len(piece)
        self._meter.add(self._part, len(piece), self._position)
        return piece

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if (offset, whence) != (0, 0):
            raise io.UnsupportedOperation("only back to the start")
        self._meter.rewind(self._position)
        self._position = 0
        self._file = self._unpack()
        return 0

    def tell(self) -> int:
        return self._position

    def _damaged(self, fault: BaseException) -> UnreadableExport:
        return UnreadableExport(
            f"the file is damaged or incomplete ({fault}): download it again",
            where=self._part.name,
        )


def size_of(file: IO[bytes]) -> int:
    """Return the size of an open file in bytes, and leave its position at the end."""
    return file.seek(0, io.SEEK_END)
