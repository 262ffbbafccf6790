"""Community commands, end to end, on a planted world and a real database file."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from planted import ring
from servers import fresh
from typer.testing import CliRunner, Result

from twotower.cli.main import app
from twotower.core.domain import SPOTIFY_WEB_API
from twotower.sources.profile_jsonl import write_profiles

COMMANDS = (
    *("init", "import", "join", "update", "leave", "export", "stats", "verify-receipt", "backup"),
    "index",
)


class Terminal:
    """Runs commands on one community, as from a pipe."""

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
        choices = ("--name", "Amber Cadence", "--findable", "--training")
        result = self("join", self.music("me.jsonl"), *choices, "--json", *more)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def music(self, name: str, *, quarter: int = 0, seed: int = 0) -> Path:
        """Write a file of one person's music, from a quarter of the ring; return its path."""
        heard = ring(quarter + 1, artists=20, origin="file", seed=seed)[quarter]
        write_profiles([replace(heard, id="me")], self.folder / name)
        return self.folder / name

    def update(self, code: str, *args: object) -> dict:
        result = self("update", *args, "--json", input=code)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def export(self, code: str) -> dict:
        return json.loads(self("export", input=code).stdout)

    def stats(self) -> dict:
        return json.loads(self("stats", "--json").stdout)


@pytest.fixture
def call(planted_assets, tmp_path) -> Terminal:
    return Terminal(planted_assets, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(call, command):
    result = call(command, "--help")
    assert result.exit_code == 0 and "Usage" in result.stdout


def test_init_may_be_repeated(call):
    first, again = (json.loads(call("init", "--json").stdout) for _ in range(2))
    assert first == again and first["listeners"] == first["invented"] == 200


def test_init_empty_adds_nobody(call):
    assert json.loads(call("init", "--empty", "--json").stdout)["listeners"] == 0


def test_join_export_leave_and_verify_and_no_byte_is_left(call):
    call("init")
    joined = call.join("--show", "5")
    assert len(joined["shown"]) == 5
    exported = json.loads(call("export", input=joined["code"]).stdout)
    assert exported["name"] == "Amber Cadence" and exported["profile"]["artists"]
    assert [len(exported["vectors"]), len(exported["vectors"][0]["user_vector"])][0] == 1
    secrets = [b"Amber Cadence", joined["code"].encode(), exported["code_hash"].encode()]
    import numpy as np

    both = exported["vectors"][0]
    secrets += [np.array(both[f"{t}_vector"], "<f4").tobytes()[:32] for t in ("user", "candidate")]
    out = call.folder / "receipt.json"
    assert call("leave", input=joined["code"]).exit_code == 2  # not confirmed
    assert call.stats()["training"] == 1
    left = call("leave", "--yes", "--out", out, input=joined["code"].lower())
    assert left.exit_code == 0 and "may still remember" in left.stderr
    assert call("verify-receipt", out).exit_code == 0
    files = [p for p in (call.folder / "data").rglob("*") if p.is_file()]
    assert files and not [(p.name, k) for p in files for k in secrets if k in p.read_bytes()]
    for command in ("export", "leave"):
        again = call(command, *(["--yes"] if command == "leave" else []), input=joined["code"])
        assert again.exit_code == 2 and "no member has this access code" in again.stderr


def test_an_operator_deletes_a_member_who_lost_the_code(call):
    joined = call.join()
    out = call.folder / "receipt.json"
    assert call("leave", "--id", joined["id"]).exit_code == 2  # not confirmed
    assert call.stats()["training"] == 1
    assert call("leave", "--id", joined["id"], "--yes", "--out", out).exit_code == 0
    assert call.stats()["training"] == 0 and call("verify-receipt", out).exit_code == 0
    again = call("leave", "--id", joined["id"], "--yes")
    assert again.exit_code == 2 and "nobody in the community has this id" in again.stderr


def test_the_access_code_may_come_from_a_file(call):
    joined = call.join()
    file = call.folder / "code.txt"
    file.write_text(joined["code"] + "\n")
    assert json.loads(call("export", "--code-file", file).stdout)["id"] == joined["id"]


def test_update_changes_the_given_options_only(call):
    joined = call.join("--show", "9")
    code, before = joined["code"], call.export(joined["code"])
    fewer = call.update(code, "--show", "4", "--name", "Cobalt Waltz")
    assert fewer["shown"] == joined["shown"][:4] and fewer["name"] == "Cobalt Waltz"
    assert fewer["findable"] and fewer["training"] and fewer["id"] == joined["id"]
    exported = call.export(code)
    assert exported["profile"] == before["profile"] and exported["created"] == before["created"]
    hidden = call.update(code, "--no-findable")
    assert (hidden["name"], hidden["shown"], hidden["findable"]) == ("", [], False)
    assert call.stats()["findable"] == call.stats()["invented"]
    document = call.update(code, call.folder / "me.jsonl", "--findable", "--name", "Amber Cadence")
    assert len(document["shown"]) > 9 and document["training"]
    assert call.update(code, "--no-training")["shown"] == document["shown"]
    assert "profile" not in call.export(code) and call.stats()["training"] == 0


def test_update_with_new_files_shows_no_new_artist_without_show(call):
    joined = call.join("--show", "12")
    code, before = joined["code"], call.export(joined["code"])
    file = call.folder / "code.txt"
    file.write_text(code)
    today = call.music("today.jsonl", seed=8)
    now = json.loads(call("update", today, "--code-file", file, "--json").stdout)
    assert 3 <= len(now["shown"]) < 12 and set(now["shown"]) < set(joined["shown"])
    exported = call.export(code)
    assert exported["profile"]["artists"] != before["profile"]["artists"]
    assert exported["vectors"][0]["user_vector"] != before["vectors"][0]["user_vector"]
    more = call.update(code, today, "--show", "15")
    assert len(more["shown"]) == 15 and not set(more["shown"]) <= set(joined["shown"])
    result = call("update", "--name", "Cobalt Waltz", input=code)
    assert result.stdout == f"Others now find Cobalt Waltz and see: {', '.join(more['shown'])}\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "nothing to change"),
        (["--show", "8"], "others see 5 of your artists"),
        (["--no-findable", "--no-training"], "leave instead"),
        (["--no-findable", "--name", "Cobalt Waltz"], "can't find you now"),
        (["--name", ""], "need a pseudonym"),
        (["--name", "Listener 7"], "name"),
        (["nowhere.csv"], "no such file"),
    ],
)
def test_a_refused_update_changes_nothing(call, args, message):
    joined = call.join("--show", "5")
    before = call.export(joined["code"])
    result = call("update", *args, input=joined["code"])
    assert result.exit_code == 2 and message in result.stderr and not result.stdout
    assert call.export(joined["code"]) == before


