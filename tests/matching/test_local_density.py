"""Local density: the same as from all pairs at once, and nothing remains of those who left."""

from dataclasses import replace

import numpy as np
import pytest
from planted import ring

from twotower.community import Community, Member
from twotower.core.domain import Artist, Listener, Profile
from twotower.matching import local_density as module
from twotower.matching.local_density import LocalDensity
from twotower.model.embedder import Embedder
from twotower.retrieval.similarity import (
    ListenerBatch,
    PlayRowReader,
    PlayRows,
    local_density,
    similarity,
)

PROFILES = ring(40, artists=16, hits=8, origin="file", seed=51)


def member(embedder: Embedder, profile: Profile) -> Member:
    listed = tuple((artist.name, artist.plays) for artist in profile.artists.values())
    user, candidate = embedder.embed([profile], "user"), embedder.embed([profile], "candidate")
    return Member(Listener(profile.id, profile.id, "file", listed, (), None), user[0], candidate[0])


@pytest.fixture
def community(trained, tmp_path) -> Community:
    opened = Community.open(f"sqlite:///{tmp_path / 'c.sqlite'}", model_version="v")
    for profile in PROFILES:
        opened.join(member(trained, profile))
    return opened


def alike(one: PlayRows, other: PlayRows) -> bool:
    return (
        abs(one.tfidf - other.tfidf).max() < 1e-6
        and abs(one.plays - other.plays).max() < 1e-6
        and np.allclose(one.item_item_norm, other.item_item_norm, atol=1e-6)
    )


def densities(density: LocalDensity, trained: Embedder) -> dict[str, float]:
    """Return everyone's density, after checking that the play rows are theirs."""
    snapshot = density.community.snapshot()
    by_id = {p.id: p for p in PROFILES} | {"new": replace(PROFILES[0], id="new")}
    people = ListenerBatch.of(trained, [by_id[id] for id in snapshot.ids])
    assert alike(density.play_rows(snapshot, snapshot.ids), people.play_rows)
    return dict(
        zip(snapshot.ids, density.of_members(snapshot, snapshot.ids, people).tolist(), strict=True)
    )


def expected(trained: Embedder, profiles) -> dict[str, float]:
    people = ListenerBatch.of(trained, profiles)
    near = local_density(similarity(people, people), ~np.eye(len(people), dtype=bool))
    return dict(zip([p.id for p in profiles], near.tolist(), strict=True))


def test_density_is_that_of_all_pairs(trained, community):
    density = LocalDensity(community, PlayRowReader.of(trained))
    assert densities(density, trained) == pytest.approx(expected(trained, PROFILES), abs=1e-5)


def test_a_visitors_density_is_that_to_everyone_but_the_member_with_the_same_id(trained, community):
    density = LocalDensity(community, PlayRowReader.of(trained))
    snapshot, exact = community.snapshot(), expected(trained, PROFILES)
    for profile in PROFILES[:5]:
        visitor = ListenerBatch.of(trained, [profile])
        same = density.of_visitor(snapshot, visitor, profile.id)
        assert same == pytest.approx(exact[profile.id], abs=1e-5)
        assert density.of_visitor(snapshot, visitor, "me") > same


def test_new_members_count_and_those_who_left_do_not(trained, community):
    density = LocalDensity(community, PlayRowReader.of(trained))
    before = densities(density, trained)
    community.join(member(trained, replace(PROFILES[0], id="new")))
    with_new = densities(density, trained)
    assert with_new[PROFILES[0].id] > before[PROFILES[0].id]
    assert with_new == pytest.approx(
        expected(trained, [*PROFILES, replace(PROFILES[0], id="new")]), abs=1e-5
    )
    community.leave("new")
    community.leave(PROFILES[1].id)
    left = [p for p in PROFILES if p is not PROFILES[1]]
    assert densities(density, trained) == pytest.approx(expected(trained, left), abs=1e-5)
    assert density._sample is not None and "new" not in density._sample.row_of


