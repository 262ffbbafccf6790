"""The community's secret, which draws that nobody may predict follow from."""

import secrets

from twotower.community.connection import next_seq
from twotower.community.schema import read_meta, write_meta
from twotower.community.store import Community


def community_secret(community: Community) -> bytes:
    """Return the secret of 32 bytes; make it when it is first asked for."""
    with community.database.write() as connection:
        next_seq(connection, 0)  # wait for other writers
        stored = read_meta(connection, "secret")
        if stored is None:
            stored = secrets.token_hex(32)
            write_meta(connection, "secret", stored)
    return bytes.fromhex(stored)
