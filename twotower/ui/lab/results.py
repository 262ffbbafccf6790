"""Results on the lab page: the towers against the baselines, few artists, friends, hubs."""

import re
from collections.abc import Sequence

import streamlit as st

from twotower.core.csv_files import Cell
from twotower.core.errors import EmptyProfile
from twotower.evaluation.report import Difference, Report
from twotower.evaluation.specs import TaskKind
from twotower.evaluation.summary import (
    BaselineComparison,
    baseline_differences,
    cold_start_curves,
    compare_with_best,
    compared_metrics,
    fewest_listeners,
    headline_comparisons,
    is_towers,
    means_by_method,
    method_table,
    reference_method,
    table_csv,
    task_labels,
    tasks,
)
from twotower.ui import components, visitor, you
from twotower.ui.charts.quality import plot_baseline_comparisons, plot_curves
from twotower.ui.charts.style import NO_BAR
from twotower.ui.lab.labels import (
    HUB_METRICS,
    METHODS,
    VERDICTS,
    count_verdicts,
    curves_alt,
    show_table,
    table_alt,
    task_question,
    task_title,
)
from twotower.ui.text import escape, format_interval, format_percentile, pluralise

VERDICT_COLUMN = "the towers are"  # of the table of a task
MAX_NAMED = 3  # baselines in one sentence
FRIEND_METRICS = {
    "Hit@10": "A friend among the ten nearest",
    "AUC": "A friend ranked above a stranger",
    "MRR": "Rank of the nearest friend (MRR)",
}


def show_answer(report: Report) -> None:
    """Show the main result as three numbers, then how it was measured."""
    first = compare_with_best(report, "halves", "MRR")
    if first is not None:
        _show_answer_cards(report, first)
    st.markdown(
        "The test is **split-half retrieval**. We split a stranger's artists into two halves. The "
        "model gets one half. It ranks the other halves of all strangers. How far up is the right "
        "one? All methods had the same training data and the same questions."
    )


def _show_answer_cards(report: Report, first: BaselineComparison) -> None:
    cards = st.grid(3, min_column_width=220, gap="small")
    towers = first.difference.reference
    for label, metric in (
        ("Right half ranked first", "recall@1"),
        ("Right half in the top ten", "recall@10"),
    ):
        means = means_by_method(report, "halves", metric)
        baselines = [method for method in means if not is_towers(report, method)]
        if towers in means and baselines:
            best = max(baselines, key=lambda method: means[method])
            cards.metric(
                label,
                f"{100 * means[towers]:.0f} %",
                f"best baseline {100 * means[best]:.0f} %, {escape(best)}",
                delta_color="off",
                delta_arrow="off",
                border=True,
                height="stretch",
            )
    splits = {row.split for row in report.rows if row.check == first.check}
    cards.metric(
        "Strangers" + (f", in each of {len(splits)} splits" if len(splits) > 1 else ""),
        f"{first.listeners:,}",
        "none of them in training",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )


def show_best_baselines(report: Report) -> None:
    """Show the towers beside the best baseline of each task."""
    st.header("Against the best baseline", anchor=False)
    comparisons = headline_comparisons(report)
    if not comparisons:
        components.note("The report has no other method to compare the towers with.")
        return
    st.markdown(_summarise(comparisons))
    labels = [
        task_title(each.check) + ("" if each.metric == "MRR" else f" ({each.metric})")
        for each in comparisons
    ]
    st.plotly_chart(
        plot_baseline_comparisons(comparisons, labels, compact=components.is_phone()),
        key="headline",
        config=NO_BAR,
        alt="Dot plot of MRR by task: "
        + "; ".join(
            f"{label}: {each.difference.reference} {each.towers:.3f}, {each.baseline} "
            f"{each.best:.3f}, {VERDICTS[each.verdict]}"
            for label, each in zip(labels, comparisons, strict=True)
        ),
    )
    components.note(
        f"The mark is {escape(reference_method(report))}, the mean over the splits."
        + _other_references(report, comparisons)
        + " The bar is the 95 % interval of the difference to the baseline. If it reaches the "
        "baseline, the towers are no better. We choose the best baseline of each task after the "
        "test, which favours it. MRR is the mean of 1 / rank: 1 for first, 0.5 for second."
    )
    with st.expander("About the methods", key="methods"):
        st.markdown(METHODS)


