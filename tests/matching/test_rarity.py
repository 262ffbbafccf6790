"""Closeness of a match: the form of the number for each amount of evidence, and its table."""

import json
from dataclasses import replace

import numpy as np
import pytest
from changes import opened
from planted import ring

from twotower.community import queries
from twotower.matching.local_density import LocalDensity
from twotower.matching.matcher import Matcher
from twotower.matching.rarity import TOO_LITTLE, Rarity, closeness_word
from twotower.retrieval.band import PLACES, Band
from twotower.retrieval.pair_table import PairTable
from twotower.retrieval.similarity import (
    ListenerBatch,
    hub_corrected,
    local_density,
    similarity,
)

# .1 lower, in the middle .02 lower, and .05 higher than the match, whatever is known
BAND = Band(
    np.array([[[shift, 1.0, 0.0]] * len(PLACES) for shift in (-0.1, -0.02, 0.05)]), "planted"
)
STRANGERS = ring(4, artists=20, hits=6, origin="file", seed=31)


@pytest.fixture(scope="module")
def matcher(planted_assets, tmp_path_factory) -> Matcher:
    return opened(planted_assets, tmp_path_factory.mktemp("home"))


@pytest.fixture
def rarity(matcher) -> Rarity:
    return Rarity(matcher.community, matcher.local_density, matcher.shipped, BAND)


def table_of(matcher: Matcher) -> PairTable:
    table = matcher.shipped.pair_table
    assert table is not None
    return table


def test_above_enough_evidence_the_number_is_that_of_the_match(rarity, matcher):
    close = rarity.closeness(-0.2, 6.0, table_of(matcher))
    assert close.one_in == pytest.approx(table_of(matcher).one_in(-0.2))
    assert close.words == table_of(matcher).words(close.one_in)
    assert close.low is None and close.one_in_low is None


def test_from_three_dimensions_the_number_is_that_of_the_middle_of_the_band(rarity, matcher):
    table, close = table_of(matcher), rarity.closeness(-0.2, 3.5, table_of(matcher))
    assert (close.low, close.high) == pytest.approx((-0.3, -0.15), abs=1e-6)
    expected = [table.one_in(match) for match in (-0.3, -0.22, -0.15)]
    assert [close.one_in_low, close.one_in, close.one_in_high] == pytest.approx(expected)


def test_below_three_dimensions_there_is_a_word_and_below_one_nothing(rarity, matcher):
    table = table_of(matcher)
    sketch, guess = (rarity.closeness(-0.2, dimensions, table) for dimensions in (1.5, 0.9))
    assert sketch.words == closeness_word(table.one_in(-0.22)) and sketch.one_in is None
    assert sketch.low == pytest.approx(-0.3) and sketch.one_in_low is None
    assert guess.words == TOO_LITTLE and guess.low is None and guess.one_in is None


def test_words_for_few_artists_follow_the_number():
    words = [closeness_word(one_in) for one_in in (20_000, 1000, 999, 100, 10, 3)]
    assert words == ["very close", "very close", "close", "close", "somewhat close", "not close"]


def test_a_community_of_few_has_a_band_and_no_number(rarity):
    close = rarity.closeness(-0.2, 3.5, None)
    assert close.low == pytest.approx(-0.3) and (close.one_in, close.words) == (None, "")


def test_the_order_of_a_list_is_that_of_its_numbers(matcher):
    for band in (None, BAND):
        rarity = Rarity(matcher.community, matcher.local_density, matcher.shipped, band)
        for stranger in STRANGERS:
            listed = matcher.neighbours(matcher.portrait(stranger), 200)
            for dimensions in (2.0, 3.5, 8.0):
                close = [
                    rarity.closeness(n.similarity, dimensions, table_of(matcher)) for n in listed
                ]
                for numbers in ([c.one_in for c in close], [c.low for c in close]):
                    present = [number for number in numbers if number is not None]
                    assert present == sorted(present, reverse=True)


def test_the_table_counts_every_pair_of_the_community_once(matcher):
    everyone = ListenerBatch.of(matcher.embedder, list(matcher.shipped.profiles()))
    scores = similarity(everyone, everyone)
    density = local_density(scores, ~np.eye(len(scores), dtype=bool))
    expected = hub_corrected(scores, density, density)[np.triu_indices(len(scores), 1)]
    matches = matcher.local_density.matches(matcher.snapshot())
    np.testing.assert_allclose(np.sort(matches), np.sort(expected), atol=2e-3)  # stored as halves
    shipped = table_of(matcher)
    assert (shipped.pairs, shipped.people) == (len(expected), 200)
    for match in (-0.5, -0.3, -0.1):
        share = max((expected >= match).mean(), 1 / shipped.largest)
        assert 1 / shipped.one_in(match) == pytest.approx(share, rel=0.06)


def test_a_table_is_counted_once_and_again_when_the_community_has_changed(
    planted_assets, tmp_path, monkeypatch
):
    own = opened(planted_assets, tmp_path)
    shipped = replace(own.shipped, pair_table=None)  # as in older assets
    counted = []
    matches = LocalDensity.matches
    monkeypatch.setattr(
        LocalDensity, "matches", lambda self, s: counted.append(len(s)) or matches(self, s)
    )
    first = Rarity(own.community, own.local_density, shipped, None).table(own.snapshot())
    assert first is not None and counted == [200]
    stored = queries.stored_pair_table(own.community)
    assert stored is not None and json.loads(stored) == first.to_dict()
    again = Rarity(own.community, own.local_density, shipped, None)
    assert again.table(own.snapshot()).to_dict() == first.to_dict() and counted == [200]
    for id in list(own.snapshot().ids)[:41]:
        own.community.leave(id)
    assert again.table(own.snapshot()).people == 159 and counted == [200, 159]
    own.community.put_pair_table("damaged")
    assert Rarity(own.community, own.local_density, shipped, None).table(own.snapshot()) is not None
    assert counted == [200, 159, 159]


def test_the_table_of_another_model_goes_with_its_vectors(planted_assets, tmp_path):
    own = opened(planted_assets, tmp_path)
    other = own.community.with_model("other")
    other.put_pair_table("{}")
    assert queries.stored_pair_table(other) == "{}"
    own.community.drop_vectors("other")
    assert queries.stored_pair_table(other) is None
