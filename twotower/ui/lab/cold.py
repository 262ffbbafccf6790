"""The lab page: what is left with only a few artists."""

from collections.abc import Mapping

import streamlit as st

from twotower.evaluation.report import Report
from twotower.evaluation.specs import TaskKind
from twotower.evaluation.summary import cold_start_curves, compare_with_best, tasks
from twotower.ui import components
from twotower.ui.charts import quality as quality_charts
from twotower.ui.text import escape


def cold_start(report: Report) -> None:
    """What is left with few artists: finding, and a list that stays what it is."""
    curves = {metric: cold_start_curves(report, metric) for metric in ("MRR", "overlap@10")}
    if not any(curves.values()):
        return
    st.header("With only a few artists", anchor=False)
    st.markdown(
        "The same question when only 3, 5, 10 or 20 artists of a stranger are known; and how many "
        "of the ten nearest people stay when the rest of the profile comes in."
    )
    st.markdown(_cold_words(report))
    heads = {"MRR": "Finding the other half", "overlap@10": "A list that stays"}
    scales = {"MRR": "MRR", "overlap@10": "share of the list of ten that stays"}
    for (metric, found), column in zip(curves.items(), st.columns(2, gap="large"), strict=True):
        with column:
            if found:
                st.subheader(heads[metric], anchor=False)
                st.plotly_chart(
                    quality_charts.by_size(found, scales[metric]),
                    key=f"cold-{metric}",
                    config=quality_charts.NO_BAR,
                    alt=f"Line chart of {metric} over artists in the query: {curves_told(found)}",
                )
    components.note(
        "Drawn: the towers, the baselines that find best, and popularity. A list that stays says "
        "little by itself: a method that shows everyone the same people would never change it."
    )


def _cold_words(report: Report) -> str:
    """Where the towers are no better, or that they are ahead everywhere; Markdown."""
    cold = [task for task in tasks(report) if task.kind is TaskKind.COLD]
    parts = []
    for metric, what in (("MRR", "At finding"), ("overlap@10", "In staying")):
        short: dict[str, list[str]] = {}
        for task in cold:
            one = compare_with_best(report, task.label, metric)
            if one is not None and one.verdict != "ahead":
                than = "than " if one.verdict == "no better" else ""
                word = f"**{one.verdict}** {than}{escape(one.baseline)}"
                short.setdefault(word, []).append(str(task.cut))
        told = "; ".join(f"{word} with {', '.join(ks)} artists" for word, ks in short.items())
        parts.append(f"{what}, the towers are {told or 'ahead of every baseline at each size'}.")
    return " ".join(parts)


def curves_told(curves: Mapping[str, Mapping[int, float]]) -> str:
    return "; ".join(
        f"{method}: " + ", ".join(f"{value:.2f} from {size}" for size, value in curve.items())
        for method, curve in curves.items()
    )