def _other_references(report: Report, comparisons: Sequence[BaselineComparison]) -> str:
    """Return the tasks for which another method stands for the towers, as Markdown."""
    titles: dict[str, list[str]] = {}
    for each in comparisons:
        method = each.difference.reference
        if method != reference_method(report):
            titles.setdefault(method, []).append(f"“{escape(task_title(each.check))}”")
    return "".join(
        f" For {', '.join(named)}, it is {escape(method)}." for method, named in titles.items()
    )


def _summarise(comparisons: Sequence[BaselineComparison]) -> str:
    """Return the number of tasks won, and a line for each that was not, as Markdown."""
    won = [each for each in comparisons if each.verdict == "ahead"]
    lines = [
        "The towers are significantly better than the best baseline in "
        f"**{len(won)} of {len(comparisons)}** tasks.\n"
    ]
    for each in sorted(comparisons, key=lambda each: each.verdict != "behind"):
        if each.verdict != "ahead":
            verdict = "**Worse**" if each.verdict == "behind" else "No better"
            lines.append(
                f"- “{escape(task_title(each.check))}”: {verdict} than {escape(each.baseline)} "
                f"({format_interval(each.difference)}, {each.listeners} listeners)."
            )
    return "\n".join(lines)


@st.fragment
def show_task(report: Report) -> None:
    """Show one task, chosen by the visitor, with all methods."""
    st.header("Task by task", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        check = st.selectbox(
            "Task",
            task_labels(report),
            format_func=task_title,
            key="check",
            width=420,
            persist_state="session",
        )
        metrics = compared_metrics(report, check)
        metric = next(iter(metrics), "")
        if len(metrics) > 1:
            metric = st.segmented_control(
                "Metric", metrics, default=metric, required=True, key=f"metric-{check}"
            )
    listeners = fewest_listeners(report, check)
    st.markdown(f"{task_question(check)} :gray[{pluralise(listeners, 'listener')} in a split.]")
    if metric:
        differences = baseline_differences(report, check, metric)
        st.markdown(_name_reference(report, differences) + _describe_differences(differences))
    lines = method_table(report, check, metric)
    alt = f"Table of {task_title(check)}, a row per method: {table_alt(lines)}"
    show_table([_with_verdict(line) for line in lines], key="table", alt=alt)
    st.download_button(
        "Download CSV",
        table_csv(lines),
        file_name=f"{re.sub(r'[^a-z0-9]+', '-', f'{check} {metric}'.lower()).strip('-')}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="download-table",
    )


def _with_verdict(line: dict[str, Cell]) -> dict[str, Cell]:
    """Return a line of the table with its verdict in the words of this page."""
    words = {str(verdict): word for verdict, word in VERDICTS.items()}
    stored = line.get(VERDICT_COLUMN)
    return line if stored is None else line | {VERDICT_COLUMN: words.get(str(stored), stored)}


def _name_reference(report: Report, differences: Sequence[Difference]) -> str:
    """Return which variant of the towers is compared, if the task has several, as Markdown."""
    if not differences:
        return ""
    first = differences[0]
    methods = means_by_method(report, first.check, first.metric)
    if not any(name != first.reference and is_towers(report, name) for name in methods):
        return ""
    return f"The towers here: {escape(first.reference)}. "


def _describe_differences(differences: Sequence[Difference]) -> str:
    """Return the verdicts against all baselines, losses first, as Markdown."""
    if not differences:
        return "This task has no baseline to compare with."
    by_verdict: dict[str, list[Difference]] = {}
    for each in differences:
        by_verdict.setdefault(each.verdict, []).append(each)
    if len(by_verdict.get("ahead", ())) == len(differences):
        closest = _name_baselines(differences[:1])
        return f"Better than all {len(differences)} baselines. The closest: {closest}."
    sentences = []
    if worse := by_verdict.get("behind"):
        sentences.append(f"**Worse** than {_name_baselines(worse)}.")
    if level := by_verdict.get("no better"):
        sentences.append(f"**No better** than {_name_baselines(level)}.")
    if better := by_verdict.get("ahead"):
        sentences.append(f"Better than the other {pluralise(len(better), 'baseline')}.")
    return " ".join(sentences)


def _name_baselines(differences: Sequence[Difference]) -> str:
    """Return the first baselines with their intervals, and the number of the rest."""
    named = ", ".join(
        f"{escape(each.method)} ({format_interval(each)})" for each in differences[:MAX_NAMED]
    )
    rest = len(differences) - MAX_NAMED
    return f"{named} and {rest} more" if rest > 0 else named


def show_few_artists(report: Report) -> None:
    """Show retrieval and stability with few artists in the query."""
    curves = {metric: cold_start_curves(report, metric) for metric in ("MRR", "overlap@10")}
    if not any(curves.values()):
        return
    st.header("With only a few artists", anchor=False)
    st.markdown(_summarise_few_artists(report))
    headings = {"MRR": "Finding the other half", "overlap@10": "Stability of the list"}
    axes = {"MRR": "MRR", "overlap@10": "share of the ten nearest that stay"}
    for (metric, shown), column in zip(curves.items(), st.columns(2, gap="large"), strict=True):
        with column:
            if shown:
                st.subheader(headings[metric], anchor=False)
                st.plotly_chart(
                    plot_curves(shown, axes[metric]),
                    key=f"cold-{metric}",
                    config=NO_BAR,
                    alt=f"Line chart of {metric} over artists in the query: {curves_alt(shown)}",
                )
    components.note(
        "The query has only 3, 5, 10 or 20 artists. Stability: how many of the ten nearest stay "
        "when the rest of the profile is added. Stability alone says little: a method that shows "
        "everyone the same people is perfectly stable. Shown: the towers, the best baselines and "
        "popularity."
    )


def _summarise_few_artists(report: Report) -> str:
    """Return where the towers are not better with few artists, as Markdown."""
    cold = [task for task in tasks(report) if task.kind is TaskKind.COLD]
    sentences = []
    for metric, name in (("MRR", "Finding"), ("overlap@10", "Stability")):
        sizes: dict[str, list[str]] = {}
        for task in cold:
            one = compare_with_best(report, task.label, metric)
            if one is not None and one.verdict != "ahead":
                verdict = f"**{VERDICTS[one.verdict]}** than {escape(one.baseline)}"
                sizes.setdefault(verdict, []).append(str(task.cut))
        exceptions = "; ".join(
            f"{verdict} with {', '.join(n)} artists" for verdict, n in sizes.items()
        )
        sentences.append(f"{name}: the towers are {exceptions or 'better than every baseline'}.")
    return " ".join(sentences)


def show_friends(report: Report) -> None:
    """Show whether declared friends are near, if the report has it."""
    metrics = compared_metrics(report, "friends")
    if not metrics:
        return
    st.header("Are friends near?", anchor=False)
    for metric in metrics:
        one = compare_with_best(report, "friends", metric)
        if one is not None:
            st.markdown(_describe_friends(report, one))
    components.note(
        "Friends share taste only a little. A good list has some of them near the top, never all."
    )


def _describe_friends(report: Report, one: BaselineComparison) -> str:
    towers, metric = one.difference.reference, one.metric
    variants = [
        f"{escape(method)} {value:.3f}"
        for method, value in means_by_method(report, "friends", metric).items()
        if is_towers(report, method) and method != towers
    ]
    return (
        f"- **{FRIEND_METRICS.get(metric, escape(metric))}**: **{VERDICTS[one.verdict]}** than "
        f"the best baseline. {escape(towers)} {one.towers:.3f}, {escape(one.baseline)} "
        f"{one.best:.3f} ({format_interval(one.difference)}). "
        + count_verdicts(baseline_differences(report, "friends", metric))
        + (f" Other towers: {'; '.join(variants)}." if variants else "")
    )


def show_hubs(report: Report) -> None:
    """Show whether somebody is near to everyone, if the report has it."""
    lines = method_table(report, "geometry")
    if not lines:
        return
    st.header("Is everyone on someone's list?", anchor=False)
    towers = next((line for line in lines if line["method"] == reference_method(report)), None)
    never_listed = None if towers is None else towers.get("never listed")
    if isinstance(never_listed, float):
        st.markdown(
            f"**{format_percentile(100 * (1 - never_listed))}** of all listeners are on somebody's "
            f"list of ten ({escape(reference_method(report))}). A hub is a person on very many "
            "lists. Hubs say little about anyone's taste."
        )
    shown: list[dict[str, Cell]] = [
        {"method": line["method"], **{name: line.get(name) for name in HUB_METRICS}}
        for line in lines
    ]
    show_table(shown, key="hubs", alt=f"Table of hubs, a row per method: {table_alt(shown)}")
    components.note(
        "; ".join(f"“{name}”: {escape(text)}" for name, text in HUB_METRICS.items()) + "."
    )


def show_own_coverage() -> None:
    """Show how much of the visitor's listening the model knows, if they brought any."""
    if visitor.profile() is None:
        return
    try:
        portrait = visitor.portrait()
    except EmptyProfile as error:
        components.show_too_little(error)
        return
    if portrait is not None:
        you.show_coverage(portrait, title="How much of your listening it knows")
