"""What can be put on any method: a correction for hubs, and a blend of two kinds of closeness."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from twotower.domain import Profile
from twotower.methods import Fit, Method, Training

TASTE_SHARE = 0.7  # of closeness of taste in the blend; the rest is that of the same rare artists


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
class Blend:
    """Several kinds of closeness added up; their scores are to be on one scale, as after MP."""

    name: str
    parts: Sequence[tuple[Method, float]]  # with their weights

    def scores(self, queries: Sequence[Profile], candidates: Sequence[Profile]) -> np.ndarray:
        """(Q, N) weighted sum."""
        return np.asarray(
            sum(weight * method.scores(queries, candidates) for method, weight in self.parts)
        )


def blended(taste: Fit, same_artists: Fit, *, share: float = TASTE_SHARE, name: str) -> Fit:
    """Closeness of taste with a share of `share`, and closeness by the very same rare artists.

    Each after mutual proximity. It is for whole profiles: it holds against two halves of one
    person, who by construction share no artist, that they share none.
    """
    fits = ((corrected(taste), share), (corrected(same_artists), 1 - share))

    def fitted(training: Training) -> Method:
        return Blend(name, [(fit(training), weight) for fit, weight in fits])

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
