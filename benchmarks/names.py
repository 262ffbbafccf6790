"""Sample names that `artist_key` joins with another spelling, to be read by a person.

    python benchmarks/names.py DATA [--before] [--number 200] [--seed 0]
    python benchmarks/names.py DATA --homographs

For each of the newer sources: names whose key is that of a different spelling in the shipped
catalogue or in another source. Spellings that differ by case alone don't count. Prints a line for
each: source, name, its other spellings. `--before` uses the rules of older models: no simplified
Han, no aliases across scripts, no name that is kept as written.

`--homographs` prints the names of one word that differ only by accents or "the", from which
`KEEP_AS_WRITTEN` was read.
"""

import argparse
import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest.mock import patch

from twotower.core import names
from twotower.core.names import is_artist_name
from twotower.core.settings import Settings
from twotower.model.catalogue import Catalogue
from twotower.sources.datasets.charts import ASIA, TOTALS, read_charts
from twotower.sources.datasets.modern_content import read_modern_content
from twotower.sources.datasets.readers import read_dataset

LISTS = ("netease", "archive", "editorial", "philippines", "vagalume", "kexp")
CHARTS, CONTENT, CATALOGUE = "charts", "content", "catalogue"

Names = Mapping[str, frozenset[str]]  # source -> names as written


def names_of(data: Path) -> Names:
    """Return the names that each source writes, and those of the shipped catalogue."""
    found: dict[str, Iterable[str]] = {
        name: {a.name for p in read_dataset(name, data) for a in p.artists.values()}
        for name in LISTS
    }
    found[CHARTS] = [entry.artist for each in (TOTALS, ASIA) for entry in read_charts(each, data)]
    found[CONTENT] = [artist.name for artist in read_modern_content(data)]
    found[CATALOGUE] = Catalogue.load(Settings.from_env().assets / "model").names
    return {source: frozenset(filter(is_artist_name, each)) for source, each in found.items()}


def matches(found: Names, source: str) -> Iterator[tuple[str, ...]]:
    """Yield a name of the source and the differently spelled names that others have for its key."""
    others: dict[str, set[str]] = defaultdict(set)
    for other, each in found.items():
        if other != source:
            for name in each:
                others[names.artist_key(name)].add(name)
    for name in sorted(found[source]):
        same = others.get(names.artist_key(name), set())
        different = sorted(other for other in same if spelling(other) != spelling(name))
        if different:
            yield name, *different


def spelling(name: str) -> str:
    """Return a name without what differs by case or width alone."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def rules_before() -> AbstractContextManager[object]:
    """Return a context in which `artist_key` follows the older rules."""
    names.artist_key.cache_clear()
    return patch.multiple(names, FOREIGN_ALIASES={}, KEEP_AS_WRITTEN=frozenset(), SAME_LETTER={})


def homographs(found: Names) -> Iterator[str]:
    """Yield the names of one word that the older rules join, a line for each key."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for name in frozenset[str]().union(*found.values()):
        word = spelling(name)
        if word.removeprefix("the ").isalpha():
            spellings[names.artist_key(name)].add(word)
    for key, words in sorted(spellings.items()):
        if len(words) > 1:
            yield f"{key}: {', '.join(sorted(words))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the public data sets")
    parser.add_argument("--before", action="store_true", help="use the older rules")
    parser.add_argument("--homographs", action="store_true", help="print names of one key")
    parser.add_argument("--number", type=int, default=200, help="names of each source")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with rules_before() if options.before or options.homographs else nullcontext():
        found = names_of(options.data)
        if options.homographs:
            print("\n".join(homographs(found)))
            return
        for source in (*LISTS, CHARTS, CONTENT):
            pairs = list(matches(found, source))
            drawn = random.Random(options.seed).sample(pairs, min(options.number, len(pairs)))
            print(f"# {source}: {len(pairs)} of {len(found[source])} names match another spelling")
            for same in sorted(drawn):
                print(source, *same, sep="\t")


if __name__ == "__main__":
    main()
