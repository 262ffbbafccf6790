"""Experiments on the lab page: side features, training variants, fewer listeners, training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from twotower.core.csv_files import Cell
from twotower.core.settings import Settings
from twotower.evaluation.experiments import (
    Estimate,
    FeatureGain,
    TrainingPoint,
    VariantMetric,
    chance_mrr,
    estimates_by_verdict,
    feature_gains,
    feature_listeners,
    first_and_last_quarter,
    gain_of_more,
    learning_curves,
    training_curve,
    variant_estimates,
    variant_metrics,
    variant_table,
)
from twotower.evaluation.report import ABLATION, LEARNING, Report, Verdict
from twotower.evaluation.specs import FEATURES, Feature, TaskKind
from twotower.evaluation.summary import fewest_listeners, reference_method, task_labels
from twotower.ui import components
from twotower.ui.charts.experiments import plot_intervals, plot_training
from twotower.ui.charts.quality import plot_curves
from twotower.ui.charts.style import NO_BAR
from twotower.ui.lab.labels import curves_alt, show_table, table_alt, task_title, variant_title
from twotower.ui.lab.reports import experiment
from twotower.ui.text import decimal, escape, format_interval, pluralise, signed

DATASETS = {
    "tidytuesday": ("Playlists of 2020", "playlist"),
    "hetrec": ("Last.fm strangers with tags", "listener"),
}
FEATURE_NAMES: Mapping[Feature, str] = {
    "audio": "the sound of the tracks",
    "playlists": "the playlist's title",
    "tags": "their list of tags",
}
FEATURE_VERDICTS: Mapping[Verdict, str] = {
    "ahead": "helps",
    "no better": "adds nothing",
    "behind": "harms",
}
VARIANT_VERDICTS: Mapping[Verdict, str] = {
    "ahead": "better",
    "no better": "no different",
    "behind": "worse",
}
SIZE_VERDICTS: Mapping[Verdict, str] = {
    "ahead": "more would help",
    "no better": "no longer rising",
    "behind": "falling",
}
MAX_NAMED = 5  # variants in one sentence
TRAINING_METRICS = (
    ("loss", "How hard it is to find the right part. Lower is better."),
    ("alignment", "Distance between two parts of a listener. Lower is closer."),
    ("uniformity", "How evenly listeners are spread. Lower is more even."),
)


def show_side_features(report: Report) -> None:
    """Show what audio, titles and tags add to artists, if the report has it."""
    gains = feature_gains(report)
    if not gains:
        return
    st.header("Do audio, titles and tags help?", anchor=False)
    for dataset, shown in gains.items():
        name, noun = DATASETS.get(dataset, (dataset, "listener"))
        _show_gains(report, dataset, shown, name, noun)
    components.note(
        "The towers also read the sound of tracks, playlist titles, and tags. Here the query has "
        "them beside its artists, or alone. The half to be found has artists only."
    )


def _show_gains(
    report: Report, dataset: str, gains: Sequence[FeatureGain], name: str, noun: str
) -> None:
    listeners = feature_listeners(report, dataset)
    st.subheader(escape(name), anchor=False)
    st.markdown(_describe_gains(gains, pluralise(listeners, noun)))
    if estimates := [estimate for gain in gains if (estimate := gain.estimate)]:
        st.plotly_chart(
            plot_intervals(estimates, "MRR minus artists only", FEATURE_VERDICTS),
            key=f"groups-chart-{dataset}",
            config=NO_BAR,
            alt=f"Gain over artists only, {name}: " + _intervals_alt(estimates, FEATURE_VERDICTS),
        )
    alt = "; ".join(f"{gain.name} {gain.value:.3f}" for gain in gains)
    show_table(
        [_feature_line(gain) for gain in gains],
        key=f"groups-{dataset}",
        alt=f"Table of MRR by features: {alt}",
    )
    components.note(
        f"MRR of a random guess among {pluralise(listeners, noun)}: {chance_mrr(listeners):.3f}."
    )


def _describe_gains(gains: Sequence[FeatureGain], listeners: str) -> str:
    """Return what each set of features adds to the artists, as Markdown."""
    parts = [
        f"{_feature_names(gain)} **{FEATURE_VERDICTS[gain.estimate.verdict]}** "
        f"({format_interval(gain.estimate)})"
        for gain in gains
        if gain.estimate is not None
    ]
    if not parts:
        return f"The report has no intervals for the gains. :gray[{listeners}.]"
    return f"Added to the artists, {'; '.join(parts)}. :gray[{listeners} with all of it.]"


def _feature_names(gain: FeatureGain) -> str:
    added = [name for name in FEATURES if name in gain.task.shown and name in FEATURE_NAMES]
    return " with ".join(FEATURE_NAMES[name] for name in added)


def _feature_line(gain: FeatureGain) -> dict[str, Cell]:
    difference = gain.gain
    return {
        "features": gain.name,
        "MRR": gain.value,
        "minus artists only": difference.value if difference else None,
        "95 % low": difference.low if difference else None,
        "95 % high": difference.high if difference else None,
    }


@st.fragment
def show_variants() -> None:
    """Show the default model beside other losses and trainings, if they were measured."""
    report = experiment(ABLATION)
    columns = {each.name: each for each in variant_metrics(report)} if report is not None else {}
    if report is None or not columns:
        return
    default = reference_method(report)
    st.header("What else was tried", anchor=False)
    name = st.selectbox(
        "Compared by",
        list(columns),
        format_func=lambda name: _column_title(columns[name]),
        key="ablation-check",
        width=420,
    )
    chosen = columns[name]
    estimates = [
        replace(each, name=variant_title(each.name))
        for each in variant_estimates(report, chosen.task.label, chosen.metric)
    ]
    st.markdown(_describe_variants(estimates))
    if estimates:
        st.plotly_chart(
            plot_intervals(estimates, f"{chosen.metric} minus the default", VARIANT_VERDICTS),
            key="ablation-chart",
            config=NO_BAR,
            alt=f"Variants against the default by {_column_title(chosen)}: "
            + _intervals_alt(estimates, VARIANT_VERDICTS),
        )
    lines = [
        {
            _column_title(columns[key]) if key in columns else key: value
            for key, value in (line | {"variant": variant_title(str(line["variant"]))}).items()
        }
        for line in variant_table(report)
    ]
    show_table(lines, key="ablation", alt=f"Table of variants, all tasks: {table_alt(lines)}")
    components.note(
        "A variant has the same towers with another loss, or without one part of the training. The "
        f"default is “{escape(variant_title(default))}”. All were tested on the same "
        f"{_listeners(report)}."
    )


def _column_title(column: VariantMetric) -> str:
    metric = f" ({column.metric})" if column.task.kind is TaskKind.FRIENDS else ""
    return task_title(column.task.label) + metric


def _listeners(report: Report) -> str:
    """Return the number of listeners and the part of the data that they are from."""
    part = {"test": "test ", "validation": "validation "}.get(str(report.header.get("part")), "")
    count = fewest_listeners(report, task_labels(report)[0])
    return f"{pluralise(count, f'{part}listener')} in a split"


def _describe_variants(estimates: Sequence[Estimate]) -> str:
    """Return the variants that are better, worse and no different, by name, as Markdown."""
    by_verdict = estimates_by_verdict(estimates)
    better, worse = by_verdict["ahead"], by_verdict["behind"][::-1]
    sentences = []
    if better:
        sentences.append(f"**Better** than the default: {_name_variants(better)}.")
    else:
        sentences.append("No variant is significantly better than the default.")
    if worse:
        sentences.append(f"**Worse**: {_name_variants(worse)}.")
    if level := by_verdict["no better"]:
        sentences.append(f"No different: {', '.join(escape(each.name) for each in level)}.")
    return " ".join(sentences)


def _name_variants(estimates: Sequence[Estimate]) -> str:
    named = ", ".join(
        f"{escape(each.name)} ({format_interval(each)})" for each in estimates[:MAX_NAMED]
    )
    rest = len(estimates) - MAX_NAMED
    return f"{named} and {rest} more" if rest > 0 else named


def show_learning_curve() -> None:
    """Show MRR over the number of training listeners, if it was measured."""
    report = experiment(LEARNING)
    curves = learning_curves(report) if report is not None else {}
    if report is None or not curves:
        return
    st.header("Would more listeners help?", anchor=False)
    st.markdown(_describe_last_step(report, curves))
    st.plotly_chart(
        plot_curves(curves, "MRR", size="% of the training listeners", unit=" % of the listeners"),
        key="learning",
        config=NO_BAR,
        alt=f"Line chart of MRR over percent of the training listeners: {curves_alt(curves)}",
    )
    components.note(
        "Each point is a model trained on a part of the training listeners. The task is "
        "split-half retrieval among Last.fm strangers."
    )


def _describe_last_step(report: Report, curves: Mapping[str, Mapping[int, float]]) -> str:
    """Return what the last increase brought each method, as Markdown."""
    parts = []
    for method, curve in curves.items():
        if len(curve) > 1:
            few, many = list(curve)[-2:]
            gain = gain_of_more(report, method, few, many)
            value = format_interval(gain) if gain else signed(curve[many] - curve[few])
            verdict = "" if gain is None else f", **{SIZE_VERDICTS[gain.verdict]}**"
            parts.append(f"{escape(method)} {value} from {few} to {many} % of them{verdict}")
    return f"Gain from the last increase: {'; '.join(parts)}." if parts else ""


def show_training() -> None:
    """Show loss, alignment and uniformity over the training of the shipped model, if stored."""
    points = training_curve(Settings.from_env().assets)
    if len(points) < 2:
        return
    st.header("How training went", anchor=False)
    st.markdown(_describe_training(points))
    steps = [point.step for point in points]
    for (name, text), column in zip(TRAINING_METRICS, st.columns(3, gap="medium"), strict=True):
        values = [getattr(point, name) for point in points]
        with column:
            st.subheader(name.capitalize(), anchor=False)
            st.markdown(f":small[{text}]")
            st.plotly_chart(
                plot_training(steps, values, name),
                key=f"course-{name}",
                config=NO_BAR,
                alt=f"Line chart of {name} over training steps: from {values[0]:.2f} at step "
                f"{steps[0]:,} to {values[-1]:.2f} at step {steps[-1]:,}",
            )
    components.note(
        "Training makes two parts of one listener more similar than parts of two listeners. They "
        "needn't be close for that. Each point is the batch of one step: Last.fm listeners or "
        "playlists, often with well-known artists only. So the points vary much. For alignment "
        "and uniformity of test listeners, choose “Hubs” under “Task by task”."
    )


def _describe_training(points: Sequence[TrainingPoint]) -> str:
    """Return how the metrics changed from the first to the last quarter of the points."""
    quarters = {name: first_and_last_quarter(points, name) for name, _ in TRAINING_METRICS}
    changes = ", ".join(
        f"{name} from {decimal(first)} to {decimal(last)}"
        for name, (first, last) in quarters.items()
    )
    is_easier, is_closer = (quarters[name][1] < quarters[name][0] for name in ("loss", "alignment"))
    closer = "closer together" if is_closer else "further apart"
    easier = "easier" if is_easier else "harder"
    joined = "and" if is_easier == is_closer else "but"
    return (
        f"Two parts of one listener moved **{closer}**, {joined} became **{easier}** to "
        f"distinguish from others. From the first to the last quarter: {changes}."
    )


def _intervals_alt(estimates: Sequence[Estimate], verdicts: Mapping[Verdict, str]) -> str:
    """Return estimates as text, for screen readers."""
    return "; ".join(
        f"{each.name} {format_interval(each)}, {verdicts[each.verdict]}" for each in estimates
    )
