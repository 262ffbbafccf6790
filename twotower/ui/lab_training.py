"""The lab page: how training went."""

import streamlit as st

from twotower import variant_charts, variants
from twotower.quality_charts import MINUS, NO_BAR
from twotower.settings import Settings

FIGURES = (
    ("alignment", "How near two parts of a listener are (less is nearer)"),
    ("uniformity", "How evenly listeners are spread (less is more even)"),
)


def course() -> None:
    """Alignment and uniformity while the shipped model was trained, where a file tells it."""
    found = variants.course(Settings.from_env().assets)
    if len(found) < 2:
        return
    st.header("How the training went", anchor=False)
    first, last = found[0], found[-1]
    st.markdown(
        "Training pulls the parts of one listener together and pushes listeners apart; a model "
        "that did only one of the two would be useless. "
        f"From step {first.step:,} to step {last.step:,}, alignment went from "
        f"{_said(first.alignment)} to {_said(last.alignment)} and uniformity from "
        f"{_said(first.uniformity)} to {_said(last.uniformity)}."
    )
    steps = [each.step for each in found]
    for (name, what), column in zip(FIGURES, st.columns(2, gap="large"), strict=True):
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


def _said(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)
