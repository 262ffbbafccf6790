"""Names of tasks, metrics and verdicts on the lab page, and the tables that use them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from twotower.core.csv_files import Cell
from twotower.evaluation.report import Difference, Verdict
from twotower.evaluation.specs import TaskKind, TaskSpec, parse_task
from twotower.ui.text import pluralise

# Task -> its title, and its question as Markdown. The most specific entry counts.
TASKS: Mapping[TaskSpec, tuple[str, str]] = {
    TaskSpec(TaskKind.HALVES): (
        "Last.fm strangers",
        "Does one half of a listener find the other, among strangers' halves?",
    ),
    TaskSpec(TaskKind.HALVES, condition="full pool"): (
        "Among all listeners",
        "The same among all listeners. Most of them were in training. A method can learn who was, "
        "so the headline leaves this task out.",
    ),
    TaskSpec(TaskKind.HEAD): (
        "Best-known artists only",
        "The same with only the 1,000 best-known artists of everyone.",
    ),
    TaskSpec(TaskKind.OTHER_DATA, "germany"): (
        "Listeners in Germany",
        "The same on another data set: yes or no for 285 artists. Nothing was trained on it.",
    ),
    TaskSpec(TaskKind.OTHER_DATA, "audioscrobbler"): (
        "Heavy listeners of 2005",
        "The same on another data set: the most active of 2005. Nothing was trained on it.",
    ),
    TaskSpec(TaskKind.OTHER_DATA, "tidytuesday"): (
        "Playlists of 2020",
        "The same on another data set: playlists as listeners. Nothing was trained on it.",
    ),
    TaskSpec(TaskKind.PLAYLISTS): (
        "Playlists of 2010 to 2017",
        "The same with playlists as listeners. None of them was in training.",
    ),
    TaskSpec(TaskKind.TODAY): (
        "Lists of 2018 to 2026",
        "The same with recent lists of several countries, among all of them. None of them was in "
        "training. The mean counts each source the same.",
    ),
    TaskSpec(TaskKind.COLD): (
        "Few artists",
        "The same with one half cut to a few artists. Also: how much of a list of ten stays when "
        "the whole profile is known.",
    ),
    TaskSpec(TaskKind.FRIENDS): (
        "Declared friends",
        "Are friends among the nearest? Profiles are whole. No method sees friendships.",
    ),
    TaskSpec(TaskKind.GEOMETRY): (
        "Hubs",
        "Is everyone on some list of ten, and nobody on very many?",
    ),
    TaskSpec(TaskKind.ONE_SIDED_PLAYS): (
        "Play counts on one side",
        "Do the halves match if only one of them has play counts?",
    ),
    TaskSpec(TaskKind.FEATURES): (
        "Side features",
        "Do audio attributes, playlist titles or tags in the query help?",
    ),
    TaskSpec(TaskKind.UNSEEN): (
        "Artists unknown in training",
        "Is a listener found by artists that nobody in training plays?",
    ),
    TaskSpec(TaskKind.DISCOVER): (
        "Artists to discover",
        "Some artists are removed from a profile. Are they suggested for the rest?",
    ),
}
# Data set -> where and when its listeners heard the music, oldest first.
SOURCES: Mapping[str, tuple[str, str]] = {
    "hetrec": ("World, Last.fm", "2005 to 2011"),
    "mpd": ("United States, playlists", "2010 to 2017"),
    "archive": ("World, playlists", "2018 to 2021"),
    "philippines": ("Philippines", "2020"),
    "vagalume": ("Brazil", "2021"),
    "editorial": ("World, editors' playlists", "2023"),
    "netease": ("China", "2024"),
    "kexp": ("Seattle, radio shows", "2026"),
}
METHODS = """
- **two towers**: the model of this app, the mean of both directions between two people.
  *one way*: user tower against candidate tower only. *+ LS*: with hub correction (local scaling),
  which needs no training. *+ companions*: with item-item weights (EASE). *+ same artists*: the
  ranking of this app, with artist overlap and hub correction. It is for whole profiles only.
- **popularity**: two people are similar if their artists are equally popular.
- **idf cosine**: shared artists, where rare ones count more. Split halves share no artist, so it
  can't match them. On whole profiles it is strong.
- **SVD**, **ALS**: matrix factorisation with 32 or 64 dimensions.
- **ALS + content**: ALS that leans towards tags, genres, audio and names.
- **ItemKNN**, **EASE**: item-item weights of the artists that someone plays.
- *+ playlists*: trained on playlists too. *+ LS*, *+ MP*: with hub correction, by local scaling or
  mutual proximity.

