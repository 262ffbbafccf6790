"""Commands of a member: `community join`, `update`, `leave`, `export` and `verify-receipt`."""

import json as json_format
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.community import open_community, open_matcher
from twotower.cli.import_files import read_person
from twotower.cli.options import Files, Json, check_writable
from twotower.cli.terminal import CHECK_FAILED, ProgressLine, plain, show_json, show_result
from twotower.core.errors import CommunityError, MissingData, UnknownCode
from twotower.core.files import atomic_write

if TYPE_CHECKING:
    from twotower.community import Deletion, MemberRecord
    from twotower.community.membership import JoinRequest
    from twotower.matching.matcher import Matcher
    from twotower.model.portrait import Portrait

CodeFile = Annotated[
    Path | None,
    typer.Option(
        "--code-file",
        help="File with the access code. [default: ask for it, or read it from a pipe]",
    ),
]
NewFiles = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE", help="Files of your current music, as for `community join`."),
]
Findable = Annotated[
    bool | None,
    typer.Option("--findable/--no-findable", help="Let others find you.", show_default=False),
]
Training = Annotated[
    bool | None,
    typer.Option(
        "--training/--no-training",
        help="Let your listening help with training.",
        show_default=False,
    ),
]
DEFAULT_VISIBLE = 20  # artists that others see, without --show
MAX_CODE_CHARS = 200  # read from a file or a pipe; a code is much shorter
NEEDS_NAME = "to be found you need a pseudonym: give --name"


@dataclass(frozen=True, slots=True)
class _Changes:
    """Choices to change; None keeps the stored one."""

    name: str | None
    findable: bool | None
    training: bool | None
    show: int | None  # number of most played artists that others may see

    def is_empty(self) -> bool:
        return (self.name, self.findable, self.training, self.show) == (None, None, None, None)


def join(
    files: Files,
    name: Annotated[str, typer.Option(help="Pseudonym that others see.")] = "",
    findable: Findable = None,
    training: Training = None,
    show: Annotated[
        int, typer.Option(min=3, max=100, help="Number of your top artists that others may see.")
    ] = DEFAULT_VISIBLE,
    json: Json = False,
) -> None:
    """Join the community with one person's files.

    Prints the access code, once. It is stored nowhere.
    """
    from twotower.community.membership import JoinRequest
    from twotower.core.names import artist_key

    if findable is None or training is None:
        raise typer.TyperException(
            "answer both questions: --findable or --no-findable, and --training or --no-training"
        )
    if findable and not name:
        raise typer.TyperException(NEEDS_NAME)
    person, _ = read_person(files)
    with ProgressLine() as progress, open_matcher(progress) as matcher:
        portrait = matcher.portrait(person)
        top = matcher.membership.showable_artists(portrait)[:show] if findable else ()
        visible = tuple(artist_key(artist.name) for artist in top)
        request = JoinRequest(name, visible, findable, training)
        joined = matcher.membership.join(portrait, request)
    artists = [artist for artist, _ in joined.listener.artists]
    show_result(
        {"id": joined.id, "code": joined.code, "name": joined.listener.name, "shown": artists},
        joined.code,
        json=json,
    )
    if not json:
        visible_names = ", ".join(map(plain, artists)) or "nothing"
        typer.echo(
            f"Keep this code: you need it to change or leave. Others see: {visible_names}",
            err=True,
        )


