"""The parts of the lab page: how good the model is, and what it comes from."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from twotower import quality, quality_charts
from twotower.errors import EmptyProfile, TwoTowerError
from twotower.quality import Standing
from twotower.quality_charts import told
from twotower.reports import Difference, Report
from twotower.settings import Settings
from twotower.ui import components, portrait, session, words
from twotower.ui.words import escape

CARD = "MODEL_CARD.md"
RUN = "TWOTOWER_DATA=path/to/data python -m twotower evaluate --out assets/quality.json"
NARROW = (  # so that the tables of the card fit a small screen
    "<style>@media (max-width: 640px) {.st-key-card table {font-size: .75rem} "
    ".st-key-card :is(td, th) {font-size: inherit; padding: .3rem .15rem}}</style>"
)
ABOVE = "The figures stand on this page, above."
NAMED = 3  # baselines that a sentence names
NO_BAR = {"displayModeBar": False}
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
METHODS = """
- **two towers**: the model of this app. *+ MP* corrects it for people who are near to everyone;
  *+ same artists* adds a share of “the very same rare artists”, for whole profiles only.
- **popularity**: nearness in how well known the artists are, and nothing else.
- **idf cosine**: the very same artists, rare ones count more. Two halves of a person share no
  artist, so it can't find one from the other; between whole profiles it is strong.
- **SVD**, **ALS**: matrix factors of who plays what, with 32 or 64 numbers a person.
- **ALS + content**: such factors leaning on tags, genres, audio and names.
- **ItemKNN**, **EASE**: what goes with the artists that someone plays.
- *+ playlists*: fitted on playlists too.

Each was tuned on other listeners, as carefully as the towers.
"""
FIGURES = {
    "skew of N_10": "how lopsided it is, 0 where nobody is a hub",
    "never listed": "share on nobody's list",
    "most listed / 10": "most lists that one is on, in tenfold",
    "mutual share of top 10": "share of entries that are answered",
}
SOURCES = {
    "hetrec": "Last.fm listeners of 2011",
    "mpd": "playlists of 2010 to 2017",
    "mpd-withheld": "playlists of which only the popular tracks are known",
}


def require_report() -> Report:
    """The report that ships; without a readable one the page says how to make it, and ends."""
    path = Settings.from_env().assets / quality.FILE
    try:
        return _load(path, path.stat().st_mtime_ns if path.exists() else 0)
    except TwoTowerError as error:
        with st.container(border=True, key="no-report"):
            st.header("Nothing measured here yet", anchor=False)
            st.markdown(f"{escape(str(error)).replace(escape(quality.MAKE), quality.MAKE)}.")
            components.note(
                "For whoever runs this server: it needs the public data sets that docs/data.md "
                "names. This page reads the file as soon as it is there."
            )
            st.code(RUN, language=None, wrap_lines=True)
        st.stop()


@st.cache_resource(max_entries=2, show_spinner="Reading the report …")
def _load(path: Path, changed: int) -> Report:
    """The report at `path` as of a time of change, the same for everyone."""
    return quality.load(path)


def opening(report: Report) -> None:
    """What was asked, in plain words, and the plainest answer."""
    st.markdown(
        "A listener whom the model has never met is cut in two. One half of their artists goes "
        "in; the other half waits among the halves of other strangers. **How far up the list does "
        "the model put the right one?** Every method below got the same training listeners and "
        "the same questions."
    )
    first = quality.standing(report, "halves", "MRR")
    if first is None:
        return
    cards = st.grid(3, min_column_width=220, gap="small")
    pairs = (
        ("Right one in first place", quality.values(report, "halves", "recall@1")),
        ("Right one in the first ten", quality.values(report, "halves", "recall@10")),
    )
    towers = first.difference.reference
    for label, found in pairs:
        others = [method for method in found if not quality.is_ours(report, method)]
        if towers in found and others:
            best = max(others, key=lambda method: found[method])
            cards.metric(
                label,
                f"{100 * found[towers]:.0f} %",
                f"best baseline {100 * found[best]:.0f} %, {escape(best)}",
                delta_color="off",
                delta_arrow="off",
                border=True,
                height="stretch",
            )
    splits = {row.split for row in report.rows if row.check == first.check}
    cards.metric(
        "Strangers to choose from"
        + (f", in each of {len(splits)} splits" if len(splits) > 1 else ""),
        f"{first.listeners:,}",
        "none of them in training",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )


def headline(report: Report) -> None:
    """The towers beside the best baseline of each check."""
    st.header("Beside the best of the others", anchor=False)
    standings = quality.headline(report)
    if not standings:
        components.note("The report has no other method to compare the towers with.")
        return
    st.markdown(summary(standings))
    labels = [
        title(each.check) + ("" if each.metric == "MRR" else f" ({each.metric})")
        for each in standings
    ]
    st.plotly_chart(
        quality_charts.head_to_head(standings, labels, compact=components.is_phone()),
        key="headline",
        config=NO_BAR,
        alt="Dot plot of MRR by check: "
        + "; ".join(
            f"{label}: two towers {each.towers:.3f}, {each.baseline} {each.best:.3f}, "
            f"{each.verdict}"
            for label, each in zip(labels, standings, strict=True)
        ),
    )
    components.note(
        "The mark is the towers' mean over the splits, with the 95 % interval of the difference "
        "to the baseline: where it reaches the baseline's line, the towers are no better. The best "
        "baseline is chosen after the fact for each check, which favours it. MRR is the mean of "
        "1 / place: 1 where the right one always comes first, 0.5 where it comes second."
    )
    with st.expander("What the other methods are", key="methods"):
        st.markdown(METHODS)


def summary(standings: Sequence[Standing]) -> str:
    """How often the towers are ahead, and by name where they aren't; Markdown."""
    ahead = [each for each in standings if each.verdict == "ahead"]
    parts = [
        f"The towers are ahead of the best baseline in **{len(ahead)} of {len(standings)}** checks."
    ]
    for each in standings:
        if each.verdict != "ahead":
            word = "No better" if each.verdict == "no better" else "**Behind**"
            than = "than " if each.verdict == "no better" else ""
            parts.append(
                f"{word} {than}{escape(each.baseline)} for “{escape(title(each.check))}” "
                f"({_gap(each.difference)}, {each.listeners} listeners)."
            )
    return " ".join(parts)


