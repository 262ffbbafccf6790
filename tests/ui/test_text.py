"""Texts on the pages: names letter for letter, numbers in words."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from twotower.community import MemberSnapshot
from twotower.core.domain import Coverage, Listener, Neighbour
from twotower.model.confidence import BOUNDS, Confidence
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
    ("mrr", "known", "by_content", "sentence"),
    [
        (0.1, 1.0, 0.0, "A guess, based on 100 % of what you play. Your plays are worth about "
         "4 artists; more make it sharper."),
        (0.7, 0.3, 0.0, "A first sketch, based on 30 % of what you play. It doesn't know the "
         "artists of 70 % of your plays."),
        (0.85, 0.9, 0.4, "A good picture, based on 54 % of what you play. It knows 36 % of your "
         "plays by genre only."),
        (0.99, 1.0, 0.0, "A full picture, based on 100 % of what you play."),
    ],
)  # fmt: skip
def test_confidence_is_a_word_its_basis_and_what_is_missing(mrr, known, by_content, sentence):
    portrait = SimpleNamespace(
        profile=SimpleNamespace(artists={"a": None}),
        coverage=Coverage(known, by_content, 4.2, ()),
        confidence=Confidence(known * (1 - by_content), mrr),
    )
    shown = f"{text.describe_confidence(portrait)} {text.describe_missing(portrait)}"
    assert shown.strip() == sentence


@pytest.mark.parametrize(
    ("mrr", "share"), [*zip((0.0, *BOUNDS, 1.0), (0.0, 0.25, 0.5, 0.75, 1.0), strict=True)]
)
def test_the_meter_has_a_quarter_for_each_word(mrr, share):
    assert text.confidence_meter(Confidence(1.0, mrr)) == pytest.approx(share)


def test_a_profile_of_genres_lacks_artists():
    portrait = SimpleNamespace(
        profile=SimpleNamespace(artists={}),
        coverage=Coverage(0.0, 0.0, 0.0, ()),
        confidence=Confidence(0.1, 0.3),
    )
    assert text.describe_missing(portrait) == "It has your genres, but no artists yet."


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
