"""One person: their files into a profile, their neighbours, their place on the map."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.options import Json, Tell, load_matcher, writable
from twotower.cli.terminal import READING_S, Progress, plain, show_json
from twotower.core.errors import MissingData

if TYPE_CHECKING:
    from twotower.core.domain import Neighbour, Profile
    from twotower.matching.matcher import Matcher
    from twotower.model.portrait import Portrait
    from twotower.sources.reading import FileReport

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Spotify data export (ZIP or JSON), CSV with artist and track, or profile JSON Lines;"
        " also gzipped. Several become one profile.",
    ),
]


def import_(
    files: Files,
    out: Annotated[Path, typer.Option(help="Profile JSON Lines to write, one line.")],
    id: Annotated[str, typer.Option(help="The listener's id in the profile.")] = "me",
    json: Json = False,
) -> None:
    """Bring listening files of one person into one profile."""
    from twotower.sources.profiles import write_profiles

    writable(out)
    profile, reports = read_person(files, id)
    write_profiles([profile], out)
    if json:
        show_json(
            {
                "id": profile.id,
                "out": str(out),
                "origin": profile.origin,
                "artists": len(profile.artists),
                "tracks": len(profile.tracks),
                "playlists": len(profile.playlists),
                "plays": sum(artist.plays for artist in profile.artists.values()),
                "files": [_report(report) for report in reports],
            }
        )
    else:
        for report in reports:
            typer.echo(f"{plain(report.name)}: {report.plays:,} rows of music{_left_out(report)}")
        typer.echo(
            f"{out}: {len(profile.artists):,} artists, {len(profile.tracks):,} tracks, "
            f"{len(profile.playlists):,} playlists"
        )


def neighbours(
    files: Files,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
    json: Json = False,
) -> None:
    """Find the nearest listeners to one person."""
    person, _ = read_person(files)
    with Progress() as tell:
        matcher, portrait = _look(person, tell)
        found = matcher.neighbours(portrait, top)
    if json:
        known = portrait.coverage
        show_json(
            {
                "recognised": known.plays,
                "evidence": known.effective_artists,
                "settled": portrait.effective_dimensions,
                "dim": len(portrait.user_vector),
                "neighbours": [_neighbour(neighbour) for neighbour in found],
            }
        )
        return
    typer.echo(_recognised(portrait))
    for neighbour in found:
        listener = neighbour.listener
        shared = ", ".join(map(plain, neighbour.shared[:4])) or "no artist in common"
        who = plain(listener.name) + (" (invented)" if listener.is_synthetic else "")
        typer.echo(f"{neighbour.rank:>4}  {neighbour.percentile:5.1f}  {who:<34} {shared}")


def map_place(files: Files, json: Json = False) -> None:
    """Show where one person is on the map."""
    person, _ = read_person(files)
    with Progress() as tell:
        matcher, portrait = _look(person, tell)
        x, y = matcher.place(portrait)
        near = _nearest_area(matcher, x, y)
    if json:
        document: dict[str, Any] = {"id": person.id, "x": float(x), "y": float(y)}
        show_json({**document, "area": near} if near else document)
    else:
        typer.echo(f"{x:.2f} {y:.2f}" + (f"  near {plain(near)}" if near else ""))


def read_person(files: Sequence[Path], id: str = "me") -> "tuple[Profile, tuple[FileReport, ...]]":
    """The one profile in these files, and what was found in each."""
    from twotower.sources.profiles import profile_of
    from twotower.sources.reader import read_files

    with ExitStack() as stack, Progress(quiet_s=READING_S) as tell:
        opened = [(path.name, stack.enter_context(_open(path))) for path in files]
        reading = read_files(opened, tell)
        return profile_of(reading, id=id), reading.reports


def _open(path: Path) -> Any:
    if not path.exists():
        raise MissingData("there is no such file; check the path", where=str(path))
    return path.open("rb")


def _look(person: "Profile", tell: Tell) -> "tuple[Matcher, Portrait]":
    matcher = load_matcher(tell)
    tell(0.5, "the neighbours")
    return matcher, matcher.portrait(person)


def _nearest_area(matcher: "Matcher", x: float, y: float) -> str:
    areas = matcher.areas()
    near = min(areas, key=lambda area: (area.x - x) ** 2 + (area.y - y) ** 2, default=None)
    return near.name if near else ""


def _report(report: "FileReport") -> dict[str, Any]:
    days = {"from": report.since, "to": report.until}
    return {
        "name": report.name,
        "plays": report.plays,
        "artists": report.artists,
        **{key: day.isoformat() for key, day in days.items() if day is not None},
        "left_out": dict(report.left_out),
    }


def _left_out(report: "FileReport") -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.left_out.items())
    return f" (left out: {reasons})" if reasons else ""


def _neighbour(neighbour: "Neighbour") -> dict[str, Any]:
    return {
        "id": neighbour.listener.id,
        "name": neighbour.listener.name,
        "origin": neighbour.listener.origin,
        "similarity": neighbour.similarity,
        "percentile": neighbour.percentile,
        "rank": neighbour.rank,
        "shared": list(neighbour.shared),
    }


def _recognised(portrait: "Portrait") -> str:
    known = portrait.coverage
    text = f"recognised {known.plays:.0%} of the plays"
    if known.by_content:
        text += f", {known.by_content:.0%} of these by genres and name alone"
    settled = (
        f"{portrait.effective_dimensions:.1f} of {len(portrait.user_vector)} dimensions settled"
    )
    return f"{text}; evidence of {known.effective_artists:.1f} artists, {settled}"
