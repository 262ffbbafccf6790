"""Fills tables of docs/ in from results/, so that they can't say otherwise.

python benchmarks/page.py
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from results import FOLDER

from twotower.evaluation.model_card import between
from twotower.model.training import TrainConfig

DOCS = Path(__file__).resolve().parents[1] / "docs"
SCALE, LEARNING = DOCS / "scale.md", DOCS / "retraining.md"
FOLDS = TrainConfig().folds
FAR = 10_000_000  # listeners, calculated
Found = Mapping[str, Any]


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def seconds(value: float) -> str:
    """In the unit that reads best."""
    if value < 1:
        return f"{1e3 * value:.3g} ms"
    if value < 100:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if value < 6000 else f"{value / 3600:.3g} h"


def megabytes(value: float) -> str:
    return f"{value:.3g} MB" if value < 1000 else f"{value / 1024:.3g} GB"


def where(found: Found) -> str:
    return f"`{found['command']}`, {found['machine']}, one thread, {found['day']}."


def tables_of_artists(found: Found) -> str:
    parts = list(found["measured"][0]["seconds"])
    head = ["listeners", *parts, "all of it", "the towers", "memory"]
    lines = [
        [
            f"{each['listeners']:,}",
            *(seconds(each["seconds"][part]) for part in parts),
            seconds(each["tables s"]),
            seconds(each["towers s"]),
            megabytes(each["peak MB above the listeners"]),
        ]
        for each in found["measured"]
    ]
    largest = found["measured"][-1]
    lines += [
        [
            f"{each['listeners']:,}, calculated",
            *(seconds(each["seconds"][part]) for part in parts),
            seconds(each["tables s"]),
            seconds(largest["towers s"]),
            megabytes(each["peak MB above the listeners"]),
        ]
        for each in found["calculated"]
        if each["listeners"] > largest["listeners"]
    ]
    return f"{table(head, lines)}\n\n{where(found)}"


def reading(found: Found, embedding: Found) -> str:
    read = found["reading"]["us a listener"] / 1e6
    one = 1 / embedding["crowd"]["a second"]
    sizes = (10_000, 100_000, 1_000_000, FAR)
    head = ["calculated, one process", *(f"{size:,}" for size in sizes)]
    lines = [
        ["reading profile JSON Lines", *(seconds(read * size) for size in sizes)],
        ["embedding by one tower", *(seconds(one * size) for size in sizes)],
        [
            "packed in memory",
            *(megabytes(_packed_mb(found) * size) for size in sizes),
        ],
    ]
    return table(head, lines)


def shares(found: Found) -> str:
    """The tables by several processes: the jobs of ALS in turn, the rest by one."""
    counts = (1, 2, 5)
    lines = []
    for each in (*found["measured"], *found["calculated"]):
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


def _packed_mb(found: Found) -> float:
    last = found["measured"][-1]
    return float(last["packed MB"] / last["listeners"])


def processes(found: Found) -> str:
    gap = found["two minus one"]
    head = ["", "MRR of the other half", "seconds"]
    lines = [
        [name, f"{found['MRR'][name]:.3f}", f"{found['seconds'][name]:.0f}"]
        for name in found["MRR"]
    ]
    lines.append(
        ["two minus one", f"{gap['value']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]", ""]
    )
    asked = f"{found['listeners']:,} listeners of HetRec, {found['held out']:,} held out"
    return f"{table(head, lines)}\n\n{asked}, {found['steps']:,} steps. {where(found)}"


def community_rows(file: str) -> dict[str, Any]:
    """What is told of a community -> (how it is read, how it is written)."""
    return {
        "loading": (lambda each: each["load"]["seconds"], seconds),
        "on disk": (lambda each: each[file], megabytes),
        "start": (lambda each: each["start"]["seconds"], seconds),
        "memory of a server": (lambda each: each["start"]["resident MB"], megabytes),
        "after changes, at its most": (lambda each: each["served"]["peak MB"], megabytes),
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
        "join, until another process sees it, p50": (_change("seen"), seconds),
        "leave, until it is gone there, p50": (_change("gone"), seconds),
    }


def community(found: Found) -> str:
    """Measured, and beyond that on the line through the two largest."""
    few, many = found["SQLite"][-2:]
    rows = community_rows("file MB")
    measured = found["SQLite"]
    far = (FAR - few["listeners"]) / (many["listeners"] - few["listeners"])
    lines = [
        [
            name,
            *(told(of(each)) for each in measured),
            told(max(of(many), of(few) + far * (of(many) - of(few)))),
        ]
        for name, (of, told) in rows.items()
    ]
    head = ["SQLite", *(f"{each['listeners']:,}" for each in measured), f"{FAR:,}, calculated"]
    return f"{table(head, lines)}\n\n{where(found)}"


def _change(name: str) -> Any:
    return lambda each: each["changes ms"][name]["p50"] / 1e3


def search(found: Found) -> str:
    limit = min(found["ms"][name]["p50"] for name in found["ms"] if name.startswith("read"))
    lines = [
        [name, f"{each['p50']:.1f} ms", f"{each['p95']:.1f} ms", f"{each['p50'] / limit:.2f}"]
        for name, each in found["ms"].items()
    ]
    size = f"{found['rows']:,} x {found['dim']}"
    return f"{table([size, 'p50', 'p95', 'times the limit'], lines)}\n\n{where(found)}"


def postgresql(found: Found) -> str:
    """With everyone in memory, and by the index."""
    rows: dict[str, tuple[Any, Any]] = {
        **{
            name: row
            for name, row in community_rows("database MB").items()
            if not name.startswith(("top 10", "reading", "faiss"))
        },
        "making the index": (lambda each: each["index"]["making s"], seconds),
        "start with a sample": (lambda each: each["start with a sample"]["seconds"], seconds),
        "memory of a server with a sample": (
            lambda each: each["start with a sample"]["resident MB"],
            megabytes,
        ),
        "the nearest 200 by the index, p50": (_nearest("index"), seconds),
        "the same in memory, p50": (_nearest("in memory"), seconds),
        "share of them that the index finds": (
            lambda each: each["index"]["recall"],
            "{:.3f}".format,
        ),
    }
    lines = [
        [name, *(told(of(each)) for each in found["PostgreSQL"])]
        for name, (of, told) in rows.items()
    ]
    head = ["PostgreSQL", *(f"{each['listeners']:,}" for each in found["PostgreSQL"])]
    return f"{table(head, lines)}\n\n{where(found)}"


def app(found: Found) -> str:
    """What a page asks for, with the model and all libraries in the process."""
    measured = found["measured"]
    rows: dict[str, tuple[Any, Any]] = {
        "start": (lambda each: each["seconds"], seconds),
        "memory, at its most": (lambda each: each["peak MB"], megabytes),
        **{
            f"{name}, p50 and p95": (lambda each, name=name: each["ms"][name], _both)
            for name in measured[0]["ms"]
        },
    }
    lines = [[name, *(told(of(each)) for each in measured)] for name, (of, told) in rows.items()]
    head = ["all of the app", *(f"{each['listeners']:,}" for each in measured)]
    return f"{table(head, lines)}\n\n{where(found)}"


def _both(ms: Found) -> str:
    return f"{seconds(ms['p50'] / 1e3)}, {seconds(ms['p95'] / 1e3)}"


def _nearest(how: str) -> Any:
    return lambda each: each["index"]["ms"][how]["p50"] / 1e3


REFRESHES = ("with base data", "without base data", "spoilt")


def refresh_checks(found: Found) -> str:
    """Before, and after each of the refreshes with its interval."""
    by_name = {how: {each["name"]: each for each in found[how]["checks"]} for how in REFRESHES}
    lines = []
    for name, first in by_name[REFRESHES[0]].items():
        line = [f"{name} ({first['listeners']:,} asked)", f"{first['before']:.3f}"]
        for how in REFRESHES:
            each = by_name[how].get(name)
            gap = "" if each is None else f" [{each['low']:+.3f}, {each['high']:+.3f}]"
            line.append("" if each is None else f"{each['after']:.3f}{gap}")
        lines.append(line)
    head = ["check, MRR", "before", *REFRESHES]
    return f"{table(head, lines)}\n\n{where(found)}"


def refresh_costs(found: Found) -> str:
    lines = []
    for how in REFRESHES:
        each = found[how]
        parts = [f"{part} {seconds(s)}" for part, s in each["seconds"].items() if s >= 0.1]
        moved = each["map, moved by"]
        far = f"{moved['median']:.2f}, {moved['p90']:.2f}" if moved else ""
        fell = sum(check["fell"] for check in each["checks"])
        no = f"no, {fell} of {len(each['checks'])} checks fell"
        lines.append([how, "yes" if each["switched"] else no, far, ", ".join(parts)])
    return table(["", "served", "moved on the map: half by less than, nine in ten", "took"], lines)


def filled(text: str, page: Path = SCALE, folder: Path = FOLDER) -> str:
    """A page with each table as the results have it."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    parts = {
        "refresh": refresh_checks(found["refresh"]),
        "costs": refresh_costs(found["refresh"]),
    }
    if page == SCALE:
        parts = _of_scale(found)
    for mark, part in parts.items():
        text = between(text, mark, part, where=page.name)
    return text


def _of_scale(found: Mapping[str, Found]) -> dict[str, str]:
    return {
        "tables": tables_of_artists(found["training"]),
        "reading": reading(found["training"], found["embedding"]),
        "shares": shares(found["training"]),
        "processes": processes(found["processes"]),
        "community": community(found["community"]),
        "app": app(found["app"]),
        "postgresql": postgresql(found["postgresql"]),
        "search": search(found["search"]),
    }


if __name__ == "__main__":
    for page in (SCALE, LEARNING):
        page.write_text(filled(page.read_text("utf-8"), page), "utf-8")
