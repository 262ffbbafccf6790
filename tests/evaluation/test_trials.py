import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from planted import make_lists, make_profile, make_sources

from twotower.evaluation.data import hold_out, most_common_artists
from twotower.evaluation.trials import ALL_TASKS, make_tasks, make_trials


@pytest.fixture(scope="module")
def sources():
    return make_sources()


def test_a_task_pairs_halves_of_the_same_listener(sources):
    held = hold_out(sources, 0)
    halves, full = make_tasks(sources, held, ["halves"])
    assert (halves.spec.label, full.spec.label) == ("halves", "halves, full pool")
    assert len(halves.candidates) == 378 and len(full.candidates) == len(sources.listeners)
    for listener, one, other in zip(held.test, halves.queries, halves.candidates, strict=True):
        assert one.artists.keys() | other.artists.keys() == listener.artists.keys()
    # the pool has whole profiles, and none of a test listener
    assert not {p.id for p in held.test} & {p.id for p in full.candidates}


def test_head_profiles_hold_only_the_artists_of_most_training_listeners(sources):
    rare = tuple(
        replace(p, artists={**p.artists, f"rare {p.id}": p.artists[next(iter(p.artists))]})
        for p in sources.listeners
    )
    held = hold_out(replace(sources, listeners=rare), 0)
    (task,) = make_tasks(sources, held, ["halves-head"])
    head = set(most_common_artists(held.training.listeners, 1000))
    assert all(p.artists.keys() <= head for p in (*task.queries, *task.candidates))
    assert all(
        len(a.artists) + len(b.artists) >= 8
        for a, b in zip(task.queries, task.candidates, strict=True)
    )


def test_listeners_of_other_sources_need_eight_known_artists(sources):
    stranger = make_profile("s", {f"unknown {n}": 1.0 for n in range(30)}, origin="germany")
    others = {"germany": (*sources.others["germany"], stranger)}
    mixed = replace(sources, others=others)
    whole, cut = make_tasks(mixed, hold_out(mixed, 0), ["halves-other"])
    assert whole.spec.label == "halves-other, germany"
    assert cut.spec.label == "halves-other, germany, cut to 50"
    assert len(whole.ids) == len(cut.ids) == 60 and "s" not in whole.ids


def test_long_profiles_of_other_sources_are_cut_to_the_most_played(sources):
    plays = {key: 1.0 + n for n, key in enumerate(sorted(hold_out(sources, 0).known)[:80])}
    long = make_profile("l", plays, origin="germany")
    mixed = replace(sources, others={"germany": (*sources.others["germany"], long)})
    whole, cut = make_tasks(mixed, hold_out(mixed, 0), ["halves-other"])
    kept = [whole.queries[-1].artists.keys() | whole.candidates[-1].artists.keys()]
    kept.append(cut.queries[-1].artists.keys() | cut.candidates[-1].artists.keys())
    assert kept[0] == plays.keys()
    assert kept[1] == set(list(plays)[-50:])


def test_halves_of_recent_lists_are_searched_among_all_of_them(sources):
    lists = make_lists({"netease": 80, "kexp": 30, "vagalume": 8}, artists=50)
    today = replace(sources, lists=lists)
    held = hold_out(today, 0)
    mean, *tasks = make_tasks(today, held, ["halves-today"])
    counts = Counter(profile.origin for profile in held.test_lists)
    assert counts["vagalume"] == 1  # too few for a task of their own, and for the mean
    assert mean.spec.label == "halves-today" and len(mean.ids) == len(held.test_lists) - 1
    assert [task.spec.label for task in tasks] == ["halves-today, kexp", "halves-today, netease"]
    assert [len(task.ids) for task in tasks] == [counts["kexp"], counts["netease"]]
    whole = {profile.id: profile.artists.keys() for profile in held.test_lists}
    for task in (mean, *tasks):
        assert {p.id for p in task.candidates} == {f"{id}/candidate" for id in whole}
        for query, candidate in zip(task.queries, task.candidates, strict=False):
            id = query.id.removesuffix("/query")
            assert candidate.id == f"{id}/candidate"
            assert query.artists.keys() | candidate.artists.keys() <= whole[id]
            assert len(query.artists) == len(candidate.artists) == 20


def test_the_mean_over_recent_lists_counts_each_source_the_same(sources):
    today = replace(sources, lists=make_lists())
    mean, *tasks = make_tasks(today, hold_out(today, 0), ["halves-today"])
    figures = [task.measure(Meaningless()) for task in tasks]
    assert len(tasks[0].ids) != len(tasks[1].ids)
    for metric, values in mean.measure(Meaningless()).items():
        expected = np.mean([each[metric].mean() for each in figures])
        assert values.mean() == pytest.approx(expected)


class Meaningless:
    """Scores that depend on both profiles, without any meaning."""

    name = "meaningless"

    def scores(self, queries, candidates):
        sums = [
            np.array([sum(map(hash_share, p.artists)) for p in side])
            for side in (queries, candidates)
        ]
        return np.sin(7 * np.add.outer(*sums))


