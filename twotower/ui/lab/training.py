"""The lab page: how training went."""

from collections.abc import Sequence

import streamlit as st

from twotower.core.settings import Settings
from twotower.evaluation.experiments import TrainingPoint, first_and_last_quarter, training_curve
from twotower.ui import components
from twotower.ui.charts import variants as variant_charts
from twotower.ui.charts.quality import MINUS, NO_BAR

FIGURES = (
    ("loss", "How hard it is to tell the right part from others' (less is surer)"),
    ("alignment", "How near two parts of a listener are (less is nearer)"),
    ("uniformity", "How evenly listeners are spread (less is more even)"),
)


def course() -> None:
    """Loss, alignment and uniformity while the shipped model was trained, where a file tells it."""
    found = training_curve(Settings.from_env().assets)
    if len(found) < 2:
        return
    st.header("How the training went", anchor=False)
    st.markdown(
        "Training asks that a part of a listener be nearer to the other part of the same person "
        "than to everyone else's parts. For that, the two needn't lie close. " + _went(found)
    )
    components.note(
        "A point is of the one batch of its step: Last.fm listeners or playlists, cut anew, often "
        "with well-known artists alone. So points jump, and neighbouring ones asked different "
        "things. Alignment and uniformity of people whom no method was fitted on, beside the other "
        "methods', are under “Check by check”, in “Hubs”."
    )
    steps = [each.step for each in found]
    for (name, what), column in zip(FIGURES, st.columns(3, gap="medium"), strict=True):
        values = [getattr(each, name) for each in found]
        with column:
            st.subheader(name.capitalize(), anchor=False)
            st.markdown(f":small[{what}]")
            st.plotly_chart(
                variant_charts.over_steps(steps, values, name),
                key=f"course-{name}",
                config=NO_BAR,
                alt=f"Line chart of {name} over training steps: from {values[0]:.2f} at step "
                f"{steps[0]:,} to {values[-1]:.2f} at step {steps[-1]:,}",
            )


def _went(found: Sequence[TrainingPoint]) -> str:
    """What became of the figures between the first and the last quarter of the points."""
    told = {name: first_and_last_quarter(found, name) for name, _ in FIGURES}
    means = ", ".join(
        f"{name} from {_said(before)} to {_said(after)}" for name, (before, after) in told.items()
    )
    surer, nearer = (told[name][1] < told[name][0] for name in ("loss", "alignment"))
    lie = "nearer to each other" if nearer else "further from each other"
    sure = "more surely" if surer else "less surely"
    joined = "and" if nearer == surer else "and yet"
    return (
        f"From the first quarter of the points to the last, their means went: {means}. Parts of "
        f"one listener came to lie {lie}, {joined} were told from others' {sure}."
    )


def _said(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)
