"""Fit the curve of the confidence on listeners whom no training saw."""

from collections.abc import Callable, Sequence
from pathlib import Path

from twotower.core.jobs import Progress, silent
from twotower.evaluation.coverage import Evidence, fit_curve, groups_of, measure_evidence
from twotower.evaluation.data import hold_out
from twotower.evaluation.methods.base import Fit
from twotower.evaluation.methods.hub_corrections import scaled
from twotower.evaluation.methods.towers import TwoTowers, WithItemItem, two_towers
from twotower.model.confidence import ConfidenceCurve
from twotower.sources.datasets.public import Sources, Training, read_sources


def calibrate(
    data: Path | Sources,
    *,
    towers: Callable[[Training], TwoTowers] | None = None,
    splits: Sequence[int] = (0, 1, 2),
    seed: int = 0,
    progress: Progress = silent,
) -> ConfidenceCurve:
    """Train the towers on each split, and fit one curve on the validation listeners of all.

    A stored model was trained on these listeners, so towers of the same kind stand in for it. Test
    listeners are in neither part.

    towers  the fit of the towers; by default as for the shipped model
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    fit = _with_item_item(towers or two_towers())
    evidence: list[Evidence] = []
    for turn, number in enumerate(splits):
        progress(turn / len(splits), f"split {number}: training")
        split = hold_out(sources, number, part="validation", seed=seed)
        method = fit(split.training)
        evidence += measure_evidence(method, groups_of(split), number).values()
    progress(1.0, "done")
    return fit_curve(evidence)


def _with_item_item(towers: Callable[[Training], TwoTowers]) -> Fit:
    """Return the fit of `coverage.METHOD`: towers, item-item weights, hub correction."""
    return scaled(lambda training: WithItemItem(towers(training)))
