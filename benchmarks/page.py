"""Fill the tables of docs/scale.md and docs/retraining.md from results/.

Run: python benchmarks/page.py
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from results import FOLDER

from twotower.evaluation.model_card import replace_section
from twotower.model.train_config import TrainConfig

DOCS = Path(__file__).resolve().parents[1] / "docs"
SCALE, RETRAINING = DOCS / "scale.md", DOCS / "retraining.md"
FOLDS = TrainConfig().folds
FAR = 10_000_000  # listeners, calculated
Results = Mapping[str, Any]
# Wording of names that stand in the results files.
LABELS = {
    "companions": "item-item weights",
    "all of it": "all tables",
    "rows": "play matrices",
    "invented listeners": "synthetic listeners",
    "… after one left": "ten neighbours, after one left",
    "people by a part of their names": "search by part of a name",
    "MRR of the other half": "MRR, split halves",
}


def label(name: str) -> str:
    """Return the wording of a name from a results file."""
    for old, new in LABELS.items():
        name = new if name == old else name.replace(f"{old},", f"{new},")
    return name


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    head = [label(name) for name in head]
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def seconds(value: float) -> str:
    """Return a duration with a fitting unit, three digits."""
    if value < 1:
        return f"{1e3 * value:.3g} ms"
    if value < 100:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if value < 6000 else f"{value / 3600:.3g} h"


def megabytes(value: float) -> str:
    return f"{value:.3g} MB" if value < 1000 else f"{value / 1024:.3g} GB"


def provenance(results: Results) -> str:
    return f"`{results['command']}`, {results['machine']}, one thread, {results['day']}."


def artist_tables(results: Results) -> str:
    parts = list(results["measured"][0]["seconds"])
    head = ["listeners", *parts, "all of it", "towers", "memory"]
    lines = [
        [
            f"{each['listeners']:,}",
            *(seconds(each["seconds"][part]) for part in parts),
            seconds(each["tables s"]),
            seconds(each["towers s"]),
            megabytes(each["peak MB above the listeners"]),
        ]
        for each in results["measured"]
    ]
    largest = results["measured"][-1]
    lines += [
        [
            f"{each['listeners']:,}, calculated",
            *(seconds(each["seconds"][part]) for part in parts),
            seconds(each["tables s"]),
            seconds(largest["towers s"]),
            megabytes(each["peak MB above the listeners"]),
        ]
        for each in results["calculated"]
        if each["listeners"] > largest["listeners"]
    ]
    return f"{table(head, lines)}\n\n{provenance(results)}"


def reading(results: Results, embedding: Results) -> str:
    read = results["reading"]["us a listener"] / 1e6
    one = 1 / embedding["crowd"]["a second"]
    sizes = (10_000, 100_000, 1_000_000, FAR)
    head = ["calculated, one process", *(f"{size:,}" for size in sizes)]
    lines = [
        ["reading profile JSON Lines", *(seconds(read * size) for size in sizes)],
        ["embedding by one tower", *(seconds(one * size) for size in sizes)],
        [
            "packed in memory",
            *(megabytes(_packed_mb(results) * size) for size in sizes),
        ],
    ]
    return table(head, lines)


def shares(results: Results) -> str:
    """Table times with several processes: ALS jobs divided, the rest by one process."""
    counts = (1, 2, 5)
    lines = []
    for each in (*results["measured"], *results["calculated"]):
        if any(line[0] == f"{each['listeners']:,}" for line in lines):
            continue
        part = each["seconds"]
        jobs = [part["ALS, all"], *[part["ALS, folds"] / FOLDS] * FOLDS]
        rest = sum(part.values()) - sum(jobs)
        each_takes = (max(sum(jobs[r::count]) for r in range(count)) for count in counts)
        lines.append([f"{each['listeners']:,}", *(seconds(rest + most) for most in each_takes)])
    head = ["tables, calculated", *(f"{count} processes" for count in counts)]
    head[1] = "1 process, as above"
    return table(head, lines)


def _packed_mb(results: Results) -> float:
    last = results["measured"][-1]
    return float(last["packed MB"] / last["listeners"])


def processes(results: Results) -> str:
    gap = results["two minus one"]
    head = ["", "MRR of the other half", "seconds"]
    lines = [
        [name, f"{results['MRR'][name]:.3f}", f"{results['seconds'][name]:.0f}"]
        for name in results["MRR"]
    ]
    lines.append(
        ["two minus one", f"{gap['value']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]", ""]
    )
    size = f"{results['listeners']:,} listeners of HetRec, {results['held out']:,} held out"
    return f"{table(head, lines)}\n\n{size}, {results['steps']:,} steps. {provenance(results)}"


def community_rows(file: str) -> dict[str, Any]:
    """Return row label -> (function that reads the value, function that formats it)."""
    return {
        "loading": (lambda each: each["load"]["seconds"], seconds),
        "on disk": (lambda each: each[file], megabytes),
        "start": (lambda each: each["start"]["seconds"], seconds),
        "memory of a server": (lambda each: each["start"]["resident MB"], megabytes),
        "after changes, peak": (lambda each: each["served"]["peak MB"], megabytes),
        "top 10, p50": (lambda each: each["search"]["ms"]["top 10"]["p50"] / 1e3, seconds),
        "top 10, p95": (lambda each: each["search"]["ms"]["top 10"]["p95"] / 1e3, seconds),
        "reading the vectors, p50": (
            lambda each: each["search"]["ms"]["read"]["p50"] / 1e3,
            seconds,
        ),
        "faiss IndexFlatIP, p50": (
            lambda each: each["search"]["ms"]["faiss IndexFlatIP"]["p50"] / 1e3,
            seconds,
        ),
        "join until visible to another process, p50": (_change("seen"), seconds),
        "leave until gone there, p50": (_change("gone"), seconds),
    }


def community(results: Results) -> str:
    """Measured sizes, and one extrapolated from the two largest."""
    few, many = results["SQLite"][-2:]
    rows = community_rows("file MB")
    measured = results["SQLite"]
    far = (FAR - few["listeners"]) / (many["listeners"] - few["listeners"])
    lines = [
        [
            name,
            *(show(value(each)) for each in measured),
            show(max(value(many), value(few) + far * (value(many) - value(few)))),
        ]
        for name, (value, show) in rows.items()
    ]
    head = ["SQLite", *(f"{each['listeners']:,}" for each in measured), f"{FAR:,}, calculated"]
    return f"{table(head, lines)}\n\n{provenance(results)}"


def _change(name: str) -> Any:
    return lambda each: each["changes ms"][name]["p50"] / 1e3


def search(results: Results) -> str:
    limit = min(results["ms"][name]["p50"] for name in results["ms"] if name.startswith("read"))
    lines = [
        [name, f"{each['p50']:.1f} ms", f"{each['p95']:.1f} ms", f"{each['p50'] / limit:.2f}"]
        for name, each in results["ms"].items()
    ]
    size = f"{results['rows']:,} x {results['dim']}"
    return f"{table([size, 'p50', 'p95', 'times the limit'], lines)}\n\n{provenance(results)}"


def postgresql(results: Results) -> str:
    """PostgreSQL with everyone in memory, and with the index."""
    rows: dict[str, tuple[Any, Any]] = {
        **{
            name: row
            for name, row in community_rows("database MB").items()
            if not name.startswith(("top 10", "reading", "faiss"))
        },
        "building the index": (lambda each: each["index"]["making s"], seconds),
        "start with a sample": (lambda each: each["start with a sample"]["seconds"], seconds),
        "memory of a server with a sample": (
            lambda each: each["start with a sample"]["resident MB"],
            megabytes,
        ),
        "nearest 200 by the index, p50": (_nearest("index"), seconds),
        "nearest 200 in memory, p50": (_nearest("in memory"), seconds),
        "recall of the index at 200": (
            lambda each: each["index"]["recall"],
            "{:.3f}".format,
        ),
    }
    lines = [
        [name, *(show(value(each)) for each in results["PostgreSQL"])]
        for name, (value, show) in rows.items()
    ]
    head = ["PostgreSQL", *(f"{each['listeners']:,}" for each in results["PostgreSQL"])]
    return f"{table(head, lines)}\n\n{provenance(results)}"


def app(results: Results) -> str:
    """Costs of what a page needs, with the model and all libraries in the process."""
    measured = results["measured"]
    rows: dict[str, tuple[Any, Any]] = {
        "start": (lambda each: each["seconds"], seconds),
        "memory, peak": (lambda each: each["peak MB"], megabytes),
        **{
            f"{label(name)}, p50 and p95": (lambda each, name=name: each["ms"][name], _both)
            for name in measured[0]["ms"]
        },
    }
    lines = [
        [label(name), *(show(value(each)) for each in measured)]
        for name, (value, show) in rows.items()
    ]
    head = ["whole app", *(f"{each['listeners']:,}" for each in measured)]
    return f"{table(head, lines)}\n\n{provenance(results)}"


def _both(ms: Results) -> str:
    return f"{seconds(ms['p50'] / 1e3)}, {seconds(ms['p95'] / 1e3)}"


def _nearest(way: str) -> Any:
    return lambda each: each["index"]["ms"][way]["p50"] / 1e3


RUNS = ("with base data", "without base data", "spoilt")


def refresh_checks(results: Results) -> str:
    """MRR before and after each retraining, with the interval of the difference."""
    by_name = {run: {each["name"]: each for each in results[run]["checks"]} for run in RUNS}
    lines = []
    for name, first in by_name[RUNS[0]].items():
        line = [f"{label(name)} ({first['listeners']:,} listeners)", f"{first['before']:.3f}"]
        for run in RUNS:
            each = by_name[run].get(name)
            gap = "" if each is None else f" [{each['low']:+.3f}, {each['high']:+.3f}]"
            line.append("" if each is None else f"{each['after']:.3f}{gap}")
        lines.append(line)
    head = ["task, MRR", "before", *RUNS]
    return f"{table(head, lines)}\n\n{provenance(results)}"


def refresh_costs(results: Results) -> str:
    lines = []
    for run in RUNS:
        each = results[run]
        parts = [f"{part} {seconds(s)}" for part, s in each["seconds"].items() if s >= 0.1]
        moved = each["map, moved by"]
        far = f"{moved['median']:.2f}, {moved['p90']:.2f}" if moved else ""
        fell = sum(check["fell"] for check in each["checks"])
        no = f"no, {fell} of {len(each['checks'])} tasks regressed"
        lines.append([run, "yes" if each["switched"] else no, far, ", ".join(parts)])
    return table(["", "promoted", "moved on the map: median, 90th percentile", "seconds"], lines)


def filled(text: str, page: Path = SCALE, folder: Path = FOLDER) -> str:
    """Return the page's text with each table as in the results."""
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    parts = {
        "refresh": refresh_checks(results["refresh"]),
        "costs": refresh_costs(results["refresh"]),
    }
    if page == SCALE:
        parts = _scale_tables(results)
    for mark, part in parts.items():
        text = replace_section(text, mark, part, where=page.name)
    return text


def _scale_tables(results: Mapping[str, Results]) -> dict[str, str]:
    return {
        "tables": artist_tables(results["training"]),
        "reading": reading(results["training"], results["embedding"]),
        "shares": shares(results["training"]),
        "processes": processes(results["processes"]),
        "community": community(results["community"]),
        "app": app(results["app"]),
        "postgresql": postgresql(results["postgresql"]),
        "search": search(results["search"]),
    }


if __name__ == "__main__":
    for page in (SCALE, RETRAINING):
        page.write_text(filled(page.read_text("utf-8"), page), "utf-8")