def update(
    files: NewFiles = None,
    code_file: CodeFile = None,
    name: Annotated[str | None, typer.Option(help="New pseudonym.")] = None,
    findable: Findable = None,
    training: Training = None,
    show: Annotated[
        int | None,
        typer.Option(min=3, max=100, help="Number of your top artists that others may see."),
    ] = None,
    json: Json = False,
) -> None:
    """Change your stored music or choices.

    Options that you leave out keep their stored values. After new files, others see only artists
    that they saw before; --show lets them see your most played ones instead.
    """
    changes = _Changes(name, findable, training, show)
    if not files and changes.is_empty():
        raise typer.TyperException(
            "nothing to change: give files of your music, --name, --show, --findable or "
            "--no-findable, --training or --no-training"
        )
    code = _read_code(code_file)
    person = read_person(files)[0] if files else None
    with ProgressLine() as progress, open_matcher(progress) as matcher:
        stored = _find_member(matcher, code)
        portrait = matcher.portrait(person) if person is not None else None
        request = _changed_request(matcher, stored, portrait, changes)
        updated = matcher.membership.update(code, portrait, request)
    _show_member(updated, json=json)


def _changed_request(
    matcher: "Matcher", stored: "MemberRecord", portrait: "Portrait | None", changes: _Changes
) -> "JoinRequest":
    """Apply the changes to the stored choices. Raises TyperException if they don't fit."""
    from twotower.community.membership import JoinRequest

    findable = stored.findable if changes.findable is None else changes.findable
    name = stored.listener.name if changes.name is None else changes.name
    visible = _visible_keys(matcher, stored, portrait, changes.show) if findable else ()
    if not findable and (changes.name is not None or changes.show is not None):
        raise typer.TyperException("--name and --show need --findable: others can't find you now")
    if findable and not name:
        raise typer.TyperException(NEEDS_NAME)
    training = stored.training if changes.training is None else changes.training
    return JoinRequest(name, visible, findable, training)


def _visible_keys(
    matcher: "Matcher", stored: "MemberRecord", portrait: "Portrait | None", show: int | None
) -> tuple[str, ...]:
    """Return the keys of the artists that others may see after an update."""
    from twotower.community import membership
    from twotower.core.names import artist_key

    before = [artist_key(artist.name) for artist in membership.visible_artists(stored)]
    if portrait is None:
        return _fewer_of(before, show)
    current = [artist_key(artist.name) for artist in matcher.membership.showable_artists(portrait)]
    if show is not None or not before:
        return tuple(current[: show or DEFAULT_VISIBLE])
    visible = tuple(key for key in current if key in set(before))
    if len(visible) < membership.MIN_VISIBLE:
        raise typer.TyperException(
            f"only {len(visible)} of the artists that others see are in these files: give --show, "
            "the number of your most played artists that they may see instead"
        )
    return visible


def _fewer_of(before: list[str], show: int | None) -> tuple[str, ...]:
    """Return the first `show` keys: without new files, others can only see fewer artists."""
    if not before:
        raise typer.TyperException("to be found, give files of your music too")
    if show is not None and show > len(before):
        raise typer.TyperException(
            f"others see {len(before)} of your artists: give files of your music to show more"
        )
    return tuple(before[:show])


def _show_member(member: "MemberRecord", *, json: bool) -> None:
    artists = [artist for artist, _ in member.listener.artists]
    name, names = plain(member.listener.name), ", ".join(map(plain, artists))
    show_result(
        {
            "id": member.id,
            "name": member.listener.name,
            "findable": member.findable,
            "training": member.training,
            "shown": artists,
        },
        f"Others now find {name} and see: {names}"
        if member.findable
        else "Others can't find you now",
        json=json,
    )
    if not json:
        stored = "is" if member.training else "is not"
        typer.echo(f"Your whole profile {stored} stored for training", err=True)


def leave(
    code_file: CodeFile = None,
    id: Annotated[
        str, typer.Option("--id", help="Id of a member who has no code. For operators.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask for confirmation.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write the receipt to.")] = None,
    json: Json = False,
) -> None:
    """Delete everything that is stored about you, and print a receipt.

    With --id an operator deletes a member who asks for it and has lost the code.
    """
    from twotower.community import receipts

    if out is not None:
        check_writable(out)
    if id:
        deletion = _leave_by_id(id, yes=yes)
    else:
        code = _read_code(code_file)
        with open_matcher() as matcher:
            _find_member(matcher, code)
            if not yes:
                _confirm_deletion("you")
            deletion = matcher.membership.leave(code)
    if json or out is None:
        show_json(receipts.to_json(deletion))
    if out is not None:
        try:
            with atomic_write(out) as file:
                file.write(receipts.dumps(deletion).encode())
        except OSError:
            show_json(receipts.to_json(deletion))  # a receipt can't be made twice
            raise
    typer.echo(receipts.to_text(deletion), err=True)


