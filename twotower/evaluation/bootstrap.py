"""Bootstrap intervals of means over listeners."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval."""

    mean: float
    low: float
    high: float


def bootstrap(
    values: np.ndarray, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the mean over splits of each split's mean, with a percentile interval.

    values (L, S): one listener a row, one split a column, NaN if the listener is not in the split.
    Listeners are resampled, so one in several splits counts once as evidence. Pass differences of
    two methods on the same listeners for a paired interval.
    """
    present = ~np.isnan(values)
    if not present.any(axis=0).all():
        raise ValueError("each split needs at least one listener")
    known = np.where(present, values, 0.0)
    drawn = _resample_counts(len(values), resamples, seed)
    with np.errstate(invalid="ignore"):
        means = np.nanmean((drawn @ known) / (drawn @ present), axis=1)
    edge = (1 - level) / 2
    low, high = np.quantile(means[~np.isnan(means)], [edge, 1 - edge])
    mean = (known.sum(axis=0) / present.sum(axis=0)).mean()
    return Interval(float(mean), float(low), float(high))


@lru_cache(maxsize=16)  # a report has hundreds of intervals for each number of listeners
def _resample_counts(listeners: int, resamples: int, seed: int) -> np.ndarray:
    """Return (resamples, listeners) how often each listener is drawn; not to be changed."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(listeners, np.full(listeners, 1 / listeners), size=resamples)
    return drawn.astype(np.float64)
