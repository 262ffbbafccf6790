"""Command `import`: one person's listening files into a profile."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.options import Files, Json, check_writable, open_file
from twotower.cli.terminal import QUIET_READING_S, ProgressLine, plain, show_result

if TYPE_CHECKING:
    from twotower.core.domain import Profile
    from twotower.sources.collector import FileReport


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


def read_person(files: Sequence[Path], id: str = "me") -> "tuple[Profile, tuple[FileReport, ...]]":
    """Read files into one profile. Returns it and a report for each file."""
    from twotower.sources.profiles import profile_of
    from twotower.sources.reader import read_files

    with ExitStack() as stack, ProgressLine(quiet_s=QUIET_READING_S) as progress:
        opened = [(path.name, stack.enter_context(open_file(path))) for path in files]
        reading = read_files(opened, progress)
        return profile_of(reading, id=id), reading.reports


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
