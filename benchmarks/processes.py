"""Quality and time of training with two processes, compared with one.

    TWOTOWER_DATA=DIR python benchmarks/processes.py [--steps 800]

The command `train` trains on HetRec without the test listeners of split 0, once alone and once
under torchrun, with the same total batch. Both models search the other halves of the test
listeners; the difference has a paired interval over them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from results import write

from twotower.core.settings import Settings
from twotower.evaluation.bootstrap import bootstrap
from twotower.evaluation.data import split_half, split_listeners
from twotower.evaluation.methods.towers import TwoTowers
from twotower.evaluation.metrics import ranks_of_positives
from twotower.model.embedder import Embedder
from twotower.sources.datasets.readers import read_dataset
from twotower.sources.datasets.tables import FOLDERS
from twotower.sources.profile_jsonl import write_profiles

TORCHRUN = "-m torch.distributed.run --standalone --nproc-per-node 2"


def time_training(folder: Path, out: str, steps: int, before: str = "") -> tuple[Embedder, float]:
    """Return the model of one `train` command, and the seconds it took."""
    files = sorted(folder.glob("*.jsonl"))
    call = [sys.executable, *before.split(), "-m", "twotower", "train", *map(str, files)]
    call += ["--steps", str(steps), "--out", str(folder / out)]
    start = time.perf_counter()
    subprocess.run(call, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return Embedder.load(folder / out), time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=Settings.from_env().data)
    options.add_argument("--steps", type=int, default=800)
    args = options.parse_args()
    split = split_listeners(read_dataset("hetrec", args.data / FOLDERS["hetrec"]), 0)
    queries, candidates = split_half(split.test, 0)
    ranks, seconds = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in range(2):
            write_profiles(split.training[part::2], folder / f"{part}.jsonl")
        for out, before in (("1 process", ""), ("2 processes", TORCHRUN)):
            model, seconds[out] = time_training(folder, out, args.steps, before)
            scores = TwoTowers(model).scores(queries, candidates)
            ranks[out] = 1 / ranks_of_positives(scores, np.arange(len(scores)))
    one, two = ranks.values()
    gap = bootstrap((two - one)[:, None])
    found = {
        "listeners": len(split.training),
        "held out": len(split.test),
        "steps": args.steps,
        "MRR": {out: float(each.mean()) for out, each in ranks.items()},
        "two minus one": {"value": gap.mean, "low": gap.low, "high": gap.high},
        "seconds": seconds,
    }
    print(found)
    print(write("processes", found))


if __name__ == "__main__":
    main()
