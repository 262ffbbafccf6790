"""The listeners that can be found: rows in a database are the truth, the arrays are made of them.

Each change is one transaction and takes the next number `seq`, so another process sees that
something changed by reading one number, and reads only what came after the last it knows.
"""

from twotower.community.records import Deletion, Member, MemberRecord, ModelVectors, new_id
from twotower.community.schema import SCHEMA
from twotower.community.snapshot import Candidates, MemberSnapshot
from twotower.community.store import Community

__all__ = [
    "SCHEMA",
    "Candidates",
    "Community",
    "Deletion",
    "Member",
    "MemberRecord",
    "MemberSnapshot",
    "ModelVectors",
    "new_id",
]
