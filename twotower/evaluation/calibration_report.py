"""The check `calibration` of `evaluate`: the band of a match, fitted and measured, as a report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from twotower.core.domain import Profile
from twotower.core.errors import MissingData
from twotower.core.jobs import Progress, silent
from twotower.evaluation.calibration import (
    CHECK,
    Calibration,
    Crowd,
    Groups,
    Pairs,
    calibrate,
    draw_pairs,
)
from twotower.evaluation.data import EvaluationSplit, hold_out, hold_out_unseen
from twotower.evaluation.methods.towers import two_towers
from twotower.evaluation.report import Mean, Report, Row
from twotower.evaluation.runner import make_header
from twotower.model.embedder import Embedder
from twotower.retrieval.band import Band
from twotower.retrieval.similarity import density_sample
from twotower.sources.datasets.public import Sources, read_sources

MAX_LISTENERS = 400  # of one source
MIN_ARTISTS = 4  # of a whole profile: it is cut to three at least


@dataclass(frozen=True)
class Calibrated:
    """The report of the check, and a band fitted on all splits."""

    report: Report
    band: Band


def evaluate_calibration(
    data: Path | Sources,
    community: Sequence[Profile],
    *,
    model: Embedder | None = None,
    splits: Sequence[int] = (0, 1, 2),
    seed: int = 0,
    command: str = "",
    progress: Progress = silent,
) -> Calibrated:
    """Fit and measure the band on listeners that the model never saw.

    community  profiles that the held-out listeners are compared with; of more than 5,000 a sample
    model      a trained model; without it, towers are trained on each split

    Raises MissingData without the data sets, or if the model has seen all their listeners.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    numbers = [0] if model is not None else [*splits]
    crowd = [community[row] for row in density_sample(len(community)).tolist()]
    results: dict[int, Calibration] = {}
    for turn, number in enumerate(numbers):
        progress(turn / len(numbers), f"split {number}")
        embedder, split = _model_and_split(sources, number, model, seed)
        groups = held_out_groups(split)
        if not groups:
            raise MissingData("the model was trained on all listeners here: give another model")
        pairs = draw_pairs(embedder, groups, Crowd.of(embedder, crowd), seed=seed)
        results[number] = calibrate(pairs, tuple(groups), fitted_with=embedder.version)
    progress(1.0, "done")
    header = {
        "part": "test" if model is None else "unseen by the model",
        "splits": numbers,
        **make_header(sources, (CHECK,), seed, command),
    }
    rows = tuple(row for number, each in results.items() for row in each.rows(number))
    return Calibrated(Report(header, rows, tuple(_means(rows)), ()), _joined_band(results))


def held_out_groups(split: EvaluationSplit) -> dict[str, Sequence[Profile]]:
    """Return source -> up to 400 listeners, playlists or lists that were held out."""
    groups: Groups = {
        "hetrec": split.test,
        "playlists": split.test_playlists,
        "lists": split.test_lists,
    }
    able = {
        name: [p for p in profiles if len(p.artists) >= MIN_ARTISTS]
        for name, profiles in groups.items()
    }
    return {name: _spread(profiles, MAX_LISTENERS) for name, profiles in able.items() if profiles}


def _model_and_split(
    sources: Sources, number: int, model: Embedder | None, seed: int
) -> tuple[Embedder, EvaluationSplit]:
    if model is not None:
        known = model.catalogue.keys
        return model, hold_out_unseen(sources, model.trained_on, known=known, seed=seed)[1]
    split = hold_out(sources, number, seed=seed)
    return two_towers()(split.training).embedder, split


def _spread(profiles: Sequence[Profile], count: int) -> list[Profile]:
    """Return at most `count` of the profiles, evenly over their order."""
    rows = np.unique(np.linspace(0, len(profiles) - 1, min(count, len(profiles))).astype(int))
    return [profiles[row] for row in rows]


def _means(rows: Sequence[Row]) -> Iterator[Mean]:
    """Yield the mean of each figure over the splits."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        values.setdefault((row.check, row.method, row.metric), []).append(row.value)
    for (check, method, metric), each in values.items():
        yield Mean(check, method, metric, float(np.mean(each)))


def _joined_band(results: dict[int, Calibration]) -> Band:
    """Return a band fitted on the pairs of all splits; hidden wherever it is in one of them."""
    parts = [*results.values()]
    if len(parts) == 1:
        return parts[0].band
    pairs = Pairs.concat([each.pairs for each in parts])
    whole = calibrate(pairs, parts[0].sources, fitted_with=parts[0].band.fitted_with).band
    hidden = sorted({each for part in parts for each in part.band.hidden})
    return replace(whole, hidden=tuple(hidden))