def hash_share(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


def test_cold_queries_are_cut_and_their_candidates_are_not(sources):
    held = hold_out(sources, 0)
    (halves, _), tasks = (make_tasks(sources, held, [check]) for check in ("halves", "cold"))
    found, stable = tasks[:2]
    assert found.spec.label == stable.spec.label == "cold-3"
    assert all(len(p.artists) == 3 for p in (*found.queries, *stable.cut))
    assert found.candidates == halves.candidates
    assert [p.artists for p in stable.whole] == [p.artists for p in held.test]
    for cut, whole in zip(found.queries, halves.queries, strict=True):
        assert cut.artists.items() <= whole.artists.items()


def test_tasks_without_listeners_are_left_out(sources):
    bare = replace(sources, playlists=(), others={})
    held = hold_out(bare, 0)
    assert make_tasks(bare, held, ["halves-playlists", "halves-other"]) == []


def test_an_unknown_task_is_refused(sources):
    with pytest.raises(ValueError, match=r"unknown task nonsense; choose from halves"):
        make_tasks(sources, hold_out(sources, 0), ["nonsense"])


def test_each_listener_with_friends_is_in_the_test_or_in_validation(sources):
    (choosing,), (reported,) = (
        make_tasks(sources, hold_out(sources, 0, part=part), ["friends"])
        for part in ("validation", "test")
    )
    named = {id for pair in sources.friends for id in pair}
    assert set(choosing.ids) | set(reported.ids) == named
    assert not set(choosing.ids) & set(reported.ids)
    assert [p.id for p in choosing.pool] == [p.id for p in reported.pool]
    assert {p.id for p in choosing.pool} == named
    for split in (1, 2):  # the halves stay what they are
        (other,) = make_tasks(sources, hold_out(sources, split), ["friends"])
        assert other.ids == reported.ids


def test_friendships_are_symmetric_and_never_in_the_training(sources):
    held = hold_out(sources, 0)
    (task,) = make_tasks(sources, held, ["friends"])
    ids = [p.id for p in task.pool]
    pairs = {(ids[a], ids[b]) for a, b in zip(*task.friends.nonzero(), strict=True)}
    assert pairs == set(sources.friends) | {(b, a) for a, b in sources.friends}
    assert [ids[row] for row in task.rows] == list(task.ids)
    alone = hold_out(replace(sources, friends=()), 0)
    assert alone.training == held.training


def test_no_training_profile_has_a_hidden_artist(sources):
    charts = tuple(replace(p, id=f"c{p.id}", origin="chart") for p in sources.listeners[:40])
    held = hold_out(replace(sources, charts=charts), 0)
    with_content, without = make_trials(sources, held, ["unseen"])
    (task,) = with_content.tasks
    hidden = {key for query in task.queries for key in query.artists}
    assert task.spec.label == "unseen" and without.tasks[0].spec.label == "unseen, no content"
    assert 0.2 < len(hidden) / len(held.known) < 0.4
    for trial in (with_content, without):
        assert len(trial.training.charts) == len(charts)
        given = trial.training
        for profile in (*given.listeners, *given.playlists, *given.charts):
            assert not hidden & profile.artists.keys()
    assert with_content.training.tags == held.training.tags
    assert without.training.tags == () == without.training.content
    whole = {p.id: p for p in held.test}
    for id, query, candidate in zip(task.ids, task.queries, task.candidates, strict=True):
        assert not hidden & candidate.artists.keys()
        assert query.artists.keys() | candidate.artists.keys() == whole[id].artists.keys()


@pytest.mark.parametrize("part", ["test", "validation"])
def test_artists_to_discover_are_in_no_training_profile_of_that_listener(sources, part):
    held = hold_out(sources, 0, part=part)
    (trial,) = make_trials(sources, held, ["discover"])
    (task,) = trial.tasks
    whole = {p.id: p for p in sources.listeners}
    trained = {p.id: p for p in trial.training.listeners}
    for id, known, hidden in zip(task.ids, task.known, task.hidden, strict=True):
        assert hidden and hidden < whole[id].artists.keys()
        assert not hidden & known.artists.keys() and trained[id] == known
    tagged = {(listener, key) for listener, key, *_ in trial.training.tags}
    assert tagged and all(key in trained[listener].artists for listener, key in tagged)


def test_validation_leaves_the_artists_of_the_test_out_of_training(sources):
    (test,), (choosing,) = (
        make_trials(sources, hold_out(sources, 0, part=part), ["discover"])
        for part in ("test", "validation")
    )
    last = dict(zip(test.tasks[0].ids, test.tasks[0].hidden, strict=True))
    for profile, hidden in zip(choosing.tasks[0].known, choosing.tasks[0].hidden, strict=True):
        assert not last[profile.id] & (profile.artists.keys() | hidden)


def test_tasks_with_the_same_training_share_one_fit(sources):
    trials = make_trials(sources, hold_out(sources, 0), ALL_TASKS)
    assert [len(trial.tasks) > 1 for trial in trials] == [True, False, False, False, True]
    assert len({id(trial.training) for trial in trials}) == 5
