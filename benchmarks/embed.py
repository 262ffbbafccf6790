"""How long does it take to embed one listener live, beside plain ALS fold-in?

    python benchmarks/embed.py [--model assets/model] [--rounds 40]

"Known" is the same and how much is known of the listener (`Embedder.evidence`), as a page asks.
All in one run, turn about, on one thread, so that other load strikes all alike: trust the ratio.
The fold-in is the closed form of `factors.fold_in` over the same artists' vectors.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from twotower.domain import Artist, Profile
from twotower.embedder import Embedder
from twotower.factors import fold_in
from twotower.index import one_blas_thread

SIZES = (1, 10, 50, 200, 1000, 2000)  # artists in a profile
LIMITS = {50: 5.0, 1000: 25.0}  # milliseconds


def milliseconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1e3


def drawn(embedder: Embedder, artists: int, rng: np.random.Generator) -> Profile:
    """A profile of artists that are played in training, the famous ones more often."""
    played = int((embedder.catalogue.df > 0).sum())
    share = 1 / (np.arange(played) + 50)
    rows = rng.choice(played, min(artists, played), replace=False, p=share / share.sum())
    plays = np.ceil(rng.exponential(100, len(rows)))
    names = embedder.catalogue.names
    found = {
        embedder.catalogue.keys[row]: Artist(names[row], count)
        for row, count in zip(rows.tolist(), plays.tolist(), strict=True)
    }
    return Profile("drawn", found)


def folded(embedder: Embedder, profile: Profile, base: torch.Tensor) -> torch.Tensor:
    """What ALS does with a profile: rows and weights looked up, then the exact solve."""
    rows = [embedder.catalogue.row_of[key] for key in profile.artists]
    logs = np.log1p([artist.plays for artist in profile.artists.values()])
    weights = np.maximum(5 + logs - logs.mean(), 0.3).astype(np.float32)
    shape = (1, len(embedder.catalogue))
    row = sp.csr_matrix((weights, rows, [0, len(rows)]), shape=shape)
    return fold_in(row, embedder.items.vectors[1:], base=base)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", type=Path, default=Path("assets/model"))
    options.add_argument("--rounds", type=int, default=40)
    asked = options.parse_args()

    torch.set_num_threads(1)
    load = [milliseconds(lambda: Embedder.load(asked.model)) for _ in range(3)]
    embedder = Embedder.load(asked.model)
    vectors = embedder.items.vectors[1:]
    base = vectors.T @ vectors + 200 * torch.eye(vectors.shape[1])  # once, not for each listener
    rng = np.random.default_rng(0)
    print(f"{len(embedder.catalogue):,} artists, one thread; loaded in {min(load):.0f} ms")
    print(
        f"{'artists':>8}{'towers p50':>12}{'p95 ms':>9}{'known p50':>11}{'ALS p50':>9}{'ratio':>7}"
        f"{'limit ms':>10}"
    )
    with one_blas_thread(), torch.inference_mode():
        for size in SIZES:
            profile = drawn(embedder, size, rng)
            acts: dict[str, Callable[[], object]] = {
                "towers": lambda profile=profile: embedder.embed([profile]),
                "known": lambda profile=profile: (
                    embedder.embed([profile]),
                    embedder.evidence([profile]),
                ),
                "ALS": lambda profile=profile: folded(embedder, profile, base),
            }
            times: dict[str, list[float]] = {name: [] for name in acts}
            for _ in range(asked.rounds):
                for name, act in acts.items():
                    times[name].append(milliseconds(act))
            p50 = {name: float(np.median(each)) for name, each in times.items()}
            p95 = np.percentile(times["towers"], 95)
            limit = f"{LIMITS[size]:10.0f}" if size in LIMITS else ""
            print(
                f"{size:8}{p50['towers']:12.2f}{p95:9.2f}{p50['known']:11.2f}{p50['ALS']:9.2f}"
                f"{p50['towers'] / p50['ALS']:7.2f}{limit}"
            )


if __name__ == "__main__":
    main()