def _leave_by_id(id: str, *, yes: bool) -> "Deletion":
    """Delete the member with this id. Raises CommunityError if there is none."""
    with open_community() as community:
        if not yes:
            _confirm_deletion(f"the member {plain(id)}")
        deletion = community.leave(id)
    if deletion is None:
        raise CommunityError(
            "nobody in the community has this id: the address of the page Map names it"
        )
    return deletion


def _confirm_deletion(who: str) -> None:
    """Ask on a terminal; raise TyperException if there is none."""
    if not sys.stdin.isatty():
        raise typer.TyperException("nothing was deleted: confirm with --yes, or use a terminal")
    typer.confirm(f"Delete everything that is stored about {who}?", abort=True, err=True)


def export(
    code_file: CodeFile = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write. [default: stdout]")] = None,
) -> None:
    """Print everything that is stored about you, as one JSON document."""
    if out is not None:
        check_writable(out)
    code = _read_code(code_file)
    with open_matcher() as matcher:
        columns = dict(matcher.membership.export(code))
    for key in ("artists", "genres", "profile"):  # columns of JSON text
        if isinstance(columns.get(key), str):
            columns[key] = json_format.loads(columns[key])
    document = {key: value for key, value in columns.items() if value is not None}
    if out is None:
        show_json(document)
        return
    with atomic_write(out) as file:
        file.write(f"{json_format.dumps(document, indent=2, allow_nan=False)}\n".encode())
    typer.echo(f"{out}: everything that is stored about you")


def verify_receipt(
    file: Annotated[Path, typer.Argument(help="Receipt of `community leave`; - reads stdin.")],
    json: Json = False,
) -> None:
    """Verify a receipt against the community. The exit code is 1 if it is wrong."""
    from twotower.community import receipts

    deletion, digest = receipts.read(_read_receipt(file, receipts.MAX_CHARS + 1))
    with open_community() as community:
        check = receipts.verify(deletion, digest, community)
    lines = []
    for number, message in enumerate(check.messages, 1):
        good = check.holds or number < len(check.messages)  # only the last one can be wrong
        lines.append(f"{'ok' if good else '!!'}  {plain(message)}")
    show_result({"holds": check.holds, "said": list(check.messages)}, "\n".join(lines), json=json)
    if not check.holds:
        raise typer.Exit(CHECK_FAILED)


def _read_receipt(file: Path, max_chars: int) -> str:
    if str(file) == "-":
        return sys.stdin.read(max_chars)
    return _read_text(file, max_chars)


def _find_member(matcher: "Matcher", code: str) -> "MemberRecord":
    """Return the member with this access code. Raises UnknownCode if there is none."""
    from twotower.community.access_codes import UNKNOWN_CODE

    member = matcher.membership.find(code)
    if member is None:
        raise UnknownCode(UNKNOWN_CODE)
    return member


def _read_code(file: Path | None) -> str:
    """Return the access code. It is no argument: shells and process lists would store it."""
    if file is not None:
        return _read_text(file, MAX_CODE_CHARS).strip()
    if sys.stdin.isatty():
        return str(typer.prompt("Access code", hide_input=True, err=True))
    return sys.stdin.readline(MAX_CODE_CHARS).strip()


def _read_text(file: Path, max_chars: int) -> str:
    """Return the beginning of a text file. Raises MissingData if there is none."""
    if not file.is_file():
        raise MissingData("there is no such file; check the path", where=str(file))
    with file.open(encoding="utf-8", errors="replace") as opened:
        return opened.read(max_chars)
