"""Text for the pages: escaping, numbers in words, sentences that several pages share.

All of it is Markdown for Streamlit, and does not import Streamlit.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from twotower.model.confidence import BOUNDS, Confidence, Grade

if TYPE_CHECKING:
    from twotower.community import MemberSnapshot
    from twotower.core.domain import Neighbour
    from twotower.evaluation.experiments import Estimate
    from twotower.evaluation.report import Difference, Gain
    from twotower.model.portrait import Portrait

GRADES = {
    Grade.GUESS: "A guess",
    Grade.SKETCH: "A first sketch",
    Grade.GOOD: "A good picture",
    Grade.FULL: "A full picture",
}
MUCH = 0.2  # share of the plays whose artists are unknown, or known by genre only: worth a word
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
    """Return how sure the model is, and on what basis, as one sentence."""
    word, share = GRADES[portrait.confidence.grade], portrait.coverage.from_listening
    return f"{word}, based on {100 * share:.0f} % of what you play."


def confidence_meter(confidence: Confidence) -> float:
    """Return the confidence as a share 0..1: a quarter for each word, linear in between."""
    return float(np.interp(confidence.expected_mrr, (0.0, *BOUNDS, 1.0), np.linspace(0, 1, 5)))


def describe_missing(portrait: "Portrait") -> str:
    """Return what keeps the model from being surer, as one sentence; empty if nothing does."""
    if portrait.confidence.grade is Grade.FULL:
        return ""
    coverage = portrait.coverage
    unknown = 1 - coverage.plays
    if not portrait.profile.artists:
        return "It has your genres, but no artists yet."
    if unknown >= MUCH and unknown >= coverage.by_genre:
        return f"It doesn't know the artists of {100 * unknown:.0f} % of your plays."
    if coverage.by_genre >= MUCH:
        return f"It knows {100 * coverage.by_genre:.0f} % of your plays by genre only."
    count = pluralise(round(coverage.effective_artists), "artist")
    return f"Your plays are worth about {count}; more make it sharper."


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
