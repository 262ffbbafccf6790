"""Spreads of audio attributes."""

import pytest

from twotower.core.domain import AUDIO, spreads


def test_spreads_by_hand():
    heard = [({"energy": 0.2, "tempo": 90.0}, 3.0), ({"energy": 0.6}, 1.0), ({}, 5.0)]
    found = spreads(one for one in heard)
    # energy: (0.2 * 3 + 0.6) / 4 = 0.3; (3 * 0.01 + 0.09) / 4 = 0.03
    assert list(found) == [name for name in AUDIO if name in ("energy", "tempo")]
    assert found["energy"].mean == pytest.approx(0.3)
    assert found["energy"].std == pytest.approx(0.03**0.5)
    assert (found["tempo"].mean, found["tempo"].std) == (90.0, 0.0)
    assert spreads([]) == {}
