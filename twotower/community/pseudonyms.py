"""Pseudonyms: suggestions, and checks of names that people choose.

All letters and nearly all punctuation are allowed; pages escape them. Refused are invisible
characters, pictures, formulas, names that identify a person, and names that look like another one.
Each error says what to change.
"""

import random
import re
import unicodedata
from collections.abc import Callable

from twotower.core.csv_files import spreadsheet_safe
from twotower.core.errors import BadName
from twotower.core.names import NOT_WORD, confusable_skeleton

MIN_LENGTH, MAX_LENGTH = 2, 30  # characters
MAX_DIGITS = 4  # more may be a phone number
MAX_MARKS = 2  # on one letter; more would cover the lines above
PLAIN_TRIES = 50  # suggestions tried before a number is added
NAME_IN_USE = "this name is taken, or one that looks like it: change a word"
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
# Words that seem to speak for the program or its operator: refused anywhere in a name, or only if
# they are a word of their own.
ANYWHERE = ("invented", "official", "moderator", "administrator", "musicalneighbours", "sysadmin")
ALONE = (
    "admin", "admins", "mod", "mods", "staff", "support", "system", "operator", "owner", "root",
    "demo", "bot", "helpdesk", "security", "verified", "you", "me", "myself", "everyone", "nobody",
    "anonymous", "deleted", "removed", "joined", "spotify", "lastfm", "listenbrainz",
)  # fmt: skip

_SPACES = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
# Format characters, and letters and marks that can't be seen.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_ADDRESS = re.compile(r"://|\bwww\b|[^\W_]\.[^\W\d_]{2,}")
_MAIL = re.compile(r"\S@\S+\.\S")
_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_ANYWHERE = tuple(map(confusable_skeleton, ANYWHERE))
_ALONE = frozenset(map(confusable_skeleton, ALONE))

IsTaken = Callable[[str], bool]  # True if somebody has a name with this confusable_skeleton


def never_taken(skeleton: str) -> bool:
    """Return False: no name is taken."""
    return False


def suggest(seed: int, is_taken: IsTaken = never_taken) -> str:
    """Return two plain words that are not taken; after 50 tries a number follows them.

    The same seed gives the same name.
    """
    rng = random.Random(seed)
    for attempt in range(100 * PLAIN_TRIES):
        name = f"{rng.choice(FIRST_WORDS)} {rng.choice(SECOND_WORDS)}"
        if attempt >= PLAIN_TRIES:
            name += f" {rng.randint(2, 9999)}"
        if not is_taken(confusable_skeleton(name)):
            break
    return name


def check(name: str, is_taken: IsTaken = never_taken, *, real_name: str = "") -> str:
    """Return the name as it is stored, in NFC with single spaces. Raises BadName.

    `real_name` is the owner's name elsewhere, which would identify them.
    """
    name = unicodedata.normalize("NFC", _SPACES.sub(" ", name).strip())
    _check_characters(name)
    _check_length(name)
    _check_identifying(name)
    if spreadsheet_safe(name) != name:
        raise BadName(
            "a spreadsheet would run this name as a formula: begin each part with a letter or digit"
        )
    skeleton = confusable_skeleton(name)
    if not skeleton:
        raise BadName("a name needs letters: write at least two")
    if real_name.strip() and skeleton == confusable_skeleton(real_name):
        raise BadName("this name came with your music and identifies you: choose another")
    words = NOT_WORD.split(unicodedata.normalize("NFKC", name))
    if any(part in skeleton for part in _ANYWHERE) or any(
        confusable_skeleton(word) in _ALONE for word in words
    ):
        raise BadName("this name looks like one of the app or its operator: choose another")
    if is_taken(skeleton):
        raise BadName(NAME_IN_USE)
    return name


def _check_characters(name: str) -> None:
    """Raise BadName for characters that are invisible, change the direction, or are pictures."""
    marks = 0
    for char in name:
        category = unicodedata.category(char)
        if unicodedata.bidirectional(char) in _BIDI:
            raise BadName(
                "the name has a character that changes the writing direction: type it again"
            )
        if category[0] == "C" or category in ("Zl", "Zp") or _INVISIBLE.match(char):
            raise BadName("the name has an invisible character: type it again")
        if category == "So" or (category == "Sk" and not char.isascii()):
            raise BadName(
                f"“{char}” is a picture, and many pictures look alike: use letters and digits"
            )
        marks = marks + 1 if category[0] == "M" else 0
        if marks > MAX_MARKS or (marks and char is name[0]):
            raise BadName(f"a letter has more than {MAX_MARKS} accents: remove some")


def _check_length(name: str) -> None:
    size = sum(unicodedata.category(char)[0] != "M" for char in name)
    if size < MIN_LENGTH:
        raise BadName(f"write at least {MIN_LENGTH} characters, or use the suggestion")
    if size > MAX_LENGTH:
        raise BadName(f"the name has {size} characters: use at most {MAX_LENGTH}")


def _check_identifying(name: str) -> None:
    """Raise BadName for addresses, accounts and phone numbers."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    if _MAIL.search(plain):
        raise BadName("an e-mail address identifies you: use words instead")
    if "@" in plain:
        raise BadName("a name with @ looks like an account elsewhere: remove the @")
    if _ADDRESS.search(plain):
        raise BadName(
            "this looks like a web address, which identifies you: use words, and put a space after "
            "a full stop"
        )
    digits = sum(char.isdigit() for char in plain)
    if digits > MAX_DIGITS:
        raise BadName(f"{digits} digits may be a phone number: use at most {MAX_DIGITS}")
