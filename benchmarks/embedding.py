"""Time to embed one listener live, compared with ALS fold-in; and to embed ten thousand.

    python benchmarks/embedding.py [--model assets/model] [--rounds 40] [--crowd 10000]

"Known" includes `Embedder.effective_dimensions`, which a page needs, too. Everything takes turns in
one run, on one thread, so that other load affects all alike: trust the ratio. The fold-in is
`als.fold_in` over the same artist vectors.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from results import milliseconds, peak_mb, turn_about, write

from twotower.core.domain import Artist, Profile
from twotower.model.als import fold_in
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import centred_log
from twotower.retrieval.topk import one_blas_thread
from twotower.sources.sharding import BLOCK

SIZES = (1, 10, 50, 200, 1000, 2000)  # artists in a profile
LIMITS = {50: 5.0, 1000: 25.0}  # milliseconds
CROWD_LIMIT_S = 60.0  # for 10,000 profiles


def draw_profile(embedder: Embedder, artists: int, rng: np.random.Generator) -> Profile:
    """Draw a profile of artists that training listeners play, well-known ones more often."""
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


def fold_in_with_als(embedder: Embedder, profile: Profile, base: torch.Tensor) -> torch.Tensor:
    """Fold a profile in with ALS: look up rows and weights, then solve exactly."""
    rows = [embedder.catalogue.row_of[key] for key in profile.artists]
    plays = [artist.plays for artist in profile.artists.values()]
    shape = (1, len(embedder.catalogue))
    row = centred_log(sp.csr_matrix((plays, rows, [0, len(rows)]), shape=shape))
    return fold_in(row, embedder.items.vectors[1:], base=base)


def time_many(embedder: Embedder, count: int, rng: np.random.Generator) -> dict[str, float]:
    """Time to embed many profiles with one tower, in blocks as `embed` does, without reading."""
    seconds = 0.0
    for at in range(0, count, BLOCK):
        block = [draw_profile(embedder, 50, rng) for _ in range(min(BLOCK, count - at))]
        start = time.perf_counter()
        embedder.embed(block, "candidate")
        seconds += time.perf_counter() - start
    return {
        "profiles": count,
        "seconds": seconds,
        "allowed s": CROWD_LIMIT_S * count / 10_000,
        "a second": count / seconds,
        "peak MB": peak_mb(),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", type=Path, default=Path("assets/model"))
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--crowd", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()

    torch.set_num_threads(1)
    load = [milliseconds(lambda: Embedder.load(args.model)) for _ in range(3)]
    embedder = Embedder.load(args.model)
    vectors = embedder.items.vectors[1:]
    base = vectors.T @ vectors + 200 * torch.eye(vectors.shape[1])  # once, not for each listener
    rng = np.random.default_rng(args.seed)
    print(f"{len(embedder.catalogue):,} artists, one thread; loaded in {min(load):.0f} ms")
    print(
        f"{'artists':>8}{'towers p50':>12}{'p95 ms':>9}{'known p50':>11}{'ALS p50':>9}{'ratio':>7}"
        f"{'limit ms':>10}"
    )
    lives = []
    with one_blas_thread(), torch.inference_mode():
        for size in SIZES:
            profile = draw_profile(embedder, size, rng)
            acts: dict[str, Callable[[], object]] = {
                "towers": lambda profile=profile: embedder.embed([profile]),
                "known": lambda profile=profile: (
                    embedder.embed([profile]),
                    embedder.effective_dimensions([profile]),
                ),
                "ALS": lambda profile=profile: fold_in_with_als(embedder, profile, base),
            }
            ms = turn_about(acts, args.rounds)
            towers, als = ms["towers"], ms["ALS"]["p50"]
            limit = f"{LIMITS[size]:10.0f}" if size in LIMITS else ""
            print(
                f"{size:8}{towers['p50']:12.2f}{towers['p95']:9.2f}{ms['known']['p50']:11.2f}"
                f"{als:9.2f}{towers['p50'] / als:7.2f}{limit}"
            )
            found = {"artists": size, "ms": ms, "times ALS": towers["p50"] / als}
            lives.append(found | ({"allowed ms": LIMITS[size]} if size in LIMITS else {}))
    crowd = time_many(embedder, args.crowd, rng)
    print(f"{args.crowd:,} profiles of 50 artists in {crowd['seconds']:.1f} s, one thread")
    found = {"artists": len(embedder.catalogue), "load ms": min(load), "live": lives}
    print(write("embedding", found | {"crowd": crowd}))


if __name__ == "__main__":
    main()
