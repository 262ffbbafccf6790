"""Synthetic listeners: like real ones in their numbers, and no copies."""

from collections import Counter

import numpy as np
import pytest
import scipy.sparse as sp

from twotower.bundle.synthetic import (
    KIND_SHARES,
    MAX_SHARED,
    MIN_ARTISTS,
    generate_listeners,
    largest_share,
    mixture,
    pseudonyms,
)
from twotower.model.catalogue import Catalogue

GROUPS, ARTISTS, DIM = 4, 800, 16


@pytest.fixture(scope="module")
def world():
    """(plays, tastes, artists, catalogue): 120 listeners in four groups; one artist unheard."""
    rng = np.random.default_rng(0)
    group = np.arange(ARTISTS) % GROUPS
    artists = np.eye(GROUPS, DIM)[group] + 0.2 * rng.standard_normal((ARTISTS, DIM))
    tastes = np.eye(GROUPS, DIM)[np.arange(120) % GROUPS] + 0.1 * rng.standard_normal((120, DIM))
    fit = np.exp(2 * tastes @ artists.T) / (1 + np.arange(ARTISTS) / 50)
    fit[:, -1] = 0
    plays = np.zeros((120, ARTISTS), np.float32)
    for row, share in enumerate(fit / fit.sum(1, keepdims=True)):
        chosen = rng.choice(ARTISTS, rng.integers(5, 60), replace=False, p=share)
        plays[row, chosen] = np.ceil(rng.exponential(50, len(chosen)))
    names = tuple(f"artist {n}" for n in range(ARTISTS))
    df = (plays > 0).sum(0).astype(np.float32)
    return (
        sp.csr_matrix(plays),
        tastes.astype(np.float32),
        artists.astype(np.float32),
        Catalogue(names, names, df),
    )


@pytest.fixture(scope="module")
def people(world):
    return generate_listeners(*world, count=150, seed=3).profiles


def test_each_has_an_id_and_a_pseudonym_and_is_marked_as_synthetic(people):
    assert len(people) == len({p.id for p in people}) == len({p.name for p in people}) == 150
    assert {p.origin for p in people} == {"invented"}


def test_sizes_are_those_of_real_listeners(people, world):
    sizes = [len(p.artists) for p in people]
    real = np.clip(np.diff(world[0].indptr), MIN_ARTISTS, None)
    assert set(sizes) <= set(real.tolist()) and min(sizes) >= MIN_ARTISTS
    assert np.median(sizes) == pytest.approx(np.median(real), rel=0.25)


def test_artists_are_different_and_played_by_a_real_listener(people, world):
    heard = {key for key, df in zip(world[3].keys, world[3].df, strict=True) if df > 0}
    for person in people:
        assert set(person.artists) <= heard
        assert all(a.plays >= 1 and a.plays == int(a.plays) for a in person.artists.values())


def test_no_listener_shares_more_than_half_with_a_real_one(people, world):
    real = [set(row.indices.tolist()) for row in world[0]]
    shares = [
        max(len({world[3].row_of[k] for k in p.artists} & them) for them in real) / len(p.artists)
        for p in people
    ]
    assert max(shares) <= MAX_SHARED
    assert largest_share(people, world[0], world[3]) == pytest.approx(max(shares))


def test_a_copy_of_a_real_listener_has_the_largest_share(people, world):
    copied = people[0].__class__("copy", {
        world[3].keys[row]: people[0].artists[next(iter(people[0].artists))]
        for row in world[0][5].indices
    })  # fmt: skip
    assert largest_share([*people, copied], world[0], world[3]) == 1


def test_artists_of_a_listener_cluster_in_one_group(people):
    """More of a listener's artists are of one group than in a random draw."""
    most = [
        Counter(int(key.split()[1]) % GROUPS for key in p.artists).most_common(1)[0][1]
        / len(p.artists)
        for p in people
    ]
    assert np.mean(most) > 0.5
    favourites = {
        Counter(int(key.split()[1]) % GROUPS for key in p.artists).most_common(1)[0][0]
        for p in people
    }
    assert favourites == set(range(GROUPS))


