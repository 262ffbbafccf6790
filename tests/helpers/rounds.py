"""Number of repetitions: few in `make test`, all of them in `make test-all`.

`ALL_ROUNDS=1` is the one switch. Without it tests marked `all_rounds` are left out, loops run
their few rounds, and hypothesis draws 25 examples.
"""

import os
from typing import TypeVar

T = TypeVar("T")

ALL = os.environ.get("ALL_ROUNDS") == "1"


def rounds(few: T, every: T) -> T:
    return every if ALL else few
