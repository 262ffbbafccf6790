"""Texts on the pages: names letter for letter, numbers in words."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from twotower.community import MemberSnapshot
from twotower.core.domain import Coverage, Listener, Neighbour
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


def test_list_names_counts_the_rest_and_never_hides_just_one():
    assert text.list_names(["a", "b", "c"], 2) == "a, b, c"
    assert text.list_names(["a", "b", "c", "d"], 2) == "a, b and 2 more"


@pytest.mark.parametrize(
    ("value", "text_shown"),
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
def test_a_percentile_is_never_rounded_up(value, text_shown):
    assert text.format_percentile(value) == text_shown


def test_pluralise_knows_one_from_many():
    assert text.pluralise(1, "artist") == "1 artist"
    assert text.pluralise(12345.0, "play") == "12,345 plays"


@pytest.mark.parametrize(
    ("dimensions", "end"),
    [
        (0, "a guess. A few more artists will change it."),
        (1, "a first sketch. More artists make it sharper."),
        (3, "a good picture."),
        (60, "a full picture."),
    ],
)
def test_confidence_names_the_basis_and_the_grade(dimensions, end):
    portrait = SimpleNamespace(
        coverage=Coverage(1.0, 0.0, 4.2, ()), effective_dimensions=dimensions
    )
    sentence = text.describe_confidence(portrait)
    assert sentence == f"Your music counts as about 4 artists: {end}"


def test_the_meter_grows_with_the_dimensions_by_a_quarter_a_grade():
    meter, grade = text.confidence_meter, text.confidence_grade
    assert [meter(each) for each in (0, *text.GRADE_EDGES)] == [0, 0.25, 0.5, 0.75]
    assert (np.diff([meter(each) for each in np.linspace(0, 19, 50)]) > 0).all()
    assert meter(20) == meter(64) == 1
    assert [grade(each) for each in (0.99, 1, 2, 5)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("cosine", "words"),
    [(0.999, "hardly"), (0.96, "a little"), (0.85, "changed."), (0.1, "a lot")],
)
def test_a_move_has_a_word_for_its_size(cosine, words):
    assert words in text.describe_move(cosine)


def test_the_number_of_made_up_people_is_shown():
    sentences = [
        text.describe_synthetic(MemberSnapshot(1, (), total=3, total_synthetic=count))
        for count in (3, 2, 1, 0)
    ]
    assert sentences[0].startswith("Everyone here is made up")
    assert sentences[1:] == ["2 are made up and marked.", "1 is made up and marked.", ""]


def test_capitalise_changes_the_first_letter_only():
    assert text.capitalise("tracks of ABBA") == "Tracks of ABBA"
    assert text.capitalise("") == ""


@pytest.mark.parametrize(
    ("one_in", "closeness", "shown"),
    [
        (4500.0, "1 in 4,500", "**1 in 4,500** pairs are this close"),
        (20_000.0, "1 in 20,000+", "**1 in 20,000+** pairs are this close"),
        (None, "very close", "**Very close**"),
        (None, "too little to tell", "**Too little to tell**"),
        (None, "", "Closer to you than **99.1 %** of random pairs"),
    ],
)
def test_closeness_has_a_number_a_word_or_a_percentile(one_in, closeness, shown):
    person = Listener("p1", "Low Lark", "invented", ())
    neighbour = Neighbour(person, 1, -0.1, 99.19, (), (), one_in=one_in, closeness=closeness)
    assert text.describe_closeness(neighbour) == shown


def test_only_a_weak_closest_match_is_said_to_be_weak():
    person = Listener("p1", "Low Lark", "invented", ())
    weak = Neighbour(person, 1, -0.4, 90.0, (), (), one_in=15.2, closeness="1 in 15")
    assert text.describe_weak_match([weak]).endswith("Your closest is 1 in 15.")
    for others in ([], [replace(weak, one_in=50.0)], [replace(weak, one_in=None)]):
        assert text.describe_weak_match(others) == ""
