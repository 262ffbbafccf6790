"""Artists to pick first."""

import numpy as np
from planted import quarter, ring

from twotower.bundle.suggestions import SUGGESTED, suggested_artists
from twotower.core.domain import Profile
from twotower.model.embedder import Embedder


def suggested_keys(people: list[Profile], weights: np.ndarray, embedder: Embedder) -> list[str]:
    names = suggested_artists(people, weights, embedder)
    return [embedder.catalogue.keys[embedder.catalogue.names.index(name)] for name in names]


def test_they_are_the_most_heard_and_of_different_tastes(trained):
    people = ring(80, artists=16)
    keys = suggested_keys(people, np.full(80, 1 / 80), trained)
    heard = {key: sum(key in p.artists for p in people) for key in trained.catalogue.keys}
    assert heard[keys[0]] == max(heard.values())
    assert {quarter(key) for key in keys} == {0, 1, 2, 3}
    assert len(set(keys)) == len(keys) <= SUGGESTED


def test_profiles_without_weight_do_not_count(trained):
    people = ring(80, artists=16)
    weights = np.array([float(n % 4 == 2) for n in range(80)])  # those in the third quarter
    own = {key for n, p in enumerate(people) if n % 4 == 2 for key in p.artists}
    names = suggested_artists(people, weights, trained)
    assert (
        names and {trained.catalogue.keys[trained.catalogue.names.index(n)] for n in names} <= own
    )
