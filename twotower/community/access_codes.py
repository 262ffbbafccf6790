"""Access codes: with its code a member reads, changes or removes what is stored.

Only the hash of a code is stored, so a lost code can't be replaced.
"""

import hashlib
import re
import secrets
import unicodedata

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # without characters that look alike
GROUPS, GROUP_LENGTH = 5, 5
PREFIX = "MN"
MAX_CHARS = 200  # of a typed code; the rest is ignored
UNKNOWN_CODE = (
    "no member has this access code: compare it with your copy. After you leave, your code is no "
    "longer valid"
)


def new_code() -> str:
    """Return a random code: `MN-` and five groups of five characters (122 bits)."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join((PREFIX, *groups))


def hash_code(code: str) -> str:
    """Return the SHA-256 of a code, 64 hex digits; case, spaces and dashes don't matter."""
    plain = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", code[:MAX_CHARS]).upper())
    if len(plain) == len(PREFIX) + GROUPS * GROUP_LENGTH:
        plain = plain.removeprefix(PREFIX)
    return hashlib.sha256(plain.encode()).hexdigest()
