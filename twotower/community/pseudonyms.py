"""Pseudonyms: two plain words to begin with, and what one that a person writes may not be.

Whatever letters people write with may be in one, and any punctuation: a page shows it as it is.
What can't be seen, pictures, what tells who somebody is, and what could be taken for another name
are refused, each with the word what to do instead.
"""

import random
import re
import unicodedata
from collections.abc import Callable

from twotower.core.errors import BadName
from twotower.core.names import NOT_WORD, confusable_skeleton

NAME_IN_USE = "somebody here has this name, or one that looks like it: change a word of it"

SHORTEST, LONGEST = 2, 30  # characters
MOST_DIGITS = 4  # a longer number may be somebody's
MOST_MARKS = 2  # on one letter: more of them climb over the lines above
DRAWN = 50  # suggestions tried before a number follows
FIRST_WORDS = (
    "Amber", "Ancient", "Arctic", "Autumn", "Azure", "Blue", "Bold", "Brass", "Bright", "Broken",
    "Calm", "Candle", "Cedar", "Chalk", "Cinder", "Clear", "Cobalt", "Copper", "Coral", "Cotton",
    "Crimson", "Crystal", "Dawn", "Desert", "Distant", "Dusty", "Early", "Echo", "Electric",
    "Ember", "Evening", "Faded", "Fern", "Fickle", "First", "Flint", "Floating", "Foggy", "Frost",
    "Gentle", "Ginger", "Glass", "Golden", "Granite", "Green", "Harbour", "Hazel", "Hidden",
    "Hollow", "Honey", "Humble", "Indigo", "Iron", "Ivory", "Jade", "Juniper", "Kind", "Lantern",
    "Late", "Lemon", "Lilac", "Little", "Lively", "Lone", "Loud", "Lucky", "Lunar", "Maple",
    "Marble", "Meadow", "Mellow", "Midnight", "Mint", "Misty", "Modest", "Mossy", "Neon",
    "Nimble", "Noble", "Northern", "Oaken", "Ochre", "Olive", "Opal", "Orange", "Outer", "Pale",
    "Paper", "Patient", "Pearl", "Pepper", "Pine", "Plain", "Polar", "Proud", "Quiet", "Rainy",
    "Rapid", "Restless", "River", "Rosy", "Ruby", "Rusty", "Saffron", "Salty", "Sandy", "Scarlet",
    "Secret", "Silent", "Silver", "Sleepy", "Slow", "Smoky", "Snowy", "Solar", "Southern",
    "Spring", "Steady", "Still", "Stormy", "Summer", "Sunday", "Sunny", "Swift", "Tender",
    "Thunder", "Tidal", "Timber", "Tin", "Tiny", "Twilight", "Umber", "Upper", "Velvet", "Violet",
    "Walnut", "Wandering", "Warm", "Western", "White", "Wild", "Willow", "Winter", "Wise",
    "Wooden", "Yellow", "Young", "Zephyr",
)  # fmt: skip
SECOND_WORDS = (
    "Anthem", "Arpeggio", "Ballad", "Banjo", "Bassoon", "Beat", "Bolero", "Bridge", "Cadence",
    "Canon", "Carol", "Cassette", "Cello", "Chime", "Chord", "Chorus", "Clarinet", "Coda",
    "Cornet", "Crescendo", "Cymbal", "Descant", "Drum", "Duet", "Encore", "Etude", "Fanfare",
    "Fiddle", "Flute", "Fugue", "Gong", "Groove", "Harmony", "Harp", "Hook", "Hymn", "Interlude",
    "Intro", "Kazoo", "Lullaby", "Lute", "Lyre", "Mandolin", "March", "Marimba", "Melody",
    "Metronome", "Minuet", "Motif", "Nocturne", "Oboe", "Octave", "Overture", "Piano", "Piccolo",
    "Polka", "Prelude", "Quartet", "Quaver", "Record", "Refrain", "Reprise", "Rhythm", "Riff",
    "Rondo", "Round", "Samba", "Scale", "Serenade", "Sitar", "Solo", "Sonata", "Song", "Spinet",
    "String", "Suite", "Swing", "Tambourine", "Tango", "Tempo", "Timbre", "Toccata", "Treble",
    "Tremolo", "Trio", "Trumpet", "Tune", "Ukulele", "Verse", "Vinyl", "Viola", "Waltz", "Whistle",
)  # fmt: skip
# Of words that speak for the program or for whoever runs it; those after the first line only
# where they stand alone.
ANYWHERE = ("invented", "official", "moderator", "administrator", "musicalneighbours", "sysadmin")
ALONE = (
    "admin", "admins", "mod", "mods", "staff", "support", "system", "operator", "owner", "root",
    "demo", "bot", "helpdesk", "security", "verified", "you", "me", "myself", "everyone", "nobody",
    "anonymous", "deleted", "removed", "joined", "spotify", "lastfm", "listenbrainz",
)  # fmt: skip

