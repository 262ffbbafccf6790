"""What one who leaves is given to keep, and whether it holds against the community."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from twotower.community import queries
from twotower.community.records import Deletion
from twotower.community.store import Community
from twotower.core.errors import BadReceipt

FORMAT = 1
_ONE = {
    "listeners": "listener",
    "places on a map": "place on a map",
    "kept profiles": "kept profile",
    "return codes": "return code",
}
MOST_CHARS = 100_000  # of a receipt; a real one has less than a thousand
REMAINS = "the removal's number, id, time and digest, so that this receipt can be checked"
REMEMBERS = (
    "the weights of a model that was trained with this profile, which may still remember it "
    "until the next refresh"
)
OTHERS = "backups that were made before, until whoever runs the server removes them"


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a receipt holds: where `holds`, all of `said` is good; else the last is not."""

    holds: bool
    said: tuple[str, ...]


def stays(removal: Deletion) -> tuple[str, ...]:
    """What leaving can't take away."""
    return (REMAINS, OTHERS, *((REMEMBERS,) if removal.was_training else ()))


def to_json(removal: Deletion) -> dict[str, Any]:
    """The receipt, to be kept as a file."""
    told = asdict(removal) | {"removed": dict(removal.removed)}
    return {"receipt": FORMAT, **told, "stays": list(stays(removal)), "digest": removal.digest}


def in_short(removal: Deletion) -> str:
    """What was removed, as in "1 listener, 2 vectors"."""
    return ", ".join(
        f"{count} {_ONE.get(what, what) if count == 1 else what}"
        for what, count in removal.removed.items()
        if count
    )


def in_words(removal: Deletion) -> str:
    """The receipt, a line for each thing it says."""
    return "\n".join(
        (
            f"Removed {removal.id} at {removal.at}: {in_short(removal)}.",
            *(f"Stays: {what}." for what in stays(removal)),
            f"Receipt {removal.digest}",
        )
    )


def read(text: str) -> tuple[Deletion, str]:
    """(what was removed, the digest that the receipt bears); BadReceipt where it is none."""
    if len(text) > MOST_CHARS:
        raise BadReceipt("this is too long to be a receipt: give the file that leaving wrote")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadReceipt(
            "this is no whole receipt: it is cut short or no JSON. Take the file as leaving gave it"
        ) from error
    if not isinstance(given, dict) or "receipt" not in given:
        raise BadReceipt("this is JSON, but no receipt: give the file that leaving wrote")
    if given["receipt"] != FORMAT:
        raise BadReceipt(
            f"the receipt has format {given['receipt']!r} and this program reads {FORMAT}: "
            "use the program's newest version"
        )
    kinds = {"id": str, "seq": int, "at": str, "content": str, "community": str, "digest": str}
    kinds |= {"removed": dict, "was_training": bool}
    wrong = [key for key, kind in kinds.items() if type(given.get(key)) is not kind]
    if not wrong and any(type(count) is not int for count in given["removed"].values()):
        wrong = ["removed"]
    if wrong:
        raise BadReceipt(f"the receipt lacks {', '.join(wrong)}: take the file as leaving gave it")
    digest = given["digest"]
    return Deletion(**{key: given[key] for key in kinds if key != "digest"}), digest


def verify(removal: Deletion, digest: str, community: Community) -> Check:
    """Hold a receipt against what the community keeps of it, and look for what should be gone."""
    if removal.digest != digest:
        return Check(False, ("the receipt was changed: its digest is not that of what it says",))
    said = ["the digest is that of what the receipt says"]
    if removal.community != community.id:
        return Check(False, (*said, "the receipt is of another community, not of this one"))
    said.append("it is of this community")
    kept = queries.find_deletion(community, removal.id)
    if kept is None:
        return Check(False, (*said, "this community never removed anybody of that id"))
    if (kept["digest"], kept["seq"]) != (digest, removal.seq):
        return Check(False, (*said, "another removal of that id is recorded, not this one"))
    said.append(f"the removal is recorded with this digest, as change {removal.seq:,}")
    found = {
        table: count for table, count in queries.count_rows(community, removal.id).items() if count
    }
    if found:
        where = ", ".join(f"{count} in {table}" for table, count in found.items())
        return Check(False, (*said, f"rows of that id are still there: {where}"))
    said.append("no row of that id is in any table")
    file = community.database.file
    if file is None:
        return Check(True, (*said, "free pages are the database server's own: its vacuum sees to"))
    left = sorted({path.name for path in _beside(file) if _remains(path, removal)})
    if left:
        return Check(False, (*said, f"bytes of that id's rows are still in {', '.join(left)}"))
    return Check(True, (*said, "no byte of that id's rows is in the file or beside it"))


def _beside(file: Path) -> Iterator[Path]:
    """The file, its log, and all whose name begins with the file's: snapshots, set aside ones."""
    for path in sorted(file.parent.glob(f"{file.name}*")):
        yield from (p for p in sorted(path.rglob("*")) if p.is_file()) if path.is_dir() else (path,)


def _remains(path: Path, removal: Deletion) -> bool:
    """Whether the id stands there as anything but the record of the removal.

    An entry of an index is no sign: it holds the id and a number, as that of the removal does.
    """
    id, recorded = removal.id.encode(), (removal.id + removal.at).encode()
    indexed = bytes((3, 13 + 2 * len(id)))  # a record's head: two columns, the first such a text
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        at = content.find(id)
        while at >= 0:
            entry = content[max(0, at - 3) : at].startswith(indexed)
            if not entry and content[at : at + len(recorded)] != recorded:
                return True
            at = content.find(id, at + 1)
    return False


def dumps(removal: Deletion) -> str:
    """The receipt as the text of a file, in ASCII."""
    return json.dumps(to_json(removal), indent=2) + "\n"
