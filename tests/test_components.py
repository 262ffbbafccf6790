"""Words on the pages: names as they are, numbers as they are said."""

import csv
import io
import re

import pytest

from twotower.domain import Listener, Neighbour, Recognised
from twotower.ui import components

MARKUP = (
    "*x*", "_x_", "[a](b)", "![a](b)", "$math$", ":red[x]", ":smile:", ":material/home:",
    "<b>bold</b>", "<script>alert(1)</script>", "`code`", "# head", "1. one", "- dash", "~~x~~",
    "a\\b", "&amp;", "www.example.com", "https://example.com", "me@example.com", "A -> B", "a--b",
    "|a|b|", "> quote", "+/-",
)  # fmt: skip


@pytest.mark.parametrize("name", MARKUP)
def test_escape_leaves_the_letters_and_arms_each_sign(name):
    escaped = components.escape(name)
    plain = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped).replace(components.JOINER, "")
    assert plain == name
    assert not re.search(r"(?<!\\)[*_\[\]<>`$#~|]", escaped.replace("\\\\", ""))


@pytest.mark.parametrize("name", [":smile:", ":material/home:", "www.example.com", "a@b.de"])
def test_escape_breaks_what_is_read_after_the_escapes_are_gone(name):
    assert components.JOINER in components.escape(name)


def test_escape_keeps_a_name_on_one_line():
    assert components.escape("a\n\n# b") == "a \\# b"


def test_plain_names_are_not_touched():
    assert components.escape("Sigur Rós 坂本") == "Sigur Rós 坂本"


def test_names_counts_the_rest_and_never_hides_just_one():
    assert components.names(["a", "b", "c"], 2) == "a, b, c"
    assert components.names(["a", "b", "c", "d"], 2) == "a, b and 2 more"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (99.97, "over 99.9 %"),
        (99.29, "99.2 %"),
        (90.0, "90.0 %"),
        (89.9, "89 %"),
        (0.4, "0 %"),
        (99.9, "over 99.9 %"),
    ],
)
def test_percent_never_rounds_up(value, said):
    assert components.percent(value) == said


def test_amount_knows_one_from_many():
    assert components.amount(1, "artist") == "1 artist"
    assert components.amount(12345.0, "play") == "12,345 plays"


@pytest.mark.parametrize(
    ("size", "word"), [(1.0, "very little"), (5, "sketch"), (15, "good"), (60, "full picture")]
)
def test_evidence_is_said_in_words(size, word):
    assert word in components.evidence(Recognised(1.0, 0.0, size, ()))


def test_the_csv_is_safe_in_a_spreadsheet():
    person = Listener("p1", '=HYPERLINK("x")', "invented", ())
    match = Neighbour(person, 1, 0.91234, 99.123, ("Low", 'The "Who"'), ("@me",))
    rows = list(csv.DictReader(io.StringIO(components.neighbours_csv([match]))))
    assert rows == [
        {
            "rank": "1",
            "id": "p1",
            "name": '\'=HYPERLINK("x")',
            "origin": "invented",
            "similarity": "0.9123",
            "percentile": "99.12",
            "shared": 'Low; The "Who"',
            "discover": "'@me",
        }
    ]
