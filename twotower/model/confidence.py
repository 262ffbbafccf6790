"""Confidence: one number for how surely the model knows a listener's taste.

It is the expected MRR of finding the hidden half of such a profile among POOL people. A score of
the evidence is calibrated by a monotone curve, fitted on listeners that the model never saw.
`python -m twotower calibrate` fits the curve and stores it with the model.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

from twotower.core.domain import Coverage
from twotower.core.errors import IncompatibleModel
from twotower.core.files import atomic_write

FILE, FORMAT = "confidence.json", 1
POOL = 300  # people among whom the hidden half is looked for, itself included
# A play of an artist known by genre only, beside 1 for an artist known from listening. Measured by
# hiding artists' identities: such plays are worth 0 to .1 of the others.
GENRE_WEIGHT = 0.1
# Unknown plays are a coherent part of a taste: with less than MIN_HEARD of the plays known, the
# other half of such profiles was found with an MRR of at most .7, however many artists were known.
MIN_HEARD, MOST_IF_LITTLE_IS_HEARD = 0.35, 0.7
# Fewer effective dimensions are too little to tell how close two people are: artists that hardly
# anybody in training played settle little, however many they are. Then a sketch is the most.
MIN_DIMENSIONS = 1.0
BOUNDS = (0.65, 0.8, 0.9)  # least expected MRR of a sketch, a good picture, a full picture


class Grade(IntEnum):
    """Confidence as a word, lowest first."""

    GUESS = 0
    SKETCH = 1
    GOOD = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class Confidence:
    """Certainty of the model about a listener's taste."""

    heard: float  # share of the plays that count as known from listening, 0..1
    expected_mrr: float  # of finding the hidden half of such a profile among POOL people, 0..1
    dimensions: float = math.inf  # effective dimensions of the profile

    @property
    def grade(self) -> Grade:
        """The word for it; a sketch at most with less than MIN_DIMENSIONS."""
        grade = Grade(sum(self.expected_mrr >= bound for bound in BOUNDS))
        return grade if self.dimensions >= MIN_DIMENSIONS else min(grade, Grade.SKETCH)


def heard_share(coverage: Coverage) -> float:
    """Return the share of the plays, 0..1, that count as known from listening.

    A play of an artist known by genre only counts GENRE_WEIGHT.
    """
    return coverage.from_listening + GENRE_WEIGHT * coverage.by_genre


def evidence_score(coverage: Coverage) -> float:
    """Return the effective number of artists heard times the share of the plays heard, 0 or more.

    On validation listeners it predicts the MRR and the overlap of neighbours better than effective
    dimensions do (docs/experiments.md).
    """
    return coverage.effective_heard * heard_share(coverage)


@dataclass(frozen=True, slots=True)
class ConfidenceCurve:
    """Piecewise linear map from a score of the evidence to an expected MRR."""

    scores: tuple[float, ...]  # of the knots, ascending
    mrr: tuple[float, ...]  # expected at each knot, ascending, 0..1

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.mrr) or not self.scores:
            raise ValueError(f"{len(self.scores)} scores and {len(self.mrr)} values of a curve")
        if not (_ascends(self.scores) and _ascends(self.mrr)) or self.mrr[-1] > 1:
            raise ValueError("a curve of confidence ascends, and its values are in 0..1")

    def expected_mrr(self, scores: np.ndarray, heard: np.ndarray) -> np.ndarray:
        """Return the expected MRR (n,); constant beyond the first and last knot.

        scores  (n,) of the evidence
        heard   (n,) share of the plays heard; with little of it, the result has an upper bound
        """
        expected = np.interp(scores, self.scores, self.mrr)
        most = np.where(heard < MIN_HEARD, MOST_IF_LITTLE_IS_HEARD, 1.0)
        return np.asarray(np.minimum(expected, most))

    def confidence(self, coverage: Coverage, dimensions: float = math.inf) -> Confidence:
        """Return the confidence for a profile of which so much is known.

        dimensions  effective dimensions of the profile
        """
        score, heard = evidence_score(coverage), heard_share(coverage)
        expected = self.expected_mrr(np.array([score]), np.array([heard]))
        return Confidence(heard, float(expected[0]), dimensions)

    def save(self, folder: Path) -> None:
        """Write the curve into a model folder."""
        knots = [list(knot) for knot in zip(self.scores, self.mrr, strict=True)]
        document = {"format": FORMAT, "pool": POOL, "knots": knots}
        with atomic_write(folder / FILE) as file:
            file.write(f"{json.dumps(document)}\n".encode())

    @classmethod
    def load(cls, folder: Path) -> "ConfidenceCurve":
        """Read the curve of a model folder; DEFAULT_CURVE if the model has none.

        Raises IncompatibleModel if the file is damaged or of another format.
        """
        path = folder / FILE
        if not path.exists():
            return DEFAULT_CURVE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']} in place of {FORMAT}")
            scores, mrr = zip(*((float(x), float(y)) for x, y in document["knots"]), strict=True)
            return cls(scores, mrr)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IncompatibleModel(
                f"{FILE} in {folder.name} can't be read ({error}): write it with "
                "`python -m twotower calibrate`"
            ) from error


def _ascends(values: Sequence[float]) -> bool:
    return bool(np.isfinite(values).all() and values[0] >= 0 and (np.diff(values) >= 0).all())


# For models without a curve of their own: fitted for the model of version 0.1, on the validation
# listeners of split 0 (303 of HetRec, 177 playlists, 41 lists of today).
DEFAULT_CURVE = ConfidenceCurve(
    (0.0, 0.0126, 0.0911, 0.236, 0.5252, 1.11, 2.1533, 3.2581, 4.6219, 6.9094, 16.3573),
    (0.0209, 0.2248, 0.287, 0.4527, 0.4847, 0.5659, 0.57, 0.6948, 0.7279, 0.8024, 0.8969),
)
