"""What checks are called on the lab page, and how their figures are said."""

from collections.abc import Mapping, Sequence

from twotower.evaluation import quality
from twotower.evaluation.report import Difference, Gain
from twotower.evaluation.variants import Mark
from twotower.ui import text
from twotower.ui.charts.quality import told

Interval = Difference | Gain | Mark

# What a check is called here, and what it asks; of names that begin alike, the longest counts.
CHECKS: Mapping[str, tuple[str, str]] = {
    "halves": ("Last.fm strangers", "Does one half find the other among all strangers' halves?"),
    "halves, full pool": (
        "The same among everyone",
        "The other half among all listeners, most of whom the methods were fitted on. A method "
        "can learn to tell seen from unseen people, so this stands apart from the headline.",
    ),
    "halves-head": (
        "Best known artists only",
        "The same, when only the 1,000 best known artists are left of everyone.",
    ),
    "halves-other, germany": (
        "Listeners in Germany",
        "The same on another data set, of yes or no for 285 artists, without any training on it.",
    ),
    "halves-other, audioscrobbler": (
        "Heavy listeners of 2005",
        "The same on another data set, the most active of 2005, without any training on it.",
    ),
    "halves-other, tidytuesday": (
        "Playlists of 2020",
        "The same on another data set, playlists as listeners, without any training on it.",
    ),
    "halves-playlists": (
        "Playlists of 2010 to 2017",
        "The same with playlists as listeners, none of them seen in training.",
    ),
    "cold-": (
        "Few artists",
        "One half cut to so many artists; and how much of a list of ten stays what it is with "
        "the whole profile.",
    ),
    "friends": (
        "Declared friends",
        "Are friends among the nearest, of whole profiles? No method sees a friendship.",
    ),
    "geometry": (
        "Hubs",
        "Is everyone on somebody's list of ten, and nobody on all of them?",
    ),
    "sides": (
        "Told of one side only",
        "Does one half find the other when only one of them tells how much is played?",
    ),
    "groups, ": (
        "What else is told",
        "What does it add to know the audio of someone's tracks, a playlist's title or tags?",
    ),
    "unseen": (
        "Artists never heard of",
        "Is a listener found by artists that nobody in training plays?",
    ),
    "discover": (
        "Artists to discover",
        "Are artists that were taken out of a profile among those suggested for the rest?",
    ),
}


def title(check: str) -> str:
    """What a check is called on the page."""
    known = _known(check)
    if known is None:
        return check
    rest = check.removeprefix(known).strip(", ")
    if known == quality.COLD:
        return f"From {rest} artists"
    return f"{CHECKS[known][0]}, {rest}" if rest else CHECKS[known][0]


def question(check: str) -> str:
    """What a check asks, as Markdown; "" for one that this page doesn't know."""
    known = _known(check)
    return CHECKS[known][1] if known else ""


def _known(check: str) -> str | None:
    """The longest name of CHECKS that a check begins with, up to a comma or a dash."""
    found = [
        name
        for name in CHECKS
        if check == name or check.startswith(name if name[-1] in "- " else f"{name}, ")
    ]
    return max(found, key=len, default=None)


def interval(of: Interval) -> str:
    """`+0.097 [+0.080, +0.114]`."""
    return f"{told(of.value)} [{told(of.low)}, {told(of.high)}]"


def counted(against: Sequence[Difference]) -> str:
    """`Of 12 baselines: ahead of 3, no better than 9.`"""
    found = [quality.verdict(each) for each in against]
    kinds = (("ahead", "ahead of"), ("no better", "no better than"), ("behind", "behind"))
    counts = [f"{word} {found.count(kind)}" for kind, word in kinds if kind in found]
    return f"Of {text.amount(len(found), 'baseline')}: {', '.join(counts)}."
