"""The community's commands, end to end, on a planted world and a real file."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from planted import ring
from typer.testing import CliRunner, Result

from twotower.cli import app
from twotower.domain import SPOTIFY_WEB_API
from twotower.profiles import write_profiles

COMMANDS = ("init", "import", "join", "leave", "export", "stats", "verify-receipt", "backup")


class Terminal:
    """Calls commands on one community, as from a pipe."""

    def __init__(self, assets: Path, folder: Path) -> None:
        self.folder, self.file = folder, folder / "data" / "c.sqlite"
        self.env = {
            "TWOTOWER_ASSETS": str(assets),
            "TWOTOWER_COMMUNITY": f"sqlite:///{self.file}",
        }

    def __call__(self, *args: object, input: str | None = None) -> Result:
        called = ["community", *map(str, args)]
        return CliRunner().invoke(app, called, env=self.env, input=input)

    def join(self, *more: str) -> dict:
        profile = self.folder / "me.jsonl"
        write_profiles([replace(p, id="me") for p in ring(1, artists=20, origin="file")], profile)
        wish = ("--name", "Amber Cadence", "--findable", "--training")
        result = self("join", profile, *wish, "--json", *more)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def stats(self) -> dict:
        return json.loads(self("stats", "--json").stdout)


@pytest.fixture
def call(planted_assets, tmp_path) -> Terminal:
    return Terminal(planted_assets, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(call, command):
    result = call(command, "--help")
    assert result.exit_code == 0 and "Usage" in result.stdout


def test_init_may_be_said_again(call):
    first, again = (json.loads(call("init", "--json").stdout) for _ in range(2))
    assert first == again and first["listeners"] == first["invented"] == 200


def test_an_empty_one_is_empty(call):
    assert json.loads(call("init", "--empty", "--json").stdout)["listeners"] == 0


def test_join_export_leave_and_the_receipt_and_no_byte_is_left(call):
    call("init")
    joined = call.join("--show", "5")
    assert len(joined["shown"]) == 5
    held = json.loads(call("export", input=joined["code"]).stdout)
    assert held["name"] == "Amber Cadence" and held["profile"]["artists"]
    assert [len(held["vectors"]), len(held["vectors"][0]["user_vector"])][0] == 1
    kept = [b"Amber Cadence", joined["code"].encode(), held["code_hash"].encode()]
    import numpy as np

    both = held["vectors"][0]
    kept += [np.array(both[f"{t}_vector"], "<f4").tobytes()[:32] for t in ("user", "candidate")]
    out = call.folder / "receipt.json"
    assert call("leave", input=joined["code"]).exit_code == 2  # nobody was asked
    assert call.stats()["training"] == 1
    left = call("leave", "--yes", "--out", out, input=joined["code"].lower())
    assert left.exit_code == 0 and "may still remember" in left.stderr
    assert call("verify-receipt", out).exit_code == 0
    files = [p for p in (call.folder / "data").rglob("*") if p.is_file()]
    assert files and not [(p.name, k) for p in files for k in kept if k in p.read_bytes()]
    for command in ("export", "leave"):
        again = call(command, *(["--yes"] if command == "leave" else []), input=joined["code"])
        assert again.exit_code == 2 and "nobody here has this code" in again.stderr


def test_a_code_may_come_from_a_file(call):
    joined = call.join()
    file = call.folder / "code.txt"
    file.write_text(joined["code"] + "\n")
    assert json.loads(call("export", "--code-file", file).stdout)["id"] == joined["id"]


def test_join_wants_both_answers_and_stores_nothing_without(call):
    call("init")
    profile = call.folder / "me.jsonl"
    write_profiles([replace(p, id="me") for p in ring(1, artists=20, origin="file")], profile)
    for flags in (
        [],
        ["--findable"],
        ["--no-findable", "--no-training"],
        ["--findable", "--training"],
    ):
        assert call("join", profile, *flags).exit_code == 2
    assert call.stats()["listeners"] == 200


def test_import_counts_what_it_refuses_and_may_be_said_again(call):
    people = [replace(p, id=f"p{n}") for n, p in enumerate(ring(4, artists=16, origin="file"))]
    people[2] = replace(people[2], origin=SPOTIFY_WEB_API)
    file, codes = call.folder / "many.jsonl", call.folder / "codes.jsonl"
    write_profiles(people, file)
    file.write_text(file.read_text() + "{ no json\n")
    assert call("import", file, "--codes", codes).exit_code == 2  # nobody said yes
    args = ("import", file, "--codes", codes, "--findable", "--json")
    first = json.loads(call(*args).stdout)
    assert (first["joined"], first["refused"]) == (3, 2)
    assert [line["line"] for line in first["lines"]] == [3, 5]
    code = json.loads(codes.read_text().splitlines()[0])["code"]
    assert call("leave", "--yes", input=code).exit_code == 0
    again = json.loads(call(*args).stdout)
    assert (again["joined"], again["there before"], again["left before"]) == (0, 2, 1)
    assert codes.stat().st_mode & 0o077 == 0


def test_a_backup_is_whole_and_never_written_over(call):
    joined = call.join()
    out = call.folder / "copies" / "copy.sqlite"
    assert call("backup", out).exit_code == 0
    with sqlite3.connect(out) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = copy.execute("SELECT name FROM listeners WHERE id = ?", [joined["id"]]).fetchone()
    assert found == ("Amber Cadence",)
    before = out.read_bytes()
    assert call("backup", out).exit_code == 2 and out.read_bytes() == before
    assert [p.name for p in out.parent.iterdir()] == ["copy.sqlite"]
