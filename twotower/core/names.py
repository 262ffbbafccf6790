"""Names as keys: artist and track keys, confusable names, hashed listener ids."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from twotower.core.domain import Profile
from twotower.core.placeholders import is_placeholder
from twotower.core.spellings import FOREIGN_ALIASES, KEEP_AS_WRITTEN, SAME_LETTER

# Number of the rules of `artist_key`, stored with keys: raise it when names get other keys, so that
# stored keys are made anew.
KEY_RULES = 4

NOT_WORD = re.compile(r"[\W_]+")
_NOT_ASCII_WORD = re.compile("[^0-9a-z]+")
_ASCII_WORD = re.compile("[0-9a-z]+")
_ENDS = re.compile(r"^[\W_]+|[\W_]+$")
_ASCII_CONTROLS = dict.fromkeys((*range(0x09), *range(0x0E, 0x1C), 0x7F))
_INVISIBLE = ("Cc", "Cf", "Cs")  # Unicode categories: control, format, surrogate

# Spellings that normalisation alone doesn't join: normalised form -> usual normalised form.
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "30 seconds to mars": "thirty seconds to mars",
        "3 doors down": "three doors down",
        "tupac": "2pac",
        "tupac shakur": "2pac",
        "2 pac": "2pac",
        "biggie smalls": "notorious b i g",
        "notorious big": "notorious b i g",
        "p nk": "pink",
        "jayz": "jay z",
        "nwa": "n w a",
        "ac dc": "acdc",
        "rem": "r e m",
        "u 2": "u2",
        "n sync": "nsync",
        "blink182": "blink 182",
        "sum41": "sum 41",
        "red hot chilli peppers": "red hot chili peppers",
        "guns and roses": "guns n roses",
        "dj tiesto": "tiesto",
        "snoop doggy dogg": "snoop dogg",
        "florence the machine": "florence and the machine",
        "crosby stills nash young": "crosby stills nash and young",
        "crosby stills and nash": "crosby stills nash",
        "emerson lake palmer": "emerson lake and palmer",
        "earth wind fire": "earth wind and fire",
        "hall and oates": "daryl hall and john oates",
        "daryl hall john oates": "daryl hall and john oates",
        "god speed you black emperor": "godspeed you black emperor",
        "belle sebastian": "belle and sebastian",
        "simon garfunkel": "simon and garfunkel",
        "mumford sons": "mumford and sons",
        "bts 방탄소년단": "bts",
        "방탄소년단": "bts",
    }
)


@lru_cache(maxsize=200_000)
def artist_key(name: str) -> str:
    """Return the key that all spellings of an artist's name share; never empty.

    `normal_key`, with known doubles joined by `ALIASES` and, across scripts, `FOREIGN_ALIASES`:
    Hikaru Utada is 宇多田ヒカル. A name in two scripts ("周杰倫 Jay Chou") has the key of its
    halves if they are aliases. Raises ValueError if the name is blank.
    """
    key = normal_key(name)
    if key in ALIASES:
        return ALIASES[key]
    if key in FOREIGN_ALIASES:
        return FOREIGN_ALIASES[key]
    return key if key.isascii() else _key_of_halves(key) or key


def normal_key(name: str) -> str:
    """Return the key of a name's letters alone, before aliases; never empty.

    NFKC, casefold, accents of Latin letters stripped, traditional Han simplified, `&` becomes
    "and", `$` becomes "s", other punctuation becomes a space, a leading "the" is dropped; names
    of `KEEP_AS_WRITTEN` keep accents and "the". Scripts other than Latin stay as they are. A name
    without letters and digits ("!!!") keeps its casefolded form. Raises ValueError if the name is
    blank.
    """
    folded = _fold_ascii(name) if name.isascii() else _fold(name)
    if not folded:
        raise ValueError("an artist needs a name")
    if not any(c.isalnum() for c in folded):
        return folded
    words = folded.replace("&", " and ").replace("$", "s")
    if words.isascii():
        words = _NOT_ASCII_WORD.sub(" ", words)
    else:
        accented = _ENDS.sub("", words)
        if accented in KEEP_AS_WRITTEN:
            return accented
        words = _letters_only(words.translate(SAME_LETTER))
    key = " ".join(words.split())
    while key.startswith("the ") and key not in KEEP_AS_WRITTEN:
        key = key.removeprefix("the ")
    return key


def plain_key(key: str) -> str:
    """Return a key without the accents or "the" that `KEEP_AS_WRITTEN` keeps, for a search."""
    if key not in KEEP_AS_WRITTEN:
        return key
    return " ".join(_letters_only(key.translate(SAME_LETTER)).split()).removeprefix("the ")


def split_scripts(key: str) -> tuple[str, str]:
    """Return the words of a normal key in Latin letters and digits, and its other words."""
    latin = " ".join(_ASCII_WORD.findall(key)).removeprefix("the ")
    return latin, " ".join(_ASCII_WORD.sub(" ", key).split())


def _key_of_halves(key: str) -> str | None:
    """Return the key that the Latin half of a two-script key shares with the other, if any."""
    latin, other = split_scripts(key)
    if not (latin and other):
        return None
    usual = FOREIGN_ALIASES.get(latin, ALIASES.get(latin, latin))
    return usual if FOREIGN_ALIASES.get(other, ALIASES.get(other)) == usual else None


def is_visible(name: str) -> bool:
    """Return True if `artist_key` accepts the name: it isn't blank."""
    try:
        artist_key(name)
    except ValueError:
        return False
    return True


