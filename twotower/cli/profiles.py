"""Commands `import` and `neighbours`: one person's files."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.options import Files, Json, check_writable, load_matcher, open_file
from twotower.cli.terminal import QUIET_READING_S, ProgressLine, plain, show_json, show_result
from twotower.core.domain import SYNTHETIC
from twotower.core.jobs import Progress

if TYPE_CHECKING:
    from twotower.core.domain import Neighbour, Profile
    from twotower.matching.matcher import Matcher
    from twotower.model.portrait import Portrait
    from twotower.sources.collector import FileReport

MAX_SHARED_NAMES = 4  # artists named in a line of text


def import_(
    files: Files,
    out: Annotated[Path, typer.Option(help="Profile JSON Lines to write, one line.")],
    id: Annotated[str, typer.Option(help="The listener's id in the profile.")] = "me",
    json: Json = False,
) -> None:
    """Read one person's listening files into one profile."""
    from twotower.sources.profile_jsonl import write_profiles

    check_writable(out)
    profile, reports = read_person(files, id)
    write_profiles([profile], out)
    document = {
        "id": profile.id,
        "out": str(out),
        "origin": profile.origin,
        "artists": len(profile.artists),
        "tracks": len(profile.tracks),
        "playlists": len(profile.playlists),
        "plays": sum(artist.plays for artist in profile.artists.values()),
        "files": [_file_document(report) for report in reports],
    }
    lines = [f"{plain(each.name)}: {each.plays:,} plays{_left_out(each)}" for each in reports]
    lines.append(
        f"{out}: {len(profile.artists):,} artists, {len(profile.tracks):,} tracks, "
        f"{len(profile.playlists):,} playlists"
    )
    show_result(document, "\n".join(lines), json=json)


def neighbours(
    files: Files,
    top: Annotated[int, typer.Option(min=1, max=1000, help="Number of neighbours.")] = 10,
    json: Json = False,
) -> None:
    """Rank the listeners most similar to one person."""
    person, _ = read_person(files)
    with ProgressLine() as progress:
        matcher, portrait = load_portrait(person, progress)
        ranked = matcher.neighbours(portrait, top)
    if json:
        known = portrait.coverage
        show_json(
            {
                "recognised": known.plays,
                "evidence": known.effective_artists,
                "settled": portrait.effective_dimensions,
                "dim": len(portrait.user_vector),
                "neighbours": [_neighbour_document(neighbour) for neighbour in ranked],
            }
        )
        return
    typer.echo(_coverage_line(portrait))
    for neighbour in ranked:
        typer.echo(_neighbour_line(neighbour))


def read_person(files: Sequence[Path], id: str = "me") -> "tuple[Profile, tuple[FileReport, ...]]":
    """Read files into one profile. Returns it and a report for each file."""
    from twotower.sources.profiles import profile_of
    from twotower.sources.reader import read_files

    with ExitStack() as stack, ProgressLine(quiet_s=QUIET_READING_S) as progress:
        opened = [(path.name, stack.enter_context(open_file(path))) for path in files]
        reading = read_files(opened, progress)
        return profile_of(reading, id=id), reading.reports


def load_portrait(person: "Profile", progress: Progress) -> "tuple[Matcher, Portrait]":
    """Load the matcher and embed one person."""
    matcher = load_matcher(progress)
    progress(0.5, "ranking the neighbours")
    return matcher, matcher.portrait(person)


def _file_document(report: "FileReport") -> dict[str, Any]:
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


def _neighbour_document(neighbour: "Neighbour") -> dict[str, Any]:
    return {
        "id": neighbour.listener.id,
        "name": neighbour.listener.name,
        "origin": neighbour.listener.origin,
        "similarity": neighbour.similarity,
        "percentile": neighbour.percentile,
        "rank": neighbour.rank,
        "shared": list(neighbour.shared),
    }


def _neighbour_line(neighbour: "Neighbour") -> str:
    listener = neighbour.listener
    shared = ", ".join(map(plain, neighbour.shared[:MAX_SHARED_NAMES])) or "no artist in common"
    name = plain(listener.name) + (" (made up)" if listener.origin == SYNTHETIC else "")
    return f"{neighbour.rank:>4}  {neighbour.percentile:5.1f}  {name:<34} {shared}"


def _coverage_line(portrait: "Portrait") -> str:
    """Describe how much of a person's listening the model knows."""
    known = portrait.coverage
    text = f"{known.plays:.0%} of the plays are by known artists"
    if known.by_content:
        text += f", {known.by_content:.0%} of these known by genres and name only"
    dimensions = f"{portrait.effective_dimensions:.1f} of {len(portrait.user_vector)}"
    return f"{text}; {known.effective_artists:.1f} effective artists, {dimensions} dimensions"