def test_popular_artists_are_drawn_more_often(people, world):
    drawn = np.zeros(ARTISTS)
    for person in people:
        drawn[[world[3].row_of[key] for key in person.artists]] += 1
    order = np.argsort(-world[3].df)
    assert drawn[order[:100]].sum() > 2 * drawn[order[-400:]].sum() / 4


def test_the_same_seed_gives_the_same_listeners_and_another_seed_others(people, world):
    assert generate_listeners(*world, count=150, seed=3).profiles == people
    assert generate_listeners(*world, count=150, seed=4).profiles != people


def test_kinds_are_drawn_in_their_shares_however_many_there_are():
    weights = mixture(["listener"] * 3 + ["chart"] * 7)
    assert weights.sum() == pytest.approx(1)
    assert weights[:3].sum() == pytest.approx(0.3 / (0.3 + 0.2))
    assert weights[0] == weights[2] and weights[3] == weights[9]
    assert sum(KIND_SHARES.values()) == pytest.approx(1)


def test_only_listeners_with_a_weight_are_drawn(world):
    """Listeners of one group alone: everybody's artists are of it."""
    plays, tastes, artists, catalogue = world
    weights = (np.arange(120) % GROUPS == 1) / 30
    made = generate_listeners(plays, tastes, artists, catalogue, weights=weights, count=20)
    assert set(made.main % GROUPS) == {1}
    heard = np.asarray(plays.T @ weights).ravel() > 0
    rows = [catalogue.row_of[key] for p in made.profiles for key in p.artists]
    assert heard[rows].all()
    assert [len(p.artists) for p in made.profiles] == [
        max(MIN_ARTISTS, len(plays[row].indices)) for row in made.main
    ]


def test_listeners_who_are_not_drawn_are_not_resembled_either(world):
    """Without the rule, half of the listeners would share too much with one of these."""
    made = generate_listeners(*world, count=20, seed=7)
    rows = [[world[3].row_of[key] for key in p.artists] for p in made.profiles[::2]]
    others = np.zeros((len(rows), ARTISTS), np.float32)
    for at, own in enumerate(rows):
        others[at, own] = 1
    again = generate_listeners(*world, others=sp.csr_matrix(others), count=20, seed=7)
    assert largest_share(made.profiles, sp.csr_matrix(others), world[3]) == 1
    assert largest_share(again.profiles, sp.csr_matrix(others), world[3]) <= MAX_SHARED


def test_progress_is_reported_to_the_end(world):
    told: list[float] = []
    generate_listeners(*world, count=20, seed=1, progress=lambda share, text: told.append(share))
    assert told == sorted(told) and told[-1] == 1


def test_pseudonyms_are_different_even_beyond_all_pairs():
    names = pseudonyms(40_000, seed=1)
    assert len(set(names)) == 40_000 and pseudonyms(40_000, seed=1) == names
    assert all(name and name == name.strip() for name in names)
    assert pseudonyms(5, seed=2) != names[:5]


def test_too_few_played_artists_are_refused(world):
    plays, tastes, artists, catalogue = world
    few = sp.csr_matrix(plays.toarray() * (np.arange(plays.shape[1]) < 2 * MIN_ARTISTS - 1))
    with pytest.raises(ValueError, match="played artists"):
        generate_listeners(few, tastes, artists, catalogue, count=5)


def test_if_everyone_would_be_a_copy_it_ends_with_an_error(world):
    _, tastes, artists, catalogue = world
    all_heard = sp.csr_matrix(np.ones((len(tastes), 40), np.float32))  # everyone hears everything
    small = Catalogue(catalogue.keys[:40], catalogue.names[:40], np.ones(40, np.float32))
    with pytest.raises(ValueError, match="share too many artists with a real one"):
        generate_listeners(all_heard, tastes, artists[:40], small, count=5)
