"""Time and memory of the artist features, and of training, by number of listeners.

    python benchmarks/training.py [--listeners 2000 10000 50000] [--artists 78906] [--steps 40]

Synthetic listeners with 50 artists each are drawn from a seed. Each size runs in its own process
with one thread, so that memory is measured apart. Larger sizes are calculated from the slope
between the two largest, and marked as calculated.
"""

import argparse
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from results import peak_mb, resident_mb, write

from twotower.model import als as factors
from twotower.model.artist_features import build_training_data
from twotower.model.content import ContentSpace
from twotower.model.distributed import ProcessGroup, process_group_from_env
from twotower.model.packed_profiles import PackedProfiles, pack
from twotower.model.pipeline import fit_item_item, prepare
from twotower.model.train_config import TrainConfig
from twotower.model.training import train
from twotower.sources.profile_jsonl import write_profiles
from twotower.sources.sharding import read_shard

EACH = 50  # artists of a listener
GROUPS = 200  # tastes; 90 % of a listener's artists are of one or two of them
SIZES = (100_000, 1_000_000, 10_000_000)  # to calculate
# Parts that depend on the number of artists, which is the same at all sizes.
OF_ARTISTS = ("SVD of names and genres", "ridge", "rest of tables", "companions")
READ = 2000  # profiles, to time reading
PARTS = (
    "SVD of names and genres",
    "rows",
    "ALS, all",
    "ALS, folds",
    "ridge",
    "rest of tables",
    "companions",
)


def draw_listeners(listeners: int, artists: int, seed: int) -> PackedProfiles:
    """Draw listeners of Zipf-distributed artists, 90 % of them from one or two groups."""
    rng = np.random.default_rng([seed, listeners])
    fame = 1 / (np.arange(artists) + 30.0)
    groups = rng.integers(GROUPS, size=(listeners, 2))
    of_group = [np.arange(g, artists, GROUPS) for g in range(GROUPS)]
    shares = [np.cumsum(fame[rows]) / fame[rows].sum() for rows in of_group]
    whole = np.cumsum(fame) / fame.sum()
    rows = np.searchsorted(whole, rng.random((listeners, EACH))).astype(np.int32)
    group = np.take_along_axis(groups, rng.integers(2, size=(listeners, EACH)), axis=1)
    inside = rng.random((listeners, EACH)) < 0.9
    place = rng.random((listeners, EACH))
    for g in range(GROUPS):
        here = inside & (group == g)
        rows[here] = of_group[g][np.searchsorted(shares[g], place[here])]
    rows.sort(axis=1)
    new = np.concatenate([np.ones((listeners, 1), bool), np.diff(rows, axis=1) > 0], axis=1)
    indptr = np.concatenate([[0], np.cumsum(new.sum(1))])
    names = tuple(f"{_name(row)} {row}" for row in range(artists))
    return PackedProfiles(
        names,
        names,
        np.zeros(artists, np.int64),
        indptr,
        rows[new],
        np.ceil(rng.exponential(60, indptr[-1])),
        np.arange(listeners),
        tuple(f"i{n}" for n in range(listeners)),
        ("invented",) * listeners,
        ((),) * listeners,
    )


