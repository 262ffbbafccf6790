"""Artists as they are stored: 8-bit vectors."""

import torch

from twotower.model.stored_items import items_of, round_items, tensors_of
from twotower.model.towers import Items


def items() -> Items:
    vectors = torch.randn(50, 64, generator=torch.Generator().manual_seed(0))
    vectors *= torch.logspace(-6, 3, 50)[:, None]
    vectors[7] = 0
    return Items(vectors, torch.linspace(-1, 1, 50), torch.rand(50, 3))


def test_a_value_is_off_by_half_a_step_at_most():
    before, after = items().vectors, round_items(items()).vectors
    # A step is a 127th of the row's largest value; the scale has 11 bits, or fewer near zero.
    step = before.abs().amax(1, keepdim=True) / 127 * (1 + 2**-10) + 2**-24
    assert ((before - after).abs() <= step / 2 * 1.001).all()
    assert (after[7] == 0).all()


def test_rounding_twice_changes_nothing():
    once = round_items(items())
    twice = round_items(once)
    for name in ("vectors", "log_precision", "df"):
        assert torch.equal(getattr(once, name), getattr(twice, name))


def test_vectors_of_older_models_are_read_as_they_are():
    stored = tensors_of(items())
    stored["vectors"] = items().vectors.half()
    del stored["scale"]
    assert torch.equal(items_of(stored).vectors, items().vectors.half().float())
