"""The community: who is in it, and what its owners and the owner of a row may do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.options import Json, Tell, load_matcher, writable
from twotower.cli.profiles import Files, read_person
from twotower.cli.terminal import DIFFERS, Progress, plain, show_json
from twotower.core.errors import MissingData, UnknownCode
from twotower.core.files import atomic_write
from twotower.core.settings import Settings

if TYPE_CHECKING:
    from twotower.community import Community, MemberRecord
    from twotower.matching.matcher import Matcher
    from twotower.model.portrait import Portrait

NOBODY = "no-model"  # no vectors are of it: for commands that compare nobody
CodeFile = Annotated[
    Path | None,
    typer.Option(
        "--code-file",
        help="File with the return code; without it the code is asked for, or read from a pipe.",
    ),
]
NewFiles = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="Files of today's music, to put in the place of what is stored; as for `join`.",
    ),
]
Findable = Annotated[bool, typer.Option("--findable/--no-findable", help="Others may find them.")]
Training = Annotated[
    bool, typer.Option("--training/--no-training", help="Their listening may help to train.")
]
MeFindable = Annotated[
    bool | None,
    typer.Option("--findable/--no-findable", help="Others may find me.", show_default=False),
]
MyTraining = Annotated[
    bool | None,
    typer.Option(
        "--training/--no-training", help="My listening may help to train.", show_default=False
    ),
]
SHOWN_FIRST = 20  # artists that others see of who doesn't say how many


def init(
    seeded: Annotated[
        bool, typer.Option("--seeded/--empty", help="With the invented listeners that ship.")
    ] = True,
    json: Json = False,
) -> None:
    """Make the community where there is none; one that is there stays as it is."""
    if seeded:
        with _matcher() as matcher:
            told = _stats(matcher.community)
    else:
        with _opened() as community:
            told = _stats(community)
    if json:
        show_json(told)
    else:
        typer.echo(f"{told['where']}: {told['listeners']:,} listeners")


def import_(
    profiles: Annotated[
        Path, typer.Argument(metavar="PROFILES", help="Profile JSON Lines; also gzipped.")
    ],
    codes: Annotated[
        Path, typer.Option(help="File that takes their return codes: hand each its own.")
    ],
    findable: Findable = False,
    training: Training = False,
    json: Json = False,
) -> None:
    """Add many listeners, to whose yes to being found or to training the flags bear witness.

    After an interruption the same call goes on, and who has left is not brought back. A line that
    can't be stored is told by its number and left out.
    """
    from twotower.community.bulk_import import import_members

    if not (findable or training):
        raise typer.TyperException(
            "say what these listeners agreed to: --findable, --training or both"
        )
    if not profiles.exists():
        raise MissingData("there is no such file; check the path", where=str(profiles))
    writable(codes)
    codes.parent.mkdir(parents=True, exist_ok=True)
    with Progress() as tell, _matcher(tell) as matcher:
        intake = import_members(
            matcher, profiles, codes=codes, findable=findable, training=training, tell=tell
        )
    for where, why in intake.refused[:20]:
        typer.echo(f"line {where}: {plain(why)}", err=True)
    if json:
        show_json(
            {
                "joined": intake.joined,
                "there before": intake.known,
                "left before": intake.left,
                "refused": intake.count_refused,
                "lines": [{"line": where, "said": why} for where, why in intake.refused],
            }
        )
    else:
        typer.echo(
            f"{intake.joined:,} joined, {intake.known:,} were there before, "
            f"{intake.left:,} had left, {intake.count_refused:,} lines left out"
        )


def join(
    files: Files,
    name: Annotated[str, typer.Option(help="The pseudonym that others see.")] = "",
    findable: MeFindable = None,
    training: MyTraining = None,
    show: Annotated[
        int, typer.Option(min=3, max=100, help="How many of my top artists others may see.")
    ] = SHOWN_FIRST,
    json: Json = False,
) -> None:
    """Join with one person's files. Prints the return code, once: it is stored nowhere."""
    from twotower.community import membership
    from twotower.core.names import artist_key

    if findable is None or training is None:
        raise typer.TyperException(
            "both questions need an answer: --findable or --no-findable, "
            "and --training or --no-training"
        )
    if findable and not name:
        raise typer.TyperException("who is found needs a pseudonym: --name")
    person, _ = read_person(files)
    with Progress() as tell, _matcher(tell) as matcher:
        portrait = matcher.portrait(person)
        pool = membership.showable(matcher, portrait)[:show] if findable else ()
        shown = tuple(artist_key(artist.name) for artist in pool)
        joined = membership.join(
            matcher, portrait, membership.JoinRequest(name, shown, findable, training)
        )
    artists = [artist for artist, _ in joined.listener.artists]
    if json:
        show_json(
            {"id": joined.id, "code": joined.code, "name": joined.listener.name, "shown": artists}
        )
        return
    typer.echo(joined.code)
    seen = ", ".join(map(plain, artists)) or "nothing"
    typer.echo(f"Keep this code: only with it you can leave. Others see: {seen}", err=True)