def test_to_become_findable_a_member_needs_music_and_a_name(call):
    code = call.join()["code"]
    call.update(code, "--no-findable")
    for args, message in (
        (["--findable", "--name", "Cobalt Waltz"], "give files of your music too"),
        (["--findable", call.folder / "me.jsonl"], "need a pseudonym"),
        (["--show", "5"], "can't find you now"),
    ):
        result = call("update", *args, input=code)
        assert result.exit_code == 2 and message in result.stderr
    other = call("update", "--name", "Cobalt Waltz", input="MN-" + "AAAAA-" * 5)
    assert other.exit_code == 2 and "no member has this access code" in other.stderr
    assert call.export(code)["findable"] is False


def test_music_without_the_visible_artists_needs_show(call):
    code = call.join("--show", "5")["code"]
    far = call.music("far.jsonl", quarter=2)
    result = call("update", far, input=code)
    assert result.exit_code == 2 and "give --show, the number" in result.stderr
    assert len(call.update(code, far, "--show", "6")["shown"]) == 6


def test_join_needs_both_answers_and_stores_nothing_without(call):
    call("init")
    profile = call.music("me.jsonl")
    for flags in (
        [],
        ["--findable"],
        ["--no-findable", "--no-training"],
        ["--findable", "--training"],
    ):
        assert call("join", profile, *flags).exit_code == 2
    assert call.stats()["listeners"] == 200


def test_import_counts_refused_lines_and_may_be_repeated(call):
    people = [replace(p, id=f"p{n}") for n, p in enumerate(ring(4, artists=16, origin="file"))]
    people[2] = replace(people[2], origin=SPOTIFY_WEB_API)
    file, codes = call.folder / "many.jsonl", call.folder / "codes.jsonl"
    write_profiles(people, file)
    file.write_text(file.read_text() + "{ no json\n")
    assert call("import", file, "--codes", codes).exit_code == 2  # no consent given
    args = ("import", file, "--codes", codes, "--findable", "--json")
    first = json.loads(call(*args).stdout)
    assert (first["joined"], first["refused"]) == (3, 2)
    assert [line["line"] for line in first["lines"]] == [3, 5]
    code = json.loads(codes.read_text().splitlines()[0])["code"]
    assert call("leave", "--yes", input=code).exit_code == 0
    again = json.loads(call(*args).stdout)
    assert (again["joined"], again["there before"], again["left before"]) == (0, 2, 1)
    assert codes.stat().st_mode & 0o077 == 0


def test_a_backup_is_complete_and_never_overwritten(call):
    joined = call.join()
    out = call.folder / "copies" / "copy.sqlite"
    assert call("backup", out).exit_code == 0
    with sqlite3.connect(out) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        row = copy.execute("SELECT name FROM listeners WHERE id = ?", [joined["id"]]).fetchone()
    assert row == ("Amber Cadence",)
    before = out.read_bytes()
    assert call("backup", out).exit_code == 2 and out.read_bytes() == before
    assert [p.name for p in out.parent.iterdir()] == ["copy.sqlite"]


def test_an_index_needs_postgresql(call):
    call.join()
    result = call("index")
    assert result.exit_code == 2 and "only PostgreSQL has a vector index" in result.stderr


def test_an_index_is_built_on_postgresql(call, server):
    call.env["TWOTOWER_COMMUNITY"] = fresh(server)
    made = call("index", "--json")
    assert json.loads(made.stdout) == {"numbers": 64, "servers": 1}, made.output
    assert "built an index of 64 dimensions: restart the servers" in call("index").stdout
