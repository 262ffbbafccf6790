"""Many consenting listeners into the community at once, in a way that can be taken up again."""

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

from twotower.community import membership, queries
from twotower.community.membership import JoinRequest, suggest_name
from twotower.core.domain import Profile
from twotower.core.errors import (
    BadName,
    BadProfile,
    CommunityError,
    EmptyProfile,
    MayNotJoin,
)
from twotower.core.names import artist_key
from twotower.matching.matcher import Matcher
from twotower.model.portrait import Portrait
from twotower.sources.profile_parser import profile_from_json

SHOWN = 20  # top artists of each that others see
TOLD = 1_000  # refused lines whose reason is kept
NAMES = 5  # that are tried for each
MOST_BYTES = 16 << 20  # of one line
BEGINNING = b'{"id": "'  # of a line of codes


@dataclass
class ImportResult:
    """What became of the lines of a file."""

    joined: int = 0
    known: int = 0  # were there before, by the same line's id
    left: int = 0  # left this community: nobody is brought back
    count_refused: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)  # (line, why)

    def refuse(self, line: int, why: str) -> None:
        self.count_refused += 1
        if len(self.refused) < TOLD:
            self.refused.append((line, why))


def import_members(
    matcher: Matcher,
    path: Path,
    *,
    codes: Path,
    findable: bool,
    training: bool,
    tell: Callable[[float, str], None],
) -> ImportResult:
    """Let each line's listener join; the return codes are added to the file `codes` beforehand.

    A listener's id here follows from the line's id, so the same call goes on where another one
    was broken off, and who has left since is not brought back.
    """
    intake, community = ImportResult(), matcher.community
    size, mark = max(path.stat().st_size, 1), community.id
    with _adding_to(codes) as keep:
        for number, done, line in _lines(path):
            tell(done / size, f"line {number:,}")
            try:
                profile = _profile(line)
                id = hashlib.sha256(f"{mark} {profile.id}".encode()).hexdigest()[:16]
                if any(queries.count_rows(community, id).values()):
                    intake.known += 1
                    continue
                if queries.find_deletion(community, id) is not None:
                    intake.left += 1
                    continue
                membership.check_origin(profile)
                portrait = matcher.portrait(profile)
                pool = membership.showable(matcher, portrait)[:SHOWN] if findable else ()
                shown = tuple(artist_key(artist.name) for artist in pool)
                code = membership.new_code()
                # in the file before the row is stored: nobody is ever in without a way out
                keep(profile.id, code)
                request = JoinRequest("", shown, findable, training)
                _join(matcher, portrait, request, id, code)
            except (BadProfile, BadName, EmptyProfile, MayNotJoin) as error:
                intake.refuse(number, str(error))
            else:
                intake.joined += 1
    return intake


def _join(matcher: Matcher, portrait: Portrait, request: JoinRequest, id: str, code: str) -> None:
    """Join under a suggested name; another one where somebody was quicker, or it is their own."""
    for turn in range(NAMES):
        name = suggest_name(int(id, 16) + turn, matcher.community) if request.findable else ""
        try:
            membership.join(matcher, portrait, replace(request, name=name), id=id, code=code)
            return
        except BadName:
            if turn == NAMES - 1:
                raise


@contextmanager
def _adding_to(codes: Path) -> Iterator[Callable[[str, str], None]]:
    """What adds (id, code) to the file, and comes back when that line is safely stored.

    One program at a time. Half a line that a kill left at the end is taken away: a row is stored
    after its line only.
    """
    with os.fdopen(os.open(codes, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600), "rb") as file:
        _alone(file, codes)
        content = file.read()
        last = content[content.rfind(b"\n") + 1 :]
        if last and _is_half(last):
            os.ftruncate(file.fileno(), len(content) - len(last))
            last = b""
        before = b"\n" if last else b""

        def keep(id: str, code: str) -> None:
            nonlocal before
            line = before + json.dumps({"id": id, "code": code}).encode() + b"\n"
            size = os.fstat(file.fileno()).st_size
            try:
                while line:
                    line = line[os.write(file.fileno(), line) :]
                os.fsync(file.fileno())
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(file.fileno(), size)
                raise CommunityError(
                    f"the return codes can't be added to ({error.strerror}), so nobody else was "
                    "brought in; make room, and the same call goes on",
                    where=str(codes),
                ) from error
            before = b""

        yield keep


def _alone(file: IO[bytes], codes: Path) -> None:
    """Hold the file of codes until it is closed: of two at once, codes would not be the last."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CommunityError(
            "another import adds to these codes just now: wait until it is done", where=str(codes)
        ) from error


def _is_half(line: bytes) -> bool:
    """Whether this is the beginning of a line of codes, and no more."""
    if not (line.startswith(BEGINNING) or BEGINNING.startswith(line)):
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
    """(number, bytes of the file read, line) of each line that isn't blank."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            lines = gzip.GzipFile(fileobj=raw) if packed else raw
            number = 0
            while line := lines.readline(MOST_BYTES + 1):
                number += 1
                if len(line) > MOST_BYTES:
                    raise BadProfile(f"line {number} is longer than {MOST_BYTES:,} bytes")
                if line.strip():
                    yield number, raw.tell(), line
    except (OSError, EOFError, zlib.error) as error:
        raise CommunityError(
            f"the file can't be read on ({error}); who was brought in stays", where=str(path)
        ) from error