def update(
    files: NewFiles = None,
    code_file: CodeFile = None,
    name: Annotated[str | None, typer.Option(help="Another pseudonym.")] = None,
    findable: MeFindable = None,
    training: MyTraining = None,
    show: Annotated[
        int | None,
        typer.Option(min=3, max=100, help="How many of my top artists others may see."),
    ] = None,
    json: Json = False,
) -> None:
    """Put today's music or other choices in the place of what is stored of the code's owner.

    What isn't given stays. With files, others see those of the artists they saw before that are in
    them; --show lets them see the most played instead.
    """
    from twotower.community import membership

    if not files and (name, findable, training, show) == (None, None, None, None):
        raise typer.TyperException(
            "nothing to change: give files of your music, --name, --show, --findable or "
            "--no-findable, --training or --no-training"
        )
    code = _code(code_file)
    person = read_person(files)[0] if files else None
    with Progress() as tell, _matcher(tell) as matcher:
        before = membership.find(matcher, code)
        if before is None:
            raise UnknownCode(membership.NOBODY)
        portrait = matcher.portrait(person) if person is not None else None
        found = before.findable if findable is None else findable
        request = membership.JoinRequest(
            before.listener.name if name is None else name,
            _shown(matcher, before, portrait, show) if found else (),
            found,
            before.training if training is None else training,
        )
        if not found and (name is not None or show is not None):
            raise typer.TyperException("nobody finds you: --name and --show go with --findable")
        if found and not request.name:
            raise typer.TyperException("who is found needs a pseudonym: --name")
        now = membership.update(matcher, code, portrait, request)
    artists = [artist for artist, _ in now.listener.artists]
    if json:
        show_json(
            {
                "id": now.id,
                "name": now.listener.name,
                "findable": now.findable,
                "training": now.training,
                "shown": artists,
            }
        )
        return
    if now.findable:
        seen = ", ".join(map(plain, artists))
        typer.echo(f"Others now find {plain(now.listener.name)} and see: {seen}")
    else:
        typer.echo("Others now see nothing of you")
    kept = "is kept" if now.training else "is not kept"
    typer.echo(f"Your whole profile {kept} for training", err=True)


def leave(
    code_file: CodeFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask again.")] = False,
    out: Annotated[Path | None, typer.Option(help="File for the receipt.")] = None,
    json: Json = False,
) -> None:
    """Remove all that is stored of the owner of a return code, and give a receipt."""
    from twotower.community import membership, receipts

    if out is not None:
        writable(out)
    code = _code(code_file)
    with _matcher() as matcher:
        owned = membership.find(matcher, code)
        if owned is None:
            raise UnknownCode(membership.NOBODY)
        if not yes:
            if not sys.stdin.isatty():
                raise typer.TyperException(
                    "nothing was removed: say --yes where nobody can be asked"
                )
            typer.confirm("Remove all that is stored of you, for good?", abort=True, err=True)
        removal = membership.leave(matcher, code)
    if json or out is None:
        show_json(receipts.to_json(removal))
    if out is not None:
        try:
            with atomic_write(out) as file:
                file.write(receipts.dumps(removal).encode())
        except OSError:
            show_json(receipts.to_json(removal))  # it can't be made again
            raise
    typer.echo(receipts.in_words(removal), err=True)


def export(
    code_file: CodeFile = None,
    out: Annotated[Path | None, typer.Option(help="File to write, instead of stdout.")] = None,
) -> None:
    """Give all that is stored of the owner of a return code, as one JSON document."""
    import json as documents

    from twotower.community import membership

    if out is not None:
        writable(out)
    code = _code(code_file)
    with _matcher() as matcher:
        held = dict(membership.held(matcher, code))
    for key in ("artists", "genres", "profile"):  # JSON in a text
        if isinstance(held.get(key), str):
            held[key] = documents.loads(held[key])
    told = {key: value for key, value in held.items() if value is not None}
    if out is None:
        show_json(told)
        return
    with atomic_write(out) as file:
        file.write(f"{documents.dumps(told, indent=2, allow_nan=False)}\n".encode())
    typer.echo(f"{out}: all that is stored of you")


def stats(json: Json = False) -> None:
    """Count what is stored, of nobody in particular."""
    with _opened() as community:
        told = _stats(community)
    if json:
        show_json(told)
        return
    for key, value in told.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {count:,}" for name, count in value.items()) or "none"
        typer.echo(f"{key}: {value:,}" if isinstance(value, int) else f"{key}: {plain(str(value))}")


