"""All ranks of the report's halves, worked out again from the half-vectors that ship.

These are rounded to 16 bits, so a figure may be off by as much as rounding can move ranks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from twotower.evaluation.halfvectors import ALIKE, Halves, Key
from twotower.evaluation.methods.hub_corrections import LOCAL_SHARE
from twotower.evaluation.metrics import bootstrap, ranks_of_positives
from twotower.evaluation.report import Report
from twotower.evaluation.specs import scaled_label
from twotower.evaluation.tally import RESAMPLES
from twotower.evaluation.verdicts import Figure, Gap
from twotower.retrieval.similarity import local_density

Progress = Callable[[float, str], None]  # share done 0..1, what is being done

ROUNDING = 2.0**-11 / 3**0.5  # standard deviation of a float16 number's error, as a share of it
SURE = 4.0  # of these, of two scores, decide which of them is the larger
SLACK = 1e-9  # of a sum of the very same numbers


def rank_again(
    report: Report, halves: Mapping[Key, Halves], tell: Progress
) -> tuple[list[Figure], list[Gap]]:
    """Every figure and difference of the report that follows from these halves, beside it.

    A method that the report has after local scaling too is ranked both ways.
    """
    stored = {(row.check, row.method, row.split, row.metric): row for row in report.rows}
    asked = {mean.method for mean in report.means}
    wanted = [
        (split, check, name, each, name != method)
        for (split, check, method), each in halves.items()
        for name in (method, scaled_label(method))
        if name == method or name in asked
    ]
    ranks: dict[tuple[str, str], dict[int, _Ranks]] = {}
    figures: list[Figure] = []
    for done, (split, check, method, each, scaled) in enumerate(wanted):
        tell(0.7 * done / len(wanted), f"ranks of {check}, split {split}: {method}")
        found = _ranks(each, scaled=scaled)
        ranks.setdefault((check, method), {})[split] = found
        for metric, of in _METRICS.items():
            row = stored.get((check, method, split, metric))
            same = row is not None and row.listeners == len(found.ranks)
            again, least, most = (
                float(of(part).mean()) for part in (found.ranks, found.last, found.first)
            )
            value = row.value if row is not None and same else None
            slack = (again - least + SLACK, most - again + SLACK)
            figures.append(Figure("ranked", check, method, split, metric, value, again, slack))
    told = dict.fromkeys(each.reference for each in (*report.differences, *report.beside))
    towers = next((name for name in told if any(name == method for _, method in ranks)), "")
    pairs = [(check, name) for check, name in ranks if name != towers and (check, towers) in ranks]
    gaps = []
    for done, (check, method) in enumerate(pairs):
        tell(0.7 + 0.3 * done / len(pairs), f"intervals of {check}: {method}")
        gaps.append(_gap(report, check, towers, method, ranks))
    return figures, gaps


@dataclass(frozen=True)
class _Ranks:
    """Ranks (n,) by the vectors, and the best and worst that those before rounding may give."""

    ranks: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def moves(self) -> tuple[float, float]:
        """How far down and up the MRR may be from that by the vectors."""
        ranks, first, last = (
            float((1 / each).mean()) for each in (self.ranks, self.first, self.last)
        )
        return ranks - last, first - ranks


_METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "MRR": lambda ranks: np.asarray(1.0 / ranks),
    "recall@1": lambda ranks: np.asarray((ranks <= 1).astype(float)),
    "recall@10": lambda ranks: np.asarray((ranks <= 10).astype(float)),
}


def _ranks(halves: Halves, *, scaled: bool = False) -> _Ranks:
    """Where two scores are nearer than rounding tells apart, either may have been the larger.

    Of local scaling (`corrections.LocalScaling`), what is taken from a score for the query is the
    same for all candidates, so that ranks are those without it.
    """
    scores, spread = _products(halves.queries, halves.candidates)
    own = np.arange(len(scores))
    if scaled:
        among, among_spread = _products(halves.asking, halves.candidates)
        others = own[:, None] != own[None, :]
        scores = scores - LOCAL_SHARE * local_density(among.astype(float), others)
        spread = spread + LOCAL_SHARE * np.where(others, among_spread, 0.0).max(axis=1)
    margin = SURE * np.hypot(spread, spread[own, own][:, None])
    ahead = scores - scores[own, own][:, None]
    ahead[own, own] = margin[own, own] = 0.0
    tied = (margin == 0) & (ahead == 0)  # of a vector of zeros, which rounding leaves alone
    first = ((ahead > margin) | tied).sum(axis=1)
    last = (ahead >= -margin).sum(axis=1)
    return _Ranks(ranks_of_positives(scores, own), first, last)


def _products(queries: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, n) twice: scores, and the standard deviation of what rounding did to each.

    A product of two numbers, each off by its rounding, is off by ROUNDING of it twice; the errors
    of a score's products add up as independent ones do.
    """
    variance = 2 * ROUNDING**2 * (np.square(queries) @ np.square(candidates).T)
    return queries @ candidates.T, np.sqrt(variance)


def _gap(
    report: Report,
    check: str,
    towers: str,
    method: str,
    ranks: Mapping[tuple[str, str], Mapping[int, _Ranks]],
) -> Gap:
    """As far as it can be told who is who: all are taken to be in one split alone, or in all."""
    one, other = ranks[check, towers], ranks[check, method]
    splits = [split for split in one if split in other]
    parts = [1 / one[at].ranks - 1 / other[at].ranks for at in splits]
    if check in ALIKE and len({len(part) for part in parts}) == 1:
        values = np.stack(parts, axis=1)
    else:
        values = np.full((sum(map(len, parts)), len(parts)), np.nan)
        for column, (end, part) in enumerate(
            zip(np.cumsum([*map(len, parts)]), parts, strict=True)
        ):
            values[end - len(part) : end, column] = part
    (down, up), (other_down, other_up) = (
        np.mean([of[at].moves() for at in splits], axis=0) for of in (one, other)
    )
    slack = float(max(down + other_up, up + other_down)) + SLACK
    at = (check, towers, method, "MRR")
    there = (*report.differences, *report.beside)
    stored = next((d for d in there if (d.check, d.reference, d.method, d.metric) == at), None)
    seed = report.header.get("seed")
    again = bootstrap(values, resamples=RESAMPLES, seed=seed if isinstance(seed, int) else 0)
    return Gap(check, towers, method, "MRR", stored, again, slack)
