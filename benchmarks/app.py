"""Cost of what a page needs, by community size: neighbours, map place, joining and leaving.

    python benchmarks/app.py [--listeners 10000 100000 1000000]

Uses the shipped model and its synthetic listeners, and copies of these with slightly different
vectors, places and names, on SQLite. Filling and measuring run in separate processes, so that
memory is measured with the model and all libraries.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from community import in_process
from results import milliseconds, peak_mb, percentiles, resident_mb, write

from twotower.bundle.demos import DEMOS
from twotower.bundle.shipped import Shipped
from twotower.bundle.synthetic import pseudonyms
from twotower.community import Community, Member
from twotower.community.membership import JoinRequest
from twotower.core.domain import Profile
from twotower.core.names import artist_key
from twotower.core.settings import ROOT, Settings
from twotower.matching.matcher import Matcher

NOISE = 0.15  # standard deviation, added to each number of a copy's vectors
VISIBLE = 30  # artists of a copy
ROUNDS, CHANGES = 30, 12


def copies(ships: Shipped, count: int, seed: int) -> Iterator[Member]:
    """Yield the shipped listeners, then copies of them, `count` in all."""
    base = list(ships.members())
    yield from base[:count]
    rng = np.random.default_rng([seed, 7])
    names = pseudonyms(count, seed=seed)
    for number in range(len(base), count):
        one = base[number % len(base)]
        x, y = one.listener.place or (0.0, 0.0)
        who = replace(
            one.listener,
            id=f"copy-{number:07d}",
            name=names[number],
            artists=one.listener.artists[:VISIBLE],
            place=(x + float(rng.normal()) / 10, y + float(rng.normal()) / 10),
        )
        user, candidate = (
            with_noise(each, rng) for each in (one.user_vector, one.candidate_vector)
        )
        yield replace(one, listener=who, user_vector=user, candidate_vector=candidate)


def with_noise(vector: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    near = vector + NOISE * rng.standard_normal(len(vector), dtype=np.float32)
    return np.asarray(near / np.linalg.norm(near), np.float32)


def fill(settings: Settings, count: int, seed: int, answer: Any) -> None:
    """Fill the community, in this process, and send the seconds it took."""
    matcher = Matcher.load(replace(settings, community=f"{settings.community}.first"))
    ships = matcher.shipped
    matcher.community.close()
    community = Community.open(settings.community, model_version=matcher.version)
    # with the shipped digest, or the app would replace these by the shipped listeners
    seconds = milliseconds(lambda: community.seed(copies(ships, count, seed), digest=ships.digest))
    community.snapshot()  # writes the segment cache, as a first start does
    community.close()
    answer.send(seconds / 1e3)


def measure(settings: Settings, answer: Any) -> None:
    """Measure start, neighbours, places, names and changes, in this process."""
    began = time.perf_counter()
    matcher = Matcher.load(settings)
    row: dict[str, Any] = {
        "seconds": time.perf_counter() - began,
        "listeners": len(matcher.snapshot()),
        "resident MB": resident_mb(),
    }
    portraits = [matcher.portrait(demo) for demo in DEMOS]
    for portrait in portraits:
        matcher.neighbours(portrait)
    acts = {
        "ten neighbours": lambda at: matcher.neighbours(portraits[at % len(portraits)]),
        "a place on the map": lambda at: matcher.place(portraits[at % len(portraits)]),
        "people by a part of their names": lambda at: matcher.named_like("amber o", 4),
    }
    ms = {
        name: percentiles([milliseconds(lambda at=at, act=act: act(at)) for at in range(ROUNDS)])
        for name, act in acts.items()
    }
    answer.send(row | {"ms": ms | time_changes(matcher), "peak MB": peak_mb()})
    matcher.community.close()


def time_changes(matcher: Matcher) -> dict[str, dict[str, float]]:
    """Time joining and leaving, and the neighbours after each."""
    me: Profile = replace(DEMOS[0], origin="file")
    portrait = matcher.portrait(me)
    shown = tuple(
        artist_key(artist.name) for artist in matcher.membership.showable_artists(portrait)[:5]
    )
    names = ("joining", "ten neighbours, after one joined", "leaving", "… after one left")
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(CHANGES):
        request = JoinRequest(matcher.membership.suggest_name(number), shown, findable=True)
        made: list[Any] = []
        acts = (
            lambda request=request, made=made: made.append(
                matcher.membership.join(portrait, request)
            ),
            lambda: matcher.neighbours(portrait),
            lambda made=made: matcher.membership.leave(made[0].code),
            lambda: matcher.neighbours(portrait),
        )
        for name, act in zip(names, acts, strict=True):
            times[name].append(milliseconds(act))
    return {name: percentiles(each) for name, each in times.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--listeners", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    measured = []
    for count in args.listeners:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'community.sqlite'}"
            settings = Settings(Path(folder) / "none", ROOT / "assets", url)
            filled = in_process(fill, settings, count, args.seed)
            measured.append(row := {"filling s": filled, **in_process(measure, settings)})
        print(f"{count:10,}: filled in {filled:.1f} s, started in {row['seconds']:.1f} s, ", end="")
        print(f"{row['peak MB']:.0f} MB at most, p50 ms ", end="")
        print({name: round(each["p50"], 1) for name, each in row["ms"].items()})
    print(write("app", {"measured": measured}))


if __name__ == "__main__":
    main()
