"""Room on the disk that is kept for members who leave."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 3 << 20  # enough to delete the largest member, see `stored_profile`
ROOM_FACTOR = 4  # it is made only if so many would fit


class Reserve:
    """A file beside the database; removing it makes room on a full disk."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def keep(self) -> None:
        """Make the file if there is none and the disk has room; failures are no error."""
        with suppress(OSError):
            if self._file.exists():
                return
            if shutil.disk_usage(self._file.parent).free < ROOM_FACTOR * RESERVE_BYTES:
                return
            with self._file.open("xb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
                else:
                    file.write(bytes(RESERVE_BYTES))

    def free(self) -> bool:
        """Remove the file; return whether there was one."""
        try:
            self._file.unlink()
        except OSError:
            return False
        return True