def _gap(difference: Difference) -> str:
    return f"{told(difference.value)} [{told(difference.low)}, {told(difference.high)}]"


@st.fragment
def each_check(report: Report) -> None:
    """One check with all methods."""
    st.header("Check by check", anchor=False)
    names = quality.checks(report)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        check = st.selectbox(
            "Check", names, format_func=title, key="check", width=420, persist_state="session"
        )
        compared = quality.metrics(report, check)
        metric = next(iter(compared), "")
        if len(compared) > 1:
            metric = st.segmented_control(
                "Measure", compared, default=metric, required=True, key=f"metric-{check}"
            )
    asked = quality.listeners(report, check)
    st.markdown(f"{question(check)} :gray[{asked:,} listeners asked in a split.]")
    if metric:
        st.markdown(against_all(quality.differences(report, check, metric)))
    lines = quality.table(report, check, metric)
    _table(lines, key="table", alt=f"Table of {title(check)}, a row a method: {_spoken(lines)}")
    st.download_button(
        "Download CSV",
        quality.table_csv(lines),
        file_name=f"{re.sub(r'[^a-z0-9]+', '-', f'{check} {metric}'.lower()).strip('-')}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="download-table",
    )


def against_all(against: Sequence[Difference]) -> str:
    """What the intervals allow to say of the towers beside every baseline; Markdown."""
    if not against:
        return "There is nothing here to compare the towers with."
    kinds: dict[str, list[Difference]] = {}
    for each in against:
        kinds.setdefault(quality.verdict(each), []).append(each)
    if len(kinds.get("ahead", ())) == len(against):
        return f"Ahead of all {len(against)} baselines here; the closest: {_named(against[:1])}."
    parts = []
    if behind := kinds.get("behind"):
        parts.append(f"**Behind** {_named(behind)} here.")
    if level := kinds.get("no better"):
        parts.append(f"**No better** than {_named(level)} here.")
    if ahead := kinds.get("ahead"):
        parts.append(f"Ahead of the other {words.amount(len(ahead), 'baseline')}.")
    return " ".join(parts)