Each was tuned on other listeners, as carefully as the towers.
"""
VERDICTS: Mapping[Verdict, str] = {
    "ahead": "better",
    "no better": "no better",
    "behind": "worse",
}
VARIANTS = {  # label in reports -> title
    "as it ships": "the shipped model",
    "negatives of all folds": "negatives from all folds",
    "without thresholds of popularity": "without minimum document frequency",
    "plays as they are": "absolute play counts",
    "parts keep their tower": "without tower swap",
    "plays always told": "play counts never masked",
}
HUB_METRICS = {
    "skew of N_10": "skewness of the lists per person; 0 without hubs",
    "never listed": "share of people on nobody's list",
    "most listed / 10": "lists with the largest hub on them, divided by ten",
    "mutual share of top 10": "share of list entries that go both ways",
}
PINNED = ("method", "variant", "features")  # columns that stay in view
ROW_PX = 35


def task_title(label: str) -> str:
    """Return the title of a task; its label if this page has no title for it."""
    task = parse_task(label)
    if task.kind is TaskKind.COLD:
        return f"From {pluralise(task.cut or 0, 'artist')}"
    listed = _listed_task(task)
    if listed is None:
        return label
    is_place = task.kind is TaskKind.TODAY
    dataset = place_and_years(task.dataset)[0] if is_place else task.dataset
    details = (
        "" if listed.dataset else dataset,
        "" if listed.shown else task.shown_label,
        "" if task.cut is None else f"cut to {task.cut}",
        "" if listed.condition else task.condition,
    )
    return ", ".join([TASKS[listed][0], *filter(None, details)])


def place_and_years(source: str) -> tuple[str, str]:
    """Return region and years of a data set; its name and "" if this page has none for it."""
    return SOURCES.get(source, (source, ""))


def task_question(label: str) -> str:
    """Return the question of a task as Markdown; "" if this page has none for it."""
    listed = _listed_task(parse_task(label))
    return TASKS[listed][1] if listed else ""


def variant_title(label: str) -> str:
    """Return the title of a training variant; its label if this page has no title for it."""
    return VARIANTS.get(label, label)


def _listed_task(task: TaskSpec) -> TaskSpec | None:
    """Return the most specific entry of TASKS for a task, or None."""
    candidates = (
        task,
        replace(task, cut=None),
        TaskSpec(task.kind, task.dataset),
        TaskSpec(task.kind),
    )
    return next((each for each in candidates if each in TASKS), None)


def count_verdicts(differences: Sequence[Difference]) -> str:
    """Return the verdicts in numbers: `Of 12 baselines: better than 3, no better than 9.`"""
    verdicts = [each.verdict for each in differences]
    counts = [
        f"{VERDICTS[verdict]} than {verdicts.count(verdict)}"
        for verdict in VERDICTS
        if verdict in verdicts
    ]
    return f"Of {pluralise(len(verdicts), 'baseline')}: {', '.join(counts)}."


def show_table(
    lines: list[dict[str, Cell]], *, key: str, alt: str, max_rows: int | None = None
) -> None:
    """Show a table; numbers have three decimals. More than `max_rows` rows scroll."""
    numbers = {
        name: st.column_config.NumberColumn(format="%.3f", help=HUB_METRICS.get(name))
        for line in lines
        for name, value in line.items()
        if isinstance(value, float)
    }
    pinned = {name: st.column_config.TextColumn(pinned=True) for name in PINNED}
    is_short = max_rows is None or len(lines) <= max_rows
    st.dataframe(
        lines,
        hide_index=True,
        column_config=pinned | numbers,
        height="content" if is_short else ROW_PX * ((max_rows or 0) + 1),
        placeholder="—",
        key=key,
        alt=alt,
    )


def table_alt(lines: Sequence[Mapping[str, Cell]]) -> str:
    """Return the first two columns of a table as text, for screen readers."""
    return "; ".join(
        ", ".join(
            f"{name} {value:.3f}" if isinstance(value, float) else f"{value}"
            for name, value in list(line.items())[:2]
        )
        for line in lines
    )


def curves_alt(curves: Mapping[str, Mapping[int, float]]) -> str:
    """Return curves as text, for screen readers: `EASE: 0.30 from 3, 0.50 from 10`."""
    return "; ".join(
        f"{method}: " + ", ".join(f"{value:.2f} from {size}" for size, value in curve.items())
        for method, curve in curves.items()
    )
