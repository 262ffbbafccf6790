"""A made-up quality report with known verdicts: ahead, no better, behind."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from twotower.evaluation.report import Report
from twotower.evaluation.tally import Tally

TOWERS, PLAIN, LISTENERS = "two towers + LS", "two towers", 60
# task -> metric -> method -> mean. EASE is ahead of the towers in halves-head; another baseline is
# level in halves-other, and its name shows any markup that is not escaped.
HOSTILE = "<b>ALS</b> *x* $y$"
FIGURES = {
    "halves": {
        "MRR": {TOWERS: 0.8, PLAIN: 0.95, "EASE": 0.7, HOSTILE: 0.6, "popularity": 0.1},
        "recall@1": {TOWERS: 0.75, "EASE": 0.65, HOSTILE: 0.5, "popularity": 0.05},
        "recall@10": {TOWERS: 0.9, "EASE": 0.85, HOSTILE: 0.8, "popularity": 0.2},
    },
    "halves, full pool": {"MRR": {TOWERS: 0.7, "EASE": 0.6}},
    "halves-head": {"MRR": {TOWERS: 0.5, "EASE": 0.6, "popularity": 0.1}},
    "halves-other, germany": {"MRR": {TOWERS: 0.3, HOSTILE: 0.3, "EASE": 0.2}},
    "halves-other, germany, cut to 50": {"MRR": {TOWERS: 0.31, HOSTILE: 0.31, "EASE": 0.2}},
    "cold-3": {
        "MRR": {TOWERS: 0.4, "EASE": 0.3, HOSTILE: 0.25, "popularity": 0.05},
        "overlap@10": {TOWERS: 0.35, "EASE": 0.35, HOSTILE: 0.2, "popularity": 0.05},
    },
    "cold-10": {
        "MRR": {TOWERS: 0.6, "EASE": 0.5, HOSTILE: 0.4, "popularity": 0.06},
        "overlap@10": {TOWERS: 0.6, "EASE": 0.5, HOSTILE: 0.4, "popularity": 0.1},
    },
    "friends": {
        "Hit@10": {TOWERS: 0.4, "EASE": 0.3, "popularity": 0.1},
        "AUC": {TOWERS: 0.75, "EASE": 0.7, "popularity": 0.5},
        "MRR": {TOWERS: 0.2, "EASE": 0.15, "popularity": 0.02},
    },
    "geometry": {
        "skew of N_10": {TOWERS: 1.5, "EASE": 3.0},
        "never listed": {TOWERS: 0.02, "EASE": 0.2},
        "most listed / 10": {TOWERS: 6.0, "EASE": 20.0},
        "mutual share of top 10": {TOWERS: 0.5, "EASE": 0.4},
        "uniformity": {TOWERS: -3.0},
    },
    "groups, tidytuesday, artists only": {"MRR": {TOWERS: 0.6, "EASE": 0.5}},
    "groups, tidytuesday, + audio": {"MRR": {TOWERS: 0.6, "EASE": 0.5}},
    "groups, tidytuesday, + playlists": {"MRR": {TOWERS: 0.55, "EASE": 0.5}},
    "groups, tidytuesday, audio alone": {"MRR": {TOWERS: 0.15, "EASE": 0.01}},
    "groups, hetrec, artists only": {"MRR": {TOWERS: 0.8, "EASE": 0.5}},
    "groups, hetrec, + tags": {"MRR": {TOWERS: 0.85, "EASE": 0.5}},
    "groups, hetrec, tags alone": {"MRR": {TOWERS: 0.1, "EASE": 0.01}},
}


def report() -> Report:
    """Return a report of three splits of the same listeners, each value close to its mean."""
    draw = np.random.default_rng(0)
    tally = Tally()
    ids = tuple(map(str, range(LISTENERS)))
    for check, metrics in FIGURES.items():
        for metric, methods in metrics.items():
            for split in range(3):
                for method, mean in methods.items():
                    noise = draw.normal(size=LISTENERS)
                    values = mean + 0.02 * (noise - noise.mean())
                    tally.add(check, metric, method, split, ids, values)
    header = {
        "part": "test",
        "splits": [0, 1, 2],
        "checks": list(FIGURES),
        "seed": 0,
        "command": "python -m twotower evaluate",
        "data": {"set/file.csv": "0" * 64},
        "missing data": [],
        "versions": {"python": "3.11.7"},
    }
    return tally.report(header, reference=TOWERS)


def covered_report() -> Report:
    """Return the report with lists of two sources, and the coverage of two sources."""
    figures = {
        "halves-today": {TOWERS: 0.75, "EASE": 0.6},
        "halves-today, kexp": {TOWERS: 0.9, "EASE": 0.5},
        "halves-today, netease": {TOWERS: 0.6, "EASE": 0.7, "popularity": 0.1},
    }
    coverage = {"hetrec": (0.9, 0.1), "netease": (0.5, 0.3)}
    tally, ids = Tally(), ("1", "2")
    for check, methods in figures.items():
        for method, mean in methods.items():
            tally.add(check, "MRR", method, 0, ids, np.full(2, mean))
    for source, shares in coverage.items():
        for metric, share in zip(("known from listening", "by genre only"), shares, strict=True):
            tally.add(f"coverage, {source}", metric, TOWERS, 0, ids, np.full(2, share))
    base = report()
    added = tally.report({**base.header, "splits": [0], "checks": []}, reference=TOWERS)
    rounded = replace(base, means=tuple(replace(m, value=round(m.value, 3)) for m in base.means))
    return rounded.with_more(added)


def write(folder: Path) -> Path:
    """Write the report as `quality.json` into a folder, and return its path."""
    path = folder / "quality.json"
    path.write_text(json.dumps(report().to_dict(), ensure_ascii=False), encoding="utf-8")
    return path
