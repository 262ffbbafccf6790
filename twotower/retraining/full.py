"""Retraining with the base data: the whole training, started from the current weights."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from twotower.core.domain import Profile
from twotower.core.jobs import Progress, silent
from twotower.model.als import procrustes
from twotower.model.artist_features import RIDGE_CAP, ArtistFeatures
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit_prepared, prepare
from twotower.model.towers import FACTOR
from twotower.model.train_config import TrainConfig
from twotower.model.training import FEATURES_SHARE
from twotower.retraining.consent import Consented
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.tags import Tagging

STEPS, RATE = 200, 1e-3  # a quarter of a training's steps, at half of its learning rate
ROTATION_ROUNDS = 8


def retrain_full(
    embedder: Embedder,
    base: Sequence[Profile],
    content: Sequence[ArtistContent],
    taggings: Sequence[Tagging],
    consented: Consented,
    *,
    steps: int = STEPS,
    seed: int = 0,
    progress: Progress = silent,
) -> Embedder:
    """Train on the base data and the consenting members, cross-fitted as from the start.

    `base` are the profiles that the current model was trained on, except members.
    """
    known = {each.key for each in content}
    config = replace(TrainConfig(seed=seed), steps=steps, rate=RATE)
    prepared = prepare(
        [*base, *consented.training],
        [*content, *(each for each in consented.new_artists if each.key not in known)],
        taggings,
        config=config,
        space=embedder.content.space,
        align=lambda keys, features: rotation_onto(embedder, keys, features),
        progress=lambda share, message: progress(2 * FEATURES_SHARE * share, message),
    )
    return fit_prepared(
        prepared,
        config=config,
        estimates=True,
        start=embedder.model,
        progress=lambda share, message: progress(
            2 * FEATURES_SHARE + (1 - 2 * FEATURES_SHARE) * share, message
        ),
    )


@torch.inference_mode()
def rotation_onto(embedder: Embedder, keys: Sequence[str], features: ArtistFeatures) -> np.ndarray:
    """Return the rotation (k, k) from this table's factors to those that the encoder knows.

    Only the encoder's outputs of the old artists are stored: their factors plus a part that the
    encoder added. So both are estimated in turn: that part under the current rotation, then the
    rotation from the rest.
    """
    rows = [
        (at, row) for at, key in enumerate(keys) if (row := embedder.catalogue.row(key)) is not None
    ]
    here, there = np.array(rows, np.int64).reshape(-1, 2).T
    weight = np.minimum(embedder.catalogue.df[there], RIDGE_CAP)
    here, there, weight = here[weight > 0], there[weight > 0], weight[weight > 0]
    factors = features.inputs[here, FACTOR]  # (n, k)
    encoded = embedder.items.vectors[1:].numpy()[there]  # (n, k)
    inputs = features.inputs[here].copy()
    rotation = procrustes(factors, encoded, weight)
    for _ in range(ROTATION_ROUNDS):
        rotated = factors @ rotation
        inputs[:, FACTOR] = rotated
        added = embedder.model.encoder(torch.from_numpy(inputs)).vectors.numpy() - rotated
        rotation = procrustes(factors, encoded - added, weight)
    return rotation
