"""Command `neighbours`: rank the listeners most similar to one person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.import_files import read_person
from twotower.cli.options import Files, Json, load_matcher
from twotower.cli.terminal import ProgressLine, plain, show_json
from twotower.core.domain import SYNTHETIC
from twotower.core.jobs import Progress

if TYPE_CHECKING:
    from twotower.core.domain import Neighbour, Profile
    from twotower.matching.matcher import Matcher
    from twotower.model.portrait import Portrait


MAX_SHARED_NAMES = 4  # artists named in a line of text


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


def load_portrait(person: "Profile", progress: Progress) -> "tuple[Matcher, Portrait]":
    """Load the matcher and embed one person."""
    matcher = load_matcher(progress)
    progress(0.5, "ranking the neighbours")
    return matcher, matcher.portrait(person)


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