def test_changed_members_are_read_again(trained, community):
    density = LocalDensity(community, PlayRowReader.of(trained))
    densities(density, trained)
    snapshot = community.snapshot()
    other = replace(PROFILES[5], id=PROFILES[0].id)
    community.update(member(trained, other))
    snapshot = community.snapshot()
    changed = density.play_rows(snapshot, [PROFILES[0].id])
    assert alike(changed, ListenerBatch.of(trained, [PROFILES[5]]).play_rows)


def test_a_large_community_is_sampled(trained, community):
    density = LocalDensity(community, PlayRowReader.of(trained), max_sample=25)
    some = densities(density, trained)
    every = expected(trained, PROFILES)
    assert all(some[id] <= every[id] + 1e-5 for id in every)
    assert np.corrcoef(list(some.values()), [every[id] for id in some])[0, 1] > 0.2
    first = set(density._sample.ids)
    community.leave(next(iter(first)))
    densities(density, trained)
    assert len(first & set(density._sample.ids)) == 24 and len(density._sample.ids) == 25


def test_after_many_changes_every_density_is_that_of_all_pairs(trained, community, monkeypatch):
    """The cache is updated change by change, and dropped when there are too many."""
    monkeypatch.setattr(module, "MAX_CHANGES", 12)
    density = LocalDensity(community, PlayRowReader.of(trained))
    rng = np.random.default_rng(3)
    inside = {p.id: p for p in PROFILES}
    more = iter(ring(40, artists=16, hits=8, origin="file", seed=52))
    for step in range(24):
        act = rng.integers(3)
        some = list(inside)[rng.integers(len(inside))]
        if act == 0:
            new = replace(next(more), id=f"more {step}")
            community.join(member(trained, new))
            inside[new.id] = new
        elif act == 1:
            inside[some] = replace(next(more), id=some)
            community.update(member(trained, inside[some]))
        else:
            community.leave(some)
            del inside[some]
        snapshot = community.snapshot()
        people = ListenerBatch.of(trained, [inside[id] for id in snapshot.ids])
        found = density.of_members(snapshot, snapshot.ids, people)
        wanted = expected(trained, list(inside.values()))
        assert dict(zip(snapshot.ids, found.tolist(), strict=True)) == pytest.approx(
            wanted, abs=1e-5
        )


def test_a_new_member_costs_one_comparison_and_not_all_pairs(trained, community, monkeypatch):
    density = LocalDensity(community, PlayRowReader.of(trained))
    densities(density, trained)
    compared = []

    def counted(ones, others):
        compared.append(len(ones) * len(others))
        return similarity(ones, others)

    monkeypatch.setattr(module, "similarity", counted)
    community.join(member(trained, replace(PROFILES[0], id="new")))
    densities(density, trained)
    assert sum(compared) == 40 * 1 + 1 * 41  # everyone with the new one, and the new one with all


def test_an_artist_that_was_removed_no_longer_counts(trained, community):
    """Also one that the model doesn't know, which leaves the vectors unchanged."""
    known = dict(PROFILES[0].artists)
    pair = [
        replace(PROFILES[0], id=id, artists={**known, "somebody new": Artist("Somebody New", 90.0)})
        for id in ("one", "other")
    ]
    for each in pair:
        community.join(member(trained, each))
    density = LocalDensity(community, PlayRowReader.of(trained))
    snapshot, people = community.snapshot(), ListenerBatch.of(trained, pair)
    together = density.of_members(snapshot, ["one", "other"], people)
    less = replace(pair[1], artists=known)
    community.update(member(trained, less))
    snapshot, people = community.snapshot(), ListenerBatch.of(trained, [pair[0], less])
    apart = density.of_members(snapshot, ["one", "other"], people)
    fresh = LocalDensity(community, PlayRowReader.of(trained)).of_members(
        snapshot, ["one", "other"], people
    )
    np.testing.assert_allclose(apart, fresh, atol=1e-6)
    assert np.abs(apart - together).min() > 1e-4
    assert alike(
        density.play_rows(snapshot, ["other"]), ListenerBatch.of(trained, [less]).play_rows
    )
