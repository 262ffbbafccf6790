"""Losses of two batches of unit vectors, and measures of how training goes.

In all of them users (B, D) come from the user tower and candidates (B, D) from the candidate
tower; row i of both is the same listener, seen through two disjoint parts of their artists. The
other rows of the batch are the negatives.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def in_batch_softmax(users: Tensor, candidates: Tensor, *, scale: Tensor | float = 20.0) -> Tensor:
    """Symmetric InfoNCE (van den Oord et al., 2018): mean of both directions' softmax losses.

    `scale` is 1 / temperature.
    """
    scores = users @ candidates.T * scale  # (B, B), user by candidate
    back = scores.T
    own = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, own) + F.cross_entropy(back, own)) / 2


def pairwise_sigmoid(users: Tensor, candidates: Tensor, *, scale: Tensor | float = 10.0) -> Tensor:
    """SigLIP (Zhai et al., 2023): a binary loss for each of the B x B pairs, summed per listener.

    The bias is fixed at -log B: one of B candidates is the right one.
    """
    logits = users @ candidates.T * scale - math.log(len(users))  # (B, B)
    signs = 2 * torch.eye(len(logits), device=logits.device) - 1
    return -F.logsigmoid(signs * logits).sum() / len(logits)


def triplet(
    users: Tensor, candidates: Tensor, *, margin: float = 0.2, scale: Tensor | float = 1.0
) -> Tensor:
    """Hinge loss with the hardest negative: mean of max(0, margin - own score + hardest score).

    There is no temperature: `scale` is accepted and ignored, so all losses take the same arguments.
    """
    scores = users @ candidates.T  # (B, B)
    diagonal = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    hardest = scores.masked_fill(diagonal, -2.0).amax(1)  # (B,)
    return F.relu(margin - scores.diagonal() + hardest).mean()


def bpr(users: Tensor, candidates: Tensor, *, scale: Tensor | float = 10.0) -> Tensor:
    """Bayesian personalised ranking (Rendle et al., 2009) over all B - 1 negatives."""
    scores = users @ candidates.T * scale  # (B, B)
    gaps = scores.diagonal()[:, None] - scores
    negative = ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    return -F.logsigmoid(gaps[negative]).mean()


def alignment(users: Tensor, candidates: Tensor) -> Tensor:
    """Mean squared distance between the two views of a listener (Wang and Isola, 2020); 0 is best.

    Ranges from 0 to 4.
    """
    return (users - candidates).square().sum(1).mean()


def uniformity(vectors: Tensor, *, t: float = 2.0) -> Tensor:
    """Log of the mean Gaussian potential of all pairs (Wang and Isola, 2020); lower is better."""
    return torch.pdist(vectors).square().mul(-t).exp().mean().log()


Name = Literal["softmax", "sigmoid", "triplet", "bpr"]
SCALED: frozenset[Name] = frozenset({"softmax", "sigmoid", "bpr"})  # losses with a temperature
BY_NAME: Mapping[Name, Callable[..., Tensor]] = MappingProxyType(
    {"softmax": in_batch_softmax, "sigmoid": pairwise_sigmoid, "triplet": triplet, "bpr": bpr}
)
