"""The lab page: hubs, friends, and the visitor."""

import streamlit as st

from twotower.core.errors import EmptyProfile
from twotower.evaluation.report import Report
from twotower.evaluation.summary import (
    Cell,
    baseline_differences,
    compare_with_best,
    compared_metrics,
    is_towers,
    means_by_method,
    method_table,
    reference_method,
)
from twotower.ui import components, visitor, you
from twotower.ui.lab.tables import FIGURES, spoken, table
from twotower.ui.lab.words import counted, interval
from twotower.ui.text import escape


def friends(report: Report) -> None:
    """Whether declared friends are near, where the report has it."""
    metrics = compared_metrics(report, "friends")
    if not metrics:
        return
    st.header("Are friends near?", anchor=False)
    st.markdown(
        "Friends share taste a little, so a good list has some of them near the top; it will never "
        "have all."
    )
    said = {
        "Hit@10": "A friend among the ten nearest",
        "AUC": "A friend before one who is none",
        "MRR": "Place of the nearest friend (MRR)",
    }
    for metric in metrics:
        one = compare_with_best(report, "friends", metric)
        if one is None:
            continue
        towers = one.difference.reference
        others = [
            f"{escape(method)} {value:.3f}"
            for method, value in means_by_method(report, "friends", metric).items()
            if is_towers(report, method) and method != towers
        ]
        st.markdown(
            f"- **{said.get(metric, escape(metric))}**: {escape(towers)} {one.towers:.3f}, best "
            f"baseline {one.best:.3f}, {escape(one.baseline)}: **{one.verdict}** "
            f"({interval(one.difference)}). "
            + counted(baseline_differences(report, "friends", metric))
            + (f" The towers otherwise: {'; '.join(others)}." if others else "")
        )


def hubs(report: Report) -> None:
    """Whether somebody is near to everyone, where the report has it."""
    lines = method_table(report, "geometry")
    if not lines:
        return
    st.header("Is everyone found by someone?", anchor=False)
    towers = next((x for x in lines if x["method"] == reference_method(report)), None)
    missing = None if towers is None else towers.get("never listed")
    if isinstance(missing, float):
        st.markdown(
            f"**{100 * (1 - missing):.0f} %** of all listeners stand on somebody's list of ten by "
            f"{escape(reference_method(report))}. A person on very many lists is a hub, and says "
            "little about anyone's taste."
        )
    shown: list[dict[str, Cell]] = [
        {"method": line["method"], **{name: line.get(name) for name in FIGURES}} for line in lines
    ]
    table(shown, key="hubs", alt=f"Table of hubs, a row a method: {spoken(shown)}")
    components.note("; ".join(f"“{name}”: {escape(FIGURES[name])}" for name in FIGURES) + ".")


def of_you() -> None:
    """How much of the visitor's own listening the model knows; nothing for one without music."""
    if visitor.profile() is None:
        return
    try:
        seen = visitor.portrait()
    except EmptyProfile as error:
        components.show_too_little(error)
        return
    if seen is not None:
        you.show_coverage(seen, title="How much of your listening it knows")
