"""A match as "1 in N": of all pairs of people in a community, one in N is at least as close.

The table keeps the match of 128 values of N, at equal steps of log N. N counted over P pairs has a
relative standard deviation of about sqrt(N / P), so the table ends where fewer than 50 pairs would
carry it, and at 20,000.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

KNOTS = 128
SMALLEST, LARGEST = 2.0, 20_000.0  # values of N
MIN_PAIRS_BEYOND = 50  # pairs closer than the last knot
MIN_PAIRS = 500  # a smaller community has no table
SHARP = 400  # pairs beyond for two digits of N: a standard deviation of 5 %
NOTICEABLE = 0.2  # change of the community's size, as a share, after which it is counted anew


@dataclass(frozen=True, eq=False)
class PairTable:
    """The share of all pairs of a community that are at least as close, for 128 matches."""

    knots: np.ndarray  # (KNOTS,) matches, ascending
    largest: float  # N of the last knot; that of the first is SMALLEST
    pairs: int  # that were counted
    people: int  # in the community
    date: str  # of counting, ISO
    model_version: str

    @classmethod
    def count(
        cls, matches: np.ndarray, *, people: int, date: str, model_version: str
    ) -> "PairTable | None":
        """Count a table over the matches (P,) of different pairs; None if they are too few.

        Each pair of listeners is counted once. The order of `matches` is lost.
        """
        pairs = len(matches)
        if pairs < MIN_PAIRS:
            return None
        largest = min(LARGEST, pairs / MIN_PAIRS_BEYOND)
        steps = np.geomspace(SMALLEST, largest, KNOTS)
        rows = pairs - np.maximum(np.round(pairs / steps).astype(np.int64), 1)
        matches.partition(np.unique(rows))
        return cls(
            np.round(matches[rows].astype(np.float64), 5),
            float(largest),
            pairs,
            people,
            date,
            model_version,
        )

    def one_in(self, match: float) -> float:
        """Return N, between 2 and `largest`: both ends stand for all that lies beyond them."""
        logs = np.linspace(np.log(SMALLEST), np.log(self.largest), KNOTS)
        return float(np.exp(np.interp(match, self.knots, logs)))

    def fits(self, people: int, model_version: str) -> bool:
        """Return whether the table still describes a community of so many people."""
        is_near = abs(people - self.people) <= NOTICEABLE * self.people
        return is_near and self.model_version == model_version

    def words(self, one_in: float) -> str:
        """Return N with the digits that were counted: "1 in 4,500", "about 1 in 400", "1 in 3"."""
        if one_in >= self.largest * (1 - 1e-9):
            return f"1 in {_rounded(self.largest, 2):,}+"
        if one_in < 10:
            return f"1 in {round(one_in)}"
        if self.pairs / one_in < SHARP:
            return f"about 1 in {_rounded(one_in, 1):,}"
        return f"1 in {_rounded(one_in, 2):,}"

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        return {
            "knots": self.knots.tolist(),
            "largest": self.largest,
            "pairs": self.pairs,
            "people": self.people,
            "date": self.date,
            "model_version": self.model_version,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "PairTable":
        """Read what `to_dict` returned. Raises ValueError, KeyError or TypeError if damaged."""
        knots = np.array(document["knots"], np.float64)
        if knots.shape != (KNOTS,) or not np.isfinite(knots).all() or (np.diff(knots) < 0).any():
            raise ValueError(f"{KNOTS} ascending knots are needed, not an array of {knots.shape}")
        return cls(
            knots,
            float(document["largest"]),
            int(document["pairs"]),
            int(document["people"]),
            str(document["date"]),
            str(document["model_version"]),
        )


def _rounded(number: float, digits: int) -> int:
    """Return a number of 10 or more with so many leading digits."""
    scale = 10 ** (len(str(int(number))) - digits)
    return int(round(number / scale) * scale)
