"""Hyper-parameters of training, compared on validation listeners, playlists and lists.

    python benchmarks/choices.py --set steps=1200 --set id_dropout=0.1

Trains one model without test and validation data and prints MRR of split halves: bare towers both
ways, then with item-item weights and hub correction. So that enough lists are left to choose by,
a quarter of those that are not for the test is held out (last hex digit 3 to 6 of the hash), each
cut to 40 artists, and figures of lists are means of four divisions.
"""

import argparse
import json
from dataclasses import replace

import numpy as np

from twotower.core.domain import Profile
from twotower.core.settings import Settings
from twotower.evaluation.data import hold_out, restrict, shuffled_artists, split_half
from twotower.evaluation.methods.base import Scorer
from twotower.evaluation.methods.hub_corrections import LocalScaling
from twotower.evaluation.methods.towers import TwoTowers, WithItemItem
from twotower.model.pipeline import fit
from twotower.model.train_config import TrainConfig
from twotower.sources.datasets.modern import divide_lists
from twotower.sources.datasets.public import read_sources

VALIDATION_DIGITS = "3456"
ARTISTS, DIVISIONS = 40, 4  # of lists


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    changes = dict(each.split("=", 1) for each in parser.parse_args().set)
    config = replace(TrainConfig(), **{name: json.loads(text) for name, text in changes.items()})
    sources = read_sources(Settings.from_env().data)
    split = hold_out(sources, 0, part="validation")
    lists = divide_lists(sources.lists, "validation", validation_digits=VALIDATION_DIGITS)
    old = [p for p in split.training.playlists if p.origin.startswith("mpd")]
    profiles = [*split.training.listeners, *old, *lists.training, *split.training.charts]
    training = split.training
    embedder = fit(profiles, training.content, training.tags, config=config, estimates=False)
    towers = TwoTowers(embedder)
    for method in (towers, LocalScaling(WithItemItem(towers), "with item-item weights + LS")):
        print(
            f"{method.name}: halves {_mrr(method, split.test, 1):.3f},"
            f" playlists {_mrr(method, split.test_playlists, 1):.3f},"
            f" lists {_mrr(method, lists.held_out, DIVISIONS, ARTISTS):.3f}"
        )


def _mrr(method: Scorer, profiles: tuple[Profile, ...], divisions: int, cut: int = 0) -> float:
    """Return the MRR of finding each profile's other half, the mean of several divisions."""
    values = []
    for seed in range(divisions):
        parts = [
            restrict(p, shuffled_artists(p, seed, "cut")[:cut]) if cut else p for p in profiles
        ]
        scores = np.asarray(method.scores(*split_half(parts, seed)))
        values.append((1 / (scores >= np.diag(scores)[:, None]).sum(1)).mean())
    return float(np.mean(values))


if __name__ == "__main__":
    main()
