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
    profile, credits_split = _split_credits(profile)
    write_profiles([profile], out)
    document = {
        "id": profile.id,
        "out": str(out),
        "origin": profile.origin,
        "artists": len(profile.artists),
        "tracks": len(profile.tracks),
        "playlists": len(profile.playlists),
        "plays": sum(artist.plays for artist in profile.artists.values()),
        "credits_split": credits_split,
        "files": [_file_document(report) for report in reports],
    }
    lines = [line for report in reports for line in _file_lines(report)]
    if credits_split:
        lines.append(f"credits of several artists that were split: {credits_split:,}")
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


def _split_credits(profile: "Profile") -> "tuple[Profile, int]":
    """Split credits by the catalogue of the shipped model; without a model they stay whole."""
    from twotower.core.errors import IncompatibleModel
    from twotower.core.settings import Settings
    from twotower.model.catalogue import Catalogue
    from twotower.sources.credits import split_credits

    try:
        catalogue = Catalogue.load(Settings.from_env().model)
    except IncompatibleModel:
        return profile, 0
    return split_credits(profile, catalogue.name_of)


def _file_document(report: "FileReport") -> dict[str, Any]:
    days = {"from": report.since, "to": report.until}
    return {
        "name": report.name,
        "plays": report.plays,
        "artists": report.artists,
        **{key: day.isoformat() for key, day in days.items() if day is not None},
        "left_out": dict(report.left_out),
        "notes": list(report.notes),
        **({"passed_over": report.passed_over} if report.passed_over else {}),
    }


def _file_lines(report: "FileReport") -> list[str]:
    name = plain(report.name)
    if report.passed_over:
        return [f"{name}: passed over, {report.passed_over}"]
    read = f"{name}: {report.plays:,} plays{_left_out(report)}"
    return [read, *(f"{name}: {note}" for note in report.notes)]


def _left_out(report: "FileReport") -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.left_out.items())
    return f" (left out: {reasons})" if reasons else ""
