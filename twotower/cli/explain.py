"""Command `explain`: compare two people and say why they match."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.import_files import read_person
from twotower.cli.options import Json, load_matcher
from twotower.cli.terminal import ProgressLine, plain, show_result
from twotower.core.errors import MissingData

if TYPE_CHECKING:
    from twotower.matching.attribution import Person, Reason
    from twotower.matching.comparison import Comparer, Comparison

LINES = 12  # artists in the text
NAME_WIDTH = 32  # characters of a name in the text
PARTS = ("taste", "overlap", "item_item", "hub")


def explain(
    one: Annotated[
        str,
        typer.Argument(
            metavar="ONE", help="A file of one person, a demo listener, or a member's id."
        ),
    ],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The other person, likewise.")],
    json: Json = False,
) -> None:
    """Compare two people, and share their similarity out over their artists."""
    from twotower.matching.comparison import Comparer

    with ProgressLine() as progress:
        matcher = load_matcher(progress)
        progress(0.5, "comparing")
        comparer = Comparer(matcher)
        comparison = comparer.compare(find_person(comparer, one), find_person(comparer, other))
    show_result(_document(comparison, comparer), _text(comparison), json=json)


def find_person(comparer: "Comparer", text: str) -> "Person":
    """Return the person of a file, a demo listener or a member of the community.

    Raises MissingData if there is neither, and the errors of `import` for a file.
    """
    path = Path(text)
    if path.is_file():
        person, _ = read_person([path], path.name)
        return comparer.visitor(comparer.matcher.portrait(person))
    for demo in comparer.matcher.demos():
        if demo.id in (text, f"demo-{text}"):
            return comparer.visitor(comparer.matcher.portrait(demo))
    member = comparer.member(text)
    if member is None:
        demos = ", ".join(demo.id for demo in comparer.matcher.demos())
        raise MissingData(
            f"no file, and nobody in the community; give a file, an id, or one of {demos}",
            where=text,
        )
    return member


def reason_document(reason: "Reason", names: Mapping[str, str]) -> dict[str, Any]:
    """Return a reason as JSON values; `names` says what the two people are called."""
    return {
        "name": reason.name,
        "kind": reason.kind,
        "whose": names[reason.whose],
        "contribution": reason.contribution,
    }


def _document(comparison: "Comparison", comparer: "Comparer") -> dict[str, Any]:
    from twotower.matching.attribution import decades_of, genres_of, group_reasons

    reasons, catalogue = comparison.reasons, comparer.matcher.catalogue
    people = (comparison.one, comparison.other)
    genres = group_reasons(reasons.by_both, "genre", genres_of(people, catalogue))
    decades = group_reasons(reasons.by_both, "decade", decades_of(people))
    close = comparison.closeness
    numbers = {
        "low": close.low,
        "high": close.high,
        "one_in": close.one_in,
        "one_in_low": close.one_in_low,
        "one_in_high": close.one_in_high,
        "rank": comparison.rank,
        "their_rank": comparison.their_rank,
    }
    return {
        "one": _person_document(comparison.one),
        "other": _person_document(comparison.other),
        "similarity": comparison.match,
        "percentile": comparison.percentile,
        "closeness": close.words,
        **{name: value for name, value in numbers.items() if value is not None},
        "mutual": comparison.is_mutual,
        "reasons": _reason_documents(reasons.by_both),
        "reasons_of_one": _reason_documents(reasons.by_one),
        "reasons_of_other": _reason_documents(reasons.by_other),
        "genres": _reason_documents(genres),
        "decades": _reason_documents(decades),
    }


def _person_document(person: "Person") -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "origin": person.profile.origin,
        "settled": person.dimensions,
    }


def _reason_documents(reasons: "Iterable[Reason]") -> list[dict[str, Any]]:
    names = {"one": "one", "other": "other", "both": "both"}
    return [
        reason_document(reason, names) | {part: getattr(reason, part) for part in PARTS}
        for reason in reasons
    ]


def _text(comparison: "Comparison") -> str:
    """Return the account of a pair as lines of text."""
    from twotower.matching.attribution import shorten

    one, other = comparison.one, comparison.other
    close = comparison.closeness
    lines = [f"{plain(one.name)} and {plain(other.name)}: {close.words or 'similarity'}"]
    line = f"similarity {comparison.match:.3f}"
    if close.low is not None and close.high is not None:
        line += f", with more artists 80 % lie in {close.low:.3f} to {close.high:.3f}"
    lines.append(f"{line}; closer than {comparison.percentile:.1f} % of random pairs")
    for who, whom, rank in (
        (other, one, comparison.rank),
        (one, other, comparison.their_rank),
    ):
        place = "is beyond the list" if rank is None else f"is number {rank} on the list"
        lines.append(f"{plain(who.name)} {place} of {plain(whom.name)}")
    names = {"one": plain(one.name), "other": plain(other.name), "both": "both"}
    for reason in shorten(comparison.reasons.by_both, LINES):
        name = plain(reason.name)[:NAME_WIDTH]
        lines.append(f"  {reason.contribution:+.3f}  {name:<{NAME_WIDTH}}  {names[reason.whose]}")
    return "\n".join([*lines, f"  {comparison.match:+.3f}  sum"])
