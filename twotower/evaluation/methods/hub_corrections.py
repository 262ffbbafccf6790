"""What can be put on any method: corrections for hubs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from twotower.core.domain import Profile
from twotower.evaluation.methods.base import SCALED, Fit, Method
from twotower.retrieval.similarity import hub_corrected, local_density
from twotower.sources.datasets.public import Training

LOCAL_SHARE = 0.4  # of that local_density, of both, that is taken from a score


@dataclass(frozen=True)
class MutualProximity:
    """A method's scores as how unusual they are for both people, so that nobody is near to all.

    Schnitzer and others (2012), "Local and global scaling reduce hubs in space", with a normal
    distribution a person. A query's is that of its scores with the candidates; a candidate's that
    of the other candidates' scores with it, which are known before anyone asks.
    """

    method: Method
    name: str

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N) chance that both would be less near to another, as a standard score of it."""
        own, others = both_sides(self.method, queries, candidates)
        return _standard_score(log_ndtr(own) + log_ndtr(others))


def both_sides(
    method: Method, queries: Sequence[Profile], candidates: Sequence[Profile]
) -> tuple[np.ndarray, np.ndarray]:
    """(Q, N) twice: scores in standard deviations of the query's, and of the candidate's."""
    asked = np.array(method.scores(queries, candidates), float)
    among = asked
    if queries is not candidates:
        among = np.array(method.scores(candidates, candidates), float)
    own, own_spread = _mean_and_spread(asked, _others(queries, candidates), axis=1)
    others, spread = _mean_and_spread(among, _others(candidates, candidates), axis=0)
    return (asked - own) / own_spread, (asked - others) / spread


def _standard_score(log_chance: np.ndarray) -> np.ndarray:
    """Log of a chance below one -> the standard score that has it, exact near both ends."""
    low = np.minimum(log_chance, np.log(0.5))
    rest = np.log(-np.expm1(np.clip(log_chance, np.log(0.5), -1e-300)))
    return np.asarray(np.where(log_chance < np.log(0.5), ndtri_exp(low), -ndtri_exp(rest)))


def corrected(fit: Fit, *, suffix: str = " + MP") -> Fit:
    """The same method after mutual proximity."""

    def fitted(training: Training) -> Method:
        method = fit(training)
        return MutualProximity(method, method.name + suffix)

    return fitted


@dataclass(frozen=True)
class LocalScaling:
    """A method's scores less how near both are to their own nearest, so that nobody is near to all.

    Conneau and others (2018), "Word translation without parallel data" (CSLS), where `share` is a
    half. A candidate's local_density is that among the other candidates, known before anyone asks.
    """

    method: Method
    name: str
    share: float = LOCAL_SHARE
    of_whole: bool = False  # whether it has a say on whole profiles only

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N), symmetric where the method's are."""
        asked = np.asarray(self.method.scores(queries, candidates), float)
        among = asked
        if queries is not candidates:
            among = np.asarray(self.method.scores(candidates, candidates), float)
        own = local_density(asked, _others(queries, candidates))
        others = local_density(among, _others(candidates, candidates))
        return hub_corrected(asked, own, others, self.share)


def scaled(fit: Fit, *, suffix: str = SCALED) -> Fit:
    """The same method after local scaling."""

    def fitted(training: Training) -> Method:
        method = fit(training)
        return LocalScaling(method, method.name + suffix)

    return fitted


def _others(queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
    """(Q, N) whether a candidate is someone else than the query."""
    ids = [np.array([f"{p.origin}:{p.id}" for p in side]) for side in (queries, candidates)]
    return np.asarray(ids[0][:, None] != ids[1][None, :])


def _mean_and_spread(
    scores: np.ndarray, counted: np.ndarray, *, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation along an axis, which stays, of the scores that count."""
    number = np.maximum(counted.sum(axis=axis, keepdims=True), 1)
    mean = (scores * counted).sum(axis=axis, keepdims=True) / number
    variance = (np.square(scores - mean) * counted).sum(axis=axis, keepdims=True) / number
    return mean, np.maximum(np.sqrt(variance), 1e-9)
