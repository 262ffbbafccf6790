"""Measure what a model and its community know of real exports: plays known, artists shared.

    python benchmarks/exports.py FOLDER [FOLDER ...] [--assets DIR ...]

Each FOLDER holds the files of one person, as a service exported them. For each folder of assets
(by default the shipped one) it prints the share of plays by artists known from listening and by
any means, and the number of artists that each of the ten nearest listeners shares with the person,
of those that the page shows of the listener (100 at most).
Nothing of the person is stored.
"""

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from twotower.core.domain import Profile
from twotower.core.names import artist_key
from twotower.core.settings import ROOT, Settings
from twotower.matching.matcher import Matcher
from twotower.sources.reader import read_profile


@dataclass(frozen=True)
class Row:
    """Share of plays known, and artists shared with the ten nearest, of one person."""

    from_listening: float  # share of plays, 0..1
    known: float  # share of plays, 0..1
    shared: tuple[int, ...]  # artists shared with each of the ten nearest, best first


def compare(matcher: Matcher, profile: Profile) -> Row:
    coverage = matcher.embedder.coverage(profile)
    neighbours = matcher.neighbours(matcher.portrait(profile))
    return Row(
        coverage.plays * (1 - coverage.by_content),
        coverage.plays,
        tuple(
            len(profile.artists.keys() & {artist_key(name) for name, _ in each.listener.artists})
            for each in neighbours
        ),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    options.add_argument("--assets", type=Path, nargs="*", default=[ROOT / "assets"])
    args = options.parse_args()
    people = {folder.name: read_profile(*sorted(folder.iterdir())) for folder in args.folders}
    for assets in args.assets:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'community.sqlite'}"
            matcher = Matcher.load(Settings(Path(folder), assets, url))
            print(f"{assets}: model {matcher.version}, {len(matcher.snapshot()):,} listeners")
            for name, profile in people.items():
                row = compare(matcher, profile)
                print(
                    f"  {name}: known from listening {row.from_listening:.3f}, by any means "
                    f"{row.known:.3f}, shared artists {list(row.shared)}, "
                    f"median {statistics.median(row.shared):g}"
                )
            matcher.community.close()


if __name__ == "__main__":
    main()
