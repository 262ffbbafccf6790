"""Losses that teach two towers to agree; each a function of two batches of unit vectors."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def in_batch_softmax(
    users: Tensor,
    candidates: Tensor,
    *,
    scale: Tensor | float = 20.0,
    log_q: Tensor | None = None,
) -> Tensor:
    """Softmax loss in which the batch's other listeners are each listener's negatives.

    users       (B, D)  unit vectors from the user tower
    candidates  (B, D)  unit vectors from the candidate tower; row i is another part
                        of the listening of the person in users[i]
    log_q       (B,)    log of how often each candidate is drawn, subtracted from its scores
                        where candidates are not drawn alike (Yi et al., 2019)

    Symmetric InfoNCE (van den Oord et al., 2018), both directions averaged.
    """
    scores = users @ candidates.T * scale  # (B, B)
    own = torch.arange(len(scores), device=scores.device)
    back = scores.T
    if log_q is not None:
        scores = scores - log_q[None, :]
    return (F.cross_entropy(scores, own) + F.cross_entropy(back, own)) / 2


def pairwise_sigmoid(users: Tensor, candidates: Tensor, *, scale: Tensor | float = 10.0) -> Tensor:
    """SigLIP (Zhai et al., 2023): each of the B x B pairs judged alone, summed per listener.

    The bias is not learned: -log B, for one of B candidates is the right one.
    """
    logits = users @ candidates.T * scale - math.log(len(users))
    signs = 2 * torch.eye(len(logits), device=logits.device) - 1
    return -F.logsigmoid(signs * logits).sum() / len(logits)


def triplet(
    users: Tensor, candidates: Tensor, *, margin: float = 0.2, scale: Tensor | float = 1.0
) -> Tensor:
    """Hinge on the hardest other candidate of the batch: max(0, margin - own + hardest).

    It knows no temperature: `scale` is there to be called like the others.
    """
    scores = users @ candidates.T
    own = scores.diagonal()
    diagonal = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    return F.relu(margin - own + scores.masked_fill(diagonal, -2.0).amax(1)).mean()


def bpr(users: Tensor, candidates: Tensor, *, scale: Tensor | float = 10.0) -> Tensor:
    """Bayesian personalised ranking (Rendle et al., 2009) over all other candidates."""
    scores = users @ candidates.T * scale
    apart = scores.diagonal()[:, None] - scores
    off = ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    return -F.logsigmoid(apart[off]).mean()


def alignment(users: Tensor, candidates: Tensor) -> Tensor:
    """Mean squared distance of the two halves of a person (Wang and Isola, 2020); 0 is best."""
    return (users - candidates).square().sum(1).mean()


def uniformity(vectors: Tensor, *, t: float = 2.0) -> Tensor:
    """log of the mean Gaussian potential over pairs (Wang and Isola, 2020); lower is better."""
    return torch.pdist(vectors).square().mul(-t).exp().mean().log()


Name = Literal["softmax", "sigmoid", "triplet", "bpr"]
SCALED: frozenset[Name] = frozenset({"softmax", "sigmoid", "bpr"})  # those that read a temperature
BY_NAME: Mapping[Name, Callable[..., Tensor]] = MappingProxyType(
    {"softmax": in_batch_softmax, "sigmoid": pairwise_sigmoid, "triplet": triplet, "bpr": bpr}
)
