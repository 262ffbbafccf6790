"""How far is an exact top-10 from the least time that reading the vectors takes?

    python benchmarks/search.py [--rows 1000000] [--dim 64] [--rounds 30]

Both in one run, turn about, on one thread, so that other load strikes both alike: trust the ratio.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from twotower.index import one_blas_thread, top_k


def milliseconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--rounds", type=int, default=30)
    asked = options.parse_args()

    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((asked.rows, asked.dim), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    flat = matrix.reshape(-1)
    acts: dict[str, Callable[[], object]] = {
        "read: largest number": flat.max,
        "read: dot with itself": lambda: flat @ flat,
        "scores alone": lambda: matrix @ matrix[0],
        "top 10": lambda: top_k(matrix, matrix[0], 10),
        "top 10 of nine in ten": lambda: top_k(matrix, matrix[0], 10, mask=nine_in_ten),
    }
    nine_in_ten = rng.random(asked.rows) < 0.9
    times: dict[str, list[float]] = {name: [] for name in acts}
    with one_blas_thread():
        for _ in range(asked.rounds):
            for name, act in acts.items():
                times[name].append(milliseconds(act))

    p50 = {name: float(np.median(each)) for name, each in times.items()}
    limit = min(p50["read: largest number"], p50["read: dot with itself"])
    print(f"{asked.rows:,} x {asked.dim} float32, {matrix.nbytes / 2**20:.0f} MiB, one thread")
    print(f"{'':24}{'p50 ms':>9}{'p95 ms':>9}{'x limit':>9}")
    for name, each in times.items():
        p95 = np.percentile(each, 95)
        print(f"{name:24}{p50[name]:9.3f}{p95:9.3f}{p50[name] / limit:9.2f}")


if __name__ == "__main__":
    main()
