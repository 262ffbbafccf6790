"""The lab page: other losses and ways of training, and what fewer listeners would have given."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.settings import Settings
from twotower.evaluation.experiments import (
    Estimate,
    VariantMetric,
    estimates_by_verdict,
    gain_of_more,
    learning_curves,
    variant_estimates,
    variant_metrics,
    variant_table,
)
from twotower.evaluation.report import ABLATION, LEARNING, Report, Verdict, load_report
from twotower.evaluation.specs import TaskKind
from twotower.evaluation.summary import fewest_listeners, reference_method, task_labels
from twotower.ui import components
from twotower.ui.charts import quality as quality_charts
from twotower.ui.charts import variants as variant_charts
from twotower.ui.charts.quality import NO_BAR
from twotower.ui.lab.cold import curves_told
from twotower.ui.lab.tables import spoken, table
from twotower.ui.lab.words import interval, title
from twotower.ui.text import escape

VERDICTS: dict[Verdict, str] = {
    "ahead": "better",
    "no better": "no different",
    "behind": "worse",
}
STEPS: dict[Verdict, str] = {
    "ahead": "more would help",
    "no better": "no longer rising",
    "behind": "falling",
}
STRONGEST = 5  # variants of a kind that a sentence names


@st.cache_resource(max_entries=4, show_spinner=False)
def _load(path: Path, changed: int) -> Report:
    """The report at `path` as of a time of change, the same for everyone."""
    return load_report(path)


def _report(name: str) -> Report | None:
    """A report beside quality.json; None where there is none, and a sentence where it's damaged."""
    path = Settings.from_env().assets / name
    try:
        return _load(path, path.stat().st_mtime_ns if path.exists() else 0)
    except MissingData:
        return None
    except IncompatibleModel as error:
        components.note(escape(str(error)))
        return None


@st.fragment
def ablation() -> None:
    """The default beside other losses and trainings; nothing where that was not measured."""
    report = _report(ABLATION)
    columns = {each.name: each for each in variant_metrics(report)} if report is not None else {}
    if report is None or not columns:
        return
    default = reference_method(report)
    st.header("What else was tried", anchor=False)
    st.markdown(
        f"The same towers, trained in other ways: another loss, or one part of the training left "
        f"out. Each is set beside the default, **{escape(default)}**, on the same listeners."
        + _header(report)
    )
    name = st.selectbox(
        "Compared by",
        list(columns),
        format_func=lambda name: _called(columns[name]),
        key="ablation-check",
        width=420,
    )
    chosen = columns[name]
    marks = variant_estimates(report, chosen.task.label, chosen.metric)
    st.markdown(_sorted_out(marks))
    if marks:
        st.plotly_chart(
            variant_charts.forest(
                marks, f"{chosen.metric} more or less than the default", VERDICTS
            ),
            key="ablation-chart",
            config=NO_BAR,
            alt=f"Variants beside the default by {_called(chosen)}: "
            + "; ".join(
                f"{mark.name} {interval(mark)}, {VERDICTS[mark.verdict]}" for mark in marks
            ),
        )
    lines = [
        {_called(columns[key]) if key in columns else key: value for key, value in line.items()}
        for line in variant_table(report)
    ]
    table(lines, key="ablation", alt=f"Table of variants, all checks: {spoken(lines)}")


def _called(by: VariantMetric) -> str:
    metric = f" ({by.metric})" if by.task.kind is TaskKind.FRIENDS else ""
    return title(by.task.label) + metric


def _header(report: Report) -> str:
    """On whom it was measured, where the report says so; Markdown."""
    asked = fewest_listeners(report, task_labels(report)[0])
    part = report.header.get("part")
    who = {"test": "test listeners", "validation": "validation listeners"}.get(str(part))
    return f" :gray[{asked:,} {who or 'listeners'} in a split.]"


def _sorted_out(marks: list[Estimate]) -> str:
    """Which variants are better, no different and worse, by name; Markdown."""
    kinds = estimates_by_verdict(marks)
    parts = []
    for verdict, word in (("ahead", "**Better** than the default"), ("behind", "**Worse**")):
        if found := kinds[verdict]:  # type: ignore[index]
            chosen = found[:STRONGEST] if verdict == "ahead" else found[::-1][:STRONGEST]
            named = ", ".join(f"{escape(mark.name)} ({interval(mark)})" for mark in chosen)
            more = f" and {len(found) - STRONGEST} more" if len(found) > STRONGEST else ""
            parts.append(f"{word}: {named}{more}.")
    if not kinds["ahead"]:
        parts.insert(0, "No variant is better than the default here, beyond the interval.")
    if level := kinds["no better"]:
        parts.append(f"No different: {', '.join(escape(mark.name) for mark in level)}.")
    return " ".join(parts)


def learning_curve() -> None:
    """What fewer training listeners give; nothing where that was not measured."""
    report = _report(LEARNING)
    curves = learning_curves(report) if report is not None else {}
    if report is None or not curves:
        return
    st.header("Would more listeners help?", anchor=False)
    st.markdown(
        "The first question again, with models that were trained on only a part of the training "
        "listeners."
    )
    st.markdown(_doubled(report, curves))
    st.plotly_chart(
        quality_charts.by_size(
            curves, "MRR", size="training listeners, % of all", unit=" % of the listeners"
        ),
        key="learning",
        config=NO_BAR,
        alt=f"Line chart of MRR over percent of the training listeners: {curves_told(curves)}",
    )


def _doubled(report: Report, curves: Mapping[str, Mapping[int, float]]) -> str:
    """What the last step brought each method, with its interval where the report has it."""
    parts = []
    for method, curve in curves.items():
        if len(curve) > 1:
            few, many = list(curve)[-2:]
            step = gain_of_more(report, method, few, many)
            said = interval(step) if step else quality_charts.told(curve[many] - curve[few])
            word = "" if step is None else f", **{STEPS[step.verdict]}**"
            parts.append(f"{escape(method)} {said} from {few} to {many} % of them{word}")
    return f"What the last step brought: {'; '.join(parts)}." if parts else ""
