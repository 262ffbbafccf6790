"""Receipts: genuine ones hold, forged ones don't, and no byte is left."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from twotower.cli.main import app
from twotower.community import Community, Deletion, Member, receipts
from twotower.core.domain import Artist, Listener, Profile
from twotower.core.errors import BadReceipt

DIM, ONLY = 64, "Zyx Unheard-of Quintet"
rng = np.random.default_rng(7)


def member(id: str, **more: object) -> Member:
    user, candidate = (v / np.linalg.norm(v) for v in rng.normal(size=(2, DIM)))
    listener = Listener(id, f"Name of {id}", "file", (("Low", 3.0), ("Slint", 2.0)))
    return Member(listener, user, candidate, **more)  # type: ignore[arg-type]


def person(turn: int) -> Member:
    """Return the member who leaves, after `turn` updates; each update leaves old bytes behind."""
    who = member("feedfacecafe0001", training=True, code_hash="c0de" * 16)
    shown = ((ONLY, float(turn + 1)), *((f"Artist {turn} {n}", 1.0) for n in range(turn * 9)))
    profile = Profile("", {"zyx": Artist(ONLY, 5.0 + turn)}, origin="file")
    listener = replace(who.listener, name="Unmistakable Heron", artists=shown)
    return replace(who, listener=listener, profile=profile)


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'c.sqlite'}"


@pytest.fixture
def community(url) -> Community:
    community = Community.open(url, model_version="m1")
    for n in range(5):
        community.join(member(f"{n:016x}"))
    return community


@pytest.fixture
def removal(community) -> Deletion:
    community.join(person(0))
    found = community.leave("feedfacecafe0001")
    assert found is not None
    return found


def verified(community: Community, text: str) -> receipts.ReceiptCheck:
    return receipts.verify(*receipts.read(text), community)


def run(url: str, *args: str, input: str | None = None) -> Result:
    return CliRunner().invoke(
        app, ["community", *args], env={"TWOTOWER_COMMUNITY": url}, input=input
    )


def test_a_receipt_holds_and_says_what_remains(community, removal):
    check = verified(community, receipts.dumps(removal))
    assert check.holds and "no row of that id" in check.messages[-1]
    words = receipts.to_text(removal)
    assert "2 vectors" in words and "until the next retraining" in words
    assert "Heron" not in words + receipts.dumps(removal)


def test_a_receipt_without_training_does_not_mention_weights(community):
    removal = community.leave(f"{0:016x}")
    assert removal is not None and receipts.MODEL_WEIGHTS not in receipts.remains(removal)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"at": "2020-01-01T00:00:00.000+00:00"}, "was changed"),
        ({"removed": {"vectors": 99}}, "was changed"),
        ({"digest": "0" * 64}, "was changed"),
        ({"community": "another"}, "another community"),
        ({"id": "0123456789abcdef"}, "never removed"),
        ({"seq": 1}, "recorded another removal"),
    ],
)
def test_receipts_that_do_not_hold_say_why(community, removal, url, tmp_path, change, said):
    told = receipts.to_json(removal) | change
    if "was changed" not in said:  # forged well: with the digest of what it says
        known = {key: told[key] for key in Deletion.__dataclass_fields__}
        told["digest"] = Deletion(**known).digest
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(told))
    result = run(url, "verify-receipt", str(file), "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert not answer["holds"] and said in answer["said"][-1]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"receipt": 2}', '{"receipt": 1}', "[" * 9999]
)
def test_other_text_is_no_receipt(url, community, text):
    with pytest.raises(BadReceipt):
        receipts.read(text)
    result = run(url, "verify-receipt", "-", input=text)
    assert result.exit_code == 2 and result.stderr.startswith("error: ")


def test_a_truncated_receipt_is_an_error(removal):
    whole = receipts.dumps(removal).rstrip()
    for length in range(0, len(whole), 40):
        with pytest.raises(BadReceipt):
            receipts.read(whole[:length])


def test_a_row_that_came_back_is_found(community, removal):
    community.join(person(1))
    check = verified(community, receipts.dumps(removal))
    assert not check.holds and "1 in listeners" in check.messages[-1]


def test_no_byte_of_a_member_who_left_is_in_any_file(tmp_path, url):
    """Among hundreds of rows, after updates that moved the row from page to page."""
    community, states = Community.open(url, model_version="m1"), []
    for n in range(300):
        community.join(member(f"{n * 7919 % 65536:016x}"))
        if n % 30 == 10:
            states.append(person(n // 30))
            (community.join if len(states) == 1 else community.update)(states[-1])
    wanted = [b"Unmistakable Heron", ONLY.encode(), b"c0de" * 4]
    wanted += [
        vector.astype("<f4").tobytes()[start : start + 16]
        for state in states
        for vector in (state.user_vector, state.candidate_vector)
        for start in (0, 100, 240)
    ]
    files = lambda: {p.name: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}  # noqa: E731
    assert all(any(w in data for data in files().values()) for w in wanted[:3] + wanted[-6:])
    removal = community.leave("feedfacecafe0001")
    found = {(name, w) for name, data in files().items() for w in wanted if w in data}
    assert not found
    assert removal is not None and verified(community, receipts.dumps(removal)).holds
    assert len(community.snapshot()) == 300
