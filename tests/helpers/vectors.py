"""Fast methods with vectors, in place of the towers and baselines, and one without vectors."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from twotower.evaluation import runner
from twotower.evaluation.methods.base import Fit, Summed
from twotower.evaluation.methods.baselines import fit_popularity
from twotower.evaluation.methods.hub_corrections import scaled
from twotower.evaluation.report import QUALITY, Report
from twotower.evaluation.specs import scaled_label
from twotower.evaluation.verify_data import VECTORS
from twotower.model.play_matrix import unit_rows
from twotower.sources.datasets.public import Sources

TOWERS, REFERENCE = runner.TOWERS.label, runner.REFERENCE.label
WITH_ITEM_ITEM = runner.WITH_ITEM_ITEM.label
CHECKS = ("halves", "halves-head", "halves-playlists", "halves-today", "halves-other", "cold")
WITHOUT = {"popularity": fit_popularity}


@dataclass(frozen=True)
class Knows:
    """Vectors that identify a listener, with more noise if there are fewer artists."""

    name: str
    noise: float
    towers: bool = False  # True: one vector as a query, another as a candidate

    def vectors(self, profiles, *, asking):
        if not self.towers:
            return self._rows(profiles, "")
        sides = [self._rows(profiles, side) for side in ("user", "candidate")]
        return np.concatenate(sides if asking else sides[::-1], axis=1) / np.float32(2**0.5)

    def _rows(self, profiles, side):
        rows = [drawn(p.id.split("/")[0]) + self._noise(p, side) for p in profiles]
        return unit_rows(np.array(rows, np.float32))

    def scores(self, queries, candidates):
        one, other = self.vectors(queries, asking=True), self.vectors(candidates, asking=False)
        return one @ other.T

    def _noise(self, profile, side):
        much = self.noise * (1 + 3 / len(profile.artists))
        return much * drawn(f"{self.name} {side} {profile.id}")


@cache
def drawn(text: str) -> np.ndarray:
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest())).normal(size=24)


def knowing(name: str, noise: float) -> Fit:
    return lambda training: Knows(name, noise)


BASELINES: dict[str, Fit] = {
    name: knowing(name, noise) for name, noise in zip("ABCD", (0.9, 0.8, 0.7, 1.0), strict=True)
}
_PLAIN = {TOWERS: lambda training: Knows(TOWERS, 0.75, towers=True), **BASELINES}
_SCALED = {scaled_label(name): scaled(fit) for name, fit in _PLAIN.items()}
# The reference has no vectors, because it adds to the scores of the towers.
_WITH_MORE = {
    REFERENCE: scaled(
        lambda training: Summed(_PLAIN[TOWERS](training), Knows("more", 0.9), 0.3, WITH_ITEM_ITEM)
    )
}
FITS = _PLAIN | _SCALED | _WITH_MORE | WITHOUT


def write(
    folder: Path,
    sources: Sources | Path,
    *,
    fits: Mapping[str, Fit] = FITS,
    splits: Sequence[int] = (0, 1),
) -> Report:
    """Write `quality.json` and `halves.npz` into a folder, as `evaluate --out` does."""
    run = runner.measure(sources, fits=fits, kinds=CHECKS, splits=splits, seed=3)
    report = run.vectors.write(folder / VECTORS, runner.report_of(run))
    (folder / QUALITY).write_text(report.to_json(), encoding="utf-8")
    return report
