"""Learning on where no base data is at hand: the towers alone, and only a little.

What the encoder made of the artists stays. An artist that is new gets its place from those who
play it; the towers learn from those who consent, and what they say of the invented listeners,
whom everyone before has shaped, is held near to what it was.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from twotower.core.domain import Profile
from twotower.core.names import hashed_id
from twotower.model import losses
from twotower.model.als import ridge
from twotower.model.artist_features import PRIOR_LISTENERS, RIDGE_CAP, Progress
from twotower.model.batches import (
    ExtraItems,
    ItemSet,
    chunked,
    collate,
    content_block,
    read_profile,
)
from twotower.model.catalogue import NO_GENRE, Catalogue
from twotower.model.ease import ItemItemWeights
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import play_matrix
from twotower.model.towers import ARTIST, DF, FACTOR, Items, ProfileBatch, TwoTower
from twotower.retraining.consent import Consented

RATE = 1e-3
BATCH, REPLAYED = 256, 128  # listeners of each kind in a step
HELD_NEAR = 20.0  # weight of 1 - cosine to the vector before, beside the loss
MOST_SCALE = 60.0
MAP_ALPHA = 10.0  # ridge from where an artist's listeners are to where it is


def learned_on_members(
    embedder: Embedder,
    invented: Sequence[Profile],
    consented: Consented,
    *,
    known: Collection[str],
    steps: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Embedder:
    """A model whose towers have learned from those who consent, with their new artists.

    Of the artists that it knew, those stay that are `known` from what ships or that enough still
    share.
    """
    allowed = {each.key for each in consented.new} | set(known)
    wider = with_new_artists(of_artists(embedder, allowed), consented, invented)
    model = _trained(wider, invented, consented.training, steps, seed, progress)
    seen = sorted({*embedder.trained_on, *(hashed_id(p) for p in consented.training)})
    return replace(wider, model=model, version="unsaved", trained_on=tuple(seen))


def of_artists(embedder: Embedder, allowed: Collection[str]) -> Embedder:
    """The same model without the artists that are not allowed, as if it had never met them."""
    old = embedder.catalogue
    rows = np.array([at for at, key in enumerate(old.keys) if key in allowed], np.int64)
    if len(rows) == len(old):
        return embedder
    catalogue = Catalogue(
        tuple(old.keys[row] for row in rows),
        tuple(old.names[row] for row in rows),
        old.df[rows],
        old.genre_words,
        old.genre_ids[rows] if len(old.genre_ids) else old.genre_ids,
        old.audio[rows] if len(old.audio) else old.audio,
    )
    padded = torch.from_numpy(np.append(0, rows + 1))
    of = embedder.items
    items = Items(of.vectors[padded], of.gates[padded], of.df[padded])
    item_item = embedder.item_item.select(rows)
    return replace(embedder, catalogue=catalogue, items=items, item_item=item_item)


def with_new_artists(
    embedder: Embedder, consented: Consented, invented: Sequence[Profile]
) -> Embedder:
    """The same model with artists that enough of those who consent share, at the catalogue's end.

    Where an artist is follows from where its listeners are by a ridge that is fitted on the
    artists that are known, each without itself, and from its genres and name.
    """
    new = tuple(each for each in consented.new if embedder.catalogue.row(each.key) is None)
    if not new:
        return embedder
    consented = replace(consented, new=new)
    keys = [*embedder.catalogue.keys, *(each.key for each in new)]
    known = len(embedder.catalogue)
    plays = play_matrix(
        [*consented.training, *invented], {key: row for row, key in enumerate(keys)}
    )
    weights = plays.log1p().astype(np.float32)
    items = embedder.items.vectors[1:].numpy()
    df = np.asarray(weights.getnnz(0), np.float32)
    fitted = np.flatnonzero((df[:known] >= 2) & (embedder.catalogue.df >= 2))
    means = _where_heard(weights, items)
    one = np.ones((len(keys), 1), np.float32)
    inputs = np.concatenate([means, one], 1)
    to_artist = ridge(inputs[fitted], items[fitted], np.minimum(df[fitted], RIDGE_CAP), MAP_ALPHA)
    return _widened(embedder, consented, inputs[known:] @ to_artist, df[known:])


def _widened(
    embedder: Embedder, consented: Consented, heard: np.ndarray, df: np.ndarray
) -> Embedder:
    """heard (n, D) where listeners put the new artists, df (n,) how many those are."""
    catalogue, space = embedder.catalogue, embedder.content.space
    block = content_block(space, genres=[each.genres for each in consented.new])
    block[:, -space.name_basis.shape[1] :] = space.names([each.name for each in consented.new])
    told = embedder.content.inputs(block)
    with torch.inference_mode():
        by_content = embedder.model.encoder(torch.from_numpy(told)).vectors.numpy()
        share = (df / (df + PRIOR_LISTENERS))[:, None]
        vectors = share * heard + (1 - share) * by_content
        told[:, FACTOR] = vectors
        told[:, DF] = np.column_stack([np.log1p(df) / 2, df > 0, df < 2])
        gates = embedder.model.encoder(torch.from_numpy(told)).gates
    items = embedder.items
    more = (torch.from_numpy(vectors.astype(np.float32)), gates, torch.from_numpy(told[:, DF]))
    old = (items.vectors, items.gates, items.df)
    joined = Items(*(torch.cat([a, b]).half().float() for a, b in zip(old, more, strict=True)))
    word_row = {word: at for at, word in enumerate(catalogue.genre_words)}
    genres = np.full((len(consented.new), catalogue.genre_ids.shape[1]), NO_GENRE, np.int16)
    for row, each in enumerate(consented.new):
        rows = [word_row[word] for word in each.genres if word in word_row][: genres.shape[1]]
        genres[row, : len(rows)] = rows
    audio = np.full((len(consented.new), catalogue.audio.shape[1]), np.nan, np.float16)
    wider = Catalogue(
        (*catalogue.keys, *(each.key for each in consented.new)),
        (*catalogue.names, *(each.name for each in consented.new)),
        np.concatenate([catalogue.df, df]),
        catalogue.genre_words,
        _longer(catalogue.genre_ids, genres),
        _longer(catalogue.audio, audio),
    )
    kept = embedder.item_item
    item_item = ItemItemWeights(len(wider), kept.artists, kept.others, kept.weights)
    return replace(embedder, catalogue=wider, items=joined, item_item=item_item)


def _longer(array: np.ndarray, more: np.ndarray) -> np.ndarray:
    """An estimate that a catalogue does without stays empty."""
    return np.concatenate([array, more]) if len(array) else array


def _where_heard(weights: sp.csr_matrix, items: np.ndarray) -> np.ndarray:
    """(artists, D): for each artist the mean of its listeners, each the mean of the known artists
    that they play beside it.

    weights (listeners, artists); items (known, D) are the first of the artists.
    """
    known = len(items)
    sums = weights[:, :known] @ items  # (listeners, D)
    whole = np.asarray(weights[:, :known].sum(1)).ravel()
    out = np.zeros((weights.shape[1], items.shape[1]), np.float32)
    by_artist = weights.T.tocsr()
    for artist in np.flatnonzero(np.diff(by_artist.indptr)):
        span = slice(by_artist.indptr[artist], by_artist.indptr[artist + 1])
        listeners, weight = by_artist.indices[span], by_artist.data[span]
        if artist >= known:
            weight, own = np.zeros_like(weight), np.zeros(items.shape[1], np.float32)
        else:
            own = items[artist]
        beside = sums[listeners] - weight[:, None] * own
        out[artist] = (beside / np.maximum(whole[listeners] - weight, 1e-3)[:, None]).mean(0)
    return out


@dataclass(frozen=True)
class _Sets:
    """Profiles as items of a model whose encoder stays as it is."""

    items: Items
    sets: tuple[ItemSet, ...]


def _sets(embedder: Embedder, profiles: Sequence[Profile]) -> _Sets:
    extras = ExtraItems(first=len(embedder.items.gates))
    read = [read_profile(p, embedder.catalogue, embedder.content, extras) for p in profiles]
    items = embedder.items
    if extras.content:
        with torch.inference_mode():
            inputs = torch.from_numpy(embedder.content.inputs(np.stack(extras.content)))
            more = embedder.model.encoder(inputs, torch.from_numpy(np.stack(extras.extra)))
        pairs = ((items.vectors, more.vectors), (items.gates, more.gates), (items.df, more.df))
        items = Items(*(torch.cat(pair).clone() for pair in pairs))
    return _Sets(items, tuple(read))


def _trained(
    embedder: Embedder,
    invented: Sequence[Profile],
    training: Sequence[Profile],
    steps: int,
    seed: int,
    progress: Progress | None,
) -> TwoTower:
    """The towers after `steps` on halves of those who consent, and on the invented as they were."""
    config = embedder.model.config
    model = TwoTower(config)
    model.load_state_dict(embedder.model.state_dict())
    learned = [p for n, p in model.named_parameters() if not n.startswith("encoder")]
    optimiser = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.0)
    theirs, others = _sets(embedder, training), _sets(embedder, invented)
    chunks = [piece for each in others.sets for piece in chunked(each, config.chunk)[:1]]
    model.train()
    for step in range(steps):
        rng = np.random.default_rng([seed, 13, step])
        torch.manual_seed(seed * 1_000_003 + step)
        users, candidates = _views(theirs.sets, config.chunk, rng)
        if len(users) < 2:
            break
        one = model.user(theirs.items, collate(users, relative=config.relative_plays))
        other = model.candidate(theirs.items, collate(candidates, relative=config.relative_plays))
        loss = losses.in_batch_softmax(one, other, scale=model.log_scale.exp())
        if chunks:
            drawn = rng.choice(len(chunks), min(REPLAYED, len(chunks)), replace=False)
            batch = collate([chunks[at] for at in drawn], relative=config.relative_plays)
            loss = loss + HELD_NEAR * _moved(embedder.model, model, others.items, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        with torch.no_grad():
            model.log_scale.clamp_(max=float(np.log(MOST_SCALE)))
        if progress is not None:
            progress((step + 1) / steps, f"step {step + 1} of {steps}, loss {loss.item():.3f}")
    return model.eval()


def _moved(before: TwoTower, now: TwoTower, items: Items, batch: ProfileBatch) -> Tensor:
    """Mean of 1 - cosine between what both say, over both towers."""
    with torch.no_grad():
        user, candidate = before.user(items, batch), before.candidate(items, batch)
    near = (now.user(items, batch) * user).sum(1) + (now.candidate(items, batch) * candidate).sum(1)
    moved: Tensor = 1 - near.mean() / 2
    return moved


def _views(
    sets: Sequence[ItemSet], most: int, rng: np.random.Generator
) -> tuple[list[ItemSet], list[ItemSet]]:
    """Two disjoint halves of the artists of each of a batch, in turn for either tower."""
    chosen = rng.permutation(len(sets))[:BATCH]
    sides: tuple[list[ItemSet], list[ItemSet]] = ([], [])
    for at in chosen:
        artists = rng.permutation(np.flatnonzero(sets[at].kinds == ARTIST))
        if len(artists) < 2 * 2:
            continue
        half = len(artists) // 2
        query = round(float(np.exp(rng.uniform(np.log(2), np.log(half))))) if half > 2 else half
        cut = half if rng.random() < 0.5 else query
        parts = [artists[:cut][:most], artists[cut:][:most]]
        if rng.random() < 0.5:
            parts.reverse()
        for side, part in zip(sides, parts, strict=True):
            side.append(ItemSet(sets[at].rows[part], sets[at].plays[part], sets[at].kinds[part]))
    return sides
