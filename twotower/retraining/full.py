"""Learning on where the base data is at hand: all of training again, from the weights there are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from twotower.core.domain import Profile
from twotower.model.als import procrustes
from twotower.model.artist_features import RIDGE_CAP, Progress, Table
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit_prepared, prepare
from twotower.model.towers import FACTOR
from twotower.model.training import TABLES, TrainConfig
from twotower.retraining.consent import Consented
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.tags import Tagging

STEPS, RATE = 200, 1e-3  # a quarter of a training's, at half of its rate
TURNS = 8  # of looking for the rotation, and for what the encoder adds in it


def learned_on_all(
    embedder: Embedder,
    base: Sequence[Profile],
    content: Sequence[ArtistContent],
    taggings: Sequence[Tagging],
    consented: Consented,
    *,
    steps: int = STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Embedder:
    """The model of the base data and of those who consent, cross-fitted as from the start.

    `base` are the profiles that the model was trained on, but for members of the community.
    """
    tell = progress or (lambda share, text: None)
    known = {each.key for each in content}
    config = replace(TrainConfig(seed=seed), steps=steps, rate=RATE)
    prepared = prepare(
        [*base, *consented.training],
        [*content, *(each for each in consented.new if each.key not in known)],
        taggings,
        config=config,
        space=embedder.content.space,
        onto=lambda keys, table: rotation_onto(embedder, keys, table),
        progress=lambda share, text: tell(2 * TABLES * share, text),
    )
    return fit_prepared(
        prepared,
        config=config,
        estimates=True,
        start=embedder.model,
        progress=lambda share, text: tell(2 * TABLES + (1 - 2 * TABLES) * share, text),
    )


@torch.inference_mode()
def rotation_onto(embedder: Embedder, keys: Sequence[str], table: Table) -> np.ndarray:
    """The rotation (k, k) in which this table's artists say to the encoder what those before did.

    Of the artists before only what the encoder made of them is kept: their factors and what it
    added. So in turn what it adds is taken off by the rotation that is known, and the rotation is
    found from the rest.
    """
    rows = [
        (at, row) for at, key in enumerate(keys) if (row := embedder.catalogue.row(key)) is not None
    ]
    here, there = np.array(rows, np.int64).reshape(-1, 2).T
    weight = np.minimum(embedder.catalogue.df[there], RIDGE_CAP)
    here, there, weight = here[weight > 0], there[weight > 0], weight[weight > 0]
    factors = table.inputs[here, FACTOR]
    encoded = embedder.items.vectors[1:].numpy()[there]
    inputs = table.inputs[here].copy()
    turn = procrustes(factors, encoded, weight)
    for _ in range(TURNS):
        inputs[:, FACTOR] = factors @ turn
        added = embedder.model.encoder(torch.from_numpy(inputs)).vectors.numpy() - factors @ turn
        turn = procrustes(factors, encoded - added, weight)
    return turn
