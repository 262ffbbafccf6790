"""Made-up reports: training variants, and a learning curve."""

import json
from pathlib import Path

import numpy as np
from measured import HOSTILE

from twotower.evaluation.report import Report
from twotower.evaluation.tally import Tally

DEFAULT, LISTENERS = "InfoNCE, as shipped", 60
ABLATION = {
    "halves": {
        "MRR": {DEFAULT: 0.8, "SigLIP": 0.85, "triplet": 0.6, "BPR": 0.5, HOSTILE: 0.8},
    },
    "halves, full pool": {"MRR": {DEFAULT: 0.7, "SigLIP": 0.7, "triplet": 0.5, "BPR": 0.4}},
    "halves-head": {"MRR": {DEFAULT: 0.6, "SigLIP": 0.6, "triplet": 0.4, "BPR": 0.3}},
    "halves-other, germany": {"MRR": {DEFAULT: 0.1, "SigLIP": 0.1, "triplet": 0.1, "BPR": 0.05}},
    "halves-other, germany, cut to 50": {"MRR": {DEFAULT: 0.1, "SigLIP": 0.1}},
    "cold-5": {
        "MRR": {DEFAULT: 0.5, "SigLIP": 0.4, "triplet": 0.3, "BPR": 0.2},
        "overlap@10": {DEFAULT: 0.4, "SigLIP": 0.4, "triplet": 0.3, "BPR": 0.2},
    },
    "friends": {
        "Hit@10": {DEFAULT: 0.5, "SigLIP": 0.5, "triplet": 0.4, "BPR": 0.3},
        "AUC": {DEFAULT: 0.8, "SigLIP": 0.8, "triplet": 0.7, "BPR": 0.6},
    },
    "geometry": {
        "skew of N_10": {DEFAULT: 0.3, "SigLIP": 0.2, "triplet": 1.0, "BPR": 3.0},
        "never listed": {DEFAULT: 0.01, "SigLIP": 0.0, "triplet": 0.05, "BPR": 0.2},
        "alignment": {DEFAULT: 0.5, "SigLIP": 0.4, "triplet": 0.6, "BPR": 0.2},
    },
}
SHARES = (25, 50, 100)
CURVES = {"two towers": (0.6, 0.75, 0.85), "ALS-64": (0.5, 0.65, 0.7)}
LEARNING = {
    "halves": {
        "MRR": {
            f"{method}, {share} % of the listeners": value
            for method, curve in CURVES.items()
            for share, value in zip(SHARES, curve, strict=True)
        }
    }
}
RECORDS = [
    {
        "step": step,
        "loss": 5 - step / 50,
        "scale": 10.0,
        "alignment": 2 - step / 100,
        "uniformity": -step / 40,
    }
    for step in range(0, 101, 20)
]


def report(figures: dict, reference: str, splits: int = 2) -> Report:
    """Return a report in which each value is close to its mean."""
    draw, tally = np.random.default_rng(0), Tally()
    ids = tuple(map(str, range(LISTENERS)))
    for check, metrics in figures.items():
        for metric, methods in metrics.items():
            for split in range(splits):
                for method, mean in methods.items():
                    noise = draw.normal(size=LISTENERS)
                    values = mean + 0.02 * (noise - noise.mean())
                    tally.add(check, metric, method, split, ids, values)
    return tally.report({"part": "validation", "seed": 0}, reference=reference)


def write(folder: Path) -> None:
    """Write `ablation.json`, `learning.json` and `training.json` into a folder."""
    made = {
        "ablation.json": report(ABLATION, DEFAULT),
        "learning.json": report(LEARNING, "two towers, 100 % of the listeners"),
    }
    for name, each in made.items():
        (folder / name).write_text(each.to_json(), encoding="utf-8")
    (folder / "training.json").write_text(json.dumps(RECORDS), encoding="utf-8")
