"""Shares of a listening that the model knows, and calibration of its confidence.

Halves of held-out listeners are queries, whole and with parts hidden from the model
(`hidden_parts`). For each query: the score of its evidence, the reciprocal rank of the other half,
and the share of its neighbours that stay once everything is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from twotower.core.domain import Profile
from twotower.evaluation.data import EvaluationSplit, restrict, split_half
from twotower.evaluation.decile_table import CORRELATION, DECILES, decile_metrics
from twotower.evaluation.hidden_parts import apply_variant, variants_of
from twotower.evaluation.methods.base import Scorer
from twotower.evaluation.methods.hub_corrections import LocalScaling
from twotower.evaluation.methods.towers import AppSimilarity, embedder_of
from twotower.evaluation.metrics import (
    expected_reciprocal_ranks,
    overlaps,
    rank_correlation,
    top_columns,
)
from twotower.evaluation.specs import MethodSpec, TaskSpec
from twotower.model.confidence import POOL, ConfidenceCurve, evidence_score, heard_share
from twotower.model.embedder import Embedder
from twotower.retrieval.similarity import HUB_SHARE

METHOD = MethodSpec("two towers", item_item="companions", correction="LS")
BINS = 12  # of equal weight, whose means are the knots of a curve
LIST_LENGTH = 10  # of the neighbours that are compared

Groups = Mapping[str, Sequence[Profile]]  # name of a source -> its listeners


@dataclass(frozen=True)
class Evidence:
    """One value per query."""

    scores: np.ndarray  # (Q,) of the evidence, before calibration
    heard: np.ndarray  # (Q,) share of the plays that counts as known from listening
    mrr: np.ndarray  # (Q,) reciprocal rank of the other half, expected among POOL people
    overlap: np.ndarray  # (Q,) share of the ten neighbours that the whole profile has, too


def groups_of(split: EvaluationSplit) -> dict[str, Sequence[Profile]]:
    """Return the held-out listeners of each source; lists of all sources are one group."""
    groups = {"hetrec": split.test, "mpd": split.test_playlists, "lists": split.test_lists}
    return {name: listeners for name, listeners in groups.items() if listeners}


def query_ids(listeners: Sequence[Profile]) -> tuple[str, ...]:
    """Return the id of each query that `measure_evidence` makes of these listeners."""
    return tuple(
        f"{profile.id}/{variant.label}"
        for profile in listeners
        for variant in variants_of(len(profile.artists) // 2)
    )


def measure_evidence(method: Scorer, groups: Groups, seed: int) -> dict[str, Evidence]:
    """Return the evidence of all queries made of each group's listeners.

    The other half is looked for among the halves of all groups, each with the same weight.
    """
    embedder = embedder_of(method)
    halves = {name: split_half(listeners, seed) for name, listeners in groups.items()}
    candidates = [half for _, others in halves.values() for half in others]
    people = [restrict(p, p.artists) for listeners in groups.values() for p in listeners]
    group_of = np.repeat(np.arange(len(groups)), [len(part) for part in groups.values()])
    start, measured = 0, {}
    for name, listeners in groups.items():
        queries, owners = [], []
        for at, half in enumerate(halves[name][0]):
            for variant in variants_of(len(half.artists)):
                queries.append(apply_variant(half, variant, embedder, seed))
                owners.append(start + at)
        own = np.array(owners, np.int64)
        coverages = [embedder.coverage(query) for query in queries]
        measured[name] = Evidence(
            np.array([evidence_score(coverage) for coverage in coverages]),
            np.array([heard_share(coverage) for coverage in coverages]),
            expected_reciprocal_ranks(method.scores(queries, candidates), own, group_of, POOL),
            _stable_shares(embedder, queries, people, own),
        )
        start += len(listeners)
    return measured


def _stable_shares(
    embedder: Embedder, queries: Sequence[Profile], people: Sequence[Profile], own: np.ndarray
) -> np.ndarray:
    """Return the share (Q,) of each query's neighbours that its whole profile has, too.

    own  (Q,) row in `people` of the listener that a query is a part of
    """
    app = LocalScaling(AppSimilarity(embedder), "app", share=HUB_SHARE, whole_profiles_only=True)
    rows, row_of_query = np.unique(own, return_inverse=True)
    asking = [replace(query, id=people[row].id) for query, row in zip(queries, own, strict=True)]
    lists = []
    for profiles, self_rows in ((asking, own), ([people[row] for row in rows], rows)):
        scores = np.array(app.scores(profiles, people), dtype=float)
        scores[np.arange(len(profiles)), self_rows] = -np.inf
        lists.append(top_columns(scores, min(LIST_LENGTH, len(people) - 1)))
    return overlaps(lists[0], lists[1][row_of_query])


def fit_curve(evidence: Sequence[Evidence]) -> ConfidenceCurve:
    """Fit a curve from score to expected MRR; each entry has the same weight.

    The scores are cut into BINS of equal weight; isotonic regression makes their means ascend.
    Without evidence, the other half is anywhere among POOL people.
    """
    from sklearn.isotonic import IsotonicRegression

    scores = np.concatenate([each.scores for each in evidence])
    mrr = np.concatenate([each.mrr for each in evidence])
    weight = np.concatenate([np.full(len(each.mrr), 1 / len(each.mrr)) for each in evidence])
    order = np.argsort(scores, kind="stable")
    before = np.cumsum(weight[order]) - weight[order] / 2
    bin_of = np.minimum((before / weight.sum() * BINS).astype(int), BINS - 1)
    totals = np.bincount(bin_of, weight[order])
    used = totals > 0
    x = np.bincount(bin_of, (weight * scores)[order])[used] / totals[used]
    y = np.bincount(bin_of, (weight * mrr)[order])[used] / totals[used]
    y = IsotonicRegression().fit(x, y, sample_weight=totals[used]).predict(x)
    chance = float((1 / np.arange(1, POOL + 1)).mean())
    knots = [(0.0, min(chance, float(y[0]))), *zip(x.tolist(), y.tolist(), strict=True)]
    return ConfidenceCurve(
        tuple(round(score, 4) for score, _ in knots), tuple(round(value, 4) for _, value in knots)
    )


@dataclass
class QueriedGroups:
    """Groups of listeners, with the evidence of the most recent method."""

    groups: Groups
    seed: int
    _last: list[tuple[Scorer, dict[str, Evidence]]] = field(default_factory=list)

    def evidence(self, method: Scorer) -> dict[str, Evidence]:
        """Return the result of `measure_evidence`, measured at the first call."""
        if not self._last or self._last[0][0] is not method:
            self._last[:] = [(method, measure_evidence(method, self.groups, self.seed))]
        return self._last[0][1]


@dataclass(frozen=True)
class KnownShares:
    """Share of each listener's plays by how the model knows the artist."""

    spec: TaskSpec
    ids: tuple[str, ...]
    listeners: Sequence[Profile]

    def measure(self, method: Scorer) -> dict[str, np.ndarray]:
        """Return three shares (n,) that sum to one."""
        embedder = embedder_of(method)
        coverages = [embedder.coverage(profile) for profile in self.listeners]
        return {
            "known from listening": np.array([each.from_listening for each in coverages]),
            "by genre only": np.array([each.by_genre for each in coverages]),
            "unknown": np.array([1 - each.plays for each in coverages]),
        }


@dataclass(frozen=True)
class ConfidenceTask:
    """Compare the confidence of one group's queries with the MRR that is measured."""

    spec: TaskSpec
    ids: tuple[str, ...]  # of the queries
    group: str
    measured: QueriedGroups
    calibration: QueriedGroups | None  # to fit the curve on; None: the model's own curve

    def measure(self, method: Scorer) -> dict[str, np.ndarray]:
        """Return mean confidence and MRR of each decile of the confidence, for `decile_table`.

        Also Spearman's rank correlation of the confidence with the overlap of the neighbours. Each
        value is repeated for every query.
        """
        evidence = self.measured.evidence(method)[self.group]
        if self.calibration is None:
            curve = embedder_of(method).curve
        else:
            curve = fit_curve([*self.calibration.evidence(method).values()])
        expected = curve.expected_mrr(evidence.scores, evidence.heard)
        deciles = np.array_split(np.lexsort((evidence.scores, expected)), DECILES)
        values = decile_metrics(
            *(
                [float(each[rows].mean()) for rows in deciles]
                for each in (expected, evidence.mrr, evidence.overlap)
            )
        )
        values[CORRELATION] = rank_correlation(expected, evidence.overlap)
        return {name: np.full(len(self.ids), value) for name, value in values.items()}
