"""Training on planted data: new listeners are found, and results are reproducible."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted import make_profile, ring, ring_content, ring_tags
from safetensors import safe_open

from twotower.evaluation.data import split_half
from twotower.model import training
from twotower.model.artist_features import (
    TrainingData,
    build_training_data,
)
from twotower.model.checkpoint import Record
from twotower.model.pipeline import fit
from twotower.model.towers import (
    ModelConfig,
)
from twotower.model.train_config import TrainConfig
from twotower.model.training import TwoTower, cross_fit_together, train

LISTENERS = ring(160, artists=16, hits=16)
SHORT = TrainConfig(steps=20)


@pytest.fixture(scope="module")
def world() -> TrainingData:
    return build_training_data(LISTENERS[:64], ring_content(), ring_tags(LISTENERS[:64]))


def weights(model: TwoTower) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


def reciprocal_rank(embedder) -> float:
    """Return the mean over 80 new listeners, each among the 80."""
    queries, candidates = split_half(ring(80, artists=16, hits=16, seed=1), 0)
    scores = embedder.embed(queries, "user") @ embedder.embed(candidates, "candidate").T
    return float((1 / (scores >= scores.diagonal()[:, None]).sum(1)).mean())


def test_other_halves_of_new_listeners_are_found_far_above_chance_and_above_the_start(trained):
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
def frequent_checkpoints(monkeypatch):
    """Write a checkpoint every ten steps and a record every two."""
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 10)
    monkeypatch.setattr(training, "RECORD_EVERY", 2)


@pytest.mark.usefixtures("frequent_checkpoints")
def test_an_interrupted_training_continues_to_the_very_same_result(world, tmp_path):
    config, path = TrainConfig(steps=16), tmp_path / "state.safetensors"
    whole, _, records = train(world, config=config)
    with pytest.raises(Interrupted):
        train(world, config=config, resume=path, on_record=stopping_at(14))
    told: list[int] = []
    again, _, later = train(
        world, config=config, resume=path, on_record=lambda record: told.append(record.step)
    )
    assert told == [12, 14, 16]  # it continued from step 10
    assert np.array_equal(weights(again), weights(whole))
    assert later == records


@pytest.mark.usefixtures("frequent_checkpoints")
@pytest.mark.parametrize("spoil", ["cut", "garbled", "empty", "of other data", "of another seed"])
def test_a_checkpoint_that_doesnt_fit_is_ignored(world, tmp_path, spoil):
    config, path = TrainConfig(steps=12), tmp_path / "state.safetensors"
    moved = build_training_data(ring(64, artists=16, hits=16, seed=7), ring_content())
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


@pytest.mark.usefixtures("frequent_checkpoints")
def test_checkpoints_are_written_as_a_whole(world, tmp_path):
    path = tmp_path / "deep" / "state"
    train(world, config=TrainConfig(steps=10), resume=path)
    assert [p.name for p in path.parent.iterdir()] == ["state"]
    with safe_open(path, "pt") as file:
        assert file.metadata()["step"] == "10"


def test_there_is_a_record_of_each_twentieth_step_and_the_last(world):
    told: list[Record] = []
    _, _, records = train(world, config=TrainConfig(steps=50), on_record=told.append)
    assert [record.step for record in records] == [20, 40, 50]
    assert told == records
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
    model, _, _ = train(build_training_data(few), config=SHORT)
    assert np.isfinite(weights(model)).all()


def test_playlists_alone_and_beside_listeners_train_too():
    lists = ring(40, origin="mpd", seed=3)
    for people in (lists, [*LISTENERS[:60], *lists], [*LISTENERS[:60], *lists[:2]]):
        model, _, records = train(build_training_data(people), config=SHORT)
        assert np.isfinite(weights(model)).all() and records


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
        {"min_df_choices": ()},
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


def test_features_computed_before_give_the_same_training(world):
    features = cross_fit_together(world, SHORT)
    assert np.array_equal(
        weights(train(world, config=SHORT, features=features)[0]),
        weights(train(world, config=SHORT)[0]),
    )
