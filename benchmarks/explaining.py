"""Explaining a match: its time, whether the reasons add up, and whether they name what matters.

    python benchmarks/explaining.py [--profiles FILE] [--pairs 100] [--draws 40] [--rounds 10]

The pairs are of people in FILE (profile JSON Lines), by default of the made-up listeners. Give
listeners that the model never saw. Deletion check: taking the five strongest artists away from
whoever has them lowers the similarity more than taking away five random ones. Time is on one
thread, beside one scan of 100,000 vectors in the same run: trust the ratio.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from embedding import draw_profile
from results import turn_about, write

from twotower.bundle.shipped import Shipped
from twotower.core.domain import Profile
from twotower.evaluation.data import restrict
from twotower.matching.attribution import Person, attribute, total
from twotower.model.embedder import Embedder
from twotower.retrieval.similarity import (
    ListenerBatch,
    PlayRowReader,
    similarity,
    similarity_of_pairs,
)
from twotower.retrieval.topk import one_blas_thread, top_k
from twotower.sources.profile_jsonl import read_profiles

SIZES = (5, 9, 10, 50, 100, 200, 1000, 2000)  # artists of the one; the other has PARTNER
PARTNER = 50
SCANNED = 100_000
LIMIT_MS = 50.0
REMOVED = 5  # artists
MIN_ARTISTS = 10  # of each of a pair


def person_of(embedder: Embedder, profile: Profile) -> Person:
    """Return a person without a local density, which costs no time and names no artist."""
    return Person(profile.id, "", profile, ListenerBatch.of(embedder, [profile]), 0.0, 0.0)


def time_sizes(embedder: Embedder, reader: PlayRowReader, rounds: int) -> list[dict[str, object]]:
    """Time one pair for each size of the first profile."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(SCANNED, embedder.dim)).astype(np.float32)
    partner = person_of(embedder, draw_profile(embedder, PARTNER, rng))
    lines = []
    for size in SIZES:
        pair = (person_of(embedder, draw_profile(embedder, size, rng)), partner)
        ms = turn_about(
            {
                "explain": lambda pair=pair: attribute(embedder, reader, *pair),
                "scan": lambda: top_k(matrix, partner.batch.user[0], 10),
            },
            rounds,
        )
        ratio = ms["explain"]["p50"] / ms["scan"]["p50"]
        print(f"{size:6} artists {ms['explain']['p50']:8.1f} ms, {ratio:6.1f} scans of {SCANNED:,}")
        lines.append({"artists": size, "ms": ms, "times scan": ratio, "allowed ms": LIMIT_MS})
    return lines


def check_pair(
    embedder: Embedder, reader: PlayRowReader, pair: Sequence[Profile], draws: int, seed: int
) -> tuple[float, float]:
    """Return the largest error of a sum, and the share of draws that the strongest five beat."""
    people = [person_of(embedder, profile) for profile in pair]
    account = attribute(embedder, reader, *people)
    match = float(similarity(people[0].batch, people[1].batch)[0, 0])
    lists = (account.by_one, account.by_other, account.by_both)
    error = max(abs(total(reasons) - match) for reasons in lists)
    keys = [reason.key for reason in account.by_both if reason.kind == "artist"]
    rng = np.random.default_rng(seed)
    removed = [set(keys[:REMOVED])]
    while len(removed) < draws + 1:
        drawn = set(rng.choice(keys, REMOVED, replace=False).tolist())
        if drawn != removed[0]:
            removed.append(drawn)
    sides = [
        ListenerBatch.of(embedder, [restrict(p, p.artists.keys() - gone) for gone in removed])
        for p in pair
    ]
    left = similarity_of_pairs(*sides)
    return error, float((left[0] < left[1:]).mean())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--assets", type=Path, default=Path("assets"))
    options.add_argument("--profiles", type=Path)
    options.add_argument("--pairs", type=int, default=100)
    options.add_argument("--draws", type=int, default=40)
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()

    torch.set_num_threads(1)
    embedder = Embedder.load(args.assets / "model")
    reader = PlayRowReader.of(embedder)
    if args.profiles is None:
        shipped = Shipped.load(args.assets, model_version=embedder.version)
        everyone = list(shipped.profiles())
    else:
        everyone = list(read_profiles(args.profiles))
    able = [profile for profile in everyone if len(profile.artists) >= MIN_ARTISTS]
    rng = np.random.default_rng(args.seed)
    with one_blas_thread():
        times = time_sizes(embedder, reader, args.rounds)
        results = []
        for number in range(args.pairs):
            one, other = (able[row] for row in rng.choice(len(able), 2, replace=False))
            results.append(check_pair(embedder, reader, (one, other), args.draws, number))
    errors, shares = map(np.array, zip(*results, strict=True))
    print(
        f"{args.pairs} pairs: largest error of a sum {errors.max():.1e}; the strongest five beat "
        f"{shares.mean():.1%} of draws"
    )
    measured = {
        "pairs": args.pairs,
        "largest error": float(errors.max()),
        "deletion share": float(shares.mean()),
        "times": times,
    }
    print(write("explaining", measured))


if __name__ == "__main__":
    main()