def verify_receipt(
    file: Annotated[Path, typer.Argument(help="The receipt that leaving gave; - is stdin.")],
    json: Json = False,
) -> None:
    """Hold a receipt against the community: exit code 1 where it doesn't hold."""
    from twotower.community import receipts

    if str(file) == "-":
        text = sys.stdin.read(receipts.MOST_CHARS + 1)
    elif not file.is_file():
        raise MissingData("there is no such file; check the path", where=str(file))
    else:
        with file.open(encoding="utf-8", errors="replace") as opened:
            text = opened.read(receipts.MOST_CHARS + 1)
    removal, digest = receipts.read(text)
    with _opened() as community:
        check = receipts.verify(removal, digest, community)
    if json:
        show_json({"holds": check.holds, "said": list(check.said)})
    else:
        for line, said in enumerate(check.said, 1):
            mark = "ok" if check.holds or line < len(check.said) else "!!"
            typer.echo(f"{mark}  {plain(said)}")
    if not check.holds:
        raise typer.Exit(DIFFERS)


def backup(
    out: Annotated[Path, typer.Argument(help="The copy: a file that is not there yet.")],
    json: Json = False,
) -> None:
    """Copy the community while it is in use, whole and as of one moment.

    The copy keeps who leaves later: remove old copies when somebody has left.
    """
    from twotower.community.backup import copy_to

    writable(out)
    with _opened() as community, Progress() as tell:
        size = copy_to(community, out, tell)
    if json:
        show_json({"out": str(out), "bytes": size})
    else:
        typer.echo(f"{out}: {size:,} bytes. It keeps who leaves later: remove it in time")


def index(
    shard: Annotated[
        list[str] | None,
        typer.Option(help="URL of a server with a part of the rows; once for each of them."),
    ] = None,
    json: Json = False,
) -> None:
    """Find the nearest by an index of PostgreSQL, for more listeners than memory should hold.

    Takes minutes for each million, and who joins waits meanwhile. Servers started afterwards hold
    a sample of the listeners, for the map, and ask the database for the nearest.
    """
    with Progress() as tell, _matcher(tell) as matcher:
        tell(0.5, "making the index")
        dim = matcher.community.index(shard or ())
    if json:
        show_json({"numbers": dim, "servers": len(shard or ()) or 1})
    else:
        typer.echo(f"the nearest are found by an index of {dim} numbers: start the servers anew")


@contextmanager
def _matcher(tell: Tell | None = None) -> "Iterator[Matcher]":
    matcher = load_matcher(tell or (lambda share, text: None))
    try:
        yield matcher
    finally:
        matcher.community.close()


@contextmanager
def _opened() -> "Iterator[Community]":
    """The community without a model, for what compares nobody."""
    from twotower.community import Community

    community = Community.open(Settings.from_env().community, model_version=NOBODY)
    try:
        yield community
    finally:
        community.close()


def _shown(
    matcher: "Matcher", before: "MemberRecord", portrait: "Portrait | None", show: int | None
) -> tuple[str, ...]:
    """Keys of the artists to show: those shown before, or the `show` most played."""
    from twotower.community import membership
    from twotower.core.names import artist_key

    seen = membership.shown_before(before)
    if portrait is None:
        if not seen:
            raise typer.TyperException("to be found, bring your music too: give files of it")
        if show is not None and show > len(seen):
            raise typer.TyperException(
                f"others see {len(seen)} of your artists: give files of your music to show more"
            )
        return tuple(artist_key(artist.name) for artist in seen[:show])
    pool = [artist_key(artist.name) for artist in membership.showable(matcher, portrait)]
    if show is not None or not seen:
        return tuple(pool[: show or SHOWN_FIRST])
    known = {artist_key(artist.name) for artist in seen}
    shown = tuple(key for key in pool if key in known)
    if len(shown) < membership.LEAST_SHOWN:
        raise typer.TyperException(
            f"of the artists that others see, {len(shown)} are in these files: say with --show how "
            "many of the most played they may see instead"
        )
    return shown


def _stats(community: "Community") -> dict[str, Any]:
    told = {"where": community.where, **community.stats()}
    return {key: value for key, value in told.items() if value is not None}


def _code(file: Path | None) -> str:
    """The return code, never from the command line, which shells and process lists keep."""
    if file is not None:
        if not file.is_file():
            raise MissingData("there is no such file; check the path", where=str(file))
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(200).strip()
    if sys.stdin.isatty():
        return str(typer.prompt("Return code", hide_input=True, err=True))
    return sys.stdin.readline(200).strip()