def _named(gaps: Sequence[Difference]) -> str:
    """The first of them with their intervals, the others as a number."""
    line = ", ".join(f"{escape(each.method)} ({_gap(each)})" for each in gaps[:NAMED])
    rest = len(gaps) - NAMED
    return f"{line} and {rest} more" if rest > 0 else line


def _table(lines: list[dict[str, quality.Cell]], *, key: str, alt: str) -> None:
    numbers = {
        name: st.column_config.NumberColumn(format="%.3f", help=FIGURES.get(name))
        for line in lines
        for name, value in line.items()
        if isinstance(value, float)
    }
    st.dataframe(
        lines,
        hide_index=True,
        column_config={"method": st.column_config.TextColumn(pinned=True), **numbers},
        height="content",
        placeholder="—",
        key=key,
        alt=alt,
    )


def _spoken(lines: Sequence[Mapping[str, quality.Cell]]) -> str:
    return "; ".join(
        ", ".join(
            f"{name} {value:.3f}" if isinstance(value, float) else f"{value}"
            for name, value in list(line.items())[:2]
        )
        for line in lines
    )


def cold_start(report: Report) -> None:
    """What is left with few artists: finding, and a list that stays what it is."""
    curves = {metric: quality.cold(report, metric) for metric in ("MRR", "overlap@10")}
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
                    config=NO_BAR,
                    alt=f"Line chart of {metric} over artists in the query: {_curves_told(found)}",
                )
    components.note(
        "Drawn: the towers, the baselines that find best, and popularity. A list that stays says "
        "little by itself: a method that shows everyone the same people would never change it."
    )


def _cold_words(report: Report) -> str:
    """Where the towers are no better, or that they are ahead everywhere; Markdown."""
    cold = [name for name in quality.checks(report) if name.startswith(quality.COLD)]
    parts = []
    for metric, what in (("MRR", "At finding"), ("overlap@10", "In staying")):
        short: dict[str, list[str]] = {}
        for check in cold:
            one = quality.standing(report, check, metric)
            if one is not None and one.verdict != "ahead":
                than = "than " if one.verdict == "no better" else ""
                word = f"**{one.verdict}** {than}{escape(one.baseline)}"
                short.setdefault(word, []).append(check.removeprefix(quality.COLD))
        told = "; ".join(f"{word} with {', '.join(ks)} artists" for word, ks in short.items())
        parts.append(f"{what}, the towers are {told or 'ahead of every baseline at each size'}.")
    return " ".join(parts)


def _curves_told(curves: Mapping[str, Mapping[int, float]]) -> str:
    return "; ".join(
        f"{method}: " + ", ".join(f"{value:.2f} from {size}" for size, value in curve.items())
        for method, curve in curves.items()
    )


def hubs(report: Report) -> None:
    """Whether somebody is near to everyone, where the report has it."""
    lines = quality.table(report, "geometry")
    if not lines:
        return
    st.header("Is everyone found by someone?", anchor=False)
    towers = next((x for x in lines if x["method"] == quality.reference(report)), None)
    missing = None if towers is None else towers.get("never listed")
    if isinstance(missing, float):
        st.markdown(
            f"**{100 * (1 - missing):.0f} %** of all listeners stand on somebody's list of ten "
            "by the towers' plain cosine. A person on very many lists is a hub, and says little "
            "about anyone's taste."
        )
    shown: list[dict[str, quality.Cell]] = [
        {"method": line["method"], **{name: line.get(name) for name in FIGURES}} for line in lines
    ]
    _table(shown, key="hubs", alt=f"Table of hubs, a row a method: {_spoken(shown)}")
    components.note("; ".join(f"{name}: {escape(FIGURES[name])}" for name in FIGURES) + ".")


def friends(report: Report) -> None:
    """Whether declared friends are near, where the report has it."""
    metrics = quality.metrics(report, "friends")
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
        one = quality.standing(report, "friends", metric)
        if one is None:
            continue
        built = [
            f"{escape(method)} {value:.3f}"
            for method, value in quality.values(report, "friends", metric).items()
            if quality.is_ours(report, method) and method != one.difference.reference
        ]
        st.markdown(
            f"- **{said.get(metric, escape(metric))}**: two towers {one.towers:.3f}, best baseline "
            f"{one.best:.3f}, {escape(one.baseline)}: **{one.verdict}** ({_gap(one.difference)}). "
            + _counted(quality.differences(report, "friends", metric))
            + (f" Built on the towers: {', '.join(built)}." if built else "")
        )


