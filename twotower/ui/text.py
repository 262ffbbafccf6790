"""Text for the pages: escaping, numbers in words, sentences that several pages share.

All of it is Markdown for Streamlit, and does not import Streamlit.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twotower.community import MemberSnapshot
    from twotower.core.domain import Neighbour
    from twotower.evaluation.experiments import Estimate
    from twotower.evaluation.report import Difference, Gain
    from twotower.model.portrait import Portrait

# Effective dimensions of about 4, 10 and 40 artists in the shipped model (median over Last.fm
# listeners). The MRR of finding a stranger's other half is then .5, .7 and above .8.
GRADE_EDGES, FULL_AT = (1.0, 2.0, 5.0), 20.0
GOOD_GRADE = 2  # from here on the page suggests no more artists
GRADES = (
    "A guess. A few more artists will change it.",
    "A first sketch. More artists make it sharper.",
    "A good picture.",
    "A full picture.",
)
WEAK = 50.0  # "1 in N" of the closest person, below which nobody is very close
JOINER = "\u2060"  # invisible; keeps two characters from being read as one

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_DIGRAPH = re.compile(r"(?<=[-<>~=])(?=[-<>=])")  # would become an arrow, a dash or a sign
_OPENER = re.compile(r"(:|@|www)(?=\S)", re.IGNORECASE)  # of an icon, a mail or web address


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it letter for letter: no HTML, icon, link or maths.

    Line breaks become spaces; some invisible characters are added.
    """
    text = " ".join(text.split())
    text = _OPENER.sub(rf"\1{JOINER}", _DIGRAPH.sub(JOINER, text))
    return _PUNCTUATION.sub(r"\\\1", text)


def list_names(artists: Iterable[str], most: int | None = None) -> str:
    """Return artist names as one escaped line: `Low, Codeine and 3 more`."""
    listed = list(artists)
    shown = listed if most is None or len(listed) <= most + 1 else listed[:most]
    line = ", ".join(escape(name) for name in shown)
    rest = len(listed) - len(shown)
    return f"{line} and {rest} more" if rest else line


def format_percentile(percentile: float) -> str:
    """Return a percentile rounded down: `99.2 %`, `87 %`."""
    if percentile >= 90:
        return f"{min(int(percentile * 10 + 1e-6), 999) / 10:.1f} %"
    return f"{int(percentile + 1e-6)} %"


def describe_closeness(neighbour: "Neighbour") -> str:
    """Return how close a neighbour is: "**1 in 4,500** pairs are this close", or "**Very close**".

    Without either, in a community of few people, it is the percentile.
    """
    if neighbour.one_in is not None:
        return f"**{neighbour.closeness}** pairs are this close"
    if neighbour.closeness:
        return f"**{capitalise(neighbour.closeness)}**"
    percentile = format_percentile(neighbour.percentile)
    return f"Closer to you than **{percentile}** of random pairs"


def describe_weak_match(neighbours: "Sequence[Neighbour]") -> str:
    """Return a sentence if even the closest person isn't close, "" otherwise."""
    if not neighbours or neighbours[0].one_in is None or neighbours[0].one_in >= WEAK:
        return ""
    closest = neighbours[0].closeness
    return f"Nobody here is very close to you yet. Your closest is {closest}."


def decimal(number: float) -> str:
    """Return `number` with two decimals and a minus sign: `0.31`, `−0.04`."""
    return f"{number:.2f}".replace("-", "\N{MINUS SIGN}")


def signed(number: float) -> str:
    """Return a difference with its sign: `+0.097`, `−0.010`."""
    return f"{number:+.3f}".replace("-", "\N{MINUS SIGN}")


def format_interval(difference: "Difference | Gain | Estimate") -> str:
    """Return a difference with its 95 % interval: `+0.097 [+0.080, +0.114]`."""
    low, high = signed(difference.low), signed(difference.high)
    return f"{signed(difference.value)} [{low}, {high}]"


def capitalise(text: str) -> str:
    """Return `text` with a capital first letter and the rest unchanged."""
    return text[:1].upper() + text[1:]


def pluralise(number: float, noun: str) -> str:
    """Return number and noun: `1 artist`, `12,345 plays`."""
    whole = round(number)
    return f"{whole:,} {noun}" if whole == 1 else f"{whole:,} {noun}s"


def describe_confidence(portrait: "Portrait") -> str:
    """Return what the profile is based on and how sure the model is, as one or two sentences."""
    count = round(portrait.coverage.effective_artists)
    artists = pluralise(count, "artist")
    grade = GRADES[confidence_grade(portrait.effective_dimensions)]
    return f"Your music counts as about {artists}: {grade[:1].lower()}{grade[1:]}"


def confidence_grade(dimensions: float) -> int:
    """Return 0 to 3, an index of GRADES, for effective dimensions of a profile."""
    return sum(dimensions >= edge for edge in GRADE_EDGES)


def confidence_meter(dimensions: float) -> float:
    """Return the confidence as a share 0..1: a quarter for each grade, linear in between."""
    edges = (0.0, *GRADE_EDGES, FULL_AT)
    grade = confidence_grade(dimensions)
    low, high = edges[grade], edges[grade + 1]
    return (grade + min((dimensions - low) / (high - low), 1.0)) / 4


def describe_move(cosine: float) -> str:
    """Return how much an edit changed the profile; `cosine` is between the vectors around it."""
    if cosine > 0.995:
        return "Your place hardly changed."
    if cosine > 0.95:
        return "Your place changed a little."
    if cosine > 0.8:
        return "Your place changed."
    return "Your place changed a lot."


def describe_synthetic(snapshot: "MemberSnapshot") -> str:
    """Return how many people of the community are made up; empty if all are real."""
    count = snapshot.total_synthetic
    if count == 0:
        return ""
    if count == snapshot.total:
        return "Everyone here is made up so far, so nobody's real data is shown."
    return f"{count:,} are made up and marked." if count > 1 else "1 is made up and marked."


def describe_map_reliability(share: float) -> str:
    """Return how reliable the map is; `share` 0..1 of the 15 nearest that it keeps, on average."""
    return (
        "People with similar taste are roughly near each other. A flat map keeps about "
        f"{share * 15:.0f} of every 15 neighbours together. If map and list disagree, trust the "
        "list."
    )
