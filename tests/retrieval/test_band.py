"""The band: it covers eight of ten on data whose quantiles are known, and never crosses."""

import json
from itertools import pairwise

import numpy as np
import pytest

from twotower.core.errors import IncompatibleModel
from twotower.retrieval.band import FILE, LEVELS, MATCHES, PLACES, Band, fit_band


def pairs(seed: int, count: int = 6000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return matches, dimensions and true matches: the less is known, the wider and lower."""
    rng = np.random.default_rng(seed)
    dimensions = np.exp(rng.uniform(np.log(0.6), np.log(5.2), count))
    matches = rng.uniform(-0.8, 0.0, count)
    spread = 0.1 / dimensions**0.7
    truth = matches - 0.03 / dimensions + spread * rng.normal(size=count)
    return matches, dimensions, truth


@pytest.fixture(scope="module")
def band() -> Band:
    return fit_band(*pairs(0), fitted_with="abc")


def test_the_band_covers_eight_of_ten_of_other_pairs_in_each_class(band):
    matches, dimensions, truth = pairs(1)
    ends = np.array(
        [band.quantiles(np.array([m]), s)[:, 0] for m, s in zip(matches, dimensions, strict=True)]
    )
    inside = (ends[:, 0] <= truth) & (truth <= ends[:, 2])
    for low, high in pairwise(PLACES):
        here = (low <= dimensions) & (dimensions < high)
        assert inside[here].mean() == pytest.approx(0.8, abs=0.06)
        assert (truth < ends[:, 1])[here].mean() == pytest.approx(0.5, abs=0.06)


def test_less_evidence_has_a_wider_band(band):
    widths = [np.ptp(band.quantiles(np.array([-0.3]), s)[[0, 2], 0]) for s in (1.0, 2.0, 4.0)]
    assert widths == sorted(widths, reverse=True)


def test_quantiles_never_cross_and_rise_with_the_match(band):
    everywhere = np.linspace(-1.5, 1.0, 400)
    odd = Band(np.random.default_rng(3).normal(size=(len(LEVELS), len(PLACES), 3)), "abc")
    for each in (band, odd):
        for dimensions in (0.1, 0.9, 1.7, 4.6, 20.0):
            quantiles = each.quantiles(everywhere, dimensions)
            assert (np.diff(quantiles, axis=0) >= 0).all()
            assert (np.diff(quantiles, axis=1) >= -1e-12).all()


def test_beyond_the_fitted_range_the_band_moves_along_with_the_match(band):
    inside, beyond = band.quantiles(np.array([MATCHES[-1], MATCHES[-1] + 0.3]), 2.0).T
    np.testing.assert_allclose(beyond - inside, 0.3)


def test_a_band_is_shown_only_where_it_is_needed_and_right(band):
    assert band.interval(-0.2, 0.9) is None and band.interval(-0.2, 6.0) is None
    interval = band.interval(-0.2, 1.7)
    assert interval is not None and interval.low < interval.middle < interval.high
    hidden = Band(band.coefficients, "abc", ((1.5, 2.0),))
    assert hidden.interval(-0.2, 1.7) is None and hidden.interval(-0.2, 2.0) is not None


def test_a_stored_band_is_the_same_and_a_folder_without_one_has_none(band, tmp_path):
    assert Band.load(tmp_path) is None
    Band(band.coefficients, "abc", ((1.5, 2.0),)).save(tmp_path)
    again = Band.load(tmp_path)
    assert again is not None and (again.fitted_with, again.hidden) == ("abc", ((1.5, 2.0),))
    np.testing.assert_allclose(again.coefficients, band.coefficients, atol=1e-5)


@pytest.mark.parametrize("change", [{"format": 9}, {"places": [1, 2]}, {"coefficients": [[1]]}])
def test_a_damaged_band_is_refused(band, tmp_path, change):
    band.save(tmp_path)
    document = json.loads((tmp_path / FILE).read_text()) | change
    (tmp_path / FILE).write_text(json.dumps(document))
    with pytest.raises(IncompatibleModel, match="restore it"):
        Band.load(tmp_path)