def is_artist_name(name: str) -> bool:
    """Return True for a name that isn't blank and no placeholder such as "Various Artists"."""
    return is_visible(name) and not is_placeholder(name)


def track_key(artist: str, track: str) -> tuple[str, str]:
    """Return (artist key, casefolded title), equal for small differences in spelling."""
    return artist_key(artist), " ".join(unicodedata.normalize("NFKC", track).casefold().split())


def _fold_ascii(name: str) -> str:
    """Return the same as `_fold`, faster, for a name in ASCII."""
    return " ".join(name.translate(_ASCII_CONTROLS).lower().split())


def _fold(name: str) -> str:
    """Casefold and normalise (NFKC); drop invisible characters, make white space single."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    if not folded.isprintable():
        visible = (c for c in folded if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
        folded = "".join(visible)
    return " ".join(folded.split())


def _letters_only(text: str) -> str:
    """Strip accents from Latin letters and replace punctuation by spaces."""
    chars: list[str] = []
    base = ""  # the letter that a following accent belongs to
    for char in unicodedata.normalize("NFKD", text):
        category = unicodedata.category(char)
        if category.startswith("M"):
            if not (base and unicodedata.name(base, "").startswith("LATIN")):
                chars.append(char)
        elif category[0] in "LN":
            base = char
            chars.append(char)
        else:
            base = ""
            chars.append(" ")
    return unicodedata.normalize("NFC", "".join(chars))


# Letters of other scripts that look like Latin ones. Capitals are replaced before lower-casing,
# because the two cases may look different: Greek capital Eta looks like H, small eta like n.
_CAPITALS = str.maketrans(
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹАВЕКМНОРСТУХІЈЅҮԚԜӀѴ", "abezhikmnoptyxcabekmhopctyxijsyqwlv"
)
_SMALL = str.maketrans(
    "αβγεηικνορστυχωϲавгекмнопрстухіјѕьһԁԛԝӏѵґүօոսհıɩɪɑɡʟłøđħŧƅƒᴀʙᴄᴅᴇꜰɢʜᴊᴋᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "abyenikvopotuxwcabrekmhonpctyxijsbhdqwlvryonuhiiiagllodhtbfabcdefghjkmnoprstuvwyz",
)
_SIGNS = str.maketrans("01i|345$7€", "ollleasste")  # digits and signs that stand in for letters
_WIDE = {"æ": "ae", "œ": "oe", "rn": "m", "vv": "w"}


def confusable_skeleton(name: str) -> str:
    """Return the same text for names that look alike: "Amber Otter", "AMBER-0TTER", "Αmber Ottеr".

    Lower case; digits and letters of other scripts are replaced by the Latin letters they look
    like; accents, spaces and punctuation are dropped.
    """
    if name.isascii():
        text = name.lower()
    else:
        text = unicodedata.normalize("NFKC", name.translate(_CAPITALS)).translate(_CAPITALS)
        text = _strip_accents(text.casefold()).translate(_SMALL)
    text = NOT_WORD.sub("", text.translate(_SIGNS))
    for wide, narrow in _WIDE.items():
        text = text.replace(wide, narrow)
    return text


def _strip_accents(text: str) -> str:
    """Drop the accents of Latin, Greek and Cyrillic letters."""
    chars: list[str] = []
    follows_plain_letter = False  # the letter before is Latin, Greek or Cyrillic
    for char in unicodedata.normalize("NFKD", text):
        if unicodedata.combining(char):
            if follows_plain_letter:
                continue
        else:
            script = unicodedata.name(char, "")
            follows_plain_letter = script.startswith(("LATIN", "GREEK", "CYRILLIC"))
        chars.append(char)
    return unicodedata.normalize("NFC", "".join(chars))


HASH_DIGITS = 16  # 64 bits: no two of a million listeners are likely to have the same


def hashed_id(profile: Profile) -> str:
    """Return the SHA-256 of a listener's origin and id, as stored in models trained on them.

    The first HASH_DIGITS hex digits are enough to tell listeners apart.
    """
    digest = hashlib.sha256(f"{profile.origin}:{profile.id}".encode()).hexdigest()
    return digest[:HASH_DIGITS]


def in_part(playlist_id: str, digits: str) -> bool:
    """Return whether the SHA-256 of a playlist id ends in one of these hex digits."""
    return hashlib.sha256(playlist_id.encode()).hexdigest()[-1] in digits
