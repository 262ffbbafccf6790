"""The tables of the model card, filled in from what ships, so that they can't say otherwise."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from twotower.bundle.shipped import FOLDER
from twotower.core.errors import MissingData
from twotower.core.files import atomic_write
from twotower.evaluation.report import QUALITY, Report, load_report
from twotower.evaluation.summary import compare_with_best, reference_method, task_labels

CARD = "MODEL_CARD.md"
SHAPES = {
    "artists": "artists in a profile",
    "popularity": "popularity rank of an artist",
    "similarity": "similarity of a pair before the hub correction",
}


def fill(assets: Path) -> Path:
    """Write the tables into `assets/MODEL_CARD.md` between their marks, and give its path.

    MissingData where the card, the community or the quality report is not there.
    """
    path = assets / CARD
    text = _read(path)
    community = json.loads(_read(assets / FOLDER / "community.json"))
    text = between(text, "shapes", shape_table(community["about"]), where=CARD)
    shown = quality_table(load_report(assets / QUALITY))
    text = between(text, "quality", shown, where=CARD)
    with atomic_write(path) as file:
        file.write(text.encode())
    return path


def shape_table(about: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Markdown that sets percentiles of the invented listeners beside those of real ones."""
    lines = ["| percentile | 5 | 25 | 50 | 75 | 95 |", "|---|---|---|---|---|---|"]
    for part, label in SHAPES.items():
        for who in ("real", "invented"):
            values = " | ".join(f"{value:g}" for value in about[who][part])
            lines.append(f"| {label}, {who} | {values} |")
    return "\n".join(lines)


def quality_table(report: Report) -> str:
    """Markdown of the towers' MRR beside the best baseline of each check, with the interval."""
    ours = reference_method(report)
    lines = [f"| check, MRR | {ours} | best baseline | difference |", "|---|---|---|---|"]
    for check in task_labels(report):
        one = compare_with_best(report, check, "MRR")
        if one is None:
            continue
        gap = one.difference
        told = check if gap.reference == ours else f"{check} ({gap.reference})"
        lines.append(
            f"| {told} | {one.towers:.3f} | {one.best:.3f} ({one.baseline}) | "
            f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] |"
        )
    return "\n".join(lines)


def between(text: str, mark: str, table: str, *, where: str) -> str:
    """The text of the page `where` with the table in the place that is marked for it."""
    opening, closing = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    if opening not in text or closing not in text:
        raise MissingData(f"{where} has no place for its {mark}: put {opening} and {closing} back")
    before, rest = text.split(opening, 1)
    _, after = rest.split(closing, 1)
    return f"{before}{opening}\n{table}\n{closing}{after}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingData(f"{path} can't be read: make it with `make assets`") from error
