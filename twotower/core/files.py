"""Atomic replacement of files and folders, and hashes of files."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Yield a temporary file that replaces `path` when the block ends without an error.

    Readers of `path` see the whole old file or the whole new one. Folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `folder` when the block ends without an error.

    If that fails, `folder` stays as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield temporary
        for path in temporary.iterdir():
            path.chmod(0o644)
        temporary.chmod(0o755)
        _replace_folder(folder, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace_folder(folder: Path, by: Path) -> None:
    if not folder.exists():
        os.replace(by, folder)
        return
    previous = by.with_name(f"{by.name}-old")
    os.replace(folder, previous)
    try:
        os.replace(by, folder)
    except BaseException:
        os.replace(previous, folder)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