def _counted(against: Sequence[Difference]) -> str:
    """`Of 12 baselines: ahead of 3, no better than 9.`"""
    found = [quality.verdict(each) for each in against]
    kinds = (("ahead", "ahead of"), ("no better", "no better than"), ("behind", "behind"))
    counts = [f"{word} {found.count(kind)}" for kind, word in kinds if kind in found]
    return f"Of {words.amount(len(found), 'baseline')}: {', '.join(counts)}."


def origin(report: Report) -> None:
    """What the model was trained on, and under which terms."""
    st.header("What the model comes from", anchor=False)
    assets = Settings.from_env().assets
    try:
        about = quality.trained(assets / "model")
    except TwoTowerError as error:
        components.note(escape(str(error)))
    else:
        if about.listeners:
            st.markdown(
                f"Trained on {words.amount(sum(about.listeners.values()), 'listener')}: "
                + ", ".join(
                    f"{count:,} {SOURCES.get(name, escape(name))}"
                    for name, count in about.listeners.items()
                )
                + f". It knows {words.amount(about.artists, 'artist')}, {about.played:,} of them "
                f"by who plays them and the rest by genres, audio and name. Training took "
                f"{words.amount(about.seconds / 60, 'minute')}."
            )
    if report.header.get("part") == "test":
        st.markdown(
            "The figures above are of models trained anew on part of these listeners, so that the "
            "strangers are strangers; the model that ships has seen them all."
        )
    st.markdown(
        "Its data allow research and other **non-commercial use** only. The listeners that ship "
        "with this app are invented, and no listening that came through Spotify's Web API was used "
        "in training."
    )
    try:
        card = (assets / CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    st.html(NARROW)
    with st.expander("The model card: data, terms, limits", key="card"):
        st.markdown(card_text(card))


def card_text(card: str) -> str:
    """The model card for this page: no title or comments, headings a level down, no links to files.

    Its table of quality is left out, for this page says the same.
    """
    card = re.sub(r"<!-- quality -->.*?<!-- /quality -->", ABOVE, card, flags=re.DOTALL)
    card = re.sub(r"<!--.*?-->\n?", "", card, flags=re.DOTALL)
    card = re.sub(r"\A\s*# .*\n", "", card)
    card = re.sub(r"^```\w*\n(.*)\n```$", r"`\1`", card, flags=re.MULTILINE)  # else can't wrap
    card = re.sub(r"^(#+) ", r"#\1 ", card, flags=re.MULTILINE)
    return re.sub(r"(?<!!)\[([^\]\n]+)\]\((?!https?://)[^)\n]*\)", r"\1", card)


def again(report: Report) -> None:
    """How to ask it all again, and what this report was made with."""
    st.header("Ask it again yourself", anchor=False)
    st.markdown(
        "The public data sets are named in docs/data.md. The same data and seeds give the same "
        "figures."
    )
    st.code(RUN, language=None, wrap_lines=True)
    header = report.header
    with st.expander("Seeds, versions and data of this report", key="made-with"):
        names = ("part", "splits", "seed", "command", "checks", "missing data", "versions")
        st.markdown(
            "\n".join(
                f"- {name.capitalize()}: {escape(_flat(header[name]))}"
                for name in names
                if header.get(name) not in (None, "", [])
            )
        )
        if isinstance(header.get("data"), dict):
            _table(
                [{"file": str(k), "SHA-256": str(v)} for k, v in header["data"].items()],
                key="hashes",
                alt="Table of the data files and their SHA-256",
            )
    st.download_button(
        "Download the whole report",
        json.dumps(report.to_dict(), ensure_ascii=False, indent=1),
        file_name=quality.FILE,
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        key="download-report",
    )


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def of_you() -> None:
    """How much of the visitor's own listening the model knows; nothing for one without music."""
    if session.profile() is None:
        return
    try:
        seen = session.portrait()
    except EmptyProfile as error:
        components.too_little(error)
        return
    if seen is not None:
        portrait.recognition(seen, title="How much of your listening it knows")


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
