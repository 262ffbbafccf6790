"""Words on the pages: names as they are, numbers as they are said."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from twotower.community import MemberSnapshot
from twotower.core.domain import Coverage
from twotower.ui import text

MARKUP = (
    "*x*", "_x_", "[a](b)", "![a](b)", "$math$", ":red[x]", ":smile:", ":material/home:",
    "<b>bold</b>", "<script>alert(1)</script>", "`code`", "# head", "1. one", "- dash", "~~x~~",
    "a\\b", "&amp;", "www.example.com", "https://example.com", "me@example.com", "A -> B", "a--b",
    "|a|b|", "> quote", "+/-",
)  # fmt: skip


@pytest.mark.parametrize("name", MARKUP)
def test_escape_leaves_the_letters_and_arms_each_sign(name):
    escaped = text.escape(name)
    plain = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped).replace(text.JOINER, "")
    assert plain == name
    assert not re.search(r"(?<!\\)[*_\[\]<>`$#~|]", escaped.replace("\\\\", ""))


@pytest.mark.parametrize("name", [":smile:", ":material/home:", "www.example.com", "a@b.de"])
def test_escape_breaks_what_is_read_after_the_escapes_are_gone(name):
    assert text.JOINER in text.escape(name)


def test_escape_keeps_a_name_on_one_line():
    assert text.escape("a\n\n# b") == "a \\# b"


def test_plain_names_are_not_touched():
    assert text.escape("Sigur Rós 坂本") == "Sigur Rós 坂本"


def test_names_counts_the_rest_and_never_hides_just_one():
    assert text.names(["a", "b", "c"], 2) == "a, b, c"
    assert text.names(["a", "b", "c", "d"], 2) == "a, b and 2 more"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (99.97, "99.9 %"),
        (100.0, "99.9 %"),
        (99.29, "99.2 %"),
        (90.0, "90.0 %"),
        (89.9, "89 %"),
        (0.4, "0 %"),
        (99.9, "99.9 %"),
    ],
)
def test_percent_never_rounds_up(value, said):
    assert text.percent(value) == said


def test_amount_knows_one_from_many():
    assert text.amount(1, "artist") == "1 artist"
    assert text.amount(12345.0, "play") == "12,345 plays"


@pytest.mark.parametrize(
    ("settled", "word"), [(0, "very little"), (1, "sketch"), (3, "good"), (60, "full picture")]
)
def test_evidence_is_said_in_words(settled, word):
    seen = SimpleNamespace(coverage=Coverage(1.0, 0.0, 4.2, ()), effective_dimensions=settled)
    said = text.evidence(seen)
    assert said.startswith("Rests on the equivalent of 4 equally played artists: ") and word in said


def test_a_meter_grows_with_what_is_settled_a_quarter_a_grade():
    assert [text.meter(each) for each in (0, *text.SETTLED)] == [0, 0.25, 0.5, 0.75]
    found = [text.meter(each) for each in np.linspace(0, 19, 50)]
    assert (np.diff(found) > 0).all() and text.meter(20) == text.meter(64) == 1
    assert [text.grade(each) for each in (0.99, 1, 2, 5)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("cosine", "said"), [(0.999, "hardly"), (0.96, "a little"), (0.85, "moved you ("), (0.1, "far")]
)
def test_a_turn_of_the_vector_is_said_in_words(cosine, said):
    assert said in text.turn(cosine)
    assert text.turn(None) == ""


def test_company_says_how_many_are_no_real_people():
    told = [
        text.company(MemberSnapshot(1, (), total=2, total_synthetic=count)) for count in (2, 1, 0)
    ]
    assert told[0].startswith("Everyone here is invented")
    assert told[1].startswith("1 of them are invented") and told[2] == ""


def test_a_sentence_begins_with_a_capital_and_keeps_the_rest():
    assert text.capital("tracks of ABBA") == "Tracks of ABBA"
    assert text.capital("") == ""
