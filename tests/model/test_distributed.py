"""Processes that train and embed together: same steps as one process, clear end if one dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing
from planted import ring, ring_content, ring_tags

from twotower.core.errors import BadProfile, LostProcess
from twotower.core.settings import ROOT
from twotower.evaluation.ablation import VARIANTS
from twotower.evaluation.bootstrap import bootstrap
from twotower.evaluation.data import split_half
from twotower.model import training
from twotower.model.artist_features import build_training_data
from twotower.model.batches import collate
from twotower.model.checkpoint import Record
from twotower.model.distributed import SINGLE_PROCESS, ProcessGroup, process_group_from_env
from twotower.model.embedder import Embedder
from twotower.model.losses import BY_NAME, Name
from twotower.model.pipeline import fit
from twotower.model.towers import ModelConfig, TwoTower
from twotower.model.train_config import TrainConfig
from twotower.model.training import TrainingStep, cross_fit_together, train
from twotower.model.views import ViewBatch, ViewSampler, concat_batches
from twotower.sources.profile_jsonl import write_profiles

LISTENERS = ring(160, artists=16, hits=16)
LEARNED: dict[str, tuple[Name, ModelConfig]] = {  # losses and models to compare
    **{name: (name, ModelConfig()) for name in BY_NAME},
    "attention": ("softmax", ModelConfig(pooling="attention")),
    "one tower": ("softmax", ModelConfig(shared=True)),
    "triplet, one tower of attention": ("triplet", ModelConfig(pooling="attention", shared=True)),
}
SHORT = TrainConfig(steps=16)


def torchrun(*args: object) -> subprocess.Popen[str]:
    """Start two processes of `python -m twotower`."""
    command = "-m torch.distributed.run --standalone --nproc-per-node 2 -m twotower"
    return subprocess.Popen(
        [sys.executable, *command.split(), *map(str, args)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def side_by_side(act: Callable[[ProcessGroup, Path], Any], folder: Path) -> list[Any]:
    """Return the results of `act` in each of two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        # a page tested earlier may still be the main module: new processes would run it
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        torch.multiprocessing.spawn(_process, (act, port, folder), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


def _process(rank: int, act: Callable[[ProcessGroup, Path], Any], port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    told = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in told.items()}
    with process_group_from_env() as group:
        torch.save(act(group, folder), folder / f"{rank}.pt")


def drawn(world, parts) -> list[ViewBatch]:
    """Draw views of 40 listeners and of 24 others, as two processes would."""
    views = ViewSampler(world, parts[0], [{"jazz": 1.0}] * 64)
    shares = (np.arange(40), np.arange(40, 64))
    return [
        views.draw(share, SHORT, np.random.default_rng(at), min_df=0)
        for at, share in enumerate(shares)
    ]


def one_step(group: ProcessGroup, batch: ViewBatch) -> dict[str, tuple[float, np.ndarray]]:
    """Return loss and gradient of one step without dropout, for each loss and model."""
    torch.manual_seed(0)
    found = {}
    for name, (loss_name, config) in LEARNED.items():
        model = TwoTower(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():  # zeros would hide gradients
                parameter += 0.02 * torch.randn(parameter.shape)
        counts = group.row_counts(len(batch.users))
        run = group.data_parallel(TrainingStep(model, loss_name))
        one, other, scale = run(
            batch.inputs, batch.extra, collate(batch.users), collate(batch.candidates)
        )
        loss = BY_NAME[loss_name](
            group.all_gather(one, counts),
            group.all_gather(other, counts),
            scale=group.average_gradient(scale),
        )
        (loss * group.count).backward()
        learned = [p for p in model.parameters() if p.requires_grad]
        slopes = [torch.zeros(0) if p.grad is None else p.grad.ravel() for p in learned]
        assert all(map(len, slopes)), "a gradient is missing"
        found[name] = (loss.item(), torch.cat(slopes).numpy())
    return found


def weights(model: TwoTower) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


class Interrupted(Exception): ...


def both_sides(group: ProcessGroup, folder: Path) -> dict[str, Any]:
    """Run everything that needs two processes, in one start."""
    world = build_training_data(LISTENERS[:64], ring_content(), ring_tags(LISTENERS[:64]))
    features = cross_fit_together(world, SHORT, group=group, folder=folder)
    step = one_step(group, drawn(world, features.per_fold)[group.rank])

    training.CHECKPOINT_EVERY, training.RECORD_EVERY = 10, 2
    kept = folder / "state"
    told: list[int] = []

    def stop(record: Record) -> None:
        if record.step >= 14:
            raise Interrupted

    whole = weights(train(world, config=SHORT, features=features, group=group)[0])
    with pytest.raises(Interrupted):
        train(world, config=SHORT, features=features, group=group, resume=kept, on_record=stop)
    group.barrier()
    again, _, records = train(
        world,
        config=SHORT,
        features=features,
        group=group,
        resume=kept,
        on_record=lambda record: told.append(record.step),
    )

    few = replace(SHORT, steps=3)  # a gradient left out in step 1 shows in step 2
    variants = {
        name: train(
            world,
            config=replace(few, **variant.training),
            model_config=ModelConfig(**variant.model),
            features=features,
            group=group,
        )[0]
        for name, variant in VARIANTS.items()
    }

    shared = group.broadcast_from_first(lambda: world, folder)
    shared.plays.data[:] += group.rank + 1  # a private copy
    lost = None
    try:
        group.assert_equal(group.rank)
    except LostProcess as error:
        lost = str(error)
    return {
        "step": step,
        "tables": [each.inputs for each in (features.whole, *features.per_fold)],
        "whole": whole,
        "again": weights(again),
        "records": records,
        "told": told,
        "variants": {name: weights(model) for name, model in variants.items()},
        "shared": (shared.keys == world.keys, shared.plays - world.plays),
        "each": group.gather(lambda: np.full(3, group.rank), folder),
        "first": group.run_in_first(lambda: "made"),
        "lost": lost,
        "kept": kept,
    }


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("two")
    found = side_by_side(both_sides, folder)
    assert list(folder.glob(".*")) == []  # shared files are deleted
    return found


def test_a_step_of_two_has_the_loss_and_the_gradient_of_one_with_all_their_views(two):
    world = build_training_data(LISTENERS[:64], ring_content(), ring_tags(LISTENERS[:64]))
    per_fold = cross_fit_together(world, SHORT).per_fold
    alone = one_step(SINGLE_PROCESS, concat_batches(drawn(world, per_fold)))
    for name in LEARNED:
        loss, slope = alone[name]
        steepest = float(np.abs(slope).max())  # 6e-4 for triplet with attention, 345 for sigmoid
        assert steepest > 1e-4
        for each in two:
            assert each["step"][name][0] == pytest.approx(loss, rel=1e-5)
            assert each["step"][name][1] == pytest.approx(slope, abs=1e-4 * steepest)


def test_jobs_that_two_share_out_give_the_tables_of_one(two):
    world = build_training_data(LISTENERS[:64], ring_content(), ring_tags(LISTENERS[:64]))
    features = cross_fit_together(world, SHORT)
    for each in two:
        for table, shared in zip([features.whole, *features.per_fold], each["tables"], strict=True):
            assert np.array_equal(table.inputs, shared)


def test_both_end_with_the_same_weights_and_go_on_to_them_when_interrupted(two):
    for each in two:
        assert np.array_equal(each["whole"], two[0]["whole"])
        assert np.array_equal(each["again"], each["whole"])
        assert each["told"] == [12, 14, 16] and len(each["records"]) == 8
    world = build_training_data(LISTENERS[:64], ring_content(), ring_tags(LISTENERS[:64]))
    assert not np.array_equal(weights(train(world, config=SHORT)[0]), two[0]["whole"])


def test_two_train_every_variant_to_the_same_weights(two):
    first, second = (each["variants"] for each in two)
    assert set(first) == set(VARIANTS)
    for name in VARIANTS:
        assert np.array_equal(first[name], second[name]), name


def test_one_process_continues_from_the_checkpoint_of_two(two):
    world = build_training_data(LISTENERS[:64], ring_content(), ring_tags(LISTENERS[:64]))
    _, _, records = train(world, config=SHORT, resume=two[0]["kept"])
    assert [record.step for record in records] == [2, 4, 6, 8, 10, 16]


def test_broadcast_reaches_all_processes_and_gather_the_first(two):
    for rank, each in enumerate(two):
        same, more = each["shared"]
        assert same and set(more.data.tolist()) == {rank + 1}
        assert "are at different steps (0, 1)" in each["lost"]
    assert [part.tolist() for part in two[0]["each"]] == [[0, 0, 0], [1, 1, 1]]
    assert two[1]["each"] == [] and (two[0]["first"], two[1]["first"]) == ("made", None)


def failing(group: ProcessGroup, folder: Path) -> str:
    def make() -> int:
        if group.rank == 1:
            raise BadProfile("line 7 is wrong")
        return 0

    try:
        group.gather(make, folder)
    except (BadProfile, SystemExit) as error:
        return repr(error)
    return ""


def test_if_one_fails_it_raises_its_error_and_the_other_exits(tmp_path):
    first, second = side_by_side(failing, tmp_path)
    assert first == "SystemExit(2)" and "line 7 is wrong" in second


def test_without_torchrun_there_is_one_process(monkeypatch):
    for name in ("RANK", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with process_group_from_env() as group:
        assert group is SINGLE_PROCESS
    assert SINGLE_PROCESS.broadcast_from_first(lambda: 1, Path()) == 1 and SINGLE_PROCESS.gather(
        lambda: 1, Path()
    ) == [1]
    assert SINGLE_PROCESS.run_in_first(lambda: 1) == SINGLE_PROCESS.assert_equal(1) == 1


def reciprocal_ranks(embedder: Embedder) -> np.ndarray:
    """Return reciprocal ranks of 200 new listeners, each among the 200."""
    queries, candidates = split_half(ring(200, artists=16, hits=16, seed=1), 0)
    scores = embedder.embed(queries, "user") @ embedder.embed(candidates, "candidate").T
    return 1 / (scores >= scores.diagonal()[:, None]).sum(1)


def rank_of(pid: int) -> str:
    told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next((v[5:].decode() for v in told if v.startswith(b"RANK=")), "")


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
def test_one_of_two_is_killed_and_the_same_call_gets_as_far_as_one_process(tmp_path):
    write_profiles(LISTENERS[:90], tmp_path / "a.jsonl")
    write_profiles(LISTENERS[90:], tmp_path / "b.jsonl.gz")
    out, unfinished = tmp_path / "model", tmp_path / "model.unfinished"
    call = ["train", tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz", "--out", out, "--steps", 160]
    training_ = torchrun(*call)
    while not unfinished.exists():
        assert training_.poll() is None
        time.sleep(0.05)
    (second,) = (pid for pid in children(training_.pid) if rank_of(pid) == "1")
    os.kill(second, signal.SIGKILL)
    _, said = training_.communicate(timeout=120)
    assert training_.returncode != 0 and not out.exists()
    assert said.count("error: another process of this command ended early. Start") == 1

    again = torchrun(*call, "--json")
    _, said = again.communicate(timeout=240)
    assert again.returncode == 0, said
    assert not unfinished.exists() and list(tmp_path.glob(".*")) == []
    two = Embedder.load(out)
    one = fit(LISTENERS, config=TrainConfig(steps=160), estimates=False)
    assert two.catalogue.keys == one.catalogue.keys and two.trained_on == one.trained_on
    ours, theirs = reciprocal_ranks(two), reciprocal_ranks(one)
    found = bootstrap((ours - theirs)[:, None])
    assert found.low <= 0 <= found.high and theirs.mean() > 4 / 200


def test_two_processes_embed_the_same_as_one(tmp_path, trained):
    model = tmp_path / "model"
    trained.save(model)
    write_profiles(LISTENERS[:90], tmp_path / "a.jsonl")
    write_profiles(LISTENERS[90:], tmp_path / "b.jsonl")
    call = ["embed", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--tower", "user"]
    call += ["--model", model, "--out"]
    both = torchrun(*call, tmp_path / "two.npz")
    alone = [sys.executable, "-m", "twotower", *map(str, call), tmp_path / "one.npz"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(alone, cwd=ROOT, env=env, check=True, capture_output=True)
    out, said = both.communicate(timeout=120)
    assert both.returncode == 0, said
    assert "two.npz: 160 vectors" in out
    assert (tmp_path / "two.npz").read_bytes() == (tmp_path / "one.npz").read_bytes()
    assert list(tmp_path.glob(".*")) == []
