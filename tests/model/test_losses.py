"""Losses worked out by hand on two or three listeners."""

import math
from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from twotower.model.losses import (
    alignment,
    bpr,
    in_batch_softmax,
    pairwise_sigmoid,
    triplet,
    uniformity,
)

USERS, CANDIDATES = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
LOSSES = (in_batch_softmax, pairwise_sigmoid, triplet, bpr, alignment)


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def unit(rows: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(rows, 8, generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=1)


def test_in_batch_softmax_by_hand():
    # scores [[1, 1], [0, 0]]: by rows each positive ties with one negative, log 2 each;
    # by columns the right one is 1 against 0, then 0 against 1
    expected = (math.log(2) + (softplus(-1) + softplus(1)) / 2) / 2
    assert in_batch_softmax(USERS, CANDIDATES, scale=1.0).item() == pytest.approx(expected)


def test_pairwise_sigmoid_by_hand():
    # logits 2 x [[1, 1], [0, 0]] - log 2: own pairs 2 - log 2 and -log 2, others the same
    high, low = 2 - math.log(2), -math.log(2)
    expected = (softplus(-high) + softplus(high) + softplus(low) + softplus(-low)) / 2
    loss = pairwise_sigmoid(USERS, CANDIDATES, scale=2.0)
    assert loss.item() == pytest.approx(expected)


def test_triplet_by_hand():
    # own 1 and 0, hardest other 1 and 0: each exactly the margin short
    assert triplet(USERS, CANDIDATES, margin=0.2).item() == pytest.approx(0.2)
    # own 1 and 1, others 0: beyond the margin
    assert triplet(USERS, USERS, margin=0.2).item() == 0.0
    users = torch.eye(3)
    candidates = torch.tensor([[0.6, 0.8, 0], [0, 1.0, 0], [0, 0, 1.0]])
    # listener 0 own .6 against 0; listener 1 own 1 against .8, short by 0 of .2; listener 2 clear
    assert triplet(users, candidates, margin=0.3).item() == pytest.approx(0.1 / 3)


def test_bpr_by_hand():
    # own against the other candidate: 1 - 1 and 0 - 0, then 1 - 0 twice
    assert bpr(USERS, CANDIDATES, scale=3.0).item() == pytest.approx(math.log(2))
    assert bpr(USERS, USERS, scale=3.0).item() == pytest.approx(softplus(-3))


def test_alignment_and_uniformity_by_hand():
    assert alignment(USERS, USERS).item() == 0.0
    assert alignment(USERS, CANDIDATES).item() == pytest.approx(1.0)  # 0 and 2
    assert uniformity(USERS).item() == pytest.approx(-4.0)  # one pair, 2 apart squared, t = 2
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    expected = math.log((2 * math.exp(-8) + 1) / 3)
    assert uniformity(opposite).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", [in_batch_softmax, pairwise_sigmoid, alignment])
def test_it_doesnt_matter_which_tower_asks(loss):
    users, candidates = unit(6, 0), unit(6, 1)
    assert loss(users, candidates).item() == pytest.approx(loss(candidates, users).item(), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_order_of_listeners_doesnt_matter(loss):
    users, candidates = unit(6, 0), unit(6, 1)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    shuffled = loss(users[order], candidates[order]).item()
    assert shuffled == pytest.approx(loss(users, candidates).item(), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_fall_as_halves_of_a_person_meet(loss):
    candidates, stray = unit(6, 1), unit(6, 0)
    at = [loss(F.normalize(stray + t * candidates, dim=1), candidates).item() for t in (0, 1, 4)]
    assert all(later < earlier for earlier, later in pairwise(at))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("same", [True, False])
def test_the_gradient_is_finite_for_equal_and_for_different_vectors(loss, same):
    users = unit(5, 0).requires_grad_()
    candidates = (users.detach().clone() if same else unit(5, 1)).requires_grad_()
    loss(users, candidates).backward()
    assert torch.isfinite(users.grad).all() and torch.isfinite(candidates.grad).all()
