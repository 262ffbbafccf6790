"""What checks are called on the lab page, and how their figures are said."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from twotower.evaluation.experiments import Estimate
from twotower.evaluation.report import Difference, Gain
from twotower.evaluation.specs import TaskKind, TaskSpec, parse_task
from twotower.ui import text
from twotower.ui.charts.quality import told

Interval = Difference | Gain | Estimate

# What a check is called here, and what it asks; the most special one counts.
CHECKS: Mapping[TaskSpec, tuple[str, str]] = {
    TaskSpec(TaskKind.HALVES): (
        "Last.fm strangers",
        "Does one half find the other among all strangers' halves?",
    ),
    TaskSpec(TaskKind.HALVES, condition="full pool"): (
        "The same among everyone",
        "The other half among all listeners, most of whom the methods were fitted on. A method "
        "can learn to tell seen from unseen people, so this stands apart from the headline.",
    ),
    TaskSpec(TaskKind.HEAD): (
        "Best known artists only",
        "The same, when only the 1,000 best known artists are left of everyone.",
    ),
    TaskSpec(TaskKind.OTHER_DATA, "germany"): (
        "Listeners in Germany",
        "The same on another data set, of yes or no for 285 artists, without any training on it.",
    ),
    TaskSpec(TaskKind.OTHER_DATA, "audioscrobbler"): (
        "Heavy listeners of 2005",
        "The same on another data set, the most active of 2005, without any training on it.",
    ),
    TaskSpec(TaskKind.OTHER_DATA, "tidytuesday"): (
        "Playlists of 2020",
        "The same on another data set, playlists as listeners, without any training on it.",
    ),
    TaskSpec(TaskKind.PLAYLISTS): (
        "Playlists of 2010 to 2017",
        "The same with playlists as listeners, none of them seen in training.",
    ),
    TaskSpec(TaskKind.COLD): (
        "Few artists",
        "One half cut to so many artists; and how much of a list of ten stays what it is with "
        "the whole profile.",
    ),
    TaskSpec(TaskKind.FRIENDS): (
        "Declared friends",
        "Are friends among the nearest, of whole profiles? No method sees a friendship.",
    ),
    TaskSpec(TaskKind.GEOMETRY): (
        "Hubs",
        "Is everyone on somebody's list of ten, and nobody on all of them?",
    ),
    TaskSpec(TaskKind.ONE_SIDED_PLAYS): (
        "Told of one side only",
        "Does one half find the other when only one of them tells how much is played?",
    ),
    TaskSpec(TaskKind.FEATURES): (
        "What else is told",
        "What does it add to know the audio of someone's tracks, a playlist's title or tags?",
    ),
    TaskSpec(TaskKind.UNSEEN): (
        "Artists never heard of",
        "Is a listener found by artists that nobody in training plays?",
    ),
    TaskSpec(TaskKind.DISCOVER): (
        "Artists to discover",
        "Are artists that were taken out of a profile among those suggested for the rest?",
    ),
}


def title(check: str) -> str:
    """What a check is called on the page."""
    task = parse_task(check)
    if task.kind is TaskKind.COLD:
        return f"From {task.cut} artists"
    known = _known(task)
    if known is None:
        return check
    return CHECKS[known][0] + check.removeprefix(known.label)


def question(check: str) -> str:
    """What a check asks, as Markdown; "" for one that this page doesn't know."""
    known = _known(parse_task(check))
    return CHECKS[known][1] if known else ""


def _known(task: TaskSpec) -> TaskSpec | None:
    """The most special of CHECKS that a task is one of."""
    nearest = (
        task,
        replace(task, cut=None),
        TaskSpec(task.kind, task.dataset),
        TaskSpec(task.kind),
    )
    return next((each for each in nearest if each in CHECKS), None)


def interval(of: Interval) -> str:
    """`+0.097 [+0.080, +0.114]`."""
    return f"{told(of.value)} [{told(of.low)}, {told(of.high)}]"


def counted(against: Sequence[Difference]) -> str:
    """`Of 12 baselines: ahead of 3, no better than 9.`"""
    found = [each.verdict for each in against]
    kinds = (("ahead", "ahead of"), ("no better", "no better than"), ("behind", "behind"))
    counts = [f"{word} {found.count(kind)}" for kind, word in kinds if kind in found]
    return f"Of {text.pluralise(len(found), 'baseline')}: {', '.join(counts)}."
