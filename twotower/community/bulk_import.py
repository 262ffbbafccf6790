"""Resumable bulk import of consenting listeners."""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from twotower.community import queries
from twotower.community.access_codes import new_code
from twotower.community.membership import JoinRequest, Membership, check_origin
from twotower.core.domain import Profile
from twotower.core.errors import (
    BadName,
    BadProfile,
    CommunityError,
    EmptyProfile,
    MayNotJoin,
)
from twotower.core.jobs import Progress, silent
from twotower.core.names import artist_key
from twotower.model.portrait import Portrait, portrait
from twotower.sources.profile_parser import profile_from_json

VISIBLE = 20  # top artists of each listener that others see
MAX_REASONS = 1_000  # refused lines whose reason is reported
NAME_TRIES = 5
MAX_LINE_BYTES = 16 << 20
LINE_START = b'{"id": "'  # of every line in the file of codes


@dataclass
class ImportResult:
    """Number of lines of a file, by outcome."""

    joined: int = 0
    known: int = 0  # were members already, by the same id
    left: int = 0  # left this community earlier; not added again
    refused_count: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)  # (line number, reason)

    def refuse(self, line: int, reason: str) -> None:
        """Count a refused line; report the first 1,000 reasons."""
        self.refused_count += 1
        if len(self.refused) < MAX_REASONS:
            self.refused.append((line, reason))


def import_members(
    membership: Membership,
    path: Path,
    *,
    codes: Path,
    findable: bool,
    training: bool,
    progress: Progress = silent,
) -> ImportResult:
    """Add the listener of each line of a profile JSON Lines file as a member.

    Access codes are appended to the file `codes`, each before its member is stored. A member's id
    follows from the line's id, so a repeated call continues an interrupted one, and a member who
    left is not added again. Raises CommunityError if a file can't be read or written.
    """
    result, community = ImportResult(), membership.community
    size, community_id = max(path.stat().st_size, 1), community.id
    with _append_codes(codes) as append_code:
        for number, read_bytes, line in _lines(path):
            progress(read_bytes / size, f"line {number:,}")
            try:
                profile = _profile(line)
                id = hashlib.sha256(f"{community_id} {profile.id}".encode()).hexdigest()[:16]
                if any(queries.count_rows(community, id).values()):
                    result.known += 1
                    continue
                if queries.find_deletion(community, id) is not None:
                    result.left += 1
                    continue
                check_origin(profile)
                person = portrait(membership.embedder, profile)
                shown = membership.showable_artists(person)[:VISIBLE] if findable else ()
                keys = tuple(artist_key(artist.name) for artist in shown)
                code = new_code()
                append_code(profile.id, code)  # first the code: every member can leave
                _join(membership, person, JoinRequest("", keys, findable, training), id, code)
            except (BadProfile, BadName, EmptyProfile, MayNotJoin) as error:
                result.refuse(number, str(error))
            else:
                result.joined += 1
    return result


def _join(
    membership: Membership, person: Portrait, request: JoinRequest, id: str, code: str
) -> None:
    """Join under a suggested name; try another if it has just been taken or is not allowed."""
    for attempt in range(NAME_TRIES):
        name = membership.suggest_name(int(id, 16) + attempt) if request.findable else ""
        try:
            membership.join(person, replace(request, name=name), id=id, code=code)
            return
        except BadName:
            if attempt == NAME_TRIES - 1:
                raise


@contextmanager
def _append_codes(codes: Path) -> Iterator[Callable[[str, str], None]]:
    """Yield a function that appends (id, code) to the file and returns once it is on disk.

    Only one program at a time. A partial last line, left by a kill, is removed: its member was
    not stored yet.
    """
    with os.fdopen(os.open(codes, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600), "rb") as file:
        _lock(file, codes)
        content = file.read()
        last = content[content.rfind(b"\n") + 1 :]
        if last and _is_partial(last):
            os.ftruncate(file.fileno(), len(content) - len(last))
            last = b""
        separator = b"\n" if last else b""

        def append(id: str, code: str) -> None:
            nonlocal separator
            line = separator + json.dumps({"id": id, "code": code}).encode() + b"\n"
            size = os.fstat(file.fileno()).st_size
            try:
                while line:
                    line = line[os.write(file.fileno(), line) :]
                os.fsync(file.fileno())
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(file.fileno(), size)
                raise CommunityError(
                    f"the access codes can't be written ({error.strerror}), so the import stopped: "
                    "free some space and repeat the command to continue",
                    where=str(codes),
                ) from error
            separator = b""

        yield append


def _lock(file: IO[bytes], codes: Path) -> None:
    """Lock the file of codes until it is closed. Raises CommunityError if it is locked already."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CommunityError(
            "another import is writing to this file of codes: wait until it is done",
            where=str(codes),
        ) from error


def _is_partial(line: bytes) -> bool:
    """Return True if this is the beginning of a line of codes, but not a whole one."""
    if not (line.startswith(LINE_START) or LINE_START.startswith(line)):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _profile(line: bytes) -> Profile:
    try:
        return profile_from_json(json.loads(line), "")
    except (ValueError, RecursionError) as error:
        raise BadProfile("isn't valid JSON") from error


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (line number, bytes read of the file, line) of each line that isn't blank."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            lines = gzip.GzipFile(fileobj=raw) if is_gzip else raw
            number = 0
            while line := lines.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise BadProfile(f"line {number} is longer than {MAX_LINE_BYTES:,} bytes")
                if line.strip():
                    yield number, raw.tell(), line
    except (OSError, EOFError, zlib.error) as error:
        raise CommunityError(
            f"the file can't be read any further ({error}); members added so far stay",
            where=str(path),
        ) from error
