"""Files that are whole."""

from pathlib import Path

import pytest

from twotower.core.files import replacing


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path):
    path = tmp_path / "new" / "folder" / "file"
    for text in (b"old", b"new"):
        with replacing(path) as file:
            file.write(text)
        assert path.read_bytes() == text
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_until_the_block_ends_the_old_file_is_there(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(
    problem: type[BaseException], tmp_path: Path
):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(problem), replacing(path) as file:
        file.write(b"half")
        raise problem
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
