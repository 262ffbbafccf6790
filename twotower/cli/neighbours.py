"""Command `neighbours`: rank the listeners most similar to one person."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.explain import reason_document
from twotower.cli.import_files import read_person
from twotower.cli.options import Files, Json, load_matcher
from twotower.cli.terminal import ProgressLine, plain, show_json
from twotower.core.domain import SYNTHETIC
from twotower.core.jobs import Progress

if TYPE_CHECKING:
    from twotower.core.domain import Neighbour, Profile
    from twotower.matching.comparison import Comparison
    from twotower.matching.matcher import Matcher
    from twotower.model.portrait import Portrait


MAX_SHARED_NAMES = 4  # artists named in a line of text
MAX_REASONS = 20  # artists among the reasons for one neighbour
WHOSE = {"one": "you", "other": "them", "both": "both"}


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
        documents = _documents(matcher, portrait, ranked, progress) if json else []
    if json:
        known = portrait.coverage
        show_json(
            {
                "recognised": known.plays,
                "known_from_listening": known.from_listening,
                "confidence": portrait.confidence.expected_mrr,
                "confidence_word": portrait.confidence.grade.name.lower(),
                "evidence": known.effective_artists,
                "settled": portrait.effective_dimensions,
                "dim": len(portrait.user_vector),
                "neighbours": documents,
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


def _documents(
    matcher: "Matcher", portrait: "Portrait", ranked: "Sequence[Neighbour]", progress: Progress
) -> list[dict[str, Any]]:
    """Return each neighbour with the rank on their list and the reasons, as JSON values."""
    from twotower.matching.comparison import Comparer

    comparer = Comparer(matcher)
    me = comparer.visitor(portrait)
    documents = []
    for neighbour in ranked:
        progress(0.5 + neighbour.rank / (2 * len(ranked)), "explaining")
        member = comparer.member(neighbour.listener.id)
        if member is not None:  # else they have just left
            documents.append(_neighbour_document(neighbour, comparer.compare(me, member)))
    return documents


def _neighbour_document(neighbour: "Neighbour", comparison: "Comparison") -> dict[str, Any]:
    from twotower.matching.attribution import shorten

    numbers = {
        "low": neighbour.low,
        "high": neighbour.high,
        "one_in": neighbour.one_in,
        "their_rank": comparison.their_rank,
    }
    return {
        "id": neighbour.listener.id,
        "name": neighbour.listener.name,
        "origin": neighbour.listener.origin,
        "similarity": comparison.match,
        "percentile": neighbour.percentile,
        "closeness": neighbour.closeness,
        **{name: value for name, value in numbers.items() if value is not None},
        "rank": neighbour.rank,
        "mutual": comparison.is_mutual,
        "shared": list(neighbour.shared),
        "reasons": [
            reason_document(reason, WHOSE)
            for reason in shorten(comparison.reasons.by_both, MAX_REASONS)
        ],
    }


def _neighbour_line(neighbour: "Neighbour") -> str:
    listener = neighbour.listener
    shared = ", ".join(map(plain, neighbour.shared[:MAX_SHARED_NAMES])) or "no artist in common"
    name = plain(listener.name) + (" (made up)" if listener.origin == SYNTHETIC else "")
    return f"{neighbour.rank:>4}  {neighbour.closeness:<20}  {name:<34} {shared}"


def _coverage_line(portrait: "Portrait") -> str:
    """Describe how much of a person's listening the model knows."""
    known = portrait.coverage
    text = f"{known.plays:.0%} of the plays are by known artists"
    if known.by_content:
        text += f", {known.by_genre:.0%} of all by artists known by genres and name only"
    sure = portrait.confidence
    word = f"confidence {sure.expected_mrr:.2f} ({sure.grade.name.lower()})"
    dimensions = f"{portrait.effective_dimensions:.1f} of {len(portrait.user_vector)}"
    artists = f"{known.effective_artists:.1f} effective artists, {dimensions} dimensions"
    return f"{text}; {word}; {artists}"
