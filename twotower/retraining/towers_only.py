"""Retraining without the base data: a few steps of the towers, with a frozen artist encoder.

New artists are placed by their listeners. The towers are trained on consenting members, and held
near their previous output on the synthetic listeners, who stand for the base data.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from twotower.core.domain import Profile
from twotower.core.jobs import Progress, silent
from twotower.core.names import hashed_id
from twotower.model import losses
from twotower.model.batches import ExtraItems, ItemSet, collate, split_chunks, to_items
from twotower.model.embedder import Embedder
from twotower.model.towers import ARTIST, Items, ProfileBatch, TwoTower
from twotower.retraining.consent import Consented
from twotower.retraining.new_artists import add_artists, keep_artists

RATE = 1e-3
BATCH, REPLAY_BATCH = 256, 128  # members and synthetic listeners in a step
REPLAY_WEIGHT = 20.0  # of 1 - cosine to the previous vector, beside the loss
MAX_SCALE = 60.0  # of the softmax
MAX_GRADIENT_NORM = 1.0
MIN_SIDE = 2  # artists of one view


def retrain_towers(
    embedder: Embedder,
    synthetic: Sequence[Profile],
    consented: Consented,
    *,
    known: Collection[str],
    steps: int,
    seed: int = 0,
    progress: Progress = silent,
) -> Embedder:
    """Train the towers on consenting members, with their new artists.

    Artists stay if they are `known` to the shipped model or still have enough listeners.
    """
    allowed = {each.key for each in consented.new_artists} | set(known)
    wider = add_artists(
        keep_artists(embedder, allowed),
        consented.new_artists,
        [*consented.training, *synthetic],
    )
    model = _train(wider, synthetic, consented.training, steps, seed, progress)
    seen = sorted({*embedder.trained_on, *(hashed_id(p) for p in consented.training)})
    return replace(wider, model=model, version="unsaved", trained_on=tuple(seen))


@dataclass(frozen=True)
class _Encoded:
    """Profiles as item sets of a frozen encoder."""

    items: Items
    sets: tuple[ItemSet, ...]


def _encode(embedder: Embedder, profiles: Sequence[Profile]) -> _Encoded:
    extras = ExtraItems(first=len(embedder.items.log_precision))
    sets = [to_items(p, embedder.catalogue, embedder.content, extras) for p in profiles]
    items = embedder.items
    if extras.content:
        with torch.inference_mode():
            inputs = torch.from_numpy(embedder.content.inputs(np.stack(extras.content)))
            more = embedder.model.encoder(inputs, torch.from_numpy(np.stack(extras.extra)))
        pairs = (
            (items.vectors, more.vectors),
            (items.log_precision, more.log_precision),
            (items.df, more.df),
        )
        items = Items(*(torch.cat(pair).clone() for pair in pairs))
    return _Encoded(items, tuple(sets))


def _train(
    embedder: Embedder,
    synthetic: Sequence[Profile],
    training: Sequence[Profile],
    steps: int,
    seed: int,
    progress: Progress,
) -> TwoTower:
    """Return the model after `steps` of contrastive learning with replay."""
    config = embedder.model.config
    model = TwoTower(config)
    model.load_state_dict(embedder.model.state_dict())
    trained = [p for name, p in model.named_parameters() if not name.startswith("encoder")]
    optimiser = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    members, replayed = _encode(embedder, training), _encode(embedder, synthetic)
    chunks = [piece for each in replayed.sets for piece in split_chunks(each, config.chunk)[:1]]
    model.train()
    for step in range(steps):
        rng = np.random.default_rng([seed, 13, step])
        torch.manual_seed(seed * 1_000_003 + step)
        users, candidates = _draw_views(members.sets, config.chunk, rng)
        if len(users) < 2:
            break
        user = model.user(members.items, collate(users, relative=config.relative_plays))
        candidate = model.candidate(
            members.items, collate(candidates, relative=config.relative_plays)
        )
        loss = losses.in_batch_softmax(user, candidate, scale=model.log_scale.exp())
        if chunks:
            drawn = rng.choice(len(chunks), min(REPLAY_BATCH, len(chunks)), replace=False)
            batch = collate([chunks[at] for at in drawn], relative=config.relative_plays)
            loss = loss + REPLAY_WEIGHT * _drift(embedder.model, model, replayed.items, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, MAX_GRADIENT_NORM)
        optimiser.step()
        with torch.no_grad():
            model.log_scale.clamp_(max=float(np.log(MAX_SCALE)))
        progress((step + 1) / steps, f"step {step + 1} of {steps}, loss {loss.item():.3f}")
    return model.eval()


def _drift(before: TwoTower, after: TwoTower, items: Items, batch: ProfileBatch) -> Tensor:
    """Return the mean of 1 - cosine between the outputs of both models, over both towers."""
    with torch.no_grad():
        user, candidate = before.user(items, batch), before.candidate(items, batch)
    cosines = (after.user(items, batch) * user).sum(1)
    cosines = cosines + (after.candidate(items, batch) * candidate).sum(1)
    drift: Tensor = 1 - cosines.mean() / 2
    return drift


def _draw_views(
    sets: Sequence[ItemSet], max_artists: int, rng: np.random.Generator
) -> tuple[list[ItemSet], list[ItemSet]]:
    """Draw a batch of listeners; return two disjoint parts of each one's artists, (B,) each.

    One part is a half or a log-uniformly smaller set, and goes to either tower.
    """
    chosen = rng.permutation(len(sets))[:BATCH]
    views: tuple[list[ItemSet], list[ItemSet]] = ([], [])
    for at in chosen:
        artists = rng.permutation(np.flatnonzero(sets[at].item_types == ARTIST))
        if len(artists) < 2 * MIN_SIDE:
            continue
        half = len(artists) // 2
        few = half
        if half > MIN_SIDE:
            few = round(float(np.exp(rng.uniform(np.log(MIN_SIDE), np.log(half)))))
        cut = half if rng.random() < 0.5 else few
        parts = [artists[:cut][:max_artists], artists[cut:][:max_artists]]
        if rng.random() < 0.5:
            parts.reverse()
        for view, part in zip(views, parts, strict=True):
            view.append(
                ItemSet(sets[at].rows[part], sets[at].plays[part], sets[at].item_types[part])
            )
    return views
