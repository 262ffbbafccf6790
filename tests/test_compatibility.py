"""Files that an older program wrote still work: a model, a community and profiles."""

import io
import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from twotower import read_profiles
from twotower.cli.main import app
from twotower.community import Community
from twotower.community.queries import profiles_without_vectors
from twotower.sources.profile_jsonl import write_profiles

MADE = Path(__file__).resolve().parent / "data" / "made-by-c7affdd"
KNOWN: dict[str, Any] = json.loads((MADE / "known.json").read_text())
MEMBERS: dict[str, dict[str, Any]] = KNOWN["members"]
NAMED = [name for name, member in MEMBERS.items() if member["findable"]]


class Program:
    """Runs commands on copies of the old files."""

    def __init__(self, folder: Path) -> None:
        shutil.unpack_archive(MADE / "assets.zip", folder / "assets")
        shutil.copy2(MADE / "community.sqlite", folder)
        lines = (MADE / "profiles.jsonl").read_text().splitlines()
        self.folder, self.me = folder, folder / "me.jsonl"
        self.me.write_text(lines[0] + "\n")

    def run(self, *args: object, code: str = "") -> Result:
        env = {
            "TWOTOWER_ASSETS": str(self.folder / "assets"),
            "TWOTOWER_COMMUNITY": f"sqlite:///{self.folder / 'community.sqlite'}",
        }
        return CliRunner(env=env).invoke(app, list(map(str, args)), input=code or None)

    def json(self, *args: object, code: str = "") -> dict[str, Any]:
        result = self.run(*args, code=code)
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    def export(self, name: str) -> dict[str, Any]:
        """Return everything that is stored of a member, by the access code."""
        return self.json("community", "export", code=MEMBERS[name]["code"])


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def vectors(program: Program, files: Sequence[Path], tower: str) -> np.ndarray:
    """Return the vectors (n, D) of profiles, embedded by the old model."""
    out = program.folder / f"{tower}.npz"
    model = program.folder / "assets" / "model"
    program.json(
        *("embed", *files, "--tower", tower, "--model", model, "--out", out, "--json"),
    )
    with np.load(out) as arrays:
        return np.asarray(arrays["vectors"])


@pytest.mark.parametrize("tower", ["user", "candidate"])
def test_an_old_model_embeds_as_before(program: Program, tower: str):
    result = vectors(program, [program.me], tower)
    assert result[0] == pytest.approx(KNOWN["vectors"][tower], abs=1e-3)


def test_old_profiles_are_read_and_written_unchanged(program: Program):
    profiles = list(read_profiles(MADE / "profiles.jsonl"))
    assert [profile.id for profile in profiles] == ["me", "everything"]
    write_profiles(profiles, program.folder / "again.jsonl")
    assert (program.folder / "again.jsonl").read_bytes() == (MADE / "profiles.jsonl").read_bytes()
    assert vectors(program, [MADE / "profiles.jsonl"], "user").shape == (2, 64)


def test_neighbours_in_an_old_community_are_as_before(program: Program):
    result = program.json("neighbours", program.me, "--top", 5, "--json")["neighbours"]
    assert [neighbour["id"] for neighbour in result] == KNOWN["neighbours"]


def test_an_old_community_has_its_members(program: Program):
    stats = program.json("community", "stats", "--json")
    assert (stats["listeners"], stats["invented"]) == (27, 24)
    assert (stats["findable"], stats["training"]) == (26, 2)


@pytest.mark.parametrize("name", MEMBERS)
def test_an_old_access_code_finds_its_member(program: Program, name: str):
    member, stored = MEMBERS[name], program.export(name)
    assert stored["id"] == member["id"]
    assert ("profile" in stored) is member["training"]
    assert [vector["model_version"] for vector in stored["vectors"]] == [KNOWN["model"]]
    wrong = program.run("community", "export", code=member["code"][:-1])
    assert wrong.exit_code == 2 and not wrong.stdout


@pytest.mark.parametrize("name", NAMED)
def test_an_old_member_can_change_name_and_music(program: Program, name: str):
    member, before = MEMBERS[name], program.export(name)
    update = ["community", "update", "--json"]
    renamed = program.json(*update, "--name", "Ochre Ballad", code=member["code"])
    assert renamed["name"] == "Ochre Ballad"
    assert renamed["shown"] == member["shown"]
    changed = program.json(*update, program.me, "--show", 4, code=member["code"])
    assert len(changed["shown"]) == 4
    after = program.export(name)
    assert after["vectors"][0]["user_vector"] != before["vectors"][0]["user_vector"]
    assert after["created"] == before["created"]


def test_an_old_member_without_consent_to_training_can_give_it_with_new_music(program: Program):
    code = MEMBERS["Cobalt Waltz"]["code"]
    program.json("community", "update", program.me, "--training", "--show", 5, "--json", code=code)
    assert program.export("Cobalt Waltz")["profile"]["artists"]


@pytest.mark.parametrize("name", MEMBERS)
def test_an_old_member_leaves_with_a_receipt_that_holds(program: Program, name: str):
    receipt, code = program.folder / "receipt.json", MEMBERS[name]["code"]
    left = program.run("community", "leave", "--yes", "--out", receipt, code=code)
    assert left.exit_code == 0, left.output
    assert program.json("community", "verify-receipt", receipt, "--json")["holds"]
    again = program.run("community", "export", code=code)
    assert again.exit_code == 2
    assert program.json("community", "stats", "--json")["listeners"] == 26


def test_names_stored_in_another_script_are_the_artists_of_today(program: Program):
    names = [["周杰倫", 3.0], ["Jay Chou", 2.0], ["譚盾", 1.0], ["Sıla", 1.0]]
    id = MEMBERS[NAMED[0]]["id"]
    path = program.folder / "community.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("update listeners set artists = ? where id = ?", (json.dumps(names), id))
    with closing(Community.open(f"sqlite:///{path}", model_version=KNOWN["model"])) as community:
        member = dict(profiles_without_vectors(community, "another model"))[id]
    plays = {key: artist.plays for key, artist in member.artists.items()}
    assert plays == {"jay chou": 5, "谭盾": 1, "sila": 1}
    line = json.dumps(
        {"v": 1, "id": "me", "artists": [{"name": name, "plays": n} for name, n in names]}
    )
    (profile,) = read_profiles(io.BytesIO(line.encode()))
    assert profile.artists.keys() == plays.keys()
