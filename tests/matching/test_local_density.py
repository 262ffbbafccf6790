"""Surroundings of a snapshot: the same as all pairs at once, and nothing of those who left."""

from dataclasses import replace

import numpy as np
import pytest
from planted import ring

from twotower.community import Community, Member
from twotower.core.domain import Artist, Listener, Profile
from twotower.matching import local_density as module
from twotower.matching.local_density import Surroundings
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


def told(around: Surroundings, community: Community, trained: Embedder) -> dict[str, float]:
    """Nearness of everyone, and that the artists are theirs."""
    snapshot = community.snapshot()
    by_id = {p.id: p for p in PROFILES} | {"new": replace(PROFILES[0], id="new")}
    people = ListenerBatch.of(trained, [by_id[id] for id in snapshot.ids])
    assert alike(around.listening_of(snapshot, snapshot.ids), people.play_rows)
    return dict(
        zip(snapshot.ids, around.nearness_of(snapshot, snapshot.ids, people).tolist(), strict=True)
    )


def expected(trained: Embedder, profiles) -> dict[str, float]:
    people = ListenerBatch.of(trained, profiles)
    near = local_density(similarity(people, people), ~np.eye(len(people), dtype=bool))
    return dict(zip([p.id for p in profiles], near.tolist(), strict=True))


def test_nearness_is_that_of_all_pairs(trained, community):
    around = Surroundings(community, PlayRowReader.of(trained))
    assert told(around, community, trained) == pytest.approx(expected(trained, PROFILES), abs=1e-5)


def test_who_joins_counts_and_who_leaves_counts_no_more(trained, community):
    around = Surroundings(community, PlayRowReader.of(trained))
    before = told(around, community, trained)
    community.join(member(trained, replace(PROFILES[0], id="new")))
    with_new = told(around, community, trained)
    assert with_new[PROFILES[0].id] > before[PROFILES[0].id]
    assert with_new == pytest.approx(
        expected(trained, [*PROFILES, replace(PROFILES[0], id="new")]), abs=1e-5
    )
    community.leave("new")
    community.leave(PROFILES[1].id)
    left = [p for p in PROFILES if p is not PROFILES[1]]
    assert told(around, community, trained) == pytest.approx(expected(trained, left), abs=1e-5)
    assert around._sample is not None and "new" not in around._sample.row_of


def test_who_changes_is_read_anew(trained, community):
    around = Surroundings(community, PlayRowReader.of(trained))
    told(around, community, trained)
    snapshot = community.snapshot()
    other = replace(PROFILES[5], id=PROFILES[0].id)
    community.update(member(trained, other))
    snapshot = community.snapshot()
    changed = around.listening_of(snapshot, [PROFILES[0].id])
    assert alike(changed, ListenerBatch.of(trained, [PROFILES[5]]).play_rows)


def test_in_a_large_crowd_a_sample_tells(trained, community):
    around = Surroundings(community, PlayRowReader.of(trained), sample=25)
    some = told(around, community, trained)
    every = expected(trained, PROFILES)
    assert all(some[id] <= every[id] + 1e-5 for id in every)
    assert np.corrcoef(list(some.values()), [every[id] for id in some])[0, 1] > 0.2
    first = set(around._sample.ids)
    community.leave(next(iter(first)))
    told(around, community, trained)
    assert len(first & set(around._sample.ids)) == 24 and len(around._sample.ids) == 25


def test_many_changes_leave_every_nearness_as_that_of_all_pairs(trained, community, monkeypatch):
    """Carried on from change to change, and worked out anew when those are too many."""
    monkeypatch.setattr(module, "MANY", 12)
    around = Surroundings(community, PlayRowReader.of(trained))
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
        found = around.nearness_of(snapshot, snapshot.ids, people)
        wanted = expected(trained, list(inside.values()))
        assert dict(zip(snapshot.ids, found.tolist(), strict=True)) == pytest.approx(
            wanted, abs=1e-5
        )


def test_who_joins_costs_one_comparison_and_not_all_pairs(trained, community, monkeypatch):
    around = Surroundings(community, PlayRowReader.of(trained))
    told(around, community, trained)
    compared = []

    def counted(ones, others):
        compared.append(len(ones) * len(others))
        return similarity(ones, others)

    monkeypatch.setattr(module, "similarity", counted)
    community.join(member(trained, replace(PROFILES[0], id="new")))
    told(around, community, trained)
    assert sum(compared) == 40 * 1 + 1 * 41  # everyone with the new one, who is asked with all


def test_an_artist_that_is_taken_away_counts_no_more(trained, community):
    """Also one that the model has never met, which leaves the vectors as they were."""
    known = dict(PROFILES[0].artists)
    pair = [
        replace(PROFILES[0], id=id, artists={**known, "somebody new": Artist("Somebody New", 90.0)})
        for id in ("one", "other")
    ]
    for each in pair:
        community.join(member(trained, each))
    around = Surroundings(community, PlayRowReader.of(trained))
    snapshot, people = community.snapshot(), ListenerBatch.of(trained, pair)
    together = around.nearness_of(snapshot, ["one", "other"], people)
    less = replace(pair[1], artists=known)
    community.update(member(trained, less))
    snapshot, people = community.snapshot(), ListenerBatch.of(trained, [pair[0], less])
    apart = around.nearness_of(snapshot, ["one", "other"], people)
    fresh = Surroundings(community, PlayRowReader.of(trained)).nearness_of(
        snapshot, ["one", "other"], people
    )
    np.testing.assert_allclose(apart, fresh, atol=1e-6)
    assert np.abs(apart - together).min() > 1e-4
    assert alike(
        around.listening_of(snapshot, ["other"]), ListenerBatch.of(trained, [less]).play_rows
    )