_SPACES = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
# Format characters, and letters and marks that have no look.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_ADDRESS = re.compile(r"://|\bwww\b|[^\W_]\.[^\W\d_]{2,}")
_MAIL = re.compile(r"\S@\S+\.\S")
_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


IsTaken = Callable[[str], bool]  # whether there is a name of that look, as `look` gives it


def nobody(look: str) -> bool:
    """Where no name is taken."""
    return False


def suggest(seed: int, is_taken: IsTaken = nobody) -> str:
    """Two plain words, and a number where all that were tried look like names that are taken.

    The same for the same seed.
    """
    rng = random.Random(seed)
    for tried in range(100 * DRAWN):
        name = f"{rng.choice(FIRST_WORDS)} {rng.choice(SECOND_WORDS)}"
        if tried >= DRAWN:
            name += f" {rng.randint(2, 9999)}"
        if not is_taken(confusable_skeleton(name)):
            break
    return name


def check(name: str, is_taken: IsTaken = nobody, *, real_name: str = "") -> str:
    """`name` as it is kept: in NFC, with single spaces; BadName where it can't be one.

    `real_name` is a name by which its owner is known elsewhere, which would tell who it is.
    """
    name = unicodedata.normalize("NFC", _SPACES.sub(" ", name).strip())
    _check_characters(name)
    _check_length(name)
    _check_telling(name)
    mine = confusable_skeleton(name)
    if not mine:
        raise BadName("a pseudonym needs letters: write at least two")
    if real_name.strip() and mine == confusable_skeleton(real_name):
        raise BadName(
            "that is the name that came with your music, and would tell who you are: take another"
        )
    words = [
        confusable_skeleton(word) for word in NOT_WORD.split(unicodedata.normalize("NFKC", name))
    ]
    if any(part in mine for part in _ANYWHERE) or any(word in _ALONE for word in words):
        raise BadName(
            "that could be taken for the program, or for whoever runs it, speaking: take another"
        )
    if is_taken(mine):
        raise BadName(NAME_IN_USE)
    return name


def _check_characters(name: str) -> None:
    """BadName at what has no look, changes the direction of what follows, or is a picture."""
    marks = 0
    for char in name:
        kind = unicodedata.category(char)
        if unicodedata.bidirectional(char) in _BIDI:
            raise BadName(
                "there is a character in it that turns the direction of writing: type it anew"
            )
        if kind[0] == "C" or kind in ("Zl", "Zp") or _UNSEEN.match(char):
            raise BadName("there is a character in it that can't be seen: type it anew")
        if kind == "So" or (kind == "Sk" and not char.isascii()):
            raise BadName(
                f"“{char}” is a picture: many look alike, and screen readers spell them out. Take "
                "letters, digits and punctuation"
            )
        marks = marks + 1 if kind[0] == "M" else 0
        if marks > MOST_MARKS or (marks and char is name[0]):
            raise BadName(f"more than {MOST_MARKS} marks stand on one letter: take some away")


def _check_length(name: str) -> None:
    size = sum(unicodedata.category(char)[0] != "M" for char in name)
    if size < SHORTEST:
        raise BadName(f"write at least {SHORTEST} characters, or take the suggestion")
    if size > LONGEST:
        raise BadName(f"it has {size} characters: {LONGEST} are the most, make it shorter")


def _check_telling(name: str) -> None:
    """BadName at addresses, accounts and numbers."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    if _MAIL.search(plain):
        raise BadName("an e-mail address tells who you are, to everyone: take words instead")
    if "@" in plain:
        raise BadName("with an @ it reads as an account elsewhere, and tells who you are: leave it")
    if _ADDRESS.search(plain):
        raise BadName(
            "it reads as a web address, which tells who you are: take words, and put a space "
            "after a full stop"
        )
    digits = sum(char.isdigit() for char in plain)
    if digits > MOST_DIGITS:
        raise BadName(
            f"{digits} digits may be a phone number, which tells who you are: {MOST_DIGITS} are "
            "the most"
        )


_ANYWHERE = tuple(map(confusable_skeleton, ANYWHERE))
_ALONE = frozenset(map(confusable_skeleton, ALONE))
