"""Bulk import, interrupted at any moment and continued."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from changes import bring, limit_files, opened
from planted import ring
from rounds import rounds

from twotower.community import queries
from twotower.community.access_codes import hash_code
from twotower.community.queries import count_rows, export, last_change
from twotower.core.errors import CommunityError
from twotower.matching.matcher import Matcher
from twotower.sources.profile_jsonl import write_profiles

ROUNDS, PEOPLE = rounds((5, 40), (20, 120))
TESTS = Path(__file__).parents[1] / "helpers"
# Forks a child for each line it reads, so that libraries are loaded once. The child brings the
# people of a file in, and tells of each line that it has come to.
BRINGER = """
import os, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from changes import bring, opened
for _ in sys.stdin:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print("dead", flush=True)
        continue
    matcher = opened(Path(sys.argv[1]), Path(sys.argv[2]))
    print("ready", os.getpid(), flush=True)
    bring(matcher, Path(sys.argv[2]), lambda _, text: print(text, flush=True))
    os._exit(0)
"""


def write_people(folder: Path, count: int) -> None:
    people = ring(count, artists=16, origin="file", seed=3)
    people = [replace(p, id=f"p{n}", name="") for n, p in enumerate(people)]
    write_profiles(people, folder / "many.jsonl")


@pytest.fixture
def matcher(planted_assets, tmp_path) -> Iterator[Matcher]:
    matcher = opened(planted_assets, tmp_path)
    yield matcher
    matcher.community.close()


@pytest.fixture
def bringer(planted_assets, tmp_path) -> "Iterator[subprocess.Popen[str]]":
    args = [sys.executable, "-c", BRINGER, planted_assets, tmp_path, TESTS, TESTS.parents[1]]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        list(map(str, args)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as forker:
        yield forker
        forker.stdin.close()


def codes_in(folder: Path) -> dict[str, str]:
    """Return id -> code of the file; fails if a line is partial."""
    lines = (folder / "codes.jsonl").read_text().splitlines()
    return {entry["id"]: entry["code"] for entry in map(json.loads, lines)}


def stored(matcher: Matcher, folder: Path) -> dict[str, dict]:
    """Return id -> stored data of every imported member, found by the code in the file.

    Fails if a row is incomplete, or a member has no code.
    """
    found = {}
    for id, code in codes_in(folder).items():
        owned = matcher.membership.find(code)
        if owned is not None:
            assert count_rows(matcher.community, owned.id) == {"listeners": 1, "vectors": 1}
            found[id] = dict(export(matcher.community, owned.id))
            assert found[id]["code_hash"] == hash_code(code)
    counts = queries.stats(matcher.community)
    assert counts["listeners"] - counts["invented"] == len(found)
    return found


def test_a_killed_import_leaves_no_partial_row_and_no_member_without_a_code(
    matcher, bringer, planted_assets, tmp_path, tmp_path_factory
):
    rng = random.Random(4)
    write_people(tmp_path, PEOPLE)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_people(elsewhere, PEOPLE)
    undisturbed = opened(planted_assets, elsewhere)
    assert bring(undisturbed, elsewhere).joined == PEOPLE
    wanted = stored(undisturbed, elsewhere)
    undisturbed.community.close()
    now: dict[str, dict] = {}
    for _ in range(ROUNDS):
        if len(now) > PEOPLE - 3:  # all but done
            break
        bringer.stdin.write("go\n")
        bringer.stdin.flush()
        ready, pid = bringer.stdout.readline().split()
        assert ready == "ready"
        begun = len(now) + 1 + rng.randrange(3)
        for _ in range(begun):
            assert bringer.stdout.readline().startswith("line ")
        threading.Event().wait(rng.random() * 0.02)  # anywhere within one listener
        os.kill(int(pid), signal.SIGKILL)
        while not (line := bringer.stdout.readline()).endswith("dead\n"):
            assert line
        before, now = now, stored(matcher, tmp_path)
        assert {id: now.get(id) for id in before} == before
        assert list(now) == [f"p{n}" for n in range(len(now))] and len(now) >= begun - 1
        for id, held in now.items():
            same = ("artists", "genres", "origin", "findable", "training")
            assert [held[key] for key in same] == [wanted[id][key] for key in same]
            kept, right = (json.loads(each["profile"]) for each in (held, wanted[id]))
            assert kept["artists"] == right["artists"]
            for side in ("user_vector", "candidate_vector"):
                assert np.allclose(held["vectors"][0][side], wanted[id]["vectors"][0][side])
    assert now
    last = bring(matcher, tmp_path)
    assert (last.known, last.joined) == (len(now), PEOPLE - len(now))
    assert set(stored(matcher, tmp_path)) == {f"p{n}" for n in range(PEOPLE)}


def test_the_code_is_in_its_file_before_the_row_is_stored(matcher, tmp_path, monkeypatch):
    write_people(tmp_path, 3)
    store, seen = matcher.community.join, []

    def join(member) -> int:
        assert member.code_hash in map(hash_code, codes_in(tmp_path).values())
        seen.append(member)
        return store(member)

    monkeypatch.setattr(matcher.community, "join", join)
    assert bring(matcher, tmp_path).joined == len(seen) == 3


def test_an_import_tries_another_name_if_the_first_was_just_taken(matcher, tmp_path, monkeypatch):
    write_people(tmp_path, 1)
    store, names = matcher.community.join, []

    def join(member) -> int:
        if not names:  # somebody else is quicker
            who = replace(member.listener, id="f" * 16)
            store(replace(member, listener=who, code_hash=hash_code("another")))
        names.append(member.listener.name)
        return store(member)

    monkeypatch.setattr(matcher.community, "join", join)
    assert bring(matcher, tmp_path).joined == 1
    (code,) = codes_in(tmp_path).values()
    assert matcher.membership.find(code).listener.name == names[-1] != names[0]


@pytest.mark.parametrize("half", ["{", '{"id": "p', '{"id": "p1", "code": "MN-2345', None])
def test_a_partial_last_line_of_codes_is_removed(matcher, tmp_path, half):
    write_people(tmp_path, 1)
    bring(matcher, tmp_path)
    codes = tmp_path / "codes.jsonl"
    kept = codes.read_text()
    codes.write_text(kept.rstrip("\n") if half is None else kept + half)
    write_people(tmp_path, 2)
    assert bring(matcher, tmp_path).joined == 1
    assert codes.read_text().startswith(kept)
    assert set(stored(matcher, tmp_path)) == {"p0", "p1"}


def test_other_text_in_the_file_of_codes_stays(matcher, tmp_path):
    codes = tmp_path / "codes.jsonl"
    codes.write_text("my notes")
    write_people(tmp_path, 1)
    bring(matcher, tmp_path)
    notes, code = codes.read_text().splitlines()
    assert notes == "my notes" and matcher.membership.find(json.loads(code)["code"]) is not None


def test_only_one_import_at_a_time_writes_a_file_of_codes(matcher, tmp_path):
    write_people(tmp_path, 2)
    said = []

    def meanwhile(_, text: str) -> None:
        with pytest.raises(CommunityError, match="another import is writing") as error:
            bring(matcher, tmp_path)
        said.append(error)

    assert bring(matcher, tmp_path, meanwhile).joined == 2
    assert len(said) == 2 and len(stored(matcher, tmp_path)) == 2


def test_a_full_disk_leaves_no_partial_code_and_a_second_call_continues(matcher, tmp_path):
    write_people(tmp_path, 3)
    codes = tmp_path / "codes.jsonl"

    def fill(_, text: str) -> None:
        if text == "line 2":
            limit_files(codes.stat().st_size + 10)  # the second code has no room

    before = last_change(matcher.community)
    try:
        with pytest.raises(CommunityError, match="repeat the command to continue"):
            bring(matcher, tmp_path, fill)
    finally:
        limit_files(None)
    assert set(stored(matcher, tmp_path)) == set(codes_in(tmp_path)) == {"p0"}
    assert last_change(matcher.community) == before + 1
    again = bring(matcher, tmp_path)
    assert (again.known, again.joined) == (1, 2)
    assert set(stored(matcher, tmp_path)) == {"p0", "p1", "p2"}
