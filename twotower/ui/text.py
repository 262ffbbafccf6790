"""Words on a page, and the one way in which names get onto it; all of them Markdown."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twotower.community import MemberSnapshot
    from twotower.model.portrait import Portrait

# Dimensions that about 4, 10 and 40 artists settle in the shipped model (half of all Last.fm
# listeners); with these, .5, .7 and more than .8 is the MRR of finding a stranger again.
SETTLED, FULL = (1.0, 2.0, 5.0), 20.0
GOOD = 2  # the grade from which nothing more is asked for
PICTURES = (
    "Very little to go on; a few more artists will change the picture",
    "A sketch; more artists make it firmer",
    "A good picture",
    "A full picture",
)
JOINER = "\u2060"  # no width, no meaning: it only keeps two characters from being read as one

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_DIGRAPH = re.compile(r"(?<=[-<>~=])(?=[-<>=])")  # would become an arrow, a dash or a sign
_OPENER = re.compile(r"(:|@|www)(?=\S)", re.IGNORECASE)  # of an icon, a mail or web address


def escape(text: str) -> str:
    """`text` so that a page shows it letter for letter: no HTML, Markdown, icon, link or maths.

    Line breaks become spaces; some characters without width come in.
    """
    text = " ".join(text.split())
    text = _OPENER.sub(rf"\1{JOINER}", _DIGRAPH.sub(JOINER, text))
    return _PUNCTUATION.sub(r"\\\1", text)


def names(artists: Iterable[str], most: int | None = None) -> str:
    """Artist names as one escaped line: `Low, Codeine and 3 more`."""
    listed = list(artists)
    shown = listed if most is None or len(listed) <= most + 1 else listed[:most]
    line = ", ".join(escape(name) for name in shown)
    rest = len(listed) - len(shown)
    return f"{line} and {rest} more" if rest else line


def percent(percentile: float) -> str:
    """A percentile as it is said, never rounded up: `99.2 %`, `87 %`."""
    if percentile >= 90:
        return f"{min(int(percentile * 10 + 1e-6), 999) / 10:.1f} %"
    return f"{int(percentile + 1e-6)} %"


def decimal(number: float) -> str:
    """Return `number` with two decimals and a minus sign: `0.31`, `−0.04`."""
    return f"{number:.2f}".replace("-", "\N{MINUS SIGN}")


def capital(text: str) -> str:
    """`text` as a sentence begins."""
    return text[:1].upper() + text[1:]


def amount(number: float, noun: str) -> str:
    """`1 artist`, `12,345 plays`."""
    whole = round(number)
    return f"{whole:,} {noun}" if whole == 1 else f"{whole:,} {noun}s"


def evidence(seen: "Portrait") -> str:
    """What the profile rests on, and what the model makes of it, in plain words."""
    size = amount(seen.coverage.effective_artists, "equally played artist")
    picture = PICTURES[grade(seen.effective_dimensions)]
    return f"Rests on the equivalent of {size}: {picture[:1].lower()}{picture[1:]}."


def grade(settled: float) -> int:
    """0 to 3: how much of a picture the model has, by the dimensions that a profile settles."""
    return sum(settled >= least for least in SETTLED)


def meter(settled: float) -> float:
    """The same as a share 0..1 that grows with everything known: a quarter a grade, then on."""
    edges = (0.0, *SETTLED, FULL)
    place = grade(settled)
    low, high = edges[place], edges[place + 1]
    return (place + min((settled - low) / (high - low), 1.0)) / 4


def turn(cosine: float | None) -> str:
    """How far a change moved a vector: a sentence, or nothing where there is nothing to compare."""
    if cosine is None:
        return ""
    if cosine > 0.995:
        word = "hardly moved you"
    elif cosine > 0.95:
        word = "moved you a little"
    elif cosine > 0.8:
        word = "moved you"
    else:
        word = "moved you far"
    return f" It {word} (cosine {cosine:.3f} to where you were)."


def company(snapshot: "MemberSnapshot") -> str:
    """How many of the community are no real people."""
    count = snapshot.total_synthetic
    if count == 0:
        return ""
    if count == snapshot.total:
        return "Everyone here is invented so far, drawn from the model: no real person is shown."
    return f"{count:,} of them are invented and marked so."


def of_fifteen(share: float) -> str:
    """How far the map can be trusted, of the mean share 0..1 of neighbours that it keeps."""
    return (
        f"of a person's 15 nearest by the model, it keeps {share * 15:.0f} among the 15 nearest "
        "points. The list of neighbours is right where the two differ."
    )
