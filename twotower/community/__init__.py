"""Community: the listeners who can be found, in SQLite or PostgreSQL.

Rows are the truth; arrays and files are derived from them. Each change is one transaction and
takes the next number `seq`. Another process reads that one number to notice a change, and then
only the rows with a higher one.
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
