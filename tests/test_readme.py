"""README and docs: the Python example runs; commands, make targets and links exist."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import typer.main

from twotower.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/data.md",
    "docs/cli.md",
    "docs/spotify.md",
    "docs/community.md",
    "docs/retraining.md",
    "docs/postgresql.md",
    "docs/scale.md",
]


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def commands() -> set[str]:
    """Return the names of all commands: "train", "map fit", ..."""
    known: set[str] = set()

    def walk(group: object, before: str) -> None:
        for name, command in getattr(group, "commands", {}).items():
            inner = getattr(command, "commands", None)
            if inner is None:
                known.add(f"{before}{name}")
            else:
                walk(command, f"{before}{name} ")

    walk(typer.main.get_command(app), "")
    return known


def test_the_readme_begins_with_the_app_and_its_tests():
    assert re.findall(r"^make ([a-z]+)", read("README.md"), re.MULTILINE)[:2] == ["app", "test"]


def test_the_python_example_of_the_readme_runs(tmp_path: Path):
    (code,) = re.findall(r"^```python\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)
    assert len(code.splitlines()) <= 8
    with zipfile.ZipFile(tmp_path / "my_spotify_data.zip", "w") as archive:
        archive.writestr("music.csv", "artist,track\nRadiohead,Creep\nPortishead,Roads\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TWOTOWER_COMMUNITY": f"sqlite:///{tmp_path / 'community.sqlite'}",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(".")[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert all(re.search(r", -?[01]\.\d\d: ", line) for line in lines), lines


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document: str):
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    targets_named = re.findall(r"(?:^|`)(?:\w+=\S+ )*make ([a-z]+)", read(document), re.MULTILINE)
    assert set(targets_named) <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_to_type_exist(document: str):
    typed = re.findall(r"python -m twotower ((?:map|community) [a-z-]+|[a-z-]+)", read(document))
    assert set(typed) <= commands()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str):
    for target in re.findall(r"(?<!!)\[[^]]*\]\((?!https?:)([^)#]+)", read(document)):
        assert (ROOT / document).parent.joinpath(target).exists(), target