def _name(row: int) -> str:
    """Return a word that a few artists share, so that name n-grams have something to fit."""
    return "".join("aeiou"[row // 5**at % 5] + "bdfglmnprst"[row // 11**at % 11] for at in range(3))


@contextmanager
def record_seconds(spent: dict[str, list[float]]) -> Iterator[None]:
    """Record the seconds of each call that computes features."""

    def timed(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> Any:
            start = time.perf_counter()
            try:
                return act(*args, **kwargs)
            finally:
                spent.setdefault(name, []).append(time.perf_counter() - start)

        return call

    with (
        mock.patch.object(factors, "als", timed("als", factors.als)),
        mock.patch.object(factors, "ridge", timed("ridge", factors.ridge)),
        mock.patch.object(ContentSpace, "fit", timed("svd", ContentSpace.fit)),
        mock.patch(
            "twotower.model.pipeline.build_training_data", timed("data", build_training_data)
        ),
    ):
        yield


def measure(listeners: int, artists: int, steps: int, seed: int, answer: Any) -> None:
    """Measure seconds of each part and memory, in this process."""
    torch.set_num_threads(1)
    people = draw_listeners(listeners, artists, seed)
    before = resident_mb()
    spent: dict[str, list[float]] = {}
    config = TrainConfig(steps=steps, seed=seed)
    start = time.perf_counter()
    with record_seconds(spent):
        ready = prepare(people, config=config)
    whole = time.perf_counter() - start
    svd, data, als, ridge = (spent[name] for name in ("svd", "data", "als", "ridge"))
    start = time.perf_counter()
    fit_item_item(ready.data)
    companions = time.perf_counter() - start
    parts = {
        "SVD of names and genres": sum(svd),
        "rows": sum(data) - sum(svd),
        "ALS, all": als[0],
        "ALS, folds": sum(als[1:]),
        "ridge": sum(ridge),
        "rest of tables": whole - sum(data) - sum(als) - sum(ridge),
        "companions": companions,
    }
    start = time.perf_counter()
    train(ready.data, config=config, features=ready.features)
    step = (time.perf_counter() - start) / steps
    answer.send(
        {
            "listeners": listeners,
            "plays": int(people.indptr[-1]),
            "artists": int((ready.data.plays.getnnz(0) > 0).sum()),
            "seconds": parts,
            "tables s": whole + companions,
            "towers s": step * TrainConfig().steps,
            "ms a step": 1e3 * step,
            "packed MB": packed_mb(people),
            "peak MB": peak_mb(),
            "peak MB above the listeners": peak_mb() - before,
        }
    )


def packed_mb(people: PackedProfiles) -> float:
    arrays = (people.indptr, people.artists, people.plays, people.positions)
    return sum(each.nbytes for each in arrays) / 2**20


def run_apart(act: Callable[..., None], *args: object) -> Any:
    """Run `act` in a process of its own and return what it sends."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=act, args=(*args, theirs))
    process.start()
    theirs.close()  # so that `recv` fails if the process does
    found = ours.recv()
    process.join()
    return found


def time_reading(artists: int, seed: int, answer: Any) -> None:
    """Time to read and pack profile JSON Lines, per listener."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profiles.jsonl"
        write_profiles(draw_listeners(READ, artists, seed), path)
        start = time.perf_counter()
        assert len(pack(read_shard([path]))) == READ
        seconds = time.perf_counter() - start
        found = {"us a listener": 1e6 * seconds / READ, "bytes a listener": path.stat().st_size}
    found["bytes a listener"] /= READ
    answer.send(found)


def train_side(rank: int, count: int, port: int, args: argparse.Namespace, answer: Any) -> None:
    """Run one of `count` processes that train together; the first sends ms per step."""
    torch.set_num_threads(1)
    variables = {"RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in variables.items()}
    config = TrainConfig(steps=args.steps, seed=args.seed)
    with process_group_from_env() as group:
        ready = group.broadcast_from_first(
            lambda: prepare(
                draw_listeners(min(args.listeners), args.artists, args.seed), config=config
            ),
            Path(tempfile.gettempdir()),
        )
        seconds = stepping(group, ready, config)
    if rank == 0:
        answer.send(1e3 * seconds / args.steps)


def stepping(group: ProcessGroup, ready: Any, config: TrainConfig) -> float:
    group.barrier()
    start = time.perf_counter()
    train(ready.data, config=config, features=ready.features, group=group)
    return time.perf_counter() - start


def time_steps(args: argparse.Namespace) -> dict[str, float]:
    """Return milliseconds per step of one process, and of two with the same batch."""
    spawn = multiprocessing.get_context("spawn")
    found = {}
    for count in (1, 2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ours, theirs = spawn.Pipe()
        all_ = [
            spawn.Process(target=train_side, args=(rank, count, port, args, theirs))
            for rank in range(count)
        ]
        for each in all_:
            each.start()
        theirs.close()
        found[f"{count} processes" if count > 1 else "1 process"] = ours.recv()
        for each in all_:
            each.join()
    return found


def calculated(one: dict[str, Any], other: dict[str, Any]) -> list[dict[str, Any]]:
    """Calculate the features at `SIZES`, linear in listeners; parts of artists stay the same."""
    found = []
    for listeners in SIZES:
        far = (listeners - one["listeners"]) / (other["listeners"] - one["listeners"])

        def at(a: float, b: float, far: float = far) -> float:
            return a + far * (b - a)

        seconds = {part: at(one["seconds"][part], other["seconds"][part]) for part in PARTS}
        seconds |= {
            part: max(each["seconds"][part] for each in (one, other)) for part in OF_ARTISTS
        }
        peak = at(one["peak MB above the listeners"], other["peak MB above the listeners"])
        found.append(
            {
                "listeners": listeners,
                "seconds": seconds,
                "tables s": sum(seconds.values()),
                "packed MB": at(one["packed MB"], other["packed MB"]),
                "peak MB above the listeners": peak,
            }
        )
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--listeners", type=int, nargs="+", default=[2_000, 10_000, 50_000])
    options.add_argument("--artists", type=int, default=78_906)
    options.add_argument("--steps", type=int, default=40)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    measured = []
    for listeners in sorted(args.listeners):
        found = run_apart(measure, listeners, args.artists, args.steps, args.seed)
        measured.append(found)
        parts = ", ".join(f"{name} {s:.1f}" for name, s in found["seconds"].items())
        print(f"{listeners:10,}: tables {found['tables s']:.1f} s ({parts}); ", end="")
        print(f"towers {found['towers s']:.0f} s, {found['peak MB']:.0f} MB at most", flush=True)
    found = {
        "artists of a listener": EACH,
        "default steps": TrainConfig().steps,
        "measured": measured,
        "calculated": calculated(*measured[-2:]),
        "reading": run_apart(time_reading, args.artists, args.seed),
        "ms a step": time_steps(args),
    }
    print(found["ms a step"], found["reading"])
    print(write("training", found))


if __name__ == "__main__":
    main()
