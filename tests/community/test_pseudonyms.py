"""Pseudonyms: suggestions, and what a name may not be."""

import pytest

from twotower.community.pseudonyms import FIRST_WORDS, MAX_LENGTH, SECOND_WORDS, check, suggest
from twotower.core.errors import BadName
from twotower.core.names import confusable_skeleton

LOOKALIKES = (
    "AMBER OTTER",
    "Amber-0tter",
    "\u0391mber Otter",  # Greek
    "Amb\u0435r \u041etter",  # Cyrillic
    "\uff21\uff4d\uff42\uff45\uff52 Otter",  # full width
    "\u00c4mber \u00d6tter",
    "Arnber Otter",
    "AmberOtter",
)


def test_a_suggestion_is_two_words_and_the_same_for_the_same_seed():
    assert suggest(3) == suggest(3) != suggest(4)
    for seed in range(200):
        first, second = suggest(seed).split()
        assert first.isalpha() and second.isalpha()
        assert check(suggest(seed)) == suggest(seed)


def test_a_suggestion_is_never_a_taken_name():
    assert suggest(3, {confusable_skeleton(suggest(3).upper())}.__contains__) != suggest(3)


def test_if_all_suggestions_are_taken_a_number_follows():
    *words, number = suggest(0, _all_pairs().__contains__).split()
    assert len(words) == 2 and number.isdigit()


def _all_pairs() -> set[str]:
    return {
        confusable_skeleton(f"{first} {second}") for first in FIRST_WORDS for second in SECOND_WORDS
    }


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_name_that_looks_like_a_taken_one_is_refused(name):
    with pytest.raises(BadName, match="looks like it: change a word"):
        check(name, {confusable_skeleton("Amber Otter")}.__contains__)


@pytest.mark.parametrize(
    "name",
    ["\u041c\u0430\u0440\u0438\u044f", "\u5c71\u7530",
     "Ren\u00e9e & co.", "D'Arcy-Quaver", "No. 9", "Amber Otter"],
)  # fmt: skip
def test_all_scripts_are_allowed(name):
    assert check(name, {confusable_skeleton("Amber Heron")}.__contains__) == name


@pytest.mark.parametrize(
    "name", ["*x*", "[a](b)", "$math$ $x$", ":red[x]", "<b>bold</b>", "`code` ~~no~~", "a=1+b()"]
)
def test_markup_is_stored_unchanged(name):
    assert check(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "at least 2 characters"),
        ("x", "at least 2 characters"),
        ("!?!", "needs letters"),
        ("a" * (MAX_LENGTH + 1), "31 characters"),
        ("Amber\nOtter", "invisible character"),
        ("Amber\u200bOtter", "invisible character"),
        ("Amber\u3164", "invisible character"),
        ("Amber \ufe0f Otter", "invisible character"),
        ("Amber \u202eretto", "writing direction"),
        ("Z\u0338\u0321\u0322algo", "more than 2 accents"),
        ("\U0001f3b5 Amber", "is a picture"),
        ("me@example.com", "an e-mail address"),
        ("@amber", "an account elsewhere"),
        ("\uff20amber", "an account elsewhere"),
        ("https://example.com/a", "a web address"),
        ("www.example.com", "a web address"),
        ("example.org", "a web address"),
        ("+44 20 7946 0958", "a phone number"),
        ("=1+cmd()", "as a formula"),
        ("Ab;=cmd|calc", "as a formula"),
        ("Ab,\uff1dcmd()", "as a formula"),
        ("\uff0bAmber", "as a formula"),
        ("Invented Otter", "one of the app"),
        ("1nv\u0435nted 7", "one of the app"),
        ("The Admin", "one of the app"),
        ("\u0410dmin", "one of the app"),
        ("5taff", "one of the app"),
    ],
)
def test_names_that_are_not_allowed_are_refused_with_a_reason(name, said):
    with pytest.raises(BadName, match=said):
        check(name)


def test_words_that_only_begin_like_a_reserved_one_are_allowed():
    assert check("Admiral Moderato") == "Admiral Moderato"


def test_the_name_that_came_with_the_music_is_refused():
    with pytest.raises(BadName, match="identifies you"):
        check("Rj-77", real_name="RJ 77")


def test_spaces_are_single_and_letters_in_one_form():
    assert check("  Amber \u00a0 Re\u0301frain ") == "Amber R\u00e9frain"


def test_two_names_that_differ_look_different():
    assert confusable_skeleton("Amber Otter") != confusable_skeleton("Amber Heron")
    assert confusable_skeleton("\u304c") != confusable_skeleton("\u304b")
