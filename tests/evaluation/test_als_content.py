"""ALS with content."""

import numpy as np
import pytest
from planted import group_of, make_profile, people

from twotower.evaluation.methods.als_content import fit_als_content
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.public import Training


@pytest.fixture(scope="module")
def training():
    keys = [f"g{group} a{artist}" for group in range(20) for artist in range(30)]
    keys += [f"g{group} new" for group in range(20)]  # played by nobody
    content = tuple(
        ArtistContent(key, key, (f"genre of {key.split()[0]}",), {}, None) for key in keys
    )
    return Training(people(300, 12), (), (), content)


def test_listeners_of_unplayed_artists_are_found_by_content(training):
    method = fit_als_content(training)
    pool = people(40, 12, seed=9)
    queries = [make_profile("q", {f"g{group_of(p)} new": 1.0}) for p in pool]
    first = method.scores(queries, pool).argmax(axis=1)
    right = [group_of(pool[at]) == group_of(p) for at, p in zip(first, pool, strict=True)]
    assert np.mean(right) > 0.9


def test_playlists_count_only_if_they_have_a_weight(training):
    lists = tuple(
        make_profile(f"p{n}", {"only here": 1.0, **{f"g3 a{(n + m) % 30}": 1.0 for m in range(8)}})
        for n in range(30)
    )
    given = Training(training.listeners, lists, (), training.content)
    stranger, pool = [make_profile("s", {"only here": 1.0})], people(20, 12, seed=9)
    assert not fit_als_content(given).scores(stranger, pool).any()
    assert fit_als_content(given, playlists=1.0).scores(stranger, pool)[0].argmax() == 3


def test_vectors_are_unit_and_the_scores_are_their_cosines(training):
    method = fit_als_content(training)
    pool = people(5, 12, seed=9)
    vectors = method.vectors(pool, asking=True)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(method.scores(pool, pool), vectors @ vectors.T, atol=1e-6)


def test_unknown_artists_are_similar_to_no_one(training):
    stranger = make_profile("s", {"never heard": 1.0})
    assert not fit_als_content(training).scores([stranger], people(3, 12)).any()
