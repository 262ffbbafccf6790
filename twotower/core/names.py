"""What a name looks like at a glance, so that none is taken for another."""

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twotower.core.domain import Profile

TAKEN = "somebody here has this name, or one that looks like it: change a word of it"
NOT_WORD = re.compile(r"[\W_]+")
# Letters that look like others. Capitals are looked up before they are made small: H is Greek Eta.
_CAPITALS = str.maketrans(
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹАВЕКМНОРСТУХІЈЅҮԚԜӀѴ", "abezhikmnoptyxcabekmhopctyxijsyqwlv"
)
_SMALL = str.maketrans(
    "αβγεηικνορστυχωϲавгекмнопрстухіјѕьһԁԛԝӏѵґүօոսհıɩɪɑɡʟłøđħŧƅƒᴀʙᴄᴅᴇꜰɢʜᴊᴋᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "abyenikvopotuxwcabrekmhonpctyxijsbhdqwlvryonuhiiiagllodhtbfabcdefghjkmnoprstuvwyz",
)
_SIGNS = str.maketrans("01i|345$7€", "ollleasste")  # digits and signs that stand in for letters
_WIDE = {"æ": "ae", "œ": "oe", "rn": "m", "vv": "w"}


def look(name: str) -> str:
    """What a name looks like at a glance: the same for "Amber Otter", "AMBER-0TTER", "Αmber Ottеr".

    Made of small letters; digits and letters of other scripts are what they look like, accents,
    spaces and signs are away.
    """
    if name.isascii():
        text = name.lower()
    else:
        text = unicodedata.normalize("NFKC", name.translate(_CAPITALS)).translate(_CAPITALS)
        text = _without_accents(text.casefold()).translate(_SMALL)
    text = NOT_WORD.sub("", text.translate(_SIGNS))
    for wide, narrow in _WIDE.items():
        text = text.replace(wide, narrow)
    return text


def _without_accents(text: str) -> str:
    """`text` less the marks on Latin, Greek and Cyrillic letters."""
    kept: list[str] = []
    plain = False  # whether the letter before is of those
    for char in unicodedata.normalize("NFKD", text):
        if unicodedata.combining(char):
            if plain:
                continue
        else:
            plain = unicodedata.name(char, "").startswith(("LATIN", "GREEK", "CYRILLIC"))
        kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def hashed_id(profile: "Profile") -> str:
    """Return SHA-256 of source and id, 64 hex digits: all that a model stores of a listener."""
    return hashlib.sha256(f"{profile.origin}:{profile.id}".encode()).hexdigest()


def in_part(playlist_id: str, digits: str) -> bool:
    """Return True if the SHA-256 of a playlist's id ends in one of these hex digits."""
    return hashlib.sha256(playlist_id.encode()).hexdigest()[-1] in digits
