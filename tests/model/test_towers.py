"""Towers: vectors don't depend on order, padding or the way of solving."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn import functional as F

from twotower.model.als import fold_in
from twotower.model.batches import ItemSet, collate, relative_weights
from twotower.model.towers import (
    ARTIST,
    AUDIO_GROUP,
    DF,
    EXTRA_WIDTH,
    FACTOR,
    INPUT_WIDTH,
    Items,
    ModelConfig,
    ProfileBatch,
    TwoTower,
    from_stored_name,
    to_stored_name,
)

ARTISTS = 300


def untrained(seed: int = 0, **config) -> TwoTower:
    torch.manual_seed(seed)
    return TwoTower(ModelConfig(**config)).eval()


def without_zeros(seed: int = 0, **config) -> TwoTower:
    """Return a model without zeros, as after training."""
    model = untrained(seed, **config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def inputs() -> torch.Tensor:
    """Return inputs (ARTISTS + 1, INPUT_WIDTH); the first row is padding."""
    drawn = torch.randn(ARTISTS + 1, INPUT_WIDTH, generator=torch.Generator().manual_seed(1))
    drawn[0] = 0
    return drawn


def items_of(model: TwoTower, inputs: torch.Tensor) -> Items:
    with torch.no_grad():
        return model.encoder(inputs)


def listener(count: int, seed: int = 0) -> ItemSet:
    rng = np.random.default_rng(seed)
    rows = rng.choice(ARTISTS, count, replace=False) + 1
    plays = np.ceil(rng.exponential(50, count)).astype(np.float32)
    return ItemSet(rows, plays, np.full(count, ARTIST))


def answer(model: TwoTower, inputs: torch.Tensor, sets: list[ItemSet]) -> torch.Tensor:
    with torch.no_grad():
        return model.user(items_of(model, inputs), collate(sets))


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 300])
def test_every_answer_is_a_unit_vector(inputs, count):
    out = answer(without_zeros(), inputs, [listener(count)])
    assert out.shape == (1, 64)
    assert out.norm(dim=1).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("count", [12, 100])
def test_the_order_of_artists_doesnt_matter(inputs, count):
    one = listener(count)
    order = np.random.default_rng(5).permutation(count)
    other = ItemSet(one.rows[order], one.plays[order], one.item_types[order])
    out = answer(without_zeros(), inputs, [one, other])
    torch.testing.assert_close(out[0], out[1], atol=2e-5, rtol=0)


@pytest.mark.parametrize("beside", [40, 200])  # the second takes the large solve
def test_padding_doesnt_matter(inputs, beside):
    model, one = without_zeros(), listener(7)
    alone = answer(model, inputs, [one])
    padded = answer(model, inputs, [one, listener(beside, seed=1)])
    torch.testing.assert_close(alone[0], padded[0], atol=2e-5, rtol=0)


def test_the_content_of_the_padding_row_doesnt_matter(inputs):
    model, other = without_zeros(), inputs.clone()
    other[0] = 9.0
    sets = [listener(5), listener(20)]
    torch.testing.assert_close(
        answer(model, inputs, sets), answer(model, other, sets), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("count", [20, 64])
def test_the_small_solve_gives_what_the_large_one_gives(inputs, count):
    model, batch = without_zeros(), collate([listener(count), listener(count, seed=1)])
    nothing = torch.zeros(2, 65, dtype=torch.int64)
    padded = ProfileBatch(  # more columns than dimensions
        torch.cat([batch.rows, nothing], 1),
        torch.cat([batch.weights, nothing.float()], 1),
        torch.cat([batch.z_scores, nothing.float()], 1),
        torch.cat([batch.item_types, nothing], 1),
        batch.count,
    )
    with torch.no_grad():
        items = items_of(model, inputs)
        small, large = model.user(items, batch), model.user(items, padded)
    torch.testing.assert_close(small, large, atol=3e-5, rtol=0)


@pytest.mark.parametrize("count", [1, 10, 150])
def test_before_training_the_towers_are_the_fold_in_of_artist_factors(inputs, count):
    one = listener(count)
    factors = inputs[1:, FACTOR]
    model = untrained()
    model.set_prior(factors.T @ factors + 200.0 * torch.eye(64))
    weights, _ = relative_weights([one])
    row = sp.csr_matrix(
        (np.maximum(weights, 0.3), (np.zeros(count, int), one.rows - 1)), shape=(1, ARTISTS)
    )
    expected = F.normalize(fold_in(row.astype(np.float32), factors), dim=1)
    for tower in (model.user, model.candidate):
        with torch.no_grad():
            found = tower(items_of(model, inputs), collate([one]))
        assert (found @ expected.T).item() > 0.9999


def test_gradients_are_finite_with_padding_single_artists_and_groups(inputs):
    model = without_zeros().train()
    sets = [
        listener(1),
        listener(30, seed=1),
        ItemSet(np.array([3]), np.zeros(1, np.float32), np.array([AUDIO_GROUP])),
        ItemSet(np.zeros(0, int), np.zeros(0, np.float32), np.zeros(0, int)),
    ]
    extra = torch.zeros(len(inputs), EXTRA_WIDTH)
    extra[3] = 1
    items = model.encoder(inputs, extra)
    loss = (model.user(items, collate(sets)) * model.candidate(items, collate(sets))).sum()
    loss.backward()
    missing = {n for n, p in model.named_parameters() if p.grad is None}
    assert missing == {"log_scale"}
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_each_tower_has_parameters_of_its_own_unless_they_are_to_be_shared():
    own, shared = untrained(), untrained(shared=True)
    assert not {*map(id, own.user.parameters())} & {*map(id, own.candidate.parameters())}
    assert shared.user is shared.candidate
    count = sum(p.numel() for p in own.user.parameters())
    both = sum(p.numel() for p in own.parameters())
    assert both - sum(p.numel() for p in shared.parameters()) == count


def test_more_plays_draw_a_listener_nearer_to_an_artist(inputs):
    model = untrained()
    model.set_prior(50 * torch.eye(64))
    items = items_of(model, inputs)
    one = listener(10)
    much = replace(one, plays=np.where(np.arange(10) == 0, 5000, one.plays).astype(np.float32))
    before, after = answer(model, inputs, [one, much])
    artist = F.normalize(items.vectors[one.rows[0]], dim=0)
    assert (after @ artist).item() > (before @ artist).item()


def test_hidden_identities_and_few_listeners_reach_the_precision(inputs):
    """The popularity columns of an artist change its precision, and nothing else."""
    model = without_zeros()
    other = inputs.clone()
    other[:, DF] = torch.tensor([0.0, 0.0, 1.0])
    batch = collate([listener(10)])
    with torch.no_grad():
        one, two = items_of(model, inputs), items_of(model, other)
        one = replace(two, df=one.df)
        v = two.vectors[batch.rows]
        assert not torch.equal(
            model.user.precisions(one, batch, v), model.user.precisions(two, batch, v)
        )


def test_a_missing_group_has_a_parameter_of_its_own(inputs):
    """A missing group moves the prior mean."""
    model, one = untrained(), listener(10)
    model.set_prior(50 * torch.eye(64))
    before = answer(model, inputs, [one])
    with torch.no_grad():
        model.user.missing_group[AUDIO_GROUP] = 40.0
    assert not torch.allclose(before, answer(model, inputs, [one]), atol=1e-3)
    told = ItemSet(
        np.append(one.rows, 5), np.append(one.plays, 0), np.append(one.item_types, AUDIO_GROUP)
    )
    with torch.no_grad():
        there = answer(model, inputs, [told])
        model.user.missing_group[AUDIO_GROUP] = 0.0
    torch.testing.assert_close(there, answer(model, inputs, [told]))


@pytest.mark.parametrize("count", [5, 100])
def test_information_is_what_the_artists_add_to_the_prior(inputs, count):
    model, batch = without_zeros(), collate([listener(count), listener(3, seed=1)])
    with torch.no_grad():
        items = items_of(model, inputs)
        added = model.user.information(items, batch)
        v = items.vectors[batch.rows]
        c = model.user.precisions(items, batch, v)
    expected = sum(c[0, n] * torch.outer(v[0, n], v[0, n]) for n in range(count))
    torch.testing.assert_close(added[0], expected, rtol=1e-4, atol=1e-2)


def test_parameters_are_stored_under_names_that_stay():
    names = [name for name, _ in untrained().named_parameters()]
    stored = [to_stored_name(name) for name in names]
    assert {"user.root", "candidate.start", "user.gate.0.bias", "encoder.gate.bias"} <= {*stored}
    assert len({*stored}) == len(names)
    assert [from_stored_name(name) for name in stored] == names
    assert [from_stored_name(name) for name in names] == names  # new names can be read, too
