"""Time of an exact top 10, compared with reading the vectors once, and with faiss.

    python benchmarks/search.py [--rows 1000000] [--dim 64] [--rounds 30]

Everything takes turns in one run, on one thread, so that other load affects all alike: trust the
ratios.
"""

import argparse
from collections.abc import Callable

import faiss
import numpy as np
from results import turn_about, write

from twotower.retrieval.topk import one_blas_thread, top_k

LIMIT = 1.5  # times the time of reading


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()

    rng = np.random.default_rng(args.seed)
    matrix = rng.standard_normal((args.rows, args.dim), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = rng.standard_normal((args.rounds + 1, args.dim), dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(args.dim)
    index.add(matrix)
    flat, query = matrix.reshape(-1), queries[0]
    nine_in_ten = rng.random(args.rows) < 0.9
    for each in queries:  # both are exact: the same rows
        theirs, ours = index.search(each[None], 10)[1][0], top_k(matrix, each, 10)[0]
        assert set(theirs.tolist()) == set(ours.tolist())
    acts: dict[str, Callable[[], object]] = {
        "read: largest number": flat.max,
        "read: dot with itself": lambda: flat @ flat,
        "scores by BLAS": lambda: matrix @ query,
        "top 10": lambda: top_k(matrix, query, 10),
        "top 10 of nine in ten": lambda: top_k(matrix, query, 10, mask=nine_in_ten),
        "faiss IndexFlatIP": lambda: index.search(query[None], 10),
    }
    with one_blas_thread():
        times = turn_about(acts, args.rounds)

    limit = min(times["read: largest number"]["p50"], times["read: dot with itself"]["p50"])
    ours = times["top 10"]["p50"]
    print(f"{args.rows:,} x {args.dim} float32, {matrix.nbytes / 2**20:.0f} MiB, one thread")
    print(f"{'':24}{'p50 ms':>9}{'p95 ms':>9}{'x limit':>9}")
    for name, each in times.items():
        print(f"{name:24}{each['p50']:9.3f}{each['p95']:9.3f}{each['p50'] / limit:9.2f}")
    found = {
        "rows": args.rows,
        "dim": args.dim,
        "mebibytes": matrix.nbytes / 2**20,
        "ms": times,
        "times the limit": ours / limit,
        "allowed": LIMIT,
        "times faiss": ours / times["faiss IndexFlatIP"]["p50"],
    }
    print(write("search", found))


if __name__ == "__main__":
    main()
