"""The pair table: a match as one in N pairs, with no more digits than were counted."""

import json

import numpy as np
import pytest

from twotower.retrieval.pair_table import KNOTS, LARGEST, MIN_PAIRS, PairTable


def count(matches: np.ndarray, people: int = 5000) -> PairTable:
    table = PairTable.count(matches.copy(), people=people, date="2026-01-31", model_version="abc")
    assert table is not None
    return table


@pytest.fixture(scope="module")
def normal() -> np.ndarray:
    return np.random.default_rng(0).normal(-0.6, 0.13, 1_000_000).astype(np.float32)


def test_one_in_is_the_share_of_pairs_that_are_at_least_as_close(normal):
    table = count(normal)
    for match in (-0.55, -0.4, -0.3, -0.2, -0.15):
        share = (normal >= match).mean()
        assert table.one_in(match) == pytest.approx(1 / share, rel=0.03)


def test_a_closer_match_never_has_a_smaller_number(normal):
    table = count(normal)
    numbers = [table.one_in(match) for match in np.linspace(-2, 1, 500)]
    assert numbers == sorted(numbers)
    assert numbers[0] == pytest.approx(2) and numbers[-1] == pytest.approx(LARGEST)


def test_the_table_ends_where_fifty_pairs_carry_it(normal):
    table = count(normal[:20_000])
    assert table.largest == 400 and len(table.knots) == KNOTS
    assert (normal[:20_000] >= table.knots[-1]).sum() == pytest.approx(50, abs=1)


def test_too_few_pairs_have_no_table(normal):
    few = normal[: MIN_PAIRS - 1].copy()
    assert PairTable.count(few, people=31, date="2026-01-31", model_version="abc") is None


@pytest.mark.parametrize(
    ("one_in", "words"),
    [
        (2.0, "1 in 2"),
        (3.4, "1 in 3"),
        (12.6, "1 in 13"),
        (946.0, "1 in 950"),
        (2449.0, "1 in 2,400"),
        (2501.0, "about 1 in 3,000"),
        (19_000.0, "about 1 in 20,000"),
        (20_000.0, "1 in 20,000+"),
    ],
)
def test_words_have_the_digits_that_a_million_pairs_carry(normal, one_in: float, words: str):
    assert count(normal).words(one_in) == words


def test_a_table_survives_json_and_fits_only_its_model_and_size(normal):
    table = count(normal)
    again = PairTable.from_dict(json.loads(json.dumps(table.to_dict())))
    np.testing.assert_array_equal(again.knots, table.knots)
    assert again.to_dict() == table.to_dict()
    assert table.fits(5000, "abc") and table.fits(5900, "abc") and table.fits(4100, "abc")
    assert not table.fits(6100, "abc") and not table.fits(5000, "abd")


def test_a_damaged_table_is_refused(normal):
    document = count(normal).to_dict()
    with pytest.raises(ValueError, match="128 ascending knots"):
        PairTable.from_dict(document | {"knots": document["knots"][::-1]})
    with pytest.raises(KeyError):
        PairTable.from_dict({"knots": document["knots"]})
