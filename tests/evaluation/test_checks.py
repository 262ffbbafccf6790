from dataclasses import replace

import pytest
from planted import make_profile, make_sources, people

from twotower.core.errors import MissingData
from twotower.core.names import hashed_id, in_part
from twotower.evaluation.checks import (
    ALL_CHECKS,
    hold_out,
    hold_out_unseen,
    make_tasks,
    make_trials,
)
from twotower.evaluation.splits import most_common_artists
from twotower.sources.datasets.public import read_sources


@pytest.fixture(scope="module")
def sources():
    return make_sources()


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_one_asked_about_is_in_what_a_method_gets(sources, part, number):
    held = hold_out(sources, number, part=part)
    asked = {p.id for p in held.test}
    assert len(asked) == (378 if part == "test" else 303)
    assert not asked & {p.id for p in held.training.listeners}
    assert not asked & {listener for listener, *_ in held.training.tags}
    playlists = {p.id for p in held.test_playlists}
    assert playlists and not playlists & {p.id for p in held.training.playlists}


def test_tags_of_training_listeners_are_all_there(sources):
    held = hold_out(sources, 0)
    assert {t[0] for t in held.training.tags} == {p.id for p in held.training.listeners}


def test_choosing_on_validation_leaves_the_test_alone(sources):
    test, choosing = hold_out(sources, 0), hold_out(sources, 0, part="validation")
    seen = {p.id for p in (*choosing.training.listeners, *choosing.test)}
    assert not seen & {p.id for p in test.test}
    lists = {p.id for p in (*choosing.training.playlists, *choosing.test_playlists)}
    assert not lists & {p.id for p in test.test_playlists}


def test_the_reported_run_trains_on_all_who_are_not_asked(sources):
    held = hold_out(sources, 0)
    assert len(held.test) + len(held.training.listeners) == len(sources.listeners)


def test_playlists_of_the_test_are_large_enough_and_never_withheld(sources):
    small = make_profile("5", {"a": 1.0}, origin="mpd")
    own_id = next(str(n) for n in range(1000, 2000) if in_part(str(n), "012"))
    withheld = replace(people(1, 12, origin="mpd-withheld")[0], id=own_id)
    held = hold_out(replace(sources, playlists=(*sources.playlists, small, withheld)), 0)
    assert all(p.origin == "mpd" and in_part(p.id, "012") for p in held.test_playlists)
    assert all(len(p.artists) >= 10 for p in held.test_playlists)
    assert {small.id, withheld.id} <= {p.id for p in held.training.playlists}


def test_a_stored_model_is_asked_only_about_those_it_has_not_seen(sources):
    seen_listeners, unseen_listeners = sources.listeners[:700], sources.listeners[700:]
    seen = [*seen_listeners, *sources.playlists[:250], *sources.others["germany"][:20]]
    left, held = hold_out_unseen(sources, [hashed_id(p) for p in seen])
    assert held.test == unseen_listeners
    assert held.training.listeners == seen_listeners
    assert held.training.playlists == sources.playlists[:250]
    assert {t[0] for t in held.training.tags} == {p.id for p in seen_listeners}
    assert left.others["germany"] == sources.others["germany"][20:]
    assert all(p in sources.playlists[250:] for p in held.test_playlists)


def test_a_task_pairs_halves_of_the_same_listener(sources):
    held = hold_out(sources, 0)
    halves, full = make_tasks(sources, held, ["halves"])
    assert (halves.check, full.check) == ("halves", "halves, full pool")
    assert len(halves.candidates) == 378 and len(full.candidates) == len(sources.listeners)
    for listener, one, other in zip(held.test, halves.queries, halves.candidates, strict=True):
        assert one.artists.keys() | other.artists.keys() == listener.artists.keys()
    # whole profiles only of those who aren't asked about
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
    assert whole.check == "halves-other, germany"
    assert cut.check == "halves-other, germany, cut to 50"
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


def test_cold_queries_are_cut_and_their_candidates_are_not(sources):
    held = hold_out(sources, 0)
    (halves, _), tasks = (make_tasks(sources, held, [check]) for check in ("halves", "cold"))
    found, stable = tasks[:2]
    assert found.check == stable.check == "cold-3"
    assert all(len(p.artists) == 3 for p in (*found.queries, *stable.cut))
    assert found.candidates == halves.candidates
    assert [p.artists for p in stable.whole] == [p.artists for p in held.test]
    for cut, whole in zip(found.queries, halves.queries, strict=True):
        assert cut.artists.items() <= whole.artists.items()


def test_checks_with_no_one_to_ask_are_left_out(sources):
    bare = replace(sources, playlists=(), others={})
    held = hold_out(bare, 0)
    assert make_tasks(bare, held, ["halves-playlists", "halves-other"]) == []


def test_an_unknown_check_is_a_callers_mistake(sources):
    with pytest.raises(ValueError, match=r"no check nonsense; there are halves"):
        make_tasks(sources, hold_out(sources, 0), ["nonsense"])


def test_a_folder_without_the_data_says_so(tmp_path):
    with pytest.raises(MissingData, match=r"docs/data\.md"):
        read_sources(tmp_path)


def test_each_half_of_those_with_friends_is_asked_once(sources):
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


def test_friendships_are_told_both_ways_and_never_to_a_method(sources):
    held = hold_out(sources, 0)
    (task,) = make_tasks(sources, held, ["friends"])
    ids = [p.id for p in task.pool]
    pairs = {(ids[a], ids[b]) for a, b in zip(*task.friends.nonzero(), strict=True)}
    assert pairs == set(sources.friends) | {(b, a) for a, b in sources.friends}
    assert [ids[row] for row in task.asked] == list(task.ids)
    alone = hold_out(replace(sources, friends=()), 0)
    assert alone.training == held.training


def test_no_training_listens_to_an_artist_whose_identity_is_hidden(sources):
    held = hold_out(sources, 0)
    with_content, without = make_trials(sources, held, ["unseen"])
    (task,) = with_content.tasks
    hidden = {key for query in task.queries for key in query.artists}
    assert task.check == "unseen" and without.tasks[0].check == "unseen, no content"
    assert 0.2 < len(hidden) / len(held.known) < 0.4
    for trial in (with_content, without):
        for profile in (*trial.training.listeners, *trial.training.playlists):
            assert not hidden & profile.artists.keys()
    assert with_content.training.tags == held.training.tags
    assert without.training.tags == () == without.training.content
    whole = {p.id: p for p in held.test}
    for id, query, candidate in zip(task.ids, task.queries, task.candidates, strict=True):
        assert not hidden & candidate.artists.keys()
        assert query.artists.keys() | candidate.artists.keys() == whole[id].artists.keys()


@pytest.mark.parametrize("part", ["test", "validation"])
def test_artists_to_discover_are_in_nobodys_training_as_that_listeners(sources, part):
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


def test_choosing_leaves_the_artists_of_the_test_out_of_training(sources):
    (test,), (choosing,) = (
        make_trials(sources, hold_out(sources, 0, part=part), ["discover"])
        for part in ("test", "validation")
    )
    last = dict(zip(test.tasks[0].ids, test.tasks[0].hidden, strict=True))
    for profile, hidden in zip(choosing.tasks[0].known, choosing.tasks[0].hidden, strict=True):
        assert not last[profile.id] & (profile.artists.keys() | hidden)


def test_checks_that_ask_the_same_fit_share_one(sources):
    trials = make_trials(sources, hold_out(sources, 0), ALL_CHECKS)
    assert [len(trial.tasks) > 1 for trial in trials] == [True, False, False, False]
    assert len({id(trial.training) for trial in trials}) == 4
