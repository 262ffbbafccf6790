"""User names at music services, as people type or paste them."""

import re
from urllib.parse import unquote

_ADDRESS = re.compile(
    r"(?:https?://)?(?:[\w-]+\.)*(?:last\.fm|lastfm\.[a-z.]{2,6}|listenbrainz\.org)"
    r"/(?:[a-z]{2}(?:-[a-z]{2})?/)?(?:user/)?([^/?#\s]+)\S*",
    re.IGNORECASE,
)


def user_name_of(text: str) -> str:
    """Return the user name in what was typed: a name, "@name", or the address of their page."""
    text = text.strip()
    if address := _ADDRESS.fullmatch(text):
        text = unquote(address[1])
    return text.removeprefix("@").strip()
