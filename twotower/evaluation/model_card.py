"""Tables of the model card, filled in from the shipped files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twotower.bundle.shipped import FOLDER
from twotower.core.errors import MissingData
from twotower.core.files import atomic_write
from twotower.evaluation.report import QUALITY, Report, format_interval, load_report
from twotower.evaluation.summary import compare_with_best, reference_method, task_labels

CARD = "MODEL_CARD.md"
SHAPES = {
    "artists": "artists in a profile",
    "popularity": "popularity rank of an artist",
    "similarity": "similarity of a pair before the hub correction",
}


def fill(assets: Path) -> Path:
    """Write the tables into `assets/MODEL_CARD.md` between their marks, and return its path.

    Raises MissingData if the card, the community or the quality report is missing.
    """
    path = assets / CARD
    text = _read(path)
    community = json.loads(_read(assets / FOLDER / "community.json"))
    text = replace_section(text, "shapes", shape_table(community["about"]), where=CARD)
    table = quality_table(load_report(assets / QUALITY))
    text = replace_section(text, "quality", table, where=CARD)
    with atomic_write(path) as file:
        file.write(text.encode())
    return path


def shape_table(about: Mapping[str, Any]) -> str:
    """Return a Markdown table: percentiles of real and of synthetic listeners.

    In all, then for each group of sources; older communities have no groups.
    """
    lines = ["| percentile | 5 | 25 | 50 | 75 | 95 |", "|---|---|---|---|---|---|"]
    shapes = {"": about} | {f" ({name})": group for name, group in about.get("groups", {}).items()}
    for part, label in SHAPES.items():
        for group, shape in shapes.items():
            for who in ("real", "invented"):
                values = " | ".join(f"{value:g}" for value in shape[who][part])
                lines.append(f"| {label}, {who}{group} | {values} |")
    return "\n".join(lines)


def quality_table(report: Report) -> str:
    """Return a Markdown table: MRR of the towers and of the best baseline, task by task."""
    reference = reference_method(report)
    lines = [f"| check, MRR | {reference} | best baseline | difference |", "|---|---|---|---|"]
    for check in task_labels(report):
        best = compare_with_best(report, check, "MRR")
        if best is None:
            continue
        d = best.difference
        title = check if d.reference == reference else f"{check} ({d.reference})"
        lines.append(
            f"| {title} | {best.towers:.3f} | {best.best:.3f} ({best.baseline}) | "
            f"{format_interval(d.value, d.low, d.high)} |"
        )
    return "\n".join(lines)


def replace_section(text: str, mark: str, table: str, *, where: str) -> str:
    """Replace what stands between `<!-- mark -->` and `<!-- /mark -->`.

    Raises MissingData, which names the page `where`, if a mark is missing.
    """
    opening, closing = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    if opening not in text or closing not in text:
        raise MissingData(f"{where} lacks the marks {opening} and {closing}: put them back")
    before, rest = text.split(opening, 1)
    _, after = rest.split(closing, 1)
    return f"{before}{opening}\n{table}\n{closing}{after}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingData(f"{path} can't be read: make it with `make assets`") from error
