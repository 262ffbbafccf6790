"""The name of a database without anything secret, for messages and reports."""

import re

UNNAMED = "the database that TWOTOWER_COMMUNITY names"
_ADDRESS = re.compile(
    r"(?P<scheme>[\w+]+)://"
    r"([^@:/?#\s]*(:[^@:/?#\s]*)?@)?"  # user and password
    r"(?P<host>[\w.,-]*|\[[0-9a-fA-F:.]+\])(?P<port>:\d+)?/(?P<database>[\w.-]*)"
    r"(\?.*)?",  # may have a password, too
    re.ASCII | re.DOTALL,
)


def describe_database(url: str) -> str:
    """Return the server and the name of a database, without user, password and options.

    A password in which `@`, `/` or the like isn't quoted makes an address that can be read in
    several ways: then nothing of it is returned.
    """
    if url.startswith("sqlite:"):
        return url.partition("?")[0]
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return UNNAMED
    scheme = match["scheme"].partition("+")[0]
    return f"{scheme}://{match['host']}{match['port'] or ''}/{match['database']}"
