"""Cost of a community by size: loading, memory, search, joining and leaving.

    python benchmarks/community.py [--listeners 10000 100000 1000000] [--postgres 10000 100000]

Synthetic listeners are drawn from a seed. Loading, serving and changing run in separate processes,
so that memory is measured for each and a change has to travel. The search is compared with faiss
and with the time of reading the vectors once, in turn, on one thread.
"""

import argparse
import gc
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from results import peak_mb, percentiles, resident_mb, turn_about, write

from twotower.bundle.synthetic import pseudonyms
from twotower.community import Community, Member
from twotower.core.domain import SYNTHETIC, Listener
from twotower.retrieval.topk import Stacked, one_blas_thread, top_k

MODEL = "benchmark"
DIM, CENTRES = 64, 400
ROUNDS, CHANGES = 30, 12
MEMORY_LIMIT_MB = 1200  # for a million
SEARCH_LIMIT = 1.5  # x the time of reading
GENRES = ("indie rock", "hip hop", "techno", "jazz", "folk", "metal", "ambient", "soul")


def vectors(count: int, seed: int) -> np.ndarray:
    """Draw (count, DIM) unit vectors float32 around 400 centres."""
    rng = np.random.default_rng([seed, 5])
    centres = rng.standard_normal((CENTRES, DIM), dtype=np.float32)
    drawn = centres[rng.integers(CENTRES, size=count)]
    drawn += rng.standard_normal((count, DIM), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def members(count: int, seed: int) -> Iterator[Member]:
    """Yield synthetic listeners with ten artists each."""
    rng = np.random.default_rng([seed, 6])
    names = pseudonyms(count, seed=seed)
    user, rows = vectors(count, seed), rng.integers(5000, size=(count, 10))
    places = rng.standard_normal((count, 2)) * 4
    for at in range(count):
        shown = tuple((f"Artist {row}", float(100 - 9 * n)) for n, row in enumerate(rows[at]))
        genres = (GENRES[at % 8], GENRES[at // 8 % 8])
        place = (float(places[at, 0]), float(places[at, 1]))
        who = Listener(f"i{seed}-{at:07d}", names[at], SYNTHETIC, shown, genres, place)
        turned = np.roll(user[at], 1)
        yield Member(who, user[at], turned)


def newcomer(number: int) -> Member:
    """Return one of the members who join during the measurement."""
    vector = vectors(1, 1000 + number)[0]
    id, name = f"newcomer-{number}", f"Newcomer {number}"
    who = Listener(id, name, "file", (("Low", 3.0),), ("indie rock",))
    return Member(who, vector, vector)


def load(url: str, count: int, seed: int, answer: Any) -> None:
    """Fill the community, in this process."""
    start = time.perf_counter()
    community = Community.open(url, model_version=MODEL)
    community.seed(members(count, seed), digest=f"{count} {seed}")
    seconds = time.perf_counter() - start
    community.close()
    answer.send({"seconds": seconds, "peak MB": peak_mb()})


def start(url: str, answer: Any) -> None:
    """Measure opening a community until it can be searched, in this process."""
    gc.freeze()
    before, began = resident_mb(), time.perf_counter()
    community = Community.open(url, model_version=MODEL)
    snapshot = community.snapshot()
    seconds = time.perf_counter() - began
    resident, peak = resident_mb(), peak_mb()
    community.close()
    answer.send(
        {
            "seconds": seconds,
            "listeners": len(snapshot),
            "resident MB": resident,
            "resident MB above an empty one": resident - before,
            "peak MB": peak,
        }
    )


def search(url: str, seed: int, answer: Any) -> None:
    """Measure the search, in a process that also has faiss's copy."""
    community = Community.open(url, model_version=MODEL)
    answer.send(time_search(community.snapshot().candidate, seed))
    community.close()


def serve(url: str, pipe: Any) -> None:
    """Report when a change of the other process is visible here."""
    community = Community.open(url, model_version=MODEL)
    pipe.send(len(community.snapshot()))
    while (wanted := pipe.recv()) is not None:
        id, inside = wanted
        while (community.snapshot().row_of(id) is not None) != inside:
            time.sleep(0.002)
        pipe.send(time.time())
    pipe.send({"resident MB": resident_mb(), "peak MB": peak_mb()})
    community.close()


def time_search(matrix: Stacked, seed: int) -> dict[str, Any]:
    """Time the exact top 10, faiss, and reading the matrix once."""
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(matrix.shape[1])
    for part in matrix.parts:
        index.add(part)
    queries = vectors(ROUNDS, seed + 1)
    for query in queries[:5]:
        theirs, ours = index.search(query[None], 10)[1][0], top_k(matrix, query, 10)[0]
        assert set(theirs.tolist()) == set(ours.tolist())
    flat, turn = [part.reshape(-1) for part in matrix.parts], itertools.count()
    acts: dict[str, Callable[[], object]] = {
        "read": lambda: [part @ part for part in flat],
        "top 10": lambda: top_k(matrix, queries[next(turn) % ROUNDS], 10),
        "faiss IndexFlatIP": lambda: index.search(queries[next(turn) % ROUNDS][None], 10),
    }
    with one_blas_thread():
        ms = turn_about(acts, ROUNDS)
    ours = ms["top 10"]["p50"]
    return {
        "ms": ms,
        "times the limit": ours / ms["read"]["p50"],
        "times faiss": ours / ms["faiss IndexFlatIP"]["p50"],
    }


def time_changes(url: str, pipe: Any) -> dict[str, dict[str, float]]:
    """Time joins and departures, and how long until the process at the pipe's other end sees them.

    Returns percentiles in ms.
    """
    community = Community.open(url, model_version=MODEL)
    times: dict[str, list[float]] = {name: [] for name in ("join", "seen", "leave", "gone")}
    for number in range(CHANGES):
        member = newcomer(number)
        for act, seen, inside in (("join", "seen", True), ("leave", "gone", False)):
            pipe.send((member.listener.id, inside))
            began = time.time()
            if inside:
                community.join(member)
            else:
                community.leave(member.listener.id)
            done = time.time()
            times[act].append(1e3 * (done - began))
            times[seen].append(1e3 * max(0.0, pipe.recv() - began))
    community.close()
    return {name: percentiles(each) for name, each in times.items()}


def in_process(act: Callable[..., None], *args: object) -> Any:
    """Run `act` in a separate process and return what it sends."""
    process, pipe = start_process(act, *args)
    found = pipe.recv()
    process.join()
    return found


def start_process(act: Callable[..., None], *args: object) -> tuple[Any, Any]:
    """Start `act` in a separate process; return the process and our end of the pipe."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=act, args=(*args, theirs), daemon=True)
    process.start()
    theirs.close()  # so that recv fails if the process does
    return process, ours


def on_sqlite(count: int, seed: int) -> dict[str, Any]:
    """Measure a community of `count` listeners on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "community.sqlite"
        url = f"sqlite:///{file}"
        found: dict[str, Any] = {"listeners": count, "load": in_process(load, url, count, seed)}
        found["file MB"] = megabytes(Path(folder))
        found["first start"] = in_process(
            start, url
        )  # writes the segment cache, if it is large enough
        found["start"] = in_process(start, url)
        found["derived MB"] = megabytes(Path(folder)) - found["file MB"]
        found |= measure_served(url, seed)
        return found


def measure_served(url: str, seed: int) -> dict[str, Any]:
    """Measure search and changes of a filled community."""
    found = {"search": in_process(search, url, seed)}
    process, pipe = start_process(serve, url)
    pipe.recv()
    changes = time_changes(url, pipe)
    pipe.send(None)
    after = pipe.recv()
    process.join()
    return found | {"changes ms": changes, "served": after}


def megabytes(folder: Path) -> float:
    """Return the size of all files in a folder, in MiB."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) / 2**20


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--listeners", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    sqlite = []
    for count in args.listeners:
        sqlite.append(measured := on_sqlite(count, args.seed))
        print(f"{count:10,} on SQLite: loaded in {measured['load']['seconds']:.1f} s, ", end="")
        print(
            f"{measured['file MB']:.0f} MB, started in {measured['start']['seconds']:.2f} s, ",
            end="",
        )
        print(f"{measured['start']['resident MB']:.0f} MB held, ", end="")
        print(f"top 10 {measured['search']['ms']['top 10']['p50']:.2f} ms, changes ", end="")
        print({name: round(each["p50"], 1) for name, each in measured["changes ms"].items()})
    measured = {"dim": DIM, "allowed MB": MEMORY_LIMIT_MB, "allowed times": SEARCH_LIMIT}
    print(write("community", measured | {"SQLite": sqlite}))


if __name__ == "__main__":
    main()
