"""Atomic file replacement, hashes of files."""

from pathlib import Path

import pytest

from twotower.core.files import atomic_write, sha256_of_file


def test_the_new_file_replaces_the_old_one(tmp_path: Path):
    path = tmp_path / "new" / "folder" / "file"
    for text in (b"old", b"new"):
        with atomic_write(path) as file:
            file.write(text)
        assert path.read_bytes() == text
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_old_file_stays_until_the_block_ends(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_a_failed_block_leaves_only_the_old_file(problem: type[BaseException], tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(problem), atomic_write(path) as file:
        file.write(b"half")
        raise problem
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_sha256_of_a_file_is_that_of_its_bytes(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "file").startswith("ba7816bf8f01cfea414140de5dae2223")
