"""Training on a planted world: it finds strangers' other halves, and says the same each time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import make_profile, ring, ring_content, ring_tags
from safetensors import safe_open

from twotower.core.domain import Playlist, Profile
from twotower.evaluation.data import split_half
from twotower.model import training
from twotower.model.artist_features import World, build_tables, build_world, folds_of
from twotower.model.pipeline import fit
from twotower.model.towers import (
    AUDIO_GROUP,
    DF,
    EXTRA_WIDTH,
    FACTOR,
    GENRE_GROUP,
    PLAYLIST_GROUP,
    TAGS,
    ModelConfig,
)
from twotower.model.training import (
    Record,
    TrainConfig,
    TwoTower,
    Views,
    playlist_titles,
    tables_for,
    together,
    train,
)

LISTENERS = ring(160, artists=16, hits=16)
SHORT = TrainConfig(steps=20)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(LISTENERS[:64], ring_content(), ring_tags(LISTENERS[:64]))


@pytest.fixture(scope="module")
def table(world):
    return build_tables(world, folds_of(world.source, 4, seed=0))[1][0]


def weights(model: TwoTower) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


def reciprocal_rank(embedder) -> float:
    """Mean over 80 listeners never seen in training, each among the 80."""
    queries, candidates = split_half(ring(80, artists=16, hits=16, seed=1), 0)
    scores = embedder.embed(queries, "user") @ embedder.embed(candidates, "candidate").T
    return float((1 / (scores >= scores.diagonal()[:, None]).sum(1)).mean())


def test_strangers_other_halves_are_found_far_above_chance_and_above_the_start(trained):
    chance = (1 / np.arange(1, 81)).mean()
    untrained = fit(LISTENERS, ring_content(), ring_tags(LISTENERS), config=TrainConfig(steps=1))
    start, end = reciprocal_rank(untrained), reciprocal_rank(trained)
    assert end > 4 * chance
    assert end > 1.3 * start > 1.3 * chance


def test_the_same_seed_gives_the_same_weights_and_another_others(world):
    one, two = (weights(train(world, config=SHORT)[0]) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, weights(train(world, config=TrainConfig(steps=20, seed=1))[0]))


class Interrupted(Exception): ...


def stopping_at(step: int):
    def on_record(record: Record) -> None:
        if record.step >= step:
            raise Interrupted

    return on_record


@pytest.fixture
def often_kept(monkeypatch):
    """A state every ten steps, a record every two."""
    monkeypatch.setattr(training, "KEEP_EVERY", 10)
    monkeypatch.setattr(training, "RECORD_EVERY", 2)


@pytest.mark.usefixtures("often_kept")
def test_an_interrupted_training_goes_on_to_the_very_same_result(world, tmp_path):
    config, path = TrainConfig(steps=16), tmp_path / "state.safetensors"
    whole, _, history = train(world, config=config)
    with pytest.raises(Interrupted):
        train(world, config=config, resume=path, on_record=stopping_at(14))
    told: list[int] = []
    again, _, later = train(
        world, config=config, resume=path, on_record=lambda record: told.append(record.step)
    )
    assert told == [12, 14, 16]  # it went on from step 10
    assert np.array_equal(weights(again), weights(whole))
    assert later.records == history.records


@pytest.mark.usefixtures("often_kept")
@pytest.mark.parametrize("spoil", ["cut", "garbled", "empty", "of other data", "of another seed"])
def test_a_state_that_doesnt_fit_is_begun_anew(world, tmp_path, spoil):
    config, path = TrainConfig(steps=12), tmp_path / "state.safetensors"
    moved = build_world(ring(64, artists=16, hits=16, seed=7), ring_content())
    source = moved if spoil == "of other data" else world
    seed = 1 if spoil == "of another seed" else 0
    train(source, config=TrainConfig(steps=12, seed=seed), resume=path)
    data = path.read_bytes()
    if spoil == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif spoil == "garbled":
        path.write_bytes(b"\xff" * 8 + data[8:])
    elif spoil == "empty":
        path.write_bytes(b"")
    told: list[int] = []
    train(world, config=config, resume=path, on_record=lambda record: told.append(record.step))
    assert told[0] == 2


@pytest.mark.usefixtures("often_kept")
def test_the_state_is_kept_whole(world, tmp_path):
    path = tmp_path / "deep" / "state"
    train(world, config=TrainConfig(steps=10), resume=path)
    assert [p.name for p in path.parent.iterdir()] == ["state"]
    with safe_open(path, "pt") as file:
        assert file.metadata()["step"] == "10"


def test_history_tells_each_twentieth_step_and_the_last(world):
    told: list[Record] = []
    _, _, history = train(world, config=TrainConfig(steps=50), on_record=told.append)
    assert [record.step for record in history.records] == [20, 40, 50]
    assert told == history.records
    for record in told:
        assert np.isfinite([record.loss, record.scale, record.alignment, record.uniformity]).all()
        assert 0 <= record.alignment <= 4 and record.uniformity <= 0 and record.scale <= 60


def test_a_loss_that_is_not_a_number_leaves_the_weights_alone(world, monkeypatch):
    real, calls = training.losses.in_batch_softmax, []

    def at_times_broken(*args, **kwargs):
        calls.append(1)
        loss = real(*args, **kwargs)
        return loss * float("nan") if len(calls) % 3 == 0 else loss

    monkeypatch.setattr(training.losses, "BY_NAME", {"softmax": at_times_broken})
    model, _, _ = train(world, config=SHORT)
    assert len(calls) == 20 and np.isfinite(weights(model)).all()
    assert np.abs(model.user.correction[-1].weight.detach().numpy()).max() > 0


def test_few_listeners_with_few_artists_in_common_train_too():
    few = [make_profile(str(n), {f"own {n} {a}": 1.0 for a in range(4)}) for n in range(40)]
    model, _, _ = train(build_world(few), config=SHORT)
    assert np.isfinite(weights(model)).all()


def test_playlists_alone_and_beside_listeners_train_too():
    lists = ring(40, origin="mpd", seed=3)
    for people in (lists, [*LISTENERS[:60], *lists], [*LISTENERS[:60], *lists[:2]]):
        model, _, history = train(build_world(people), config=SHORT)
        assert np.isfinite(weights(model)).all() and history.records


def draw(world: World, table, config: TrainConfig, seed: int = 0, titles=None):
    views = Views(world, table, titles or [{}] * 64)
    return views.draw(np.arange(64), config, np.random.default_rng(seed))


def test_the_two_views_of_a_listener_share_no_artist_and_are_theirs(world, table):
    plain = TrainConfig(groups=0, hide_identity=0)
    sizes = set()
    for seed in range(6):
        users, candidates, inputs, _ = draw(world, table, plain, seed)
        assert len(users) == len(candidates) > 0
        assert not inputs[0].any()
        for user, candidate in zip(users, candidates, strict=True):
            assert not {*user.rows.tolist()} & {*candidate.rows.tolist()}
            assert 2 <= len(user.rows) <= 48 and 1 <= len(candidate.rows) <= 48
            assert user.rows.min() > 0 and (user.plays > 0).all()
            sizes.add(len(user.rows))
    assert len(sizes) > 5  # short and long queries


def test_hidden_identities_are_replaced_by_what_content_says(world, table):
    _, _, shown, _ = draw(world, table, TrainConfig(groups=0, hide_identity=0))
    _, _, hidden, _ = draw(world, table, TrainConfig(groups=0, hide_identity=1))
    assert shown.shape == hidden.shape
    assert (hidden[1:, DF] == torch.tensor([0.0, 0.0, 1.0])).all()
    places = {tuple(np.round(row, 4)) for row in (*table.by_content, *table.by_static)}
    assert all(tuple(np.round(row.numpy(), 4)) in places for row in hidden[1:, FACTOR])
    bare = (hidden[1:, TAGS] == 0).all(1)
    assert bare.float().mean() > 0.2 and not bare.all()
    assert table.inputs[:, DF][:, 0].max() > 0  # the table itself stays as it was


def test_groups_stand_beside_artists_or_alone(world, table):
    titles = [{"jazz": 1.0}] * 64
    config = TrainConfig(groups=1, groups_alone=0.5)
    users, candidates, inputs, extra = draw(world, table, config, titles=titles)
    kinds = [set(user.kinds.tolist()) for user in users]
    assert any(0 in found for found in kinds) and any(0 not in found for found in kinds)
    assert all(0 in set(candidate.kinds.tolist()) for candidate in candidates)
    assert {GENRE_GROUP, PLAYLIST_GROUP, AUDIO_GROUP} < set().union(*kinds)
    assert extra.shape == (len(inputs), EXTRA_WIDTH)
    last = max(s.rows.max() for s in (*users, *candidates))
    assert last == len(inputs) - 1


def test_titles_of_playlists_are_read_for_each_listener(world):
    profiles = [
        Profile("a", playlists=(Playlist("Jazz nights"), Playlist("more jazz and folk"))),
        Profile("b", playlists=(Playlist("Gym"),)),
    ]
    assert playlist_titles(world, profiles) == [{"jazz": 2, "folk": 1}, {}]


def test_it_prints_nothing_and_leaves_no_file(world, tmp_path: Path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(world, config=TrainConfig(steps=2))
    assert capsys.readouterr() == ("", "") and not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": "sigmoid"},
        {"loss": "triplet"},
        {"loss": "bpr"},
        {"cross_fit": False},
        {"in_fold": False},
        {"thresholds": ()},
    ],
    ids=str,
)
def test_each_way_to_train_that_is_compared_is_another_one(world, changed):
    usual = train(world, config=SHORT)[0]
    other = train(world, config=replace(SHORT, **changed))[0]
    assert np.isfinite(weights(other)).all()
    assert not np.allclose(weights(usual), weights(other))


@pytest.mark.parametrize("changed", [{"pooling": "attention"}, {"relative_plays": False}], ids=str)
def test_each_kind_of_tower_that_is_compared_is_another_one(world, changed):
    usual = train(world, config=SHORT)[0]
    other = train(world, config=SHORT, model_config=ModelConfig(**changed))[0]
    assert np.isfinite(weights(other)).all()
    assert not np.allclose(weights(usual), weights(other))


def test_tables_that_are_at_hand_give_the_same_training(world):
    tables = tables_for(world, SHORT)
    assert np.array_equal(
        weights(train(world, config=SHORT, tables=tables)[0]),
        weights(train(world, config=SHORT)[0]),
    )


def test_views_of_several_folds_keep_the_artists_of_their_own_tables(world):
    _, _, parts = tables_for(world, SHORT)
    plain = TrainConfig(groups=0, hide_identity=0)
    drawn = [draw(world, table, plain, seed) for seed, table in enumerate(parts[:2])]
    users, candidates, inputs, extra = together(drawn)
    assert len(users) == len(candidates) == sum(len(each[0]) for each in drawn)
    assert len(inputs) == len(extra) == sum(len(each[2]) for each in drawn)
    for place, (own, other) in enumerate(((users[0], drawn[0]), (users[-1], drawn[1]))):
        first = other[0][0 if place == 0 else -1]
        assert torch.equal(inputs[own.rows], other[2][first.rows])


def test_parts_change_towers_and_plays_go_untold(world, table):
    """Short queries reach both towers, and either side may tell no plays."""
    plain = {"groups": 0.0, "hide_identity": 0.0, "thresholds": ()}
    drawn = [draw(world, table, TrainConfig(**plain), seed) for seed in range(4)]
    pairs = [pair for one in drawn for pair in zip(one[0], one[1], strict=True)]
    assert any(len(u.rows) < len(c.rows) / 2 for u, c in pairs)
    assert any(len(c.rows) < len(u.rows) / 2 for u, c in pairs)
    untold = {((u.plays == 1).all(), (c.plays == 1).all()) for u, c in pairs}
    assert len(untold) == 4
    still = draw(world, table, TrainConfig(**plain, swap=0.0, no_plays=0.0))
    assert all(len(u.rows) <= len(c.rows) for u, c in zip(still[0], still[1], strict=True))
    assert not any((u.plays == 1).all() and len(u.plays) > 2 for u in (*still[0], *still[1]))
