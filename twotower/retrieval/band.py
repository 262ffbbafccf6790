"""Band of a match: where it would lie if more of the listener were known.

A profile of few artists gives an uncertain match. The band holds the 10th, 50th and 90th percentile
of the match that the whole profile would have, given the match m and the effective dimensions s of
the profile. Each is a quadratic in m,

    q(m, s) = a(s) + b(s) m + d(s) (m + .35)^2,

with a, b and d piecewise linear in log s. It is fitted once per model, by quantile regression
(Koenker and Bassett, 1978) on listeners that the model never saw, and stored as JSON beside it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from twotower.core.errors import IncompatibleModel
from twotower.model.confidence import MIN_DIMENSIONS

FILE, FORMAT = "band.json", 1
LEVELS = (0.1, 0.5, 0.9)
PLACES = (0.6, 1.0, 1.5, 2.1, 3.0, 4.0, 5.2)  # values of s; constant beyond the ends
CENTRE = 0.35
MATCHES = np.linspace(-0.85, 0.2, 211)  # fitted range of m; beyond it the band moves along with m
SOFTENING = (0.05, 0.01, 0.002)  # of the pinball loss, in turn
MAX_DIMENSIONS = 5.2  # above: no band is needed; below MIN_DIMENSIONS: no number
ENOUGH_FOR_N = 3.0  # dimensions, about 20 artists: below, a band of N spans a factor of 28 or more
CLASSES = (0.0, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 5.2)  # edges of dimensions that are checked


class Interval(NamedTuple):
    """The middle and both ends of an 80 % band."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Band:
    """Conditional quantiles of the whole profile's match."""

    coefficients: np.ndarray  # (LEVELS, PLACES, 3) a, b and d
    fitted_with: str  # version of the model whose held-out listeners it was fitted on
    hidden: tuple[tuple[float, float], ...] = ()  # classes of dimensions without a right coverage

    def interval(self, match: float, dimensions: float) -> Interval | None:
        """Return the band of a match, or None if it is not shown for such a profile.

        For one profile, a higher match never has a lower end or middle of its band.
        """
        if not MIN_DIMENSIONS <= dimensions <= MAX_DIMENSIONS:
            return None
        if any(low <= dimensions < high for low, high in self.hidden):
            return None
        return Interval(*self.quantiles(np.array([match]), dimensions)[:, 0].tolist())

    def quantiles(self, matches: np.ndarray, dimensions: float) -> np.ndarray:
        """Return (LEVELS, n) quantiles for matches (n,) of a profile, whatever is known of it."""
        table = self._table(dimensions)
        inside = np.clip(matches, MATCHES[0], MATCHES[-1])
        rows = np.array([np.interp(inside, MATCHES, row) for row in table])
        return np.asarray(rows + (matches - inside))

    def _table(self, dimensions: float) -> np.ndarray:
        """Return (LEVELS, MATCHES) quantiles, rising along both axes."""
        weights = _place_weights(np.array([dimensions]))[0]  # (PLACES,)
        a, b, d = np.moveaxis(weights @ self.coefficients, -1, 0)[:, :, None]  # (LEVELS, 1) each
        table = a + b * MATCHES + d * np.square(MATCHES + CENTRE)
        return np.maximum.accumulate(np.sort(table, axis=0), axis=1)

    def save(self, folder: Path) -> None:
        """Write the band into the folder of a model and its community."""
        document = {
            "format": FORMAT,
            "fitted_with": self.fitted_with,
            "levels": LEVELS,
            "places": PLACES,
            "coefficients": np.round(self.coefficients, 5).tolist(),
            "hidden": [list(each) for each in self.hidden],
        }
        (folder / FILE).write_text(f"{json.dumps(document, indent=1)}\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Band | None":
        """Read the band of a folder; None if there is none.

        Raises IncompatibleModel if the file is damaged or of another format.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            return cls._parse(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IncompatibleModel(
                f"{FILE} in {folder.name} can't be read ({error}): restore it, or write it with "
                "`python -m twotower evaluate --check calibration --band FILE`"
            ) from error

    @classmethod
    def _parse(cls, document: Mapping[str, Any]) -> "Band":
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']} in place of {FORMAT}")
        if (tuple(document["levels"]), tuple(document["places"])) != (LEVELS, PLACES):
            raise ValueError("levels or places are of another version")
        coefficients = np.array(document["coefficients"], np.float64)
        if coefficients.shape != (len(LEVELS), len(PLACES), 3):
            raise ValueError(f"coefficients of shape {coefficients.shape}")
        hidden = tuple((float(low), float(high)) for low, high in document["hidden"])
        return cls(coefficients, str(document["fitted_with"]), hidden)


def fit_band(
    matches: np.ndarray, dimensions: np.ndarray, truth: np.ndarray, *, fitted_with: str
) -> Band:
    """Fit the quantiles of `truth`, the matches (n,) of whole profiles.

    matches     (n,) of profiles with fewer artists, with the same people
    dimensions  (n,) effective dimensions of those profiles
    """
    design = _design(matches, dimensions)  # (n, PLACES * 3)
    shape = (len(PLACES), 3)
    return Band(
        np.array([_quantile_regression(design, truth, q).reshape(shape) for q in LEVELS]),
        fitted_with,
    )


def _design(matches: np.ndarray, dimensions: np.ndarray) -> np.ndarray:
    terms = np.stack([np.ones_like(matches), matches, np.square(matches + CENTRE)], 1)  # (n, 3)
    products = _place_weights(dimensions)[:, :, None] * terms[:, None, :]  # (n, PLACES, 3)
    return np.asarray(products.reshape(len(matches), -1))


def _place_weights(dimensions: np.ndarray) -> np.ndarray:
    """Return (n, PLACES) weights that interpolate between the places, linear in log dimensions."""
    places = np.log(PLACES)
    logs = np.clip(np.log(np.maximum(dimensions, 1e-9)), places[0], places[-1])
    return np.array([np.interp(logs, places, unit) for unit in np.eye(len(places))]).T


def _quantile_regression(design: np.ndarray, truth: np.ndarray, level: float) -> np.ndarray:
    """Return coefficients (k,) of the quantile `level` of truth (n,) given design (n, k).

    Minimises the pinball loss by L-BFGS, softened near zero, a little less in each round.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(coefficients: np.ndarray, softening: float) -> tuple[float, np.ndarray]:
        rest = truth - design @ coefficients
        value = level * rest + softening * np.logaddexp(0.0, -rest / softening)
        slope = level - expit(-rest / softening)
        return float(value.mean()), -(design.T @ slope) / len(truth)

    coefficients = np.tile([0.0, 1.0, 0.0], len(PLACES))
    for softening in SOFTENING:
        solution = minimize(
            loss, coefficients, args=(softening,), jac=True, method="L-BFGS-B",
            options={"maxiter": 400, "maxfun": 800, "ftol": 1e-11, "gtol": 1e-8},
        )  # fmt: skip
        coefficients = solution.x
    return np.asarray(coefficients)
