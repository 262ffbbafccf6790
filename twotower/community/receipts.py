"""Deletion receipts: proof for a member who left, to verify against the community."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from twotower.community import queries
from twotower.community.records import Deletion
from twotower.community.store import Community
from twotower.core.errors import BadReceipt

FORMAT = 1
# Kind in a receipt -> words for one, and for several.
_WORDS = {
    "listeners": ("listener", "listeners"),
    "places on a map": ("place on a map", "places on a map"),
    "kept profiles": ("stored profile", "stored profiles"),
    "return codes": ("access code", "access codes"),
}
MAX_CHARS = 100_000  # of a receipt; a real one has less than a thousand
RECORD = "the removal's number, id, time and digest, so that this receipt can be checked"
BACKUPS = "backups made before, until the operator deletes them"
MODEL_WEIGHTS = (
    "the weights of a model trained with this profile, which may still remember it until the next "
    "retraining"
)


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """Result of verifying a receipt: if it doesn't hold, the last message says why."""

    holds: bool
    messages: tuple[str, ...]


def remains(deletion: Deletion) -> tuple[str, ...]:
    """Return what leaving can't remove."""
    return (RECORD, BACKUPS, *((MODEL_WEIGHTS,) if deletion.was_training else ()))


def to_json(deletion: Deletion) -> dict[str, Any]:
    """Return the receipt as a JSON document."""
    fields = asdict(deletion) | {"removed": dict(deletion.removed)}
    return {
        "receipt": FORMAT,
        **fields,
        "stays": list(remains(deletion)),
        "digest": deletion.digest,
    }


def dumps(deletion: Deletion) -> str:
    """Return the receipt as the text of a file, in ASCII."""
    return json.dumps(to_json(deletion), indent=2) + "\n"


def summary(deletion: Deletion) -> str:
    """Return what was removed, as in "1 listener, 2 vectors"."""
    return ", ".join(
        f"{count} {_WORDS.get(kind, (kind, kind))[count > 1]}"
        for kind, count in deletion.removed.items()
        if count
    )


def to_text(deletion: Deletion) -> str:
    """Return the receipt as lines of text."""
    return "\n".join(
        (
            f"Removed {deletion.id} at {deletion.at}: {summary(deletion)}.",
            *(f"Stays: {each}." for each in remains(deletion)),
            f"Receipt {deletion.digest}",
        )
    )


def read(text: str) -> tuple[Deletion, str]:
    """Return the deletion and the digest in a receipt. Raises BadReceipt if it is none."""
    if len(text) > MAX_CHARS:
        raise BadReceipt("this is too long for a receipt: use the file that you got when you left")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadReceipt(
            "this isn't complete JSON: use the file that you got when you left"
        ) from error
    if not isinstance(document, dict) or "receipt" not in document:
        raise BadReceipt("this is JSON, but no receipt: use the file that you got when you left")
    if document["receipt"] != FORMAT:
        raise BadReceipt(
            f"the receipt has format {document['receipt']!r}, and this program reads format "
            f"{FORMAT}: install the newest version of the program"
        )
    types = {"id": str, "seq": int, "at": str, "content": str, "community": str, "digest": str}
    types |= {"removed": dict, "was_training": bool}
    wrong = [key for key, kind in types.items() if type(document.get(key)) is not kind]
    if not wrong and any(type(count) is not int for count in document["removed"].values()):
        wrong = ["removed"]
    if wrong:
        raise BadReceipt(
            f"the receipt lacks {', '.join(wrong)}: use the file that you got when you left"
        )
    fields = {key: document[key] for key in types if key != "digest"}
    return Deletion(**fields), document["digest"]


def verify(deletion: Deletion, digest: str, community: Community) -> ReceiptCheck:
    """Compare a receipt with the community's record, and check that no row of the id is left."""
    if deletion.digest != digest:
        return ReceiptCheck(False, ("the receipt was changed: its digest doesn't match",))
    messages = ["the digest matches the receipt"]
    if deletion.community != community.id:
        return ReceiptCheck(False, (*messages, "the receipt is of another community"))
    messages.append("the receipt is of this community")
    record = queries.find_deletion(community, deletion.id)
    if record is None:
        return ReceiptCheck(False, (*messages, "this community never removed that id"))
    if (record["digest"], record["seq"]) != (digest, deletion.seq):
        return ReceiptCheck(False, (*messages, "the community recorded another removal of that id"))
    messages.append(f"the removal is recorded with this digest, as change {deletion.seq:,}")
    left = {table: n for table, n in queries.count_rows(community, deletion.id).items() if n}
    if left:
        where = ", ".join(f"{count} in {table}" for table, count in left.items())
        return ReceiptCheck(False, (*messages, f"rows of that id are still there: {where}"))
    return ReceiptCheck(True, (*messages, "no row of that id is in any table"))
