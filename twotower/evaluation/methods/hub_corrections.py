"""Hub corrections: lower the scores of listeners who are similar to everyone.

Either works with the scores of any method.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from twotower.core.domain import Profile
from twotower.evaluation.methods.base import Fit, Scorer
from twotower.evaluation.specs import Correction, parse_method
from twotower.retrieval.similarity import hub_corrected, local_density
from twotower.sources.datasets.public import Training

LOCAL_SHARE = 0.4  # of the local density of both listeners, subtracted from a score


@dataclass(frozen=True)
class MutualProximity:
    """Mutual proximity: score by how unusual a similarity is for both listeners.

    Schnitzer and others (2012), "Local and global scaling reduce hubs in space", with a normal
    distribution for each listener: for a query over its scores with the candidates, for a
    candidate over its scores with the other candidates, which are known beforehand.
    """

    method: Scorer
    name: str

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return (Q, N) the chance that both have a lower score with others, as a z-score."""
        own, others = standard_scores(self.method, queries, candidates)
        return _z_score(log_ndtr(own) + log_ndtr(others))


def standard_scores(
    method: Scorer, queries: Sequence[Profile], candidates: Sequence[Profile]
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (Q, N) in standard deviations of the query, and those of the candidate."""
    scores, among = _scores_and_among(method, queries, candidates)
    own, own_spread = _mean_and_spread(scores, _is_other(queries, candidates), axis=1)
    others, spread = _mean_and_spread(among, _is_other(candidates, candidates), axis=0)
    return (scores - own) / own_spread, (scores - others) / spread


def _z_score(log_chance: np.ndarray) -> np.ndarray:
    """Convert the log of a chance below one to its z-score, exact near both ends."""
    low = np.minimum(log_chance, np.log(0.5))
    rest = np.log(-np.expm1(np.clip(log_chance, np.log(0.5), -1e-300)))
    return np.asarray(np.where(log_chance < np.log(0.5), ndtri_exp(low), -ndtri_exp(rest)))


@dataclass(frozen=True)
class LocalScaling:
    """Local scaling (CSLS): subtract a share of the local density of both listeners.

    Conneau and others (2018), "Word translation without parallel data", where `share` is a half. A
    candidate's density is that among the other candidates, which is known beforehand.
    """

    method: Scorer
    name: str
    share: float = LOCAL_SHARE
    whole_profiles_only: bool = False  # True: no use for halves, which share no artist

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """Return scores (Q, N), symmetric if the method's are."""
        scores, among = _scores_and_among(self.method, queries, candidates)
        own = local_density(scores, _is_other(queries, candidates))
        others = local_density(among, _is_other(candidates, candidates))
        return hub_corrected(scores, own, others, self.share)


def corrected(fit: Fit) -> Fit:
    """Return a fit of the same method after mutual proximity."""

    def fitted(training: Training) -> Scorer:
        method = fit(training)
        return MutualProximity(method, _corrected_label(method, "MP"))

    return fitted


def scaled(fit: Fit) -> Fit:
    """Return a fit of the same method after local scaling."""

    def fitted(training: Training) -> Scorer:
        method = fit(training)
        return LocalScaling(method, _corrected_label(method, "LS"))

    return fitted


def _corrected_label(method: Scorer, correction: Correction) -> str:
    return replace(parse_method(method.name), correction=correction).label


def _scores_and_among(
    method: Scorer, queries: Sequence[Profile], candidates: Sequence[Profile]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the method's scores (Q, N), and those of the candidates among each other (N, N)."""
    scores = np.asarray(method.scores(queries, candidates), float)
    if queries is candidates:
        return scores, scores
    return scores, np.asarray(method.scores(candidates, candidates), float)


def _is_other(queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
    """Return (Q, N) True if the candidate is another listener than the query."""
    ids = [np.array([f"{p.origin}:{p.id}" for p in side]) for side in (queries, candidates)]
    return np.asarray(ids[0][:, None] != ids[1][None, :])


def _mean_and_spread(
    scores: np.ndarray, counted: np.ndarray, *, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the counted scores, along an axis that stays."""
    number = np.maximum(counted.sum(axis=axis, keepdims=True), 1)
    mean = (scores * counted).sum(axis=axis, keepdims=True) / number
    variance = (np.square(scores - mean) * counted).sum(axis=axis, keepdims=True) / number
    return mean, np.maximum(np.sqrt(variance), 1e-9)
